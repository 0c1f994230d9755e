/* bake metadata: the attributes that make a cluster of machines. */
#include <string.h>

#include "bake/cluster/cluster.h"
#include "bake/command/command.h"
#include "io/file.h"

enum format { FORMAT_GCLOUD, FORMAT_TERRAFORM, FORMAT_JSON };
enum { SECRET_FILE_MAX = 256 };

struct secret_options {
    const char *in, *out; /* --secret-file, --secret-out */
    bool show;
};

struct metadata_command {
    struct cluster_options cluster;
    struct secret_options secret;
    const char *format;
};

static const struct option metadata_rows[] = {
    {"name", 'n', STRING_OF(struct metadata_command, cluster.name), "NAME", "the cluster's name"},
    {"nodes", 0, STRING_OF(struct metadata_command, cluster.nodes), "LIST",
     "NAME=ADDRESS,...; at most 9, the order matters"},
    {"first-address", 0, STRING_OF(struct metadata_command, cluster.first_address), "IP",
     "with --nodes NAME,...: count addresses up from here"},
    {"role", 0, PAIRS_OF(struct metadata_command, cluster.roles), "NODE=ROLE", "node, or witness: only etcd"},
    {"format", 'f', STRING_OF(struct metadata_command, format), "FORMAT",
     "gcloud (default), terraform or json", .choices = "gcloud terraform json"},
    {"pod-cidr", 0, STRING_OF(struct metadata_command, cluster.pod_cidr), "CIDR",
     "addresses of pods (10.244.0.0/16)"},
    {"service-cidr", 0, STRING_OF(struct metadata_command, cluster.service_cidr), "CIDR",
     "addresses of services (10.96.0.0/16)"},
    {"domain", 0, STRING_OF(struct metadata_command, cluster.domain), "NAME",
     "the cluster's domain (cluster.local)"},
    {"api-names", 0, STRING_OF(struct metadata_command, cluster.api_names), "LIST",
     "more names of the API server, at most 8"},
    {"snapshot-bucket", 0, STRING_OF(struct metadata_command, cluster.snapshot_bucket), "BUCKET",
     "send etcd's snapshots to this bucket, encrypted"},
    {"restore", 0, STRING_OF(struct metadata_command, cluster.restore), "ID=WHAT",
     "bring etcd back: newest, SNAPSHOT or disk@NODE"},
    {"secret-file", 0, STRING_OF(struct metadata_command, secret.in), "FILE",
     "read the secret from here, else make a new one"},
    {"secret-out", 0, STRING_OF(struct metadata_command, secret.out), "FILE",
     "write the new secret here, mode 0600"},
    {"show-secret", 0, FLAG_OF(struct metadata_command, secret.show), NULL,
     "json: show the secret even on a terminal"},
    {0},
};
static const struct option_group metadata_group = {.rows = metadata_rows};

static int read_format(const struct common *common, const char *text, enum format *ret, struct err *err)
{
    static const char *const names[] = {"gcloud", "terraform", "json"};
    if (common->ui.json && text && strcmp(text, "json") != 0)
        return err_set(err, ERR_USAGE, 0, "--json and --format %s contradict each other", text);
    if (common->ui.json)
        text = "json";
    *ret = FORMAT_GCLOUD;
    for (unsigned i = 0; text && i <= FORMAT_JSON; i++)
        if (strcmp(text, names[i]) == 0) {
            *ret = (enum format)i;
            return 0;
        }
    return text ? err_set(err, ERR_USAGE, 0, "--format is gcloud, terraform or json, not \"%s\"", text) : 0;
}

/* Where the secret may go depends on the format: never into an argument list or into code that gets
 * committed, and to a terminal only on request. */
static int check_secret_way(const struct secret_options *secret, enum format format, struct err *err)
{
    if (secret->in && secret->out)
        return err_set(err, ERR_USAGE, 0, "--secret-file and --secret-out contradict each other");
    if (format != FORMAT_JSON && !secret->in && !secret->out)
        return err_set(err, ERR_USAGE, 0,
                       "the secret needs a file: --secret-out FILE makes one, --secret-file FILE takes one");
    if (format == FORMAT_JSON && !secret->out && !secret->show && isatty(STDOUT_FILENO))
        return err_set(err, ERR_USAGE, 0,
                       "this would show the secret on the terminal: send it to a file or a program, put the "
                       "secret into --secret-out FILE, or say --show-secret");
    return 0;
}

static int read_secret(const struct run *run, const char *path, enum format format, struct cluster *cluster,
                       struct err *err)
{
    cleanup_buf_wipe struct buf text = BUF_INIT(SECRET_FILE_MAX);
    cleanup_close int fd = -1;
    struct stat st;
    if (file_open(path, &fd, NULL, err) < 0 || file_read_fd(fd, SECRET_FILE_MAX, &text, path, err) < 0)
        return -1;
    if (fstat(fd, &st) == 0 && !file_is_private(&st))
        run_warn(run, "metadata", "others can read %s: chmod 600", path);
    size_t len = text.len;
    if (len > 0 && text.data[len - 1] == '\n' && format == FORMAT_GCLOUD)
        return err_set(err, ERR_USAGE, 0,
                       "%s: the line break at its end would become part of the attribute: remove it, as "
                       "truncate -s -1 does",
                       path);
    len -= len > 0 && text.data[len - 1] == '\n';
    if (len != CLUSTER_SECRET_TEXT - 1 || strlen(text.data) < len)
        return err_set(err, ERR_USAGE, 0, "%s: a secret is base64 of 32 random bytes: 44 characters", path);
    memcpy(cluster->secret, text.data, len);
    cluster->secret[len] = '\0';
    return 0;
}

/* No newline at the end: gcloud takes the file's bytes as the attribute. */
static int write_secret(const char *path, const struct cluster *cluster, struct err *err)
{
    cleanup_newfile struct newfile file = NEWFILE_EMPTY;
    if (newfile_open(&file, path, 0600, err) < 0 ||
        file_write(file.fd, cluster->secret, strlen(cluster->secret), path, err) < 0)
        return -1;
    if (newfile_commit(&file, true, err) < 0)
        return err->errnum == EEXIST
                   ? err_set(err, ERR_USAGE, 0,
                             "%s already exists, and a cluster may depend on it: use it with --secret-file, "
                             "or name another file",
                             path)
                   : -1;
    return 0;
}

static int make_text(const struct cluster *cluster, enum format format, const struct secret_options *secret,
                     struct buf *ret, struct err *err)
{
    if (format == FORMAT_JSON) {
        struct json_writer writer = {.buf = ret, .flat_from = UINT32_MAX};
        json_open(&writer, NULL, '{');
        cluster_json_nodes(cluster, !secret->out, &writer);
        json_close(&writer, '}');
        return json_write_end(&writer, "the metadata", err);
    }
    if (format == FORMAT_TERRAFORM)
        cluster_terraform(cluster, ret);
    else if (cluster_gcloud(cluster, secret->in ? secret->in : secret->out, ret, err) < 0)
        return -1;
    return buf_check(ret, "the metadata", err);
}

static void warn_even(const struct run *run, const struct cluster *cluster)
{
    size_t count = cluster->node_count;
    if (count % 2 == 0)
        run_warn(run, "metadata",
                 "%zu members outlive the loss of %zu, no more than %zu do: an odd number is better", count,
                 (count - 1) / 2, count - 1);
}

static int print_metadata(struct common *common, const struct cluster_options *options,
                          const struct secret_options *secret, enum format format, struct err *err)
{
    cleanup_cluster struct cluster cluster = {0};
    cleanup_buf_wipe struct buf text = BUF_INIT(CLUSTER_TEXT_MAX);
    if (check_secret_way(secret, format, err) < 0 || cluster_read(options, &cluster, err) < 0 ||
        (secret->in ? read_secret(&common->run, secret->in, format, &cluster, err)
                    : cluster_make_secret(&cluster, err)) < 0 ||
        cluster_check(&cluster, err) < 0 || make_text(&cluster, format, secret, &text, err) < 0)
        return -1;
    warn_even(&common->run, &cluster);
    /* the last thing that can fail, so that no error leaves a secret that nothing uses */
    if (secret->out && write_secret(secret->out, &cluster, err) < 0)
        return -1;
    ui_text(&common->ui, "%s", text.data);
    if (common->ui.json) {
        struct ui_line line;
        ui_line_open(&line, &common->ui, "metadata");
        cluster_json_nodes(&cluster, !secret->out, &line.json);
        ui_line_print(&line);
    }
    return 0;
}

static int run_metadata(struct common *common, int argc, char **argv, struct err *err)
{
    struct metadata_command options = {0};
    enum format format = FORMAT_GCLOUD;
    bool done;
    if (common_parse(common, &command_metadata, &options, argc, argv, NULL, &done, err) < 0 || done)
        return done ? 0 : -1;
    if (read_format(common, options.format, &format, err) < 0)
        return -1;
    return print_metadata(common, &options.cluster, &options.secret, format, err);
}

const struct command command_metadata = {
    .name = "metadata",
    .title = "print the attributes of a cluster's nodes",
    .usage = "bake metadata --name NAME --nodes LIST [options]",
    .summary = "Prints the attributes that turn instances of one image into a cluster, checked\n"
               "as the nodes will check them.",
    .more = "gcloud: a line for each node, arguments of `gcloud compute instances create`.\n"
            "terraform: locals for a module, and a variable for the secret.\n"
            "json: a document with everything, including the secret without --secret-out.",
    .options = (const struct option_use[]){{&metadata_group, 0}, {&common_output_group, 0}, {0}},
    .run = run_metadata,
};
