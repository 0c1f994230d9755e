#include "agent/contents/units.h"

#include <string.h>

#include "agent/os/child.h"
#include "agent/contents/contents.h"

#define UNIT_FOLDER "/etc/systemd/system/"
#define UNIT_END    ".service"
/* Other targets' links are ignored: those targets may never be reached. */
#define WANTS_FOLDER    UNIT_FOLDER "multi-user.target.wants/"
#define REQUIRES_FOLDER UNIT_FOLDER "multi-user.target.requires/"

enum { ANSWER_MAX = 256 << 10, ASK_MS = 30000 };

static int add_unit(void *ctx, const struct contents_entry *entry, struct err *err)
{
    struct baked_units *units = ctx;
    const char *name = entry->path + strlen(UNIT_FOLDER);
    size_t len = strlen(entry->path);
    if (entry->type != CONTENTS_TYPE_FILE || len <= strlen(UNIT_FOLDER) + strlen(UNIT_END) ||
        strncmp(entry->path, UNIT_FOLDER, strlen(UNIT_FOLDER)) != 0 || strchr(name, '/') ||
        strchr(name, '@') || strcmp(entry->path + len - strlen(UNIT_END), UNIT_END) != 0 ||
        strcmp(name, "bake-report.service") == 0)
        return 0;
    if (name[0] == '-')
        return err_set(err, ERR_VERIFY, 0, "%s: systemctl would read this name as an option", entry->path);
    if (units->count == UNITS_MAX)
        return err_set(err, ERR_VERIFY, 0, "the contents list has more than %d units", UNITS_MAX);
    snprintf(units->all[units->count++].name, NAME_CAP, "%s", name);
    return 0;
}

/* A second walk, because a link may come before its unit in the list. */
static int enable_unit(void *ctx, const struct contents_entry *entry, struct err *err)
{
    struct baked_units *units = ctx;
    (void)err;
    if (entry->type != CONTENTS_TYPE_SYMLINK ||
        (strncmp(entry->path, WANTS_FOLDER, strlen(WANTS_FOLDER)) != 0 &&
         strncmp(entry->path, REQUIRES_FOLDER, strlen(REQUIRES_FOLDER)) != 0))
        return 0;
    for (size_t i = 0; i < units->count; i++)
        if (strcmp(units->all[i].name, path_base(entry->path)) == 0)
            units->all[i].enabled = true;
    return 0;
}

int units_list(const char *contents, size_t len, struct baked_units *ret, struct err *err)
{
    cleanup_free struct baked_units *made = calloc(1, sizeof *made);
    if (!made)
        return err_oom(err);
    if (contents_walk(contents, len, add_unit, made, err) < 0 ||
        contents_walk(contents, len, enable_unit, made, err) < 0)
        return -1;
    *ret = *made;
    return 0;
}

static bool has_word(const char *list, size_t len, const char *word)
{
    for (const char *at = list, *end = list + len, *stop; at < end; at = stop + 1) {
        stop = memchr(at, ' ', (size_t)(end - at));
        stop = stop ? stop : end;
        if ((size_t)(stop - at) == strlen(word) && memcmp(at, word, strlen(word)) == 0)
            return true;
    }
    return false;
}

/* What comes after kubelet waits for the cluster, and so perhaps for other nodes. */
static bool is_later(const char *list, size_t len)
{
    static const char *const after[] = {"bake-report.service", "multi-user.target", "kubelet.service"};
    for (size_t i = 0; i < sizeof after / sizeof *after; i++)
        if (has_word(list, len, after[i]))
            return true;
    return false;
}

static void set_property(struct baked_unit *unit, const char *line, size_t len)
{
    const struct {
        const char *name;
        char *out;
    } words[] = {{"ActiveState=", unit->active}, {"SubState=", unit->sub}, {"Result=", unit->result}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        size_t name_len = strlen(words[i].name);
        if (len >= name_len && memcmp(line, words[i].name, name_len) == 0)
            snprintf(words[i].out, UNIT_WORD, "%.*s", (int)(len - name_len), line + name_len);
    }
    if (len == strlen("ConditionResult=no") && memcmp(line, "ConditionResult=no", len) == 0)
        unit->condition_no = true;
    /* when the conditions were evaluated; 0: never */
    const char *at = "ConditionTimestampMonotonic=";
    if (len > strlen(at) && memcmp(line, at, strlen(at)) == 0)
        unit->attempted = !(len == strlen(at) + 1 && line[len - 1] == '0');
    if (len > strlen("Job=") && memcmp(line, "Job=", strlen("Job=")) == 0)
        unit->queued = !(len == strlen("Job=0") && line[len - 1] == '0');
    const char *after = "After=";
    if (len > strlen(after) && memcmp(line, after, strlen(after)) == 0)
        unit->later = is_later(line + strlen(after), len - strlen(after));
}

/* One block of the answer: a unit's properties in any order, its name in "Id=". */
static void set_block(struct baked_units *units, const char *block, size_t len)
{
    const char *end = block + len;
    struct baked_unit *unit = NULL;
    for (int pass = 0; pass < 2; pass++) {
        for (const char *at = block, *stop; at < end; at = stop + 1) {
            stop = memchr(at, '\n', (size_t)(end - at));
            stop = stop ? stop : end;
            size_t line = (size_t)(stop - at);
            for (size_t i = 0; i < units->count && pass == 0 && line > 3 && memcmp(at, "Id=", 3) == 0; i++)
                if (strlen(units->all[i].name) == line - 3 &&
                    memcmp(units->all[i].name, at + 3, line - 3) == 0)
                    unit = &units->all[i];
            if (unit && pass == 1)
                set_property(unit, at, line);
        }
    }
}

int units_parse(const char *answer, struct baked_units *units, struct err *err)
{
    for (size_t i = 0; i < units->count; i++) {
        struct baked_unit *unit = &units->all[i];
        unit->active[0] = unit->sub[0] = unit->result[0] = '\0';
        unit->condition_no = unit->attempted = unit->queued = unit->later = false;
    }
    while (*answer) {
        const char *gap = strstr(answer, "\n\n");
        size_t len = gap ? (size_t)(gap - answer) : strlen(answer);
        set_block(units, answer, len);
        answer += len;
        answer += strspn(answer, "\n");
    }
    for (size_t i = 0; i < units->count; i++)
        if (units->all[i].active[0] == '\0')
            return err_set(err, ERR_VERIFY, 0, "systemctl does not list %s", units->all[i].name);
    return 0;
}

int units_ask(const struct root *root, struct baked_units *units, struct err *err)
{
    cleanup_buf struct buf answer = BUF_INIT(ANSWER_MAX);
    const char *argv[UNITS_MAX + 6] = {
        "/usr/bin/systemctl", "show", "--no-pager", "-p",
        "Id,ActiveState,SubState,Result,ConditionResult,ConditionTimestampMonotonic,Job,After"};
    struct child child = {.argv = argv, .timeout_ms = ASK_MS};
    int code = 0;
    if (units->count == 0)
        return 0;
    if (!child_there(root, argv[0]))
        argv[0] = "/bin/systemctl";
    for (size_t i = 0; i < units->count; i++)
        argv[5 + i] = units->all[i].name;
    if (child_run(root, &child, &answer, &code, err) < 0)
        return -1;
    if (code != 0)
        return err_set(err, ERR_VERIFY, 0, "systemctl show exited with %d", code);
    return units_parse(answer.data ? answer.data : "", units, err);
}

bool units_settled(const struct baked_units *units)
{
    static const char *const still[] = {"active", "failed", "inactive"};
    for (size_t i = 0; i < units->count; i++) {
        bool is_still = false;
        for (size_t k = 0; k < sizeof still / sizeof *still; k++)
            is_still = is_still || strcmp(units->all[i].active, still[k]) == 0;
        if (!units->all[i].later && (!is_still || units->all[i].queued))
            return false;
    }
    return true;
}

bool unit_dropped(const struct baked_unit *unit)
{
    return unit->enabled && !unit->attempted && !unit->queued && !unit->later &&
           strcmp(unit->active, "inactive") == 0;
}

const char *unit_word(const struct baked_unit *unit)
{
    if (strcmp(unit->active, "inactive") == 0 && unit->condition_no && unit->attempted)
        return "skipped (condition)";
    return unit->active;
}
