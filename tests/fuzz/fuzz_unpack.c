/* Arbitrary bytes as an artifact, from which a disk, a member and a tree are unpacked.
 *
 * The bytes take the same way as in bake: a file, the stream decoders, libarchive, the cache. */
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cache/cache.h"
#include "io/file.h"
#include "unpack/member/member.h"
#include "unpack/unpack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct cache *cache_for_all(void)
{
    static struct cache *cache;
    static char dir[] = "/dev/shm/fuzz_unpack.XXXXXX";
    struct err err;
    if (!cache && mkdtemp(dir)) {
        const struct cache_options options = {.dir = dir, .max_bytes = 64 << 20};
        if (cache_open(&options, &cache, &err) < 0)
            abort();
    }
    return cache;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cache *cache = cache_for_all();
    struct trusted input = TRUSTED_EMPTY;
    struct disk disk = DISK_EMPTY;
    struct member member = MEMBER_EMPTY;
    struct tree tree = TREE_EMPTY;
    struct err err = {0};
    const struct unpack_limits limits = {.max_size = 32 << 20};
    input.fd = memfd_create("fuzz", MFD_CLOEXEC);
    if (!cache || input.fd < 0 || file_write(input.fd, data, size, "fuzz", &err) < 0 ||
        sha256_of(data, size, &input.sha256, &err) < 0)
        abort();
    input.size = size;
    if (unpack_disk(&input, cache, &limits, NULL, &disk, &err) == 0)
        disk_close(&disk);
    else if (err.kind != ERR_VERIFY && err.kind != ERR_INTERNAL)
        abort();
    if (unpack_members(&input, (const char *const[]){"a/b"}, 1, 0, cache, NULL, &member, &err) == 0)
        member_free(&member);
    if (unpack_tree(&input, "", cache, NULL, &tree, &err) == 0)
        tree_free(&tree);
    trusted_free(&input);
    static unsigned runs;
    if (++runs % 1000 == 0 && cache_trim(cache, &err) < 0)
        abort();
    return 0;
}
