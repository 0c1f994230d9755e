/* bake metadata: the attributes that make a cluster of machines. */
#include <string.h>

#include "bake/cluster/cluster.h"
#include "bake/ui/common.h"
#include "io/file.h"

enum format { FORMAT_GCLOUD, FORMAT_TERRAFORM, FORMAT_JSON };
enum { SECRET_FILE_MAX = 256 };

struct secret_options {
    const char *in, *out; /* --secret-file, --secret-out */
    bool show;
};

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

/* Where the secret may go depends on what is printed: never into an argument list, nor into code that is committed, and
 * onto a terminal only when that was asked for. */
static int check_way(const struct secret_options *secret, enum format format, struct err *err)
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
    cleanup_wiped struct buf text = BUF_INIT(SECRET_FILE_MAX);
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

/* No line break at the end: gcloud makes the file's bytes the attribute. */
static int write_secret(const char *path, const struct cluster *cluster, struct err *err)
{
    cleanup_newfile struct newfile file = NEWFILE_EMPTY;
    if (newfile_open(&file, path, 0600, err) < 0 ||
        file_write(file.fd, cluster->secret, strlen(cluster->secret), path, err) < 0)
        return -1;
    if (newfile_commit(&file, true, err) < 0)
        return err->errnum == EEXIST
                   ? err_set(
                         err, ERR_USAGE, 0,
                         "%s is there already, and some cluster may live by it: use it with --secret-file, "
                         "or name another",
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

static void advise(const struct run *run, const struct cluster *cluster)
{
    size_t count = cluster->node_count;
    if (count % 2 == 0)
        run_warn(run, "metadata",
                 "%zu members outlive the loss of %zu, no more than %zu do: an odd number is better", count,
                 (count - 1) / 2, count - 1);
}

static int run_metadata(struct common *common, const struct cluster_options *options,
                        const struct secret_options *secret, enum format format, struct err *err)
{
    cleanup_cluster struct cluster cluster = {0};
    cleanup_wiped struct buf text = BUF_INIT(CLUSTER_TEXT_MAX);
    if (check_way(secret, format, err) < 0 || cluster_read(options, &cluster, err) < 0 ||
        (secret->in ? read_secret(&common->run, secret->in, format, &cluster, err)
                    : cluster_make_secret(&cluster, err)) < 0 ||
        cluster_check(&cluster, err) < 0 || make_text(&cluster, format, secret, &text, err) < 0)
        return -1;
    advise(&common->run, &cluster);
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

int cmd_metadata(struct common *common, int argc, char **argv, struct err *err)
{
    struct cluster_options cluster = {0};
    struct secret_options secret = {0};
    const char *format_name = NULL;
    enum format format = FORMAT_GCLOUD;
    bool done;
    const struct option_spec specs[] = {
        {"name", 'n', OPTION_STRING, &cluster.name, "NAME", "the cluster's name"},
        {"nodes", 0, OPTION_STRING, &cluster.nodes, "LIST", "NAME=ADDRESS,...; at most 9, order counts"},
        {"first-address", 0, OPTION_STRING, &cluster.first_address, "IP",
         "--nodes NAME,...: count from here"},
        {"role", 0, OPTION_PAIRS, &cluster.roles, "NODE=ROLE", "node, or witness: etcd and nothing else"},
        {"format", 'f', OPTION_STRING, &format_name, "FORMAT", "gcloud (default), terraform or json"},
        {"pod-cidr", 0, OPTION_STRING, &cluster.pod_cidr, "CIDR", "addresses of pods (10.244.0.0/16)"},
        {"service-cidr", 0, OPTION_STRING, &cluster.service_cidr, "CIDR", "of services (10.96.0.0/16)"},
        {"domain", 0, OPTION_STRING, &cluster.domain, "NAME", "the cluster's domain (cluster.local)"},
        {"api-names", 0, OPTION_STRING, &cluster.api_names, "LIST",
         "more names of the API server, at most 8"},
        {"secret-file", 0, OPTION_STRING, &secret.in, "FILE", "the secret, else a fresh one"},
        {"secret-out", 0, OPTION_STRING, &secret.out, "FILE", "write the fresh secret here, mode 0600"},
        {"show-secret", 0, OPTION_FLAG, &secret.show, NULL, "json: even on a terminal"},
        COMMON_OUTPUT_OPTIONS(common),
        OPTIONS_END,
    };
    const struct command_help help = {
        .usage = "bake metadata --name NAME --nodes LIST [options]",
        .summary = "Prints the attributes that make a cluster of instances of one image, checked as\n"
                   "the nodes will check them.",
        .more = "gcloud: a line for each node, arguments of `gcloud compute instances create`.\n"
                "terraform: locals for a module, and a variable for the secret.\n"
                "json: a document with everything, the secret too unless --secret-out takes it.",
    };
    if (common_parse(common, argc, argv, &help, specs, NULL, 0, &done, err) < 0 || done)
        return done ? 0 : -1;
    if (read_format(common, format_name, &format, err) < 0)
        return -1;
    return run_metadata(common, &cluster, &secret, format, err);
}
