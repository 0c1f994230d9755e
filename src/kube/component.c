#include "kube/component.h"

#include <signal.h>
#include <string.h>

#include "cache/note.h"
#include "text/hex.h"

static const char note_kind[] = "component", note_magic[] = "bake-component 1";

void component_close(struct component *component)
{
    cage_close(&component->cage);
}

/* Of the program and its command line. */
static int key_of(const struct component *component, const char *const *argv, char ret[static SHA256_HEX],
                  struct err *err)
{
    uint8_t digest[DIGEST_MAX_SIZE];
    cleanup_hasher struct hasher hasher = {0};
    if (hasher_init(&hasher, DIGEST_SHA256, err) < 0 ||
        hasher_add(&hasher, component->program->sha256.bytes, SHA256_SIZE, err) < 0)
        return -1;
    for (; *argv; argv++)
        if (hasher_add(&hasher, *argv, strlen(*argv) + 1, err) < 0)
            return -1;
    if (hasher_end(&hasher, digest, err) < 0)
        return -1;
    hex_encode(digest, SHA256_SIZE, ret);
    return 0;
}

/* Copies up to the end of the line, as far as it fits and is printable ASCII. */
static void copy_line(const char *from, char *to, size_t cap)
{
    size_t at = 0;
    for (; *from && *from != '\n' && *from != '\r' && at + 1 < cap; from++)
        to[at++] = *from >= 0x20 && *from < 0x7f ? *from : '?';
    to[at] = '\0';
}

static bool is_log_line(const char *line)
{
    return (line[0] == 'E' || line[0] == 'F') && strspn(line + 1, "0123456789") == 4;
}

/* The text of a message of klog: "E1128 22:00:43.733506 31130 run.go:72] TEXT". Of `"command failed"
 * err="WHY"` it is WHY. */
static const char *log_text(const char *line)
{
    static const char mark[] = "err=\"";
    size_t len = strcspn(line, "\n");
    const char *text = memmem(line, len, mark, sizeof mark - 1);
    if (text)
        return text + sizeof mark - 1;
    text = memmem(line, len, "] ", 2);
    return text ? text + 2 : line;
}

/* What follows PREFIX, or NULL. */
static const char *after(const char *line, const char *prefix)
{
    return strncmp(line, prefix, strlen(prefix)) == 0 ? line + strlen(prefix) : NULL;
}

/* Help texts of a thousand lines may come before or behind the one that says what is wrong. */
static bool find_refusal(const char *output, char *ret, size_t cap)
{
    for (const char *line = output; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        const char *text = after(line, "Error: ");
        if (!text)
            text = after(line, "hyperkube: "); /* which has no such component */
        if (!text && is_log_line(line))
            text = log_text(line);
        if (!text)
            continue;
        copy_line(text, ret, cap);
        size_t len = strlen(ret);
        if (is_log_line(line) && len > 0 && ret[len - 1] == '"') /* of err="..." */
            ret[len - 1] = '\0';
        return true;
    }
    return false;
}

static void read_answer(const struct proc_result *said, struct answer *ret)
{
    static const char prefix[] = "Kubernetes v";
    const char *out = said->out.data ? said->out.data : "", *errs = said->err.data ? said->err.data : "";
    *ret = (struct answer){.kind = ANSWER_NONE};
    if (said->status == 0 && strncmp(out, prefix, sizeof prefix - 1) == 0) {
        ret->kind = ANSWER_VERSION;
        copy_line(out + sizeof prefix - 2 /* from the v on */, ret->version, sizeof ret->version);
    } else if (said->status != 0 && said->status != 128 + SIGKILL &&
               find_refusal(errs, ret->text, sizeof ret->text)) {
        ret->kind = ANSWER_REFUSAL;
    } else {
        snprintf(ret->text, sizeof ret->text, "it ended with status %d and said no version", said->status);
    }
}

static int ask_in_cage(struct component *component, const char *const *argv, const struct run *run,
                       struct answer *ret, struct err *err)
{
    cleanup_proc_result struct proc_result said = {0};
    if (component->cage.program < 0 && cage_open(component->program, run, &component->cage, err) < 0)
        return -1;
    if (cage_run(&component->cage, argv, run, &said, err) < 0)
        return -1;
    read_answer(&said, ret);
    return 0;
}

int component_ask(struct component *component, const char *const *argv, size_t count, const struct run *run,
                  struct answer *ret, struct err *err)
{
    char key[SHA256_HEX];
    struct err ignored = {0};
    struct answer made = {.kind = ANSWER_VERSION};
    struct cache *cache = component->cache;
    const struct note_field field = {"version", made.version, sizeof made.version};
    cleanup_free const char **asked = calloc(count + 2, sizeof *asked);
    if (!asked)
        return err_oom(err);
    memcpy(asked, argv, count * sizeof *asked);
    asked[count] = "--version";
    if (key_of(component, asked, key, err) < 0)
        return -1;
    bool known =
        cache && !cache_rechecks(cache) && cache_note_get(cache, note_kind, key, note_magic, &field, 1, run);
    if (!known && ask_in_cage(component, asked, run, &made, err) < 0)
        return -1;
    /* a cache that cannot be written costs a second next time */
    if (!known && cache && made.kind == ANSWER_VERSION)
        (void)!cache_note_put(cache, note_kind, key, note_magic, &field, 1, run, &ignored);
    *ret = made;
    return 0;
}

int kube_component_version(const struct blob *program, bool hyperkube, const char *name, struct cache *cache,
                           const struct run *run, char ret[static COMPONENT_VERSION_CAP], struct err *err)
{
    cleanup_component struct component component = {.program = program, .cache = cache, .cage = CAGE_EMPTY};
    const char *const argv[] = {"hyperkube", name};
    struct answer answer;
    if (component_ask(&component, hyperkube ? argv : argv + 1, hyperkube ? 2 : 1, run, &answer, err) < 0)
        return -1;
    if (answer.kind != ANSWER_VERSION)
        return err_set(err, ERR_VERIFY, 0, "%s does not say its version: %s", name, answer.text);
    memcpy(ret, answer.version, sizeof answer.version);
    return 0;
}
