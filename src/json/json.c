#include "json/json.h"

#include <stdarg.h>
#include <string.h>

#include "base/buf.h"
#include "json/scan.h"
#include "text/utf8.h"

struct json_place {
    const cJSON *node;
    unsigned line, column;         /* of the value */
    unsigned key_line, key_column; /* of its key */
};

struct json_doc {
    cJSON *root;
    char *name;
    enum err_kind kind;
    struct json_place *places; /* sorted by node */
    size_t count;
};

/* Walks forward through the text; offsets must not go back. */
struct json_cursor {
    const char *text;
    size_t at, line_start;
    unsigned line;
};

static void cursor_to(struct json_cursor *c, size_t off, unsigned *ret_line, unsigned *ret_column)
{
    for (; c->at < off; c->at++)
        if (c->text[c->at] == '\n') {
            c->line++;
            c->line_start = c->at + 1;
        }
    *ret_line = c->line;
    *ret_column = (unsigned)(off - c->line_start) + 1;
}

static int error_at(const char *name, enum err_kind kind, const char *text, size_t off, struct err *err,
                    const char *message)
{
    struct json_cursor c = {.text = text, .line = 1};
    unsigned line, column;
    cursor_to(&c, off, &line, &column);
    return err_set(err, kind, 0, "%.300s:%u:%u: %s", name, line, column, message);
}

/* Pairs nodes with marks: both are in document order. Depth is bounded by the scanner. */
static bool collect(struct json_doc *doc, const cJSON *node, const struct json_mark *marks, size_t count,
                    struct json_cursor *cursor)
{
    if (doc->count == count)
        return false;
    const struct json_mark *mark = &marks[doc->count];
    struct json_place *place = &doc->places[doc->count++];
    place->node = node;
    cursor_to(cursor, mark->key, &place->key_line, &place->key_column);
    cursor_to(cursor, mark->value, &place->line, &place->column);
    for (const cJSON *child = node->child; child; child = child->next)
        if (!collect(doc, child, marks, count, cursor))
            return false;
    return true;
}

static int compare_places(const void *a, const void *b)
{
    uintptr_t x = (uintptr_t)((const struct json_place *)a)->node,
              y = (uintptr_t)((const struct json_place *)b)->node;
    return (x > y) - (x < y);
}

static const struct json_place *find_place(const struct json_doc *doc, const cJSON *node)
{
    struct json_place key = {.node = node};
    if (!node || doc->count == 0)
        return NULL;
    return bsearch(&key, doc->places, doc->count, sizeof *doc->places, compare_places);
}

static int compare_members(const void *a, const void *b)
{
    const cJSON *x = *(const cJSON *const *)a, *y = *(const cJSON *const *)b;
    return strcmp(x->string, y->string);
}

static int key_error(const struct json_doc *doc, const cJSON *node, struct err *err, const char *fmt, ...)
    print_like(4, 5);
static int key_error(const struct json_doc *doc, const cJSON *node, struct err *err, const char *fmt, ...)
{
    char text[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    const struct json_place *place = find_place(doc, node);
    return err_set(err, doc->kind, 0, "%.300s:%u:%u: %s", doc->name, place ? place->key_line : 0,
                   place ? place->key_column : 0, text);
}

static int refuse_duplicates(const struct json_doc *doc, const cJSON *node, struct err *err)
{
    size_t count = 0;
    for (const cJSON *child = node->child; child; child = child->next, count++)
        if (refuse_duplicates(doc, child, err) < 0)
            return -1;
    if (!cJSON_IsObject(node) || count < 2)
        return 0;
    cleanup_free const cJSON **members = calloc(count, sizeof *members);
    if (!members)
        return err_oom(err);
    size_t i = 0;
    for (const cJSON *child = node->child; child; child = child->next)
        members[i++] = child;
    qsort(members, count, sizeof *members, compare_members);
    for (i = 1; i < count; i++) {
        if (strcmp(members[i - 1]->string, members[i]->string) != 0)
            continue;
        const struct json_place *a = find_place(doc, members[i - 1]), *b = find_place(doc, members[i]);
        bool swapped =
            a->key_line > b->key_line || (a->key_line == b->key_line && a->key_column > b->key_column);
        const struct json_place *first = swapped ? b : a;
        return key_error(doc, swapped ? members[i - 1] : members[i], err,
                         "duplicate key \"%.200s\": first given on line %u", members[i]->string,
                         first->key_line);
    }
    return 0;
}

static struct json_doc *new_doc(const char *name, enum err_kind kind)
{
    struct json_doc *doc = calloc(1, sizeof *doc);
    char *copy = strdup(name);
    if (!doc || !copy) {
        free(doc);
        free(copy);
        return NULL;
    }
    doc->name = copy;
    doc->kind = kind;
    return doc;
}

static void scan_free(struct json_scan *scan)
{
    free(scan->text);
    free(scan->marks);
}

static int build(struct json_doc *doc, const struct json_scan *scan, const char *text, struct err *err)
{
    doc->root = cJSON_ParseWithLength(scan->text, scan->len);
    doc->places = calloc(scan->count, sizeof *doc->places);
    if (!doc->root || !doc->places)
        return err_oom(err);
    struct json_cursor cursor = {.text = text, .line = 1};
    if (!collect(doc, doc->root, scan->marks, scan->count, &cursor) || doc->count != scan->count)
        return err_set(err, ERR_INTERNAL, 0, "%.300s: the two JSON readers disagree about this text",
                       doc->name);
    qsort(doc->places, doc->count, sizeof *doc->places, compare_places);
    return refuse_duplicates(doc, doc->root, err);
}

/* By the byte order mark, or because JSON starts with ASCII. */
static bool looks_utf16(const char *text, size_t len)
{
    return len >= 2 && (memcmp(text, "\xff\xfe", 2) == 0 || memcmp(text, "\xfe\xff", 2) == 0 ||
                        (text[0] == '\0') != (text[1] == '\0'));
}

int json_parse(const char *text, size_t len, const char *name, enum json_flags flags, enum err_kind kind,
               struct json_doc **ret, struct err *err)
{
    if (len > JSON_TEXT_MAX)
        return err_set(err, kind, 0, "%.300s: larger than %d MiB", name, JSON_TEXT_MAX >> 20);
    static const char bom[] = "\xef\xbb\xbf"; /* some editors write it: RFC 8259, 8.1 */
    if (len >= 3 && memcmp(text, bom, 3) == 0) {
        text += 3;
        len -= 3;
    }
    if (looks_utf16(text, len))
        return err_set(err, kind, 0, "%.300s: this is UTF-16: save the file as UTF-8", name);
    size_t bad = len > 0 ? utf8_valid(text, len) : 0;
    if (bad < len)
        return error_at(name, kind, text, bad, err,
                        text[bad] ? "not UTF-8: save the file as UTF-8"
                                  : "a NUL byte: this is not a text file");
    cleanup(scan_free) struct json_scan scan = {.text = malloc(len + 1), .len = len, .flags = flags};
    if (!scan.text)
        return err_oom(err);
    if (len > 0)
        memcpy(scan.text, text, len);
    scan.text[len] = '\0';
    if (json_scan(&scan) < 0)
        return error_at(name, kind, text, scan.fault, err, scan.message);
    cleanup_json struct json_doc *doc = new_doc(name, kind);
    if (!doc)
        return err_oom(err);
    if (build(doc, &scan, text, err) < 0)
        return -1;
    *ret = steal_ptr(doc);
    return 0;
}

void json_free(struct json_doc *doc)
{
    if (!doc)
        return;
    int saved = errno;
    cJSON_Delete(doc->root);
    free(doc->name);
    free(doc->places);
    free(doc);
    errno = saved;
}

const cJSON *json_root(const struct json_doc *doc)
{
    return doc ? doc->root : NULL;
}

void json_where(const struct json_doc *doc, const cJSON *node, unsigned *ret_line, unsigned *ret_column)
{
    const struct json_place *place = find_place(doc, node);
    *ret_line = place ? place->line : 0;
    *ret_column = place ? place->column : 0;
}

int json_error(const struct json_doc *doc, const cJSON *node, struct err *err, const char *fmt, ...)
{
    char text[1536];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    unsigned line, column;
    json_where(doc, node, &line, &column);
    return err_set(err, doc->kind, 0, "%.300s:%u:%u: %s", doc->name, line, column, text);
}

static const char *type_name(const cJSON *node)
{
    return cJSON_IsString(node)   ? "a string"
           : cJSON_IsNumber(node) ? "a number"
           : cJSON_IsBool(node)   ? "true or false"
           : cJSON_IsArray(node)  ? "an array"
           : cJSON_IsObject(node) ? "an object"
                                  : "null";
}

/* Finds a member; *ret is NULL if it is missing and not required. */
static int member(const struct json_doc *doc, const cJSON *object, const char *key, bool required,
                  const cJSON **ret, struct err *err)
{
    const cJSON *found = cJSON_GetObjectItemCaseSensitive(object, key);
    if (!found && required)
        return json_error(doc, object, err, "\"%s\" is missing here", key);
    *ret = found;
    return 0;
}

static int wrong_type(const struct json_doc *doc, const cJSON *node, const char *key, const char *expected,
                      struct err *err)
{
    return json_error(doc, node, err, "\"%s\" must be %s, not %s", key, expected, type_name(node));
}

int json_get_string(const struct json_doc *doc, const cJSON *object, const char *key, bool required,
                    const char **ret, struct err *err)
{
    const cJSON *node;
    if (member(doc, object, key, required, &node, err) < 0)
        return -1;
    if (node && !cJSON_IsString(node))
        return wrong_type(doc, node, key, "a string", err);
    *ret = node ? node->valuestring : NULL;
    return 0;
}

int json_get_bool(const struct json_doc *doc, const cJSON *object, const char *key, bool fallback, bool *ret,
                  struct err *err)
{
    const cJSON *node;
    if (member(doc, object, key, false, &node, err) < 0)
        return -1;
    if (node && !cJSON_IsBool(node))
        return wrong_type(doc, node, key, "true or false", err);
    *ret = node ? cJSON_IsTrue(node) : fallback;
    return 0;
}

int json_get_uint(const struct json_doc *doc, const cJSON *object, const char *key, bool required,
                  uint64_t min, uint64_t max, uint64_t *ret, struct err *err)
{
    const cJSON *node;
    if (member(doc, object, key, required, &node, err) < 0)
        return -1;
    if (!node)
        return 0;
    if (!cJSON_IsNumber(node))
        return wrong_type(doc, node, key, "a number", err);
    /* The reader accepts numbers up to 2^53; a double holds every integer up to that. */
    double value = node->valuedouble;
    if (!(value >= 0 && value <= 9007199254740992.0) || value != (double)(uint64_t)value ||
        (uint64_t)value < min || (uint64_t)value > max)
        return json_error(doc, node, err, "\"%s\" must be an integer from %llu to %llu", key,
                          (unsigned long long)min, (unsigned long long)max);
    *ret = (uint64_t)value;
    return 0;
}

int json_get_object(const struct json_doc *doc, const cJSON *object, const char *key, bool required,
                    const cJSON **ret, struct err *err)
{
    const cJSON *node;
    if (member(doc, object, key, required, &node, err) < 0)
        return -1;
    if (node && !cJSON_IsObject(node))
        return wrong_type(doc, node, key, "an object", err);
    *ret = node;
    return 0;
}

int json_get_array(const struct json_doc *doc, const cJSON *object, const char *key, bool required,
                   const cJSON **ret, struct err *err)
{
    const cJSON *node;
    if (member(doc, object, key, required, &node, err) < 0)
        return -1;
    if (node && !cJSON_IsArray(node))
        return wrong_type(doc, node, key, "an array", err);
    *ret = node;
    return 0;
}

static bool listed(const char *word, const char *const *words)
{
    for (; *words; words++)
        if (strcmp(*words, word) == 0)
            return true;
    return false;
}

int json_only(const struct json_doc *doc, const cJSON *object, const char *const *known, struct err *err)
{
    for (const cJSON *child = object->child; child; child = child->next) {
        if (!child->string || listed(child->string, known))
            continue;
        const char *near = json_nearest(child->string, known);
        if (near)
            return key_error(doc, child, err, "unknown key \"%.200s\"; did you mean \"%s\"?", child->string,
                             near);
        cleanup_buf struct buf list = BUF_INIT(600);
        for (const char *const *k = known; *k; k++)
            buf_printf(&list, "%s%s", k == known ? "" : ", ", *k);
        return key_error(doc, child, err, "unknown key \"%.200s\"; known here: %s", child->string,
                         list.data ? list.data : "none");
    }
    return 0;
}

enum { WORD_MAX = 64 };

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Edits (insert, delete, replace, swap neighbours) that turn A into B; both at most WORD_MAX long. */
static size_t distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
    size_t rows[3][WORD_MAX + 1];
    for (size_t j = 0; j <= b_len; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        size_t *now = rows[i % 3], *above = rows[(i + 2) % 3], *over = rows[(i + 1) % 3];
        now[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            now[j] = least(least(above[j], now[j - 1]) + 1, above[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                now[j] = least(now[j], over[j - 2] + 1);
        }
    }
    return rows[a_len % 3][b_len];
}

const char *json_nearest(const char *word, const char *const *words)
{
    size_t len = strnlen(word, WORD_MAX + 1);
    if (len == 0 || len > WORD_MAX)
        return NULL;
    const char *best = NULL;
    size_t best_distance = (len + 2) / 3 + 1; /* a find must be below this */
    for (; *words; words++) {
        size_t other = strnlen(*words, WORD_MAX + 1);
        if (other > WORD_MAX)
            continue;
        size_t d = distance(word, len, *words, other);
        /* All of a word replaced is another word, not a slip. */
        if (d < best_distance && d < len && d < other) {
            best = *words;
            best_distance = d;
        }
    }
    return best;
}
