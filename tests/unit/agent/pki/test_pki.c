/* The folder of keys and certificates: every file of it, lost, damaged, or half-written by a run that was
 * killed. OpenSSL's own program, Kubernetes' own readers and the kernel's tracer judge. test_configure.c has
 * what happens in time. */
#include "tests/unit/agent/helper.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include <linux/ptrace.h>

#include "agent/pki/ends.h"
#include "agent/pki/files.h"
#include "base/clock.h"

#define NOW ((time_t)1800000000)
#define PKI "/etc/kubernetes/pki/"

enum { FILES_MAX = 64 };

static struct err last;
static const struct cluster_secret secret = {.bytes = {1, 2, 3, 4, 5, 6, 7}, .set = true},
                                   stranger = {.bytes = {7, 6, 5, 4}, .set = true};

/* The contract: what stands there, folder by folder. */
static const char *const node_files[] = {
    "admin/ca.crt",
    "admin/client.crt",
    "admin/client.key",
    "admin/etcd-ca.crt",
    "admin/etcd-client.crt",
    "admin/etcd-client.key",
    "admin/kubeconfig",
    "agent/peer.key",
    "agent/snapshot.key",
    "apiserver/authentication.yaml",
    "apiserver/ca.crt",
    "apiserver/encryption.yaml",
    "apiserver/etcd-ca.crt",
    "apiserver/etcd-client.crt",
    "apiserver/etcd-client.key",
    "apiserver/front-proxy-ca.crt",
    "apiserver/front-proxy-client.crt",
    "apiserver/front-proxy-client.key",
    "apiserver/kubelet-client.crt",
    "apiserver/kubelet-client.key",
    "apiserver/sa.key",
    "apiserver/sa.pub",
    "apiserver/tls.crt",
    "apiserver/tls.key",
    "controller-manager/ca.crt",
    "controller-manager/ca.key",
    "controller-manager/client.crt",
    "controller-manager/client.key",
    "controller-manager/front-proxy-ca.crt",
    "controller-manager/kubeconfig",
    "controller-manager/sa.key",
    "controller-manager/signing.crt",
    "etcd/ca.crt",
    "etcd/peer.crt",
    "etcd/peer.key",
    "etcd/server.crt",
    "etcd/server.key",
    "kube-proxy/ca.crt",
    "kube-proxy/client.crt",
    "kube-proxy/client.key",
    "kube-proxy/kubeconfig",
    "kubelet/ca.crt",
    "kubelet/client.crt",
    "kubelet/client.key",
    "kubelet/kubeconfig",
    "kubelet/server.crt",
    "kubelet/server.key",
    "network/ca.crt",
    "network/client.crt",
    "network/client.key",
    "network/kubeconfig",
    "scheduler/ca.crt",
    "scheduler/client.crt",
    "scheduler/client.key",
    "scheduler/kubeconfig",
};
enum { NODE_FILES = sizeof node_files / sizeof *node_files };
static const char *const witness_files[] = {
    "admin/etcd-ca.crt",  "admin/etcd-client.crt", "admin/etcd-client.key", "agent/peer.key",
    "agent/snapshot.key", "etcd/ca.crt",           "etcd/peer.crt",         "etcd/peer.key",
    "etcd/server.crt",    "etcd/server.key",
};

static struct node_metadata member(size_t self)
{
    struct node_metadata m = {.cluster_name = "prod",
                              .pod_cidr = "10.244.0.0/16",
                              .service_cidr = "10.96.0.0/16",
                              .domain = "cluster.local",
                              .api_names = {"api.example.com", "34.1.2.3"},
                              .api_name_count = 2,
                              .nodes = {{"a", "10.0.0.2"}, {"b", "10.0.1.2"}, {"c", "10.0.2.2"}},
                              .node_count = 3,
                              .self = self};
    memcpy(m.name, m.nodes[self].name, sizeof m.name);
    memcpy(m.ip, m.nodes[self].ip, sizeof m.ip);
    return m;
}

static unsigned write_pki(const struct place *place, const struct node_metadata *m,
                          const struct cluster_secret *of, time_t now)
{
    unsigned changed = 0;
    if (pki_files_write(&place->root, m, of, false, now, &changed, &last) < 0)
        fail_msg("%s", last.text);
    return changed;
}

static void must_check_out(const struct place *place, const struct node_metadata *m, time_t now)
{
    if (pki_files_check(&place->root, m, now, &last) < 0)
        fail_msg("%s", last.text);
}

static const char *in_pki(const char *file)
{
    static char paths[4][256];
    static unsigned at;
    char *out = paths[at++ % 4];
    snprintf(out, sizeof paths[0], PKI "%s", file);
    return out;
}

static char found[2 * FILES_MAX][256];
static size_t found_count;

/* Modes too: folders 0700, files 0600, whatever they are. */
static int one_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)ftw;
    if ((st->st_mode & 07777) != (type == FTW_D ? 0700 : 0600))
        return 1;
    if (type == FTW_F && found_count < 2 * FILES_MAX)
        snprintf(found[found_count++], sizeof found[0], "%s", strstr(path, PKI) + sizeof PKI - 1);
    return type == FTW_D || type == FTW_F ? 0 : 1;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void holds_just(const struct place *place, const char *const *files, size_t count)
{
    found_count = 0;
    assert_int_equal(nftw(below(place, "/etc/kubernetes/pki"), one_entry, 8, FTW_PHYS), 0);
    qsort(found, found_count, sizeof found[0], by_text);
    for (size_t i = 0; i < found_count && i < count; i++)
        assert_string_equal(found[i], files[i]);
    assert_int_equal(found_count, count);
}

static void every_file_is_there_and_closed(void **state)
{
    struct place *place = *state;
    struct node_metadata m = member(0);
    mode_t mask = umask(0);
    (void)write_pki(place, &m, &secret, NOW);
    (void)umask(mask);
    holds_just(place, node_files, NODE_FILES);
    must_check_out(place, &m, NOW);
    m.role = NODE_ROLE_WITNESS;
    void *second = NULL;
    assert_int_equal(make_place(&second), 0);
    struct place *other = second;
    mask = umask(0077);
    (void)write_pki(other, &m, &secret, NOW);
    (void)umask(mask);
    holds_just(other, witness_files, sizeof witness_files / sizeof *witness_files);
    must_check_out(other, &m, NOW);
    assert_int_equal(remove_place(&second), 0);
}

static void a_node_that_becomes_a_witness_keeps_no_key(void **state)
{
    struct place *place = *state;
    struct node_metadata m = member(0);
    (void)write_pki(place, &m, &secret, NOW);
    m.role = NODE_ROLE_WITNESS;
    (void)write_pki(place, &m, &secret, NOW);
    holds_just(place, witness_files, sizeof witness_files / sizeof *witness_files);
    must_check_out(place, &m, NOW);
    m.role = NODE_ROLE_NODE;
    assert_int_equal(pki_files_check(&place->root, &m, NOW, &last), -1);
    (void)write_pki(place, &m, &secret, NOW);
    holds_just(place, node_files, NODE_FILES);
}

/* *RET: the standard output */
static void output_of(const char *const *argv, char *ret, size_t cap)
{
    struct proc_spec spec = {.argv = argv, .stdin_fd = -1, .max_output = 1 << 16};
    cleanup_proc_result struct proc_result result = {0};
    if (proc_run(&spec, NULL, &result, &last) < 0 || result.status != 0)
        fail_msg("%s: %s", argv[0], result.err.data ? result.err.data : last.text);
    snprintf(ret, cap, "%s", result.out.data ? result.out.data : "");
}

#define ALTERNATIVE "X509v3 Subject Alternative Name: \n    "

static void subjects_names_and_uses(void **state)
{
    struct place *place = *state;
    struct node_metadata m = member(1);
    (void)write_pki(place, &m, &secret, NOW);
    static const char server[] = "TLS Web Server Authentication", client[] = "TLS Web Client Authentication",
                      both[] = "TLS Web Server Authentication, TLS Web Client Authentication";
    static const char member_names[] = "DNS:b, IP Address:10.0.1.2, DNS:localhost, IP Address:127.0.0.1\n";
    static const struct {
        const char *file, *subject, *uses, *names;
    } all[] = {
        {"apiserver/tls.crt", "CN = kube-apiserver", server,
         "DNS:kubernetes, DNS:kubernetes.default, DNS:kubernetes.default.svc, DNS:api.bake.internal, "
         "DNS:localhost, "
         "IP Address:127.0.0.1, DNS:kubernetes.default.svc.cluster.local, IP Address:10.96.0.1, DNS:b, "
         "IP Address:10.0.1.2, DNS:api.example.com, IP Address:34.1.2.3\n"},
        {"apiserver/kubelet-client.crt", "O = system:masters, CN = kube-apiserver-kubelet-client", client,
         ""},
        {"apiserver/etcd-client.crt", "CN = kube-apiserver", client, ""},
        {"apiserver/front-proxy-client.crt", "CN = front-proxy-client", client, ""},
        {"controller-manager/client.crt", "CN = system:kube-controller-manager", client, ""},
        {"scheduler/client.crt", "CN = system:kube-scheduler", client, ""},
        {"kubelet/client.crt", "O = system:nodes, CN = system:node:b", client, ""},
        {"kubelet/server.crt", "CN = b", server, "DNS:b, IP Address:10.0.1.2\n"},
        {"kube-proxy/client.crt", "CN = system:kube-proxy", client, ""},
        {"network/client.crt", "O = bake:network, CN = bake:network", client, ""},
        {"admin/client.crt", "O = system:masters, CN = admin", client, ""},
        {"admin/etcd-client.crt", "CN = admin", client, ""},
        {"etcd/server.crt", "CN = b", both, member_names},
        {"etcd/peer.crt", "CN = b", both, member_names},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        const char *const argv[] = {"openssl", "x509",
                                    "-noout",  "-subject",
                                    "-ext",    "extendedKeyUsage,subjectAltName",
                                    "-in",     below(place, in_pki(all[i].file)),
                                    NULL};
        char has[4096], wants[4096];
        output_of(argv, has, sizeof has);
        snprintf(wants, sizeof wants, "subject=%s\nX509v3 Extended Key Usage: \n    %s\n%s%s", all[i].subject,
                 all[i].uses, all[i].names[0] ? ALTERNATIVE : "", all[i].names);
        assert_string_equal(has, wants);
    }
}

/* Node names of 53 characters and more made "system:node:NAME" longer than OpenSSL's 64. */
static void a_node_may_have_the_longest_name(void **state)
{
    struct place *place = *state;
    struct node_metadata m = member(0);
    memset(m.name, 'n', 63);
    memcpy(m.nodes[0].name, m.name, sizeof m.name);
    memset(m.domain, 'd', 61);
    for (size_t i = 0; i < 3; i++) /* 253 characters: the longest domain */
        snprintf(m.domain + strlen(m.domain), sizeof m.domain - strlen(m.domain), ".%063d", 1);
    assert_int_equal(strlen(m.domain), 253);
    (void)write_pki(place, &m, &secret, NOW);
    must_check_out(place, &m, NOW);
    assert_int_equal(write_pki(place, &m, &secret, NOW), 0);
    const char *const argv[] = {
        "openssl", "x509", "-noout", "-subject", "-in", below(place, PKI "kubelet/client.crt"), NULL};
    char has[512], wants[512];
    output_of(argv, has, sizeof has);
    snprintf(wants, sizeof wants, "subject=O = system:nodes, CN = system:node:%s\n", m.name);
    assert_string_equal(has, wants);
}

static bool hyperkube(char ret[static 512])
{
    const char *fixtures = getenv("BAKE_FIXTURES"), *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (fixtures)
        snprintf(ret, 512, "%s/hyperkube/hyperkube", fixtures);
    else if (cache)
        snprintf(ret, 512, "%s/bake-fixtures/hyperkube/hyperkube", cache);
    else
        snprintf(ret, 512, "%s/.cache/bake-fixtures/hyperkube/hyperkube", home ? home : "");
    return access(ret, X_OK) == 0;
}

static void kubernetes_reads_its_files(void **state)
{
    struct place *place = *state;
    struct node_metadata m = member(0);
    char program[512];
    if (!hyperkube(program))
        skip();
    (void)write_pki(place, &m, &secret, NOW);
    const char *argv[] = {program, "validate", NULL, NULL};
    size_t seen = 0;
    for (size_t i = 0; i < NODE_FILES; i++) {
        if (!strstr(node_files[i], "kubeconfig") && !strstr(node_files[i], ".yaml"))
            continue;
        argv[2] = below(place, in_pki(node_files[i]));
        char said[4096];
        output_of(argv, said, sizeof said);
        seen++;
    }
    assert_int_equal(seen, 8);
    put_text(place, "/bad", "apiVersion: v1\nkind: Config\nclusterz: []\n"); /* it can say no */
    argv[2] = below(place, "/bad");
    assert_int_not_equal(run(argv), 0);
}

static unsigned bit_of(const char *file)
{
    static const char *const names[PKI_FOLDERS] = {
        "apiserver", "controller-manager", "scheduler", "kubelet", "kube-proxy", "network", "admin", "etcd",
        "agent"};
    for (unsigned i = 0; i < PKI_FOLDERS; i++)
        if (strncmp(file, names[i], strlen(names[i])) == 0 && file[strlen(names[i])] == '/')
            return 1U << i;
    fail_msg("%s", file);
    return 0;
}

/* One file is not what it was: the check finds it, and the next run repairs it and touches no other
 * folder. */
static void is_found_and_repaired(const struct place *place, const struct node_metadata *m, const char *file,
                                  const char *how)
{
    if (pki_files_check(&place->root, m, NOW, &last) == 0)
        fail_msg("%s, %s: nothing was found", file, how);
    assert_int_equal(last.kind, ERR_VERIFY);
    assert_says(last, "only the metadata server has the secret");
    if (write_pki(place, m, &secret, NOW) != bit_of(file))
        fail_msg("%s, %s: another folder was written too, or not this one", file, how);
    must_check_out(place, m, NOW);
}

static void each_file_is_missed(void **state)
{
    struct place *place = *state;
    struct node_metadata m = member(2);
    (void)write_pki(place, &m, &secret, NOW);
    for (size_t i = 0; i < NODE_FILES; i++) {
        const char *path = in_pki(node_files[i]);
        cleanup_buf struct buf was = get_file(place, path);
        assert_int_equal(unlink(below(place, path)), 0);
        is_found_and_repaired(place, &m, node_files[i], "lost");
        put(place, path, "", 0, 0600);
        is_found_and_repaired(place, &m, node_files[i], "empty");
        put(place, path, was.data, was.len - 2, 0600);
        is_found_and_repaired(place, &m, node_files[i], "cut short");
        cleanup_buf struct buf more = BUF_INIT(1 << 16);
        buf_add(&more, was.data, was.len);
        buf_str(&more, "-----BEGIN CERTIFICATE-----\nbm8=\n-----END CERTIFICATE-----\n");
        put(place, path, more.data, more.len, 0600);
        is_found_and_repaired(place, &m, node_files[i], "with something behind");
    }
    assert_int_equal(write_pki(place, &m, &secret, NOW), 0);
    holds_just(place, node_files, NODE_FILES);
}

static const char *foreign(const struct place *place, const struct node_metadata *m,
                           const struct cluster_secret *of)
{
    static char path[PATH_CAP];
    if (pki_files_find_foreign(&place->root, m, of, path, &last) < 0)
        fail_msg("%s", last.text);
    return path;
}

/* Whatever one file is left of them. */
static void keys_of_another_secret_are_recognized(void **state)
{
    struct place *place = *state;
    struct node_metadata m = member(2);
    const char *left[PKI_COPIES + 1] = {PKI_PEER_KEY};
    assert_string_equal(foreign(place, &m, &secret), ""); /* an empty disk */
    for (size_t i = 0; i < PKI_COPIES; i++) {
        char *path = malloc(PATH_CAP);
        assert_non_null(path);
        pki_path(pki_copies[i].folder, pki_copies[i].file, "", path);
        left[i + 1] = path;
    }
    for (size_t i = 0; i < PKI_COPIES + 1; i++) {
        (void)write_pki(place, &m, &secret, NOW);
        for (size_t j = 0; j < PKI_COPIES + 1; j++)
            if (i != j)
                put_text(place, left[j], j % 2 ? "damaged" : "");
        assert_string_equal(foreign(place, &m, &secret), "");
        assert_string_equal(foreign(place, &m, &stranger), left[i]);
    }
    put_text(place, left[PKI_COPIES], "damaged");
    assert_string_equal(foreign(place, &m, &stranger), "");
    (void)write_pki(place, &m, &secret, NOW);
    snprintf(m.cluster_name, sizeof m.cluster_name, "test");
    assert_string_equal(foreign(place, &m, &secret), left[1]);
    for (size_t i = 0; i < PKI_COPIES; i++)
        free((char *)(uintptr_t)left[i + 1]);
}

/* The two secrets that SECRET and STRANGER are, at once. */
static struct cluster_secret both(void)
{
    struct cluster_secret made = secret;
    memcpy(made.next, stranger.bytes, sizeof made.next);
    made.has_next = true;
    return made;
}

static unsigned write_both(const struct place *place, const struct node_metadata *m, bool use_next)
{
    struct cluster_secret two = both();
    unsigned changed = 0;
    if (pki_files_write(&place->root, m, &two, use_next, NOW, &changed, &last) < 0)
        fail_msg("%s", last.text);
    return changed;
}

/* Whether FILE of A holds that of B, whole: a bundle holds its parts. */
static bool contains(const struct place *a, const struct place *b, const char *file)
{
    cleanup_buf struct buf whole = get_file(a, in_pki(file)), part = get_file(b, in_pki(file));
    return memmem(whole.data, whole.len, part.data, part.len) != NULL;
}

static bool equal(const struct place *a, const struct place *b, const char *file)
{
    cleanup_buf struct buf one = get_file(a, in_pki(file)), two = get_file(b, in_pki(file));
    return one.len == two.len && memcmp(one.data, two.data, one.len) == 0;
}

static void a_cluster_changes_from_one_secret_to_the_next(void **state)
{
    static const char *const trusted[] = {
        "apiserver/ca.crt", "apiserver/etcd-ca.crt", "apiserver/front-proxy-ca.crt",
        "apiserver/sa.pub", "etcd/ca.crt",           "kubelet/ca.crt"};
    static const char *const signing[] = {"controller-manager/signing.crt", "controller-manager/ca.key",
                                          "controller-manager/sa.key", "apiserver/sa.key"};
    struct place *place = *state;
    struct node_metadata m = member(2);
    struct cluster_secret two = both();
    void *places[2] = {NULL, NULL};
    assert_int_equal(make_place(&places[0]), 0);
    assert_int_equal(make_place(&places[1]), 0);
    (void)write_pki(places[0], &m, &secret, NOW);
    (void)write_pki(places[1], &m, &stranger, NOW);
    (void)write_pki(place, &m, &secret, NOW);
    for (size_t used = 0; used < 2; used++) {
        cleanup_buf struct buf before = get_file(place, in_pki("etcd/peer.crt"));
        assert_int_not_equal(write_both(place, &m, used == 1), 0);
        cleanup_buf struct buf after = get_file(place, in_pki("etcd/peer.crt"));
        /* a good certificate stays until the next secret is used */
        assert_int_equal(before.len == after.len && memcmp(before.data, after.data, after.len) == 0,
                         used == 0);
        assert_int_equal(write_both(place, &m, used == 1), 0);
        must_check_out(place, &m, NOW);
        holds_just(place, node_files, NODE_FILES);
        for (size_t i = 0; i < sizeof trusted / sizeof *trusted; i++)
            assert_true(contains(place, places[0], trusted[i]) && contains(place, places[1], trusted[i]));
        for (size_t i = 0; i < sizeof signing / sizeof *signing; i++)
            assert_true(equal(place, places[used], signing[i]) &&
                        !equal(place, places[1 - used], signing[i]));
        assert_string_equal(foreign(place, &m, &two), "");
        assert_string_not_equal(foreign(place, &m, &secret), "");
        assert_string_not_equal(foreign(place, &m, &stranger), "");
        struct pki_end end;
        assert_int_equal(pki_find_first_end(&place->root, &end, &last), 0);
        put_text(place, in_pki("kubelet/ca.crt"), "damaged");
        assert_int_equal(pki_files_check(&place->root, &m, NOW, &last), -1);
        (void)write_both(place, &m, used == 1);
    }
    (void)write_pki(place, &m, &stranger, NOW);
    for (size_t i = 0; i < sizeof trusted / sizeof *trusted; i++)
        assert_true(equal(place, places[1], trusted[i]));
    assert_true(equal(place, places[1], "apiserver/encryption.yaml"));
    assert_string_equal(foreign(place, &m, &stranger), "");
    must_check_out(place, &m, NOW);
    assert_int_equal(remove_place(&places[0]), 0);
    assert_int_equal(remove_place(&places[1]), 0);
}

/* Another cluster's file of the same kind: whole in itself, and wrong here. The agent's keys and the key for
 * secrets at rest cannot be told from others without the secret; a kubeconfig is the same for both. */
static void each_file_of_a_stranger_is_found(void **state)
{
    struct place *place = *state;
    struct node_metadata m = member(2);
    void *second = NULL;
    assert_int_equal(make_place(&second), 0);
    struct place *other = second;
    (void)write_pki(place, &m, &secret, NOW);
    (void)write_pki(other, &m, &stranger, NOW);
    for (size_t i = 0; i < NODE_FILES; i++) {
        const char *path = in_pki(node_files[i]);
        cleanup_buf struct buf theirs = get_file(other, path);
        if (strstr(path, "kubeconfig") || strstr(path, "authentication.yaml"))
            continue; /* these are everybody's */
        put(place, path, theirs.data, theirs.len, 0600);
        if (strstr(path, "agent/") || strstr(path, "encryption.yaml"))
            assert_int_equal(write_pki(place, &m, &secret, NOW), bit_of(node_files[i]));
        else
            is_found_and_repaired(place, &m, node_files[i], "a stranger's");
    }
    /* all of it: a secret that was changed */
    assert_int_equal(write_pki(other, &m, &secret, NOW), (1 << PKI_FOLDERS) - 1);
    must_check_out(other, &m, NOW);
    assert_string_equal(foreign(other, &m, &stranger), PKI "apiserver/ca.crt");
    assert_int_equal(remove_place(&second), 0);
}

static void modes_are_set_right_and_nothing_is_issued_for_it(void **state)
{
    struct place *place = *state;
    struct node_metadata m = member(0);
    (void)write_pki(place, &m, &secret, NOW);
    cleanup_buf struct buf before = get_file(place, PKI "apiserver/tls.crt");
    for (size_t i = 0; i < NODE_FILES; i++)
        assert_int_equal(chmod(below(place, in_pki(node_files[i])), 0644), 0);
    assert_int_equal(chmod(below(place, PKI "apiserver"), 0755), 0);
    assert_int_equal(chmod(below(place, "/etc/kubernetes/pki"), 0777), 0);
    (void)write_pki(place, &m, &secret, NOW);
    holds_just(place, node_files, NODE_FILES);
    cleanup_buf struct buf after = get_file(place, PKI "apiserver/tls.crt");
    assert_string_equal(before.data, after.data);
    /* a link to a good file elsewhere is not ours to trust for long */
    assert_int_equal(rename(below(place, PKI "etcd/peer.key"), below(place, "/elsewhere")), 0);
    assert_int_equal(symlink("/elsewhere", below(place, PKI "etcd/peer.key")), 0);
    assert_int_equal(write_pki(place, &m, &secret, NOW), 1 << PKI_ETCD);
    holds_just(place, node_files, NODE_FILES);
}

/* Runs pki_files_write() in a child that dies on entering its Nth renameat(): -1 when it came to its end
 * first. */
static int dies_at_rename(const struct place *place, const struct node_metadata *m,
                          const struct cluster_secret *of, unsigned nth)
{
    int status = 0;
    unsigned changed;
    pid_t pid = fork();
    if (pid == 0) {
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
            _exit(77);
        (void)raise(SIGSTOP);
        _exit(pki_files_write(&place->root, m, of, false, NOW, &changed, &last) < 0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        return -2;
    (void)ptrace(PTRACE_SETOPTIONS, pid, NULL,
                 (void *)(uintptr_t)(PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD));
    for (;;) {
        struct ptrace_syscall_info info = {0};
        (void)ptrace(PTRACE_SYSCALL, pid, NULL, NULL);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (WIFEXITED(status))
            return WEXITSTATUS(status) == 0 ? -1 : -3;
        if (!WIFSTOPPED(status) || WSTOPSIG(status) != (SIGTRAP | 0x80) ||
            ptrace(PTRACE_GET_SYSCALL_INFO, pid, (void *)sizeof info, &info) <= 0 ||
            info.op != PTRACE_SYSCALL_INFO_ENTRY ||
            (info.entry.nr != SYS_renameat && info.entry.nr != SYS_renameat2) || nth-- > 0)
            continue;
        (void)kill(pid, SIGKILL);
        (void)waitpid(pid, &status, 0);
        return WIFSIGNALED(status) ? 0 : -3;
    }
}

/* At every point at which what others see changes: from nothing, and from the files of another secret. */
static void a_run_may_die_before_any_file(void **state)
{
    struct place *place = *state;
    struct node_metadata m = member(0);
    const struct cluster_secret *const of[] = {&secret, &stranger};
    unsigned deaths = 0;
    for (unsigned nth = 0;; nth++) {
        int r = dies_at_rename(place, &m, of[nth % 2], nth);
        if (r == -2)
            skip(); /* tracing is not allowed on this machine */
        assert_in_range(r + 1, 0, 1);
        if (r == -1)
            break;
        deaths++;
        assert_int_equal(pki_files_check(&place->root, &m, NOW, &last),
                         -1); /* half of it is not taken for whole */
        (void)write_pki(place, &m, of[nth % 2], NOW);
        must_check_out(place, &m, NOW);
        assert_string_equal(foreign(place, &m, of[nth % 2]), "");
        holds_just(place, node_files, NODE_FILES);
        assert_int_equal(write_pki(place, &m, of[nth % 2], NOW), 0);
    }
    /* six kubeconfigs and authentication.yaml do not depend on the secret: only the first run wrote them */
    assert_int_equal(deaths, NODE_FILES - 7);
}

/* And at moments of no choice. */
static void a_run_may_die_at_any_time(void **state)
{
    struct place *place = *state;
    struct node_metadata m = member(0);
    const struct cluster_secret *const of[] = {&secret, &stranger};
    unsigned changed;
    int64_t began = clock_now_ns();
    (void)write_pki(place, &m, &stranger, NOW);
    useconds_t whole = (useconds_t)((clock_now_ns() - began) / 1000);
    for (unsigned i = 0; i < 40; i++) {
        int status = 0;
        pid_t pid = fork();
        if (pid == 0)
            _exit(pki_files_write(&place->root, &m, of[i % 2], false, NOW, &changed, &last) < 0);
        usleep((useconds_t)random() % (whole + 1));
        (void)kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        (void)write_pki(place, &m, of[i % 2], NOW);
        must_check_out(place, &m, NOW);
        holds_just(place, node_files, NODE_FILES);
    }
}

#define ROOTED(test) cmocka_unit_test_setup_teardown(test, make_place, remove_place)

int main(void)
{
    srandom((unsigned)time(NULL));
    const struct CMUnitTest tests[] = {
        ROOTED(every_file_is_there_and_closed),
        ROOTED(a_node_that_becomes_a_witness_keeps_no_key),
        ROOTED(subjects_names_and_uses),
        ROOTED(a_node_may_have_the_longest_name),
        ROOTED(kubernetes_reads_its_files),
        ROOTED(each_file_is_missed),
        ROOTED(each_file_of_a_stranger_is_found),
        ROOTED(a_cluster_changes_from_one_secret_to_the_next),
        ROOTED(keys_of_another_secret_are_recognized),
        ROOTED(modes_are_set_right_and_nothing_is_issued_for_it),
        ROOTED(a_run_may_die_before_any_file),
        ROOTED(a_run_may_die_at_any_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
