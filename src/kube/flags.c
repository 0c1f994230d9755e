#include "kube/flags.h"

#include <limits.h>
#include <stdarg.h>
#include <string.h>

#include "kube/cage/native.h"
#include "kube/command/pod.h"
#include "kube/command/unit.h"
#include "kube/component.h"
#include "text/path.h"

enum { TEXT_MAX = 1 << 20, TEXTS_MAX = 64 };

static const char *const components[] = {"kube-apiserver", "kube-controller-manager", "kube-scheduler",
                                         "kube-proxy", "kubelet"};

struct flags_checker {
    const struct flags_args *args;
    const struct run *run;
    struct component component; /* the program that was asked last */
    const struct plan_want *want;
    struct arena arena;
    struct call_list calls;
    bool impossible; /* this machine cannot ask, which has been said */
    struct err *err;
};

static void free_checker(struct flags_checker *c)
{
    component_close(&c->component);
    arena_free(&c->arena);
}

static bool is_component(const char *name)
{
    for (size_t i = 0; i < sizeof components / sizeof *components; i++)
        if (strcmp(name, components[i]) == 0)
            return true;
    return false;
}

/* The embedded file that a node finds at PATH; NULL: the base's, or none. */
static const struct blob *find_file(const struct plan *plan, const char *path)
{
    const struct plan_op *op = plan_find(plan, path);
    return op && op->kind == PLAN_FILE ? &op->content : NULL;
}

/* What of a call is asked: a program, and its arguments from the name of the component on. */
struct question {
    const struct blob *program;
    const char *const *argv;
    size_t count;
    size_t words;     /* before the flags: 2 for a hyperkube */
    const char *name; /* of the component */
};

/* False: it is not a call of an embedded component. The script that stands in for a hyperkube starts the
 * program beside it, and so does this. */
static int understand(const struct flags_checker *c, const struct program_call *call, struct question *ret,
                      bool *ret_ok)
{
    struct native_facts native = {0};
    const char *path = call->argv[0];
    bool hyperkube = strcmp(path_base(path), "hyperkube") == 0 && call->count > 1;
    *ret = (struct question){.program = find_file(c->args->plan, path),
                             .argv = call->argv,
                             .count = call->count,
                             .words = hyperkube ? 2 : 1,
                             .name = hyperkube ? call->argv[1] : path_base(path)};
    *ret_ok = is_component(ret->name) && ret->program;
    if (!*ret_ok)
        return 0;
    if (native_read(ret->program, &native, c->err) < 0)
        return -1;
    if (!hyperkube || native.kind != NATIVE_NOT_ELF)
        return 0;
    cleanup_buf struct buf beside = BUF_INIT(PATH_MAX);
    buf_printf(&beside, "%.*s%s", (int)(path_base(path) - path), path, ret->name);
    if (buf_check(&beside, "a path", c->err) < 0)
        return -1;
    ret->program = find_file(c->args->plan, beside.data);
    ret->argv++;
    ret->count--;
    ret->words = 1;
    *ret_ok = ret->program != NULL;
    return 0;
}

/* A recipe is not refused because this machine cannot ask. */
static int skip(struct flags_checker *c, const char *name, const char *why)
{
    if (!c->impossible)
        run_warn(c->run, "plan", "the flags of %s are not checked: %s", name, why);
    return 0;
}

static int ask_component(struct flags_checker *c, const struct question *question, size_t count,
                         struct answer *ret)
{
    if (c->component.program != question->program) {
        component_close(&c->component);
        c->component = (struct component){question->program, c->args->cache, CAGE_EMPTY};
    }
    if (component_ask(&c->component, question->argv, count, c->run, ret, c->err) == 0)
        return 0;
    if (c->err->kind != ERR_IO || (c->err->errnum != CAGE_NOT_HERE && c->err->errnum != ETIMEDOUT))
        return -1;
    skip(c, question->name, c->err->text);
    c->impossible = c->impossible || c->err->errnum == CAGE_NOT_HERE;
    *ret = (struct answer){.kind = ANSWER_NONE};
    return 0;
}

/* The flag or the value that a refusal is about, in *ret_len bytes of it; NULL: it is about something else.
 */
static const char *about(const struct answer *answer, const char *prefix, const char *end, size_t *ret_len)
{
    const char *at = strstr(answer->text, prefix);
    if (!at)
        return NULL;
    at += strlen(prefix);
    *ret_len = strcspn(at, end);
    return at;
}

print_like(2, 3) static int refuse(const struct flags_checker *c, const char *fmt, ...)
{
    const struct recipe_where *where = &c->want->source.where;
    char text[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return err_set(c->err, ERR_RECIPE, 0, "%s:%u:%u: %s: %s", c->args->recipe->file, where->line,
                   where->column, c->want->label, text);
}

static int refuse_flags(const struct flags_checker *c, const struct question *question, const char *version,
                        const struct answer *answer)
{
    size_t len = 0;
    const char *flag = about(answer, "unknown flag: ", " ,", &len);
    if (!flag)
        return refuse(c, "%s of Kubernetes %s refuses its flags: %s", question->name, version, answer->text);
    return refuse(c, "%s of Kubernetes %s does not know %.*s: %s", question->name, version, (int)len, flag,
                  c->want->source.kind == SOURCE_BUILTIN ? "the built-in file is not for this version"
                                                         : "remove it");
}

/* What it says without flags tells a refusal from a program that answers nothing here. */
static int judge(struct flags_checker *c, const struct question *question, const struct answer *answer)
{
    struct answer plain;
    size_t len = 0;
    const char *value = about(answer, "invalid argument \"", "", &len);
    if (ask_component(c, question, question->words, &plain) < 0)
        return -1;
    if (plain.kind == ANSWER_REFUSAL && strncmp(plain.text, "unknown component", 17) == 0)
        return refuse(c, "%s is not in %s: %s", question->name, question->argv[0], plain.text);
    if (plain.kind != ANSWER_VERSION)
        return skip(c, question->name, plain.text);
    if (value && call_has_stand_in(value))
        return skip(c, question->name, answer->text);
    return refuse_flags(c, question, plain.version + 1, answer);
}

static int check_call(struct flags_checker *c, const struct program_call *call)
{
    struct question question;
    struct answer answer;
    char what[128];
    bool ok;
    if (call->count == 0 || c->impossible)
        return 0;
    if (understand(c, call, &question, &ok) < 0)
        return -1;
    if (!ok)
        return 0;
    snprintf(what, sizeof what, "asking %s about its flags", question.name);
    run_progress(c->run, "plan", what, 0, 0);
    if (ask_component(c, &question, question.count, &answer) < 0)
        return -1;
    if (answer.kind == ANSWER_VERSION || c->impossible)
        return 0;
    return answer.kind == ANSWER_NONE ? skip(c, question.name, answer.text) : judge(c, &question, &answer);
}

static int check_calls(struct flags_checker *c)
{
    for (size_t i = 0; i < c->calls.count; i++)
        if (check_call(c, &c->calls.items[i]) < 0)
            return -1;
    c->calls.count = 0;
    return 0;
}

/* Files over the cap have no text: they are nothing that a node would read. */
static int read_text(struct flags_checker *c, size_t i, struct unit_text *ret)
{
    const struct blob *blob = &c->args->contents[i].blob;
    *ret = (struct unit_text){.text = ""};
    if (blob->size > TEXT_MAX || blob->size == 0)
        return 0;
    char *text = arena_alloc(&c->arena, (size_t)blob->size + 1);
    if (!text)
        return err_oom(c->err);
    *ret = (struct unit_text){text, (size_t)blob->size};
    return blob_read(blob, text, ret->len, 0, c->err);
}

/* An unreadable unit or manifest is only a warning: systemd and kubelet read more than this does. */
static int check_unread(struct flags_checker *c, int read)
{
    if (read == 0)
        return check_calls(c);
    if (c->err->kind != ERR_RECIPE)
        return -1;
    c->calls.count = 0;
    run_warn(c->run, "plan", "%s: %s", c->want->label, c->err->text);
    return 0;
}

static int check_manifest(struct flags_checker *c, size_t i)
{
    struct unit_text text;
    if (read_text(c, i, &text) < 0)
        return -1;
    return check_unread(c, pod_calls(text.text, text.len, &c->calls, c->err));
}

/* A unit with its drop-ins, or the drop-ins of a unit of the base. */
static int check_unit(struct flags_checker *c, size_t first, size_t *ret_next)
{
    const struct plan_want *wants = c->args->wants->items;
    struct unit_text texts[TEXTS_MAX];
    size_t count = 0, i = first;
    for (; i < c->args->wants->count && wants[i].index == wants[first].index && count < TEXTS_MAX &&
           (i == first || wants[i].kind == WANT_DROPIN);
         i++)
        if (read_text(c, i, &texts[count++]) < 0)
            return -1;
    *ret_next = i;
    return check_unread(c, unit_calls(texts, count, &c->calls, c->err));
}

int flags_check(const struct flags_args *args, const struct run *run, struct err *err)
{
    cleanup(free_checker) struct flags_checker checker = {
        .args = args, .run = run, .component = COMPONENT_EMPTY, .err = err};
    checker.calls.arena = &checker.arena;
    for (size_t i = 0, next; i < args->wants->count; i = next) {
        const struct plan_want *want = &args->wants->items[i];
        next = i + 1;
        checker.want = want;
        if ((want->kind == WANT_MANIFEST && check_manifest(&checker, i) < 0) ||
            ((want->kind == WANT_UNIT || want->kind == WANT_DROPIN) && check_unit(&checker, i, &next) < 0))
            return -1;
    }
    return 0;
}
