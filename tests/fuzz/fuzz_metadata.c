/* Answers of the metadata server: an HTTP header, or the two documents separated by a NUL. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/http/head.h"
#include "node/metadata.h"
#include "agent/config/render.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static size_t lines_of(const struct node_metadata *metadata, struct buf *files, struct err *err)
{
    size_t lines = 0;
    render_node(metadata, files);
    render_etcd(metadata, files);
    if (buf_check(files, "files", err) < 0)
        abort();
    for (const char *at = files->data; (at = strchr(at, '\n')); at++)
        lines++;
    return lines;
}

/* The lines of a one-node cluster with only the required attributes: no value may add a line. */
static size_t lines_of_the_least(struct err *err)
{
    static const char least[] =
        "{\"name\":\"a\",\"networkInterfaces\":[{\"ip\":\"10.0.0.2\"}],\"attributes\":{"
        "\"cluster-nodes\":\"a=10.0.0.2\",\"cluster-secret\":"
        "\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\"}}";
    struct node_metadata_text instance = {least, sizeof least - 1},
                              project = {"{\"cluster-name\":\"c\"}", 20};
    cleanup_buf struct buf files = BUF_INIT(NODE_METADATA_COPY_MAX);
    struct node_metadata metadata;
    struct cluster_secret secret;
    if (node_metadata_parse(&instance, &project, &metadata, &secret, err) < 0)
        abort();
    return lines_of(&metadata, &files, err);
}

/* Accepted metadata must read back the same, and render to lines of NAME=VALUE without special characters. */
static void check_taken(const struct node_metadata *metadata)
{
    struct node_metadata again;
    struct err err = {0};
    cleanup_buf struct buf copy = BUF_INIT(NODE_METADATA_COPY_MAX);
    cleanup_buf struct buf files = BUF_INIT(NODE_METADATA_COPY_MAX);
    node_metadata_write(metadata, &copy);
    if (buf_check(&copy, "copy", &err) < 0 ||
        node_metadata_parse(&(struct node_metadata_text){copy.data, copy.len},
                            &(struct node_metadata_text){"{}", 2}, &again, NULL, &err) < 0 ||
        memcmp(metadata, &again, sizeof again) != 0)
        abort();
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_=.,:/-\n";
    if (lines_of(metadata, &files, &err) != lines_of_the_least(&err) ||
        strspn(files.data, allowed) != files.len)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    const char *text = (const char *)bytes;
    struct err err = {0};
    struct agent_http_head head;
    struct node_metadata metadata;
    if (len == 0)
        return 0;
    if (agent_http_head_parse(text, len, &head, &err) == 0 && (head.status < 200 || head.status > 999))
        abort();
    const char *gap = memchr(text, '\0', len);
    size_t first = gap ? (size_t)(gap - text) : len;
    struct node_metadata_text instance = {text, first}, project = {"{\"cluster-name\":\"c\"}", 20};
    if (gap)
        project = (struct node_metadata_text){gap + 1, len - first - 1};
    struct cluster_secret secret;
    if (node_metadata_parse(&instance, &project, &metadata, &secret, &err) == 0)
        check_taken(&metadata);
    return 0;
}
