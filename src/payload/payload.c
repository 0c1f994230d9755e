#include "payload/payload.h"

#include <string.h>

#include "embedded/embedded.h"
#include "io/file.h"
#include "oci/pause.h"
#include "unpack/member/member.h"

enum { LOCAL_FILE_MAX = 2047 << 20, PAUSE_IMAGE_MAX = 8 << 20 };

void payload_free(struct payload *payload)
{
    for (size_t i = 0; i < payload->member_count; i++)
        member_free(&payload->members[i]);
    for (size_t i = 0; i < payload->tree_count; i++)
        tree_free(&payload->trees[i]);
    for (size_t i = 0; i < payload->fd_count; i++)
        cleanup_close_fn(&payload->fds[i]);
    arena_free(&payload->arena);
    *payload = (struct payload){0};
}

static const struct trusted *trusted_of(const struct payload_sources *sources,
                                        const struct recipe_input *input)
{
    return &sources->inputs[input - sources->recipe->inputs];
}

static int load_local(struct payload *payload, const struct plan_want *want, const struct run *run,
                      struct plan_content *to, struct err *err)
{
    cleanup_close int fd = -1;
    uint64_t size = 0;
    if (file_open(want->source.name, &fd, &size, err) < 0) {
        if (err->errnum == ENOENT)
            err->kind = ERR_RECIPE; /* the recipe names a file that does not exist */
        return -1;
    }
    if (size > LOCAL_FILE_MAX)
        return err_set(err, ERR_RECIPE, 0, "%s is too large to be embedded", want->source.name);
    to->blob = (struct blob){.fd = fd, .size = size};
    if (file_identify(fd, &to->blob.identity, err) < 0 ||
        file_check_end(fd, size, want->source.name, err) < 0 ||
        file_sha256(fd, 0, size, run, &to->blob.sha256, err) < 0)
        return -1;
    payload->fds[payload->fd_count++] = steal_fd(&fd);
    return 0;
}

static int load_embedded(const struct plan_want *want, struct plan_content *to, struct err *err)
{
    const char *prefix = "";
    if (want->kind == WANT_UNIT || want->kind == WANT_DROPIN)
        prefix = "units/";
    else if (want->kind == WANT_MANIFEST)
        prefix = "manifests/";
    else if (want->kind == WANT_KUBERNETES)
        prefix = "units/"; /* there is the "hyperkube" script that dispatches to the separate binaries */
    const struct embedded_file *file = NULL;
    if (embedded_want(prefix, want->source.name, &file, err) < 0)
        return -1;
    return blob_from_memory(file->start, (uint64_t)(file->end - file->start), &to->blob, err);
}

/* The program is compiled in; the container image around it is made here. */
static int load_pause(const struct plan_want *want, struct payload *payload, struct plan_content *to,
                      struct err *err)
{
    const struct embedded_file *program = NULL;
    cleanup_buf struct buf image = BUF_INIT(PAUSE_IMAGE_MAX);
    if (embedded_want("", want->source.name, &program, err) < 0 ||
        oci_pause(program->start, (size_t)(program->end - program->start), &image, err) < 0)
        return -1;
    const char *kept = arena_strndup(&payload->arena, image.data, image.len);
    return kept ? blob_from_memory(kept, image.len, &to->blob, err) : err_oom(err);
}

static void adopt_member(struct payload *payload, struct member *member, struct plan_content *to)
{
    to->blob = member->blob;
    to->has_meta = member->has_meta;
    to->meta = member->meta;
    payload->members[payload->member_count++] = *member;
}

/* Where a release of Kubernetes says its version: PLACES new strings, for binaries in the folder BIN. */
enum { PLACES = 2 };
static int version_places(const char *bin, struct arena *arena, const char **ret, struct err *err)
{
    static const char tail[] = "server/bin";
    size_t len = strlen(bin), tail_len = sizeof tail - 1;
    bool usual = len >= tail_len && strcmp(bin + len - tail_len, tail) == 0;
    ret[0] = arena_printf(arena, "%.*sversion", usual ? (int)(len - tail_len) : 0, bin);
    ret[1] = arena_printf(arena, "%s%skube-apiserver.docker_tag", bin, bin[0] ? "/" : "");
    return ret[0] && ret[1] ? 0 : err_oom(err);
}

/* The first line of the first that is there. */
static int read_version(struct member *places, char *ret, struct err *err)
{
    for (size_t i = 0; i < PLACES; i++) {
        const struct blob *blob = &places[i].blob;
        size_t len = blob->size < PAYLOAD_VERSION_CAP - 1 ? (size_t)blob->size : PAYLOAD_VERSION_CAP - 1;
        if (len == 0)
            continue;
        if (blob_read(blob, ret, len, 0, err) < 0)
            return -1;
        ret[len] = '\0';
        ret[strcspn(ret, "\n")] = '\0';
        return 0;
    }
    return 0;
}

/* The members of one archive that are wanted, each with the number of its want; and behind them what may be
 * there. */
struct member_batch {
    const char *paths[MEMBERS_MAX];
    size_t indexes[MEMBERS_MAX], count, optional;
    struct member members[MEMBERS_MAX];
};

static int collect_members(const struct payload_sources *sources, const struct plan_wants *wants,
                           size_t first, const bool *loaded, struct arena *arena, struct member_batch *to,
                           struct err *err)
{
    const struct recipe_kubernetes *kubernetes = &sources->recipe->kubernetes;
    const struct recipe_input *input = wants->items[first].source.input;
    for (size_t i = first; i < wants->count && to->count < MEMBERS_MAX - PLACES; i++) {
        const struct recipe_source *source = &wants->items[i].source;
        if (source->kind == SOURCE_MEMBER && source->input == input && !loaded[i]) {
            to->paths[to->count] = source->member;
            to->indexes[to->count++] = i;
        }
    }
    if (kubernetes->form == KUBERNETES_BINARIES && kubernetes->input == input) {
        if (version_places(kubernetes->member, arena, &to->paths[to->count], err) < 0)
            return -1;
        to->optional = PLACES;
    }
    for (size_t i = 0; i < to->count + to->optional; i++)
        to->members[i] = (struct member)MEMBER_EMPTY;
    return 0;
}

/* Reads all members that the recipe takes from one archive in one pass: a server tarball has hundreds of
 * MB. */
static int load_members(const struct payload_sources *sources, const struct plan_wants *wants, size_t first,
                        const struct run *run, struct payload *payload, bool *loaded, struct err *err)
{
    const struct recipe_input *input = wants->items[first].source.input;
    struct member_batch batch = {0};
    if (collect_members(sources, wants, first, loaded, &payload->arena, &batch, err) < 0)
        return -1;
    if (unpack_members(trusted_of(sources, input), batch.paths, batch.count + batch.optional, batch.optional,
                       sources->cache, run, batch.members, err) < 0)
        return err_wrap(err, "input %s", input->name);
    for (size_t i = 0; i < batch.count; i++) {
        adopt_member(payload, &batch.members[i], &payload->contents[batch.indexes[i]]);
        loaded[batch.indexes[i]] = true;
    }
    struct member *places = &batch.members[batch.count];
    int r = batch.optional > 0 ? read_version(places, payload->kubernetes_version, err) : 0;
    for (size_t i = 0; i < batch.optional; i++)
        member_free(&places[i]);
    return r;
}

static int load_tree(const struct payload_sources *sources, const struct plan_want *want,
                     const struct run *run, struct payload *payload, struct plan_content *to, struct err *err)
{
    const struct recipe_input *input = want->source.input;
    struct tree *tree = &payload->trees[payload->tree_count];
    if (unpack_tree(trusted_of(sources, input), want->source.member, sources->cache, run, tree, err) < 0)
        return err_wrap(err, "input %s", input->name);
    payload->tree_count++;
    struct plan_tree_entry *entries = arena_array(&payload->arena, tree->entry_count + 1, sizeof *entries);
    if (!entries)
        return err_oom(err);
    for (size_t i = 0; i < tree->entry_count; i++) {
        const struct tree_entry *from = &tree->entries[i];
        entries[i] = (struct plan_tree_entry){.path = from->path,
                                              .type = from->type == MEMBER_DIR       ? TREE_DIR
                                                      : from->type == MEMBER_SYMLINK ? TREE_SYMLINK
                                                                                     : TREE_FILE,
                                              .meta = from->meta,
                                              .target = from->target,
                                              .blob = from->blob};
    }
    to->entries = entries;
    to->entry_count = tree->entry_count;
    return 0;
}

static int load_want(const struct payload_sources *sources, const struct plan_wants *wants, size_t i,
                     const struct run *run, struct payload *payload, bool *loaded, struct err *err)
{
    const struct plan_want *want = &wants->items[i];
    struct plan_content *to = &payload->contents[i];
    struct member whole = MEMBER_EMPTY;
    switch (want->source.kind) {
    case SOURCE_NONE:
        return 0;
    case SOURCE_TEXT:
        return blob_from_memory(want->source.text, strlen(want->source.text), &to->blob, err);
    case SOURCE_LOCAL:
        return load_local(payload, want, run, to, err);
    case SOURCE_BUILTIN:
        return want->kind == WANT_PAUSE ? load_pause(want, payload, to, err) : load_embedded(want, to, err);
    case SOURCE_INPUT:
        if (unpack_whole(trusted_of(sources, want->source.input), &whole, err) < 0)
            return -1;
        adopt_member(payload, &whole, to);
        return 0;
    case SOURCE_MEMBER:
        return load_members(sources, wants, i, run, payload, loaded, err);
    case SOURCE_TREE:
        return load_tree(sources, want, run, payload, to, err);
    }
    return err_set(err, ERR_INTERNAL, 0, "a source of an unknown kind");
}

int payload_load(const struct payload_sources *sources, const struct plan_wants *wants, const struct run *run,
                 struct payload *ret, struct err *err)
{
    cleanup_payload struct payload made = {0};
    made.contents = arena_array(&made.arena, wants->count + 1, sizeof *made.contents);
    made.members = arena_array(&made.arena, wants->count + 1, sizeof *made.members);
    made.trees = arena_array(&made.arena, wants->count + 1, sizeof *made.trees);
    made.fds = arena_array(&made.arena, wants->count + 1, sizeof *made.fds);
    bool *loaded = arena_array(&made.arena, wants->count + 1, sizeof *loaded);
    if (!made.contents || !made.members || !made.trees || !made.fds || !loaded)
        return err_oom(err);
    for (size_t i = 0; i < wants->count; i++) {
        if (loaded[i])
            continue;
        if (load_want(sources, wants, i, run, &made, loaded, err) < 0)
            return err_wrap(err, "%s (%s)", wants->items[i].label, wants->items[i].image_path);
    }
    *ret = made;
    made = (struct payload){0};
    return 0;
}
