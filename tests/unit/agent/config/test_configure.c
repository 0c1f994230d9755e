/* Keys, certificates and configuration: what each node gets, what stays, what is repaired, what is refused.
 * OpenSSL's own program and Kubernetes' own reader judge the results. */
#include "tests/unit/agent/helper.h"

#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include <sodium.h>

#include "agent/config/configure.h"
#include "agent/config/hosts.h"
#include "agent/pki/files.h"
#include "agent/config/render.h"
#include "agent/net/slots.h"
#include "agent/config/template.h"

#define NOW ((time_t)1800000000)
#define DAY ((time_t)86400)
#define PKI "/etc/kubernetes/pki/"

static struct err last;
static const struct cluster_secret secret = {.bytes = {1, 2, 3, 4, 5, 6, 7}, .set = true},
                                   stranger = {.bytes = {7, 6, 5, 4}, .set = true};
static const struct rotation never;
static struct rotation rotation;
static enum rotation_step step;

static struct node_metadata member(size_t self)
{
    struct node_metadata m = {.cluster_name = "prod",
                              .pod_cidr = "10.244.0.0/16",
                              .service_cidr = "10.96.0.0/16",
                              .domain = "cluster.local",
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

/* openssl verify, at NOW + DAYS */
static bool verifies(const struct place *place, const char *ca, const char *cert, int days)
{
    char at[32], ca_path[512], cert_path[512];
    snprintf(at, sizeof at, "%lld", (long long)(NOW + days * DAY));
    snprintf(ca_path, sizeof ca_path, "%s" PKI "%s", place->dir, ca);
    snprintf(cert_path, sizeof cert_path, "%s" PKI "%s", place->dir, cert);
    const char *const argv[] = {"openssl", "verify", "-x509_strict", "-attime", at,
                                "-CAfile", ca_path,  cert_path,      NULL};
    return run(argv) == 0;
}

static void assert_same(const struct place *a, const struct place *b, const char *path, bool same)
{
    cleanup_buf struct buf one = get_file(a, path), other = get_file(b, path);
    assert_int_equal(one.len == other.len && memcmp(one.data, other.data, one.len) == 0, same);
}

static void members_share_authorities_and_nothing_else(void **state)
{
    struct place *place = *state;
    void *second = NULL;
    assert_int_equal(make_place(&second), 0);
    struct place *other = second;
    struct node_metadata a = member(0), b = member(1);
    assert_int_equal(write_pki(place, &a, &secret, NOW), (1 << PKI_FOLDERS) - 1);
    (void)write_pki(other, &b, &secret, NOW + 7 * DAY);
    static const char *const shared[] = {PKI "apiserver/ca.crt",
                                         PKI "etcd/ca.crt",
                                         PKI "apiserver/front-proxy-ca.crt",
                                         PKI "apiserver/sa.key",
                                         PKI "apiserver/encryption.yaml",
                                         PKI "agent/peer.key",
                                         PKI "agent/snapshot.key",
                                         PKI "controller-manager/ca.key"};
    for (size_t i = 0; i < sizeof shared / sizeof *shared; i++)
        assert_same(place, other, shared[i], true);
    assert_same(place, other, PKI "apiserver/tls.key", false);
    assert_same(place, other, PKI "etcd/peer.crt", false);
    static const char *const leaves[][2] = {
        {"apiserver/ca.crt", "apiserver/tls.crt"},
        {"apiserver/ca.crt", "apiserver/kubelet-client.crt"},
        {"apiserver/etcd-ca.crt", "apiserver/etcd-client.crt"},
        {"apiserver/front-proxy-ca.crt", "apiserver/front-proxy-client.crt"},
        {"kubelet/ca.crt", "kubelet/server.crt"},
        {"kubelet/ca.crt", "kubelet/client.crt"},
        {"admin/ca.crt", "admin/client.crt"},
        {"etcd/ca.crt", "etcd/server.crt"},
        {"etcd/ca.crt", "etcd/peer.crt"}};
    for (size_t i = 0; i < sizeof leaves / sizeof *leaves; i++) {
        assert_true(verifies(place, leaves[i][0], leaves[i][1], 0));
        assert_true(verifies(place, leaves[i][0], leaves[i][1], -1)); /* a clock that is a day behind */
        assert_true(verifies(place, leaves[i][0], leaves[i][1], 89));
        assert_false(verifies(place, leaves[i][0], leaves[i][1], 91));
    }
    assert_false(verifies(place, "apiserver/ca.crt", "etcd/server.crt", 0)); /* etcd's clients are its own */
    /* another secret, or another cluster with the same one, is a stranger */
    (void)write_pki(other, &b, &stranger, NOW);
    assert_same(place, other, PKI "apiserver/ca.crt", false);
    snprintf(b.cluster_name, sizeof b.cluster_name, "test");
    (void)write_pki(other, &b, &secret, NOW);
    assert_same(place, other, PKI "apiserver/ca.crt", false);
    assert_int_equal(remove_place(&second), 0);
}

static void what_is_good_stays(void **state)
{
    struct place *place = *state;
    struct node_metadata m = member(0);
    (void)write_pki(place, &m, &secret, NOW);
    assert_int_equal(write_pki(place, &m, &secret, NOW), 0);
    assert_int_equal(write_pki(place, &m, &secret, NOW + 59 * DAY), 0);
    if (pki_files_check(&place->root, &m, NOW + 89 * DAY, &last) < 0)
        fail_msg("%s", last.text);
    assert_int_equal(pki_files_check(&place->root, &m, NOW + 91 * DAY, &last), -1);
    assert_says(last, "only the metadata server has the secret");
    cleanup_buf struct buf before = get_file(place, PKI "etcd/server.crt");
    /* 29 days are left: everything but the authorities is made again */
    assert_int_equal(write_pki(place, &m, &secret, NOW + 61 * DAY),
                     (1 << PKI_FOLDERS) - 1 - (1 << PKI_AGENT));
    cleanup_buf struct buf after = get_file(place, PKI "etcd/server.crt");
    assert_string_not_equal(before.data, after.data);
    assert_true(verifies(place, "etcd/ca.crt", "etcd/server.crt", 120));
    /* names changed: the one certificate that holds them */
    snprintf(m.api_names[m.api_name_count++], sizeof m.api_names[0], "api.example.com");
    assert_int_equal(write_pki(place, &m, &secret, NOW + 61 * DAY), 1 << PKI_APISERVER);
    /* a clock that jumps back two days finds certificates that are not good yet */
    assert_int_not_equal(write_pki(place, &m, &secret, NOW + 59 * DAY), 0);
}

static void damage_is_repaired(void **state)
{
    struct place *place = *state;
    struct node_metadata m = member(2);
    (void)write_pki(place, &m, &secret, NOW);
    put_text(place, PKI "etcd/server.key", "nonsense");
    put_text(place, PKI "scheduler/client.crt", "");
    assert_int_equal(unlink(below(place, PKI "kubelet/client.key")), 0);
    assert_int_equal(chmod(below(place, PKI "apiserver/sa.key"), 0644), 0);
    /* the key of one and the certificate of another */
    cleanup_buf struct buf key = get_file(place, PKI "admin/client.key");
    put(place, PKI "kube-proxy/client.key", key.data, key.len, 0600);
    assert_int_equal(pki_files_check(&place->root, &m, NOW, &last), -1);
    assert_int_equal(write_pki(place, &m, &secret, NOW), 1 << PKI_ETCD | 1 << PKI_SCHEDULER |
                                                             1 << PKI_KUBELET | 1 << PKI_APISERVER |
                                                             1 << PKI_KUBE_PROXY);
    assert_int_equal(write_pki(place, &m, &secret, NOW), 0);
    assert_int_equal(pki_files_check(&place->root, &m, NOW, &last), 0);
    struct stat st;
    assert_int_equal(stat(below(place, PKI "apiserver/sa.key"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(stat(below(place, "/etc/kubernetes/pki/apiserver"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
}

static void no_file_holds(const struct place *place, const char *text)
{
    const char *const argv[] = {"grep", "-rqF", "--", text, place->dir, NULL};
    assert_int_equal(run(argv), 1); /* 2 would be an error of grep's */
}

static void the_secret_is_in_no_file(void **state)
{
    struct place *place = *state;
    struct node_metadata m = member(0);
    char text[64];
    unsigned changed;
    assert_int_equal(configure(&place->root, &m, &secret, &never, NOW, &changed, &last), 0);
    sodium_bin2base64(text, sizeof text, secret.bytes, sizeof secret.bytes, sodium_base64_VARIANT_ORIGINAL);
    text[40] = '\0';
    no_file_holds(place, text);
    sodium_bin2hex(text, 33, secret.bytes, 16);
    no_file_holds(place, text);
    assert_int_equal(configure_check_secret(&place->root, &m, &secret, &rotation, &step, &last), 0);
    assert_int_equal(configure_check_secret(&place->root, &m, &stranger, &rotation, &step, &last), -1);
    assert_says(last,
                "cluster-secret or cluster-name changed: /etc/kubernetes/pki/apiserver/ca.crt was made");
}

static void a_run_that_was_killed_is_finished_by_the_next(void **state)
{
    struct place *place = *state;
    struct node_metadata m = member(0);
    for (unsigned i = 0; i < 60; i++) {
        int status = 0;
        unsigned changed;
        pid_t pid = fork();
        if (pid == 0) {
            /* each run has everything to make: the time is another one, by a hundred days */
            _exit(configure(&place->root, &m, &secret, &never, NOW + (time_t)i * 100 * DAY, &changed, &last) <
                  0);
        }
        usleep(200 + i * 331);
        (void)kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        (void)write_pki(place, &m, &secret, NOW + (time_t)i * 100 * DAY);
        if (pki_files_check(&place->root, &m, NOW + (time_t)i * 100 * DAY, &last) < 0)
            fail_msg("%s", last.text);
    }
}

static void a_witness_has_nothing_of_kubernetes(void **state)
{
    struct place *place = *state;
    struct node_metadata m = member(1);
    unsigned changed;
    put_text(place, RENDER_TEMPLATES "/kube-apiserver.yaml", "x: @NODE_IP@\n");
    assert_int_equal(configure(&place->root, &m, &secret, &never, NOW, &changed, &last), 0);
    assert_true(there(place, "/etc/kubernetes/manifests/kube-apiserver.yaml"));
    m.role = NODE_ROLE_WITNESS;
    assert_int_equal(configure(&place->root, &m, &secret, &never, NOW, &changed, &last), 0);
    assert_false(there(place, "/etc/kubernetes/manifests/kube-apiserver.yaml"));
    void *second = NULL;
    assert_int_equal(make_place(&second), 0);
    struct place *fresh = second;
    assert_int_equal(configure(&fresh->root, &m, &secret, &never, NOW, &changed, &last), 0);
    assert_true(there(fresh, PKI "etcd/peer.key"));
    assert_true(there(fresh, PKI "admin/etcd-client.key"));
    assert_false(there(fresh, PKI "admin/client.key"));
    assert_false(there(fresh, PKI "kubelet"));
    assert_false(there(fresh, PKI "controller-manager"));
    assert_int_equal(remove_place(&second), 0);
}

static void templates(void **state)
{
    (void)state;
    static const struct template_mark marks[] = {{"A", "@B@"}, {"B_C", "two"}};
    static const char text[] = "@A@ @B_C@@A@ user@host @ @@ @a@ @B_C";
    cleanup_buf struct buf made = BUF_INIT(256);
    assert_int_equal(template_fill(text, strlen(text), marks, 2, &made, &last), 0);
    assert_string_equal(made.data, "@B@ two@B@ user@host @ @@ @a@ @B_C");
    buf_free(&made);
    made = (struct buf)BUF_INIT(256);
    assert_int_equal(template_fill("@OTHER@", 7, marks, 2, &made, &last), -1);
    assert_says(last, "unknown mark @OTHER@");
}

static void configuration_is_written_once(void **state)
{
    struct place *place = *state;
    struct node_metadata m = member(1);
    unsigned changed = 0;
    put_text(place, RENDER_TEMPLATES "/kube-apiserver.yaml", "- --etcd-servers=@ETCD_SERVERS@\n");
    put_text(place, RENDER_TEMPLATES "/kubelet.yaml", "dns: @CLUSTER_DNS@\n");
    put_text(place, RENDER_TEMPLATES "/addon-x.yaml", "cidr: @NODE_CIDR@ allocate: @ALLOCATE_NODE_CIDRS@\n");
    put_text(place, "/etc/hosts", "127.0.0.1 localhost\n# bake: begin\nold\n# bake: end\n1.2.3.4 mine");
    if (render_all(&place->root, &m, "flannel", "k", &changed, &last) < 0)
        fail_msg("%s", last.text);
    assert_int_equal(changed, RENDERED_KUBELET | RENDERED_ADDONS | RENDERED_MEMBERS | RENDERED_OTHER);
    cleanup_buf struct buf api = get_file(place, "/etc/kubernetes/manifests/kube-apiserver.yaml"),
                           kubelet = get_file(place, "/etc/kubernetes/kubelet.yaml"),
                           addon = get_file(place, "/etc/kubernetes/addons/addon-x.yaml"),
                           hosts = get_file(place, "/etc/hosts");
    assert_string_equal(api.data, "- --etcd-servers=https://127.0.0.1:2379\n");
    assert_string_equal(kubelet.data, "dns: 10.96.0.10\n");
    assert_string_equal(addon.data, "cidr: 10.244.1.0/24 allocate: true\n");
    assert_string_equal(
        hosts.data,
        "127.0.0.1 localhost\n# bake: begin\n127.0.0.1 api.bake.internal\n10.0.2.2 api.bake.internal\n"
        "10.0.0.2 api.bake.internal\n10.0.0.2 a\n10.0.1.2 b\n10.0.2.2 c\n# bake: end\n1.2.3.4 mine");
    assert_int_equal(render_all(&place->root, &m, "flannel", "k", &changed, &last), 0);
    assert_int_equal(changed, 0);
    snprintf(m.nodes[2].name, sizeof m.nodes[2].name, "d");
    assert_int_equal(render_all(&place->root, &m, "flannel", "k", &changed, &last), 0);
    assert_int_equal(changed, RENDERED_MEMBERS | RENDERED_OTHER);
    /* calico deals out blocks of its own */
    assert_int_equal(render_all(&place->root, &m, "calico", "k", &changed, &last), 0);
    assert_int_equal(changed, RENDERED_ADDONS);
    buf_free(&addon);
    addon = get_file(place, "/etc/kubernetes/addons/addon-x.yaml");
    assert_string_equal(addon.data, "cidr: 10.244.1.0/24 allocate: false\n");
}

static void an_audit_log_is_an_option(void **state)
{
    struct place *place = *state;
    struct node_metadata m = member(1);
    unsigned changed = 0;
    put_text(place, RENDER_TEMPLATES "/kube-apiserver.yaml", "[\"@AUDIT_POLICY@\",\"@AUDIT_LOG@\"]");
    put_text(place, RENDER_TEMPLATES "/admission.yaml", "kind: AdmissionConfiguration\n");
    assert_int_equal(render_all(&place->root, &m, "vxlan", "k", &changed, &last), 0);
    cleanup_buf struct buf off = get_file(place, "/etc/kubernetes/manifests/kube-apiserver.yaml"),
                           admission = get_file(place, "/etc/kubernetes/apiserver/admission.yaml");
    assert_string_equal(off.data, "[\"\",\"\"]");
    assert_string_equal(admission.data, "kind: AdmissionConfiguration\n");
    put_text(place, RENDER_TEMPLATES "/audit.yaml", "kind: Policy\n");
    assert_int_equal(render_all(&place->root, &m, "vxlan", "k", &changed, &last), 0);
    assert_int_equal(changed, RENDERED_OTHER);
    cleanup_buf struct buf on = get_file(place, "/etc/kubernetes/manifests/kube-apiserver.yaml"),
                           policy = get_file(place, RENDER_API_SERVER "/audit.yaml");
    assert_string_equal(on.data, "[\"" RENDER_API_SERVER "/audit.yaml\",\"/var/log/bake-audit/audit.log\"]");
    assert_string_equal(policy.data, "kind: Policy\n");
    m.role = NODE_ROLE_WITNESS;
    assert_int_equal(render_all(&place->root, &m, "vxlan", "k", &changed, &last), 0);
    assert_false(there(place, RENDER_API_SERVER "/audit.yaml"));
    assert_false(there(place, RENDER_API_SERVER "/admission.yaml"));
}

static void slots_stay(void **state)
{
    struct place *place = *state;
    struct node_metadata m = member(1), moved = member(1);
    unsigned changed;
    char cidr[VALUE_CIDR_CAP];
    slot_cidr(&m, 2, cidr);
    assert_string_equal(cidr, "10.244.2.0/24");
    assert_int_equal(slot_check(&place->root, &m, &last), 0);
    moved.self = 0;
    assert_int_equal(render_all(&place->root, &moved, "vxlan", "k", &changed, &last), -1);
    assert_says(
        last,
        "cluster-nodes was reordered, or cluster-pod-cidr changed: this node's pods have 10.244.1.0/24, and "
        "would have 10.244.0.0/24");
    assert_false(there(place, RENDER_NODE_ENV)); /* nothing half-configured */
    assert_int_equal(slot_check(&place->root, &m, &last), 0);
    snprintf(m.pod_cidr, sizeof m.pod_cidr, "10.244.0.0/23");
    assert_int_equal(slot_check(&place->root, &m, &last), -1);
    assert_says(last, "too small for 3 members");
}

static void the_network_is_the_recipes(void **state)
{
    struct place *place = *state;
    char word[NETWORK_WORD_CAP];
    assert_int_equal(configure_network_word(&place->root, word, &last), 0);
    assert_string_equal(word, "vxlan");
    put_text(place, "/opt/bake/network", "calico\n");
    assert_int_equal(configure_network_word(&place->root, word, &last), 0);
    assert_string_equal(word, "calico");
    put_text(place, "/opt/bake/network", "weave\n");
    assert_int_equal(configure_network_word(&place->root, word, &last), -1);
}

#define ROOTED(test) cmocka_unit_test_setup_teardown(test, make_place, remove_place)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROOTED(members_share_authorities_and_nothing_else),
        ROOTED(what_is_good_stays),
        ROOTED(damage_is_repaired),
        ROOTED(the_secret_is_in_no_file),
        ROOTED(a_run_that_was_killed_is_finished_by_the_next),
        ROOTED(a_witness_has_nothing_of_kubernetes),
        cmocka_unit_test(templates),
        ROOTED(configuration_is_written_once),
        ROOTED(an_audit_log_is_an_option),
        ROOTED(slots_stay),
        ROOTED(the_network_is_the_recipes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
