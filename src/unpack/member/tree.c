/* unpack_tree(): everything below a folder of an archive, as one cache entry. */
#include <string.h>

#include "unpack/member/member.h"
#include "unpack/member/tree_builder.h"

static const char kind[] = "tree";

static void put_string(struct bundle_writer *writer, const char *text)
{
    bundle_put_number(writer, strlen(text));
    bundle_put_bytes(writer, text, strlen(text));
}

static int write_tree(const struct trusted *artifact, const char *prefix, const struct run *run,
                      struct bundle_writer *writer, struct err *err)
{
    cleanup_tree_builder struct tree_builder builder = {
        .prefix = prefix, .name = artifact->origin ? artifact->origin : "the input", .writer = writer};
    if (tree_builder_run(&builder, artifact, run, err) < 0)
        return -1;
    bundle_put_number(writer, builder.count);
    for (size_t i = 0; i < builder.count; i++) {
        const struct tree_item *item = &builder.items[i];
        bundle_put_number(writer, item->type);
        content_put_meta(writer, &item->meta);
        put_string(writer, item->path);
        put_string(writer, item->target ? item->target : "");
        content_put(writer, &item->content);
    }
    return 0;
}

static int read_tree(int fd, struct tree *ret, struct err *err)
{
    cleanup_bundle_index struct bundle_index index = {0};
    struct file_identity identity;
    if (file_identify(fd, &identity, err) < 0 || bundle_read(fd, &index, err) < 0)
        return -1;
    uint64_t count = bundle_get_number(&index);
    if (count > 2 * (uint64_t)TREE_ENTRIES_MAX)
        index.failed = true;
    ret->entries = arena_array(&ret->arena, index.failed ? 1 : (size_t)count + 1, sizeof *ret->entries);
    if (!ret->entries)
        return err_oom(err);
    for (uint64_t i = 0; i < count && !index.failed; i++) {
        struct tree_entry *entry = &ret->entries[ret->entry_count++];
        uint64_t type = bundle_get_number(&index);
        index.failed |= type > MEMBER_SYMLINK;
        entry->type = (enum member_type)type;
        content_get_meta(&index, &entry->meta);
        entry->path = bundle_get_string(&index, &ret->arena);
        entry->target = bundle_get_string(&index, &ret->arena);
        content_get(&index, fd, &entry->blob);
        entry->blob.identity = identity;
        if (entry->type != MEMBER_SYMLINK)
            entry->target = NULL;
        if (entry->type != MEMBER_FILE)
            entry->blob = (struct blob){.fd = -1};
    }
    return bundle_read_end(&index, err);
}

static int find_or_build(const struct trusted *artifact, const char *prefix, struct cache *cache,
                         const struct run *run, int *ret_fd, struct err *err)
{
    char key[SHA256_HEX];
    if (content_key(artifact, prefix, key, err) < 0 ||
        cache_find(cache, kind, key, ret_fd, NULL, run, err) < 0)
        return -1;
    if (*ret_fd >= 0)
        return 0;
    cleanup_cache_entry struct cache_entry entry = CACHE_ENTRY_EMPTY;
    if (cache_begin(cache, kind, key, &entry, run, err) < 0)
        return -1;
    if (entry.found_fd >= 0) {
        *ret_fd = steal_fd(&entry.found_fd);
        return 0;
    }
    cleanup_bundle_writer struct bundle_writer writer = {0};
    struct sha256 sha256;
    if (bundle_begin(&writer, entry.fd, err) < 0 || write_tree(artifact, prefix, run, &writer, err) < 0 ||
        bundle_end(&writer, &sha256, err) < 0)
        return -1;
    return cache_commit(&entry, &sha256, ret_fd, err);
}

int unpack_tree(const struct trusted *artifact, const char *prefix, struct cache *cache,
                const struct run *run, struct tree *ret, struct err *err)
{
    char normal[PATH_CAP];
    if (!member_name(prefix, normal))
        return err_set(err, ERR_RECIPE, 0, "\"%.200s\" is not the name of a folder in an archive", prefix);
    cleanup_tree struct tree made = TREE_EMPTY;
    if (find_or_build(artifact, normal, cache, run, &made.fd, err) < 0 || read_tree(made.fd, &made, err) < 0)
        return -1;
    *ret = made;
    made = (struct tree)TREE_EMPTY;
    return 0;
}
