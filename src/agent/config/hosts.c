#include "agent/config/hosts.h"

#include <string.h>

#include "node/pki.h"

#define HOSTS "/etc/hosts"
#define BEGIN "# bake: begin\n"
#define END   "# bake: end\n"

enum { HOSTS_MAX = 256 << 10 };

static void block(const struct node_metadata *m, struct buf *ret)
{
    buf_str(ret, BEGIN);
    if (m->role == NODE_ROLE_NODE)
        buf_printf(ret, "127.0.0.1 %s\n", PKI_API_NAME);
    /* in turn from this member on, so that the clients of a dead API server spread over the others */
    for (size_t i = 1; i < m->node_count; i++)
        buf_printf(ret, "%s %s\n", m->nodes[(m->self + i) % m->node_count].ip, PKI_API_NAME);
    for (size_t i = 0; i < m->node_count; i++)
        buf_printf(ret, "%s %s\n", m->nodes[i].ip, m->nodes[i].name);
    buf_str(ret, END);
}

/* Where the line TEXT (with its newline) starts in FILE, or NULL. */
static char *find_line(char *file, const char *text)
{
    for (char *at = file; at && *at; at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL)
        if (strncmp(at, text, strlen(text)) == 0)
            return at;
    return NULL;
}

int hosts_render(const struct root *root, const struct node_metadata *metadata, bool *ret_changed,
                 struct err *err)
{
    cleanup_buf struct buf old = BUF_INIT(HOSTS_MAX), made = BUF_INIT(2UL * HOSTS_MAX);
    bool found = false;
    if (root_read(root, HOSTS, &old, &found, err) < 0)
        return -1;
    if (old.data && memchr(old.data, '\0', old.len))
        return err_set(err, ERR_VERIFY, 0, "%s is not a text file", HOSTS);
    if (!found)
        buf_str(&old, "127.0.0.1 localhost\n");
    if (buf_check(&old, HOSTS, err) < 0)
        return -1;
    char *begin = find_line(old.data, BEGIN), *end = begin ? find_line(begin, END) : NULL;
    size_t before = end ? (size_t)(begin - old.data) : old.len;
    if (before > 0)
        buf_add(&made, old.data, before);
    if (before > 0 && old.data[before - 1] != '\n')
        buf_str(&made, "\n");
    block(metadata, &made);
    if (end)
        buf_str(&made, end + strlen(END));
    if (buf_check(&made, HOSTS, err) < 0)
        return -1;
    return root_keep(root, HOSTS, made.data, made.len, 0644, ret_changed, err);
}
