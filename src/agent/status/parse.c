/* The answers of etcd and the API server, as far as a status needs them. */
#include <string.h>

#include "agent/status/cluster.h"
#include "node/json_pull.h"

/* A short word that is safe to print; one that is not becomes "?". */
static void read_word(struct json_pull *j, char ret[static CLUSTER_WORD])
{
    char text[256];
    json_pull_string(j, text, sizeof text);
    if (j->message)
        return;
    size_t len = strlen(text);
    bool plain = len > 0 && len < CLUSTER_WORD;
    for (size_t i = 0; i < len && plain; i++)
        plain = text[i] > ' ' && text[i] < 0x7f && text[i] != '"' && text[i] != '\\';
    snprintf(ret, CLUSTER_WORD, "%.31s", plain ? text : "?");
}

static uint64_t read_number(struct json_pull *j)
{
    char digits[VALUE_ID_CAP] = "";
    json_pull_digits(j, digits, sizeof digits);
    return strtoull(digits, NULL, 10);
}

static bool read_bool(struct json_pull *j)
{
    bool is_true = json_pull_peek(j) == 't';
    json_pull_skip(j);
    return is_true;
}

int cluster_parse_status(const char *text, size_t len, struct cluster_row *row, struct err *err)
{
    struct json_pull j = JSON_PULL_INIT(text, len);
    char key[32], leader[VALUE_ID_CAP] = "";
    struct cluster_row made = *row;
    for (json_pull_open(&j, '{'); json_pull_key(&j, key, sizeof key);) {
        if (strcmp(key, "version") == 0)
            read_word(&j, made.version);
        else if (strcmp(key, "leader") == 0)
            json_pull_digits(&j, leader, sizeof leader);
        else if (strcmp(key, "dbSize") == 0)
            made.bytes = read_number(&j);
        else if (strcmp(key, "dbSizeInUse") == 0)
            made.used_bytes = read_number(&j);
        else if (strcmp(key, "isLearner") == 0)
            made.learns = read_bool(&j);
        else
            json_pull_skip(&j);
    }
    if (json_pull_end(&j, "etcd's status", err) < 0)
        return -1;
    if (made.version[0] == '\0')
        return err_set(err, ERR_VERIFY, 0, "etcd's status: it has no version");
    made.answers = true;
    made.leads = made.id[0] && strcmp(leader, made.id) == 0;
    *row = made;
    return 0;
}

static void read_alarm(struct json_pull *j, struct cluster_state *state)
{
    struct cluster_alarm alarm = {0};
    char key[32];
    for (json_pull_open(j, '{'); json_pull_key(j, key, sizeof key);) {
        if (strcmp(key, "memberID") == 0)
            json_pull_digits(j, alarm.id, sizeof alarm.id);
        else if (strcmp(key, "alarm") == 0)
            read_word(j, alarm.what);
        else
            json_pull_skip(j);
    }
    if (alarm.what[0] && state->alarm_count < CLUSTER_ALARMS)
        state->alarms[state->alarm_count++] = alarm;
}

int cluster_parse_alarms(const char *text, size_t len, struct cluster_state *state, struct err *err)
{
    struct json_pull j = JSON_PULL_INIT(text, len);
    char key[32];
    state->alarm_count = 0;
    for (json_pull_open(&j, '{'); json_pull_key(&j, key, sizeof key);) {
        if (strcmp(key, "alarms") != 0) {
            json_pull_skip(&j);
            continue;
        }
        for (json_pull_open(&j, '['); json_pull_item(&j);)
            read_alarm(&j, state);
    }
    return json_pull_end(&j, "etcd's alarms", err);
}

/* What a Node says. */
struct node_answer {
    char name[256];
    char kubelet[CLUSTER_WORD];
    bool ready, closed;
};

static void read_condition(struct json_pull *j, struct node_answer *node)
{
    char key[32], type[64] = "", status[16] = "";
    for (json_pull_open(j, '{'); json_pull_key(j, key, sizeof key);) {
        if (strcmp(key, "type") == 0)
            json_pull_string(j, type, sizeof type);
        else if (strcmp(key, "status") == 0)
            json_pull_string(j, status, sizeof status);
        else
            json_pull_skip(j);
    }
    if (strcmp(type, "Ready") == 0)
        node->ready = strcmp(status, "True") == 0;
}

/* The members of metadata, spec, status and nodeInfo that count; no name is in two of them. */
static void read_part(struct json_pull *j, struct node_answer *node)
{
    char key[32];
    for (json_pull_open(j, '{'); json_pull_key(j, key, sizeof key);) {
        if (strcmp(key, "name") == 0)
            json_pull_string(j, node->name, sizeof node->name);
        else if (strcmp(key, "kubeletVersion") == 0)
            read_word(j, node->kubelet);
        else if (strcmp(key, "unschedulable") == 0)
            node->closed = read_bool(j);
        else if (strcmp(key, "nodeInfo") == 0)
            read_part(j, node);
        else if (strcmp(key, "conditions") == 0)
            for (json_pull_open(j, '['); json_pull_item(j);)
                read_condition(j, node);
        else
            json_pull_skip(j);
    }
}

static void read_node(struct json_pull *j, struct cluster_state *state)
{
    struct node_answer node = {0};
    char key[32];
    for (json_pull_open(j, '{'); json_pull_key(j, key, sizeof key);) {
        if (strcmp(key, "metadata") == 0 || strcmp(key, "spec") == 0 || strcmp(key, "status") == 0)
            read_part(j, &node);
        else
            json_pull_skip(j);
    }
    for (size_t i = 0; i < state->count && !j->message; i++) {
        struct cluster_row *row = &state->rows[i];
        if (strcmp(row->name, node.name) != 0)
            continue;
        row->has_node = true;
        row->ready = node.ready;
        row->closed = node.closed;
        memcpy(row->kubelet, node.kubelet, sizeof row->kubelet);
    }
}

int cluster_parse_nodes(const char *text, size_t len, struct cluster_state *state, struct err *err)
{
    struct json_pull j = JSON_PULL_INIT(text, len);
    char key[32];
    for (json_pull_open(&j, '{'); json_pull_key(&j, key, sizeof key);) {
        if (strcmp(key, "items") != 0) {
            json_pull_skip(&j);
            continue;
        }
        for (json_pull_open(&j, '['); json_pull_item(&j);)
            read_node(&j, state);
    }
    return json_pull_end(&j, "the list of nodes", err);
}
