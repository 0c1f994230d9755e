/* What containerd learns about the pod network, for each network, and when; flannel's subnet file, good and
 * hostile. */
#include "tests/unit/agent/helper.h"

#include "agent/net/cni.h"

#define GOOD                                                                                                 \
    "FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.1.1/24\nFLANNEL_MTU=1410\nFLANNEL_IPMASQ=true\n"

static struct err last;
static const struct node_metadata member = {.name = "b",
                                            .ip = "10.0.1.2",
                                            .cluster_name = "prod",
                                            .pod_cidr = "10.244.0.0/16",
                                            .service_cidr = "10.96.0.0/16",
                                            .domain = "cluster.local",
                                            .nodes = {{"a", "10.0.0.2"}, {"b", "10.0.1.2"}},
                                            .node_count = 2,
                                            .self = 1};

static bool write_cni(const struct place *place, const char *network)
{
    bool ready = false;
    if (cni_write(&place->root, &member, network, &ready, &last) < 0)
        fail_msg("%s", last.text);
    return ready;
}

/* Python's own reader of JSON, and what it must find. */
static bool holds(const struct place *place, const char *path, const char *test)
{
    char script[1024];
    snprintf(script, sizeof script, "import json,sys; c=json.load(open(sys.argv[1])); assert %s, c", test);
    const char *const argv[] = {"python3", "-c", script, below(place, path), NULL};
    return run(argv) == 0;
}

static void test_vxlan(void **state)
{
    const struct place *place = *state;
    assert_true(write_cni(place, "vxlan"));
    assert_true(
        holds(place, CNI_FILE, "c['plugins'][0]['ipam']['ranges'] == [[{'subnet': '10.244.1.0/24'}]]"));
    assert_true(
        holds(place, CNI_FILE, "c['plugins'][0]['mtu'] == 1410 and c['plugins'][0]['ipMasq'] is False"));
    assert_true(holds(place, CNI_FILE, "[p['type'] for p in c['plugins']] == ['bridge', 'portmap']"));
    assert_int_not_equal(access(below(place, CNI_FLANNEL_NET), F_OK), 0);
}

static void test_flannel(void **state)
{
    const struct place *place = *state;
    put_text(place, CNI_FILE, "of the boot before");
    assert_false(write_cni(place, "flannel"));
    assert_false(there(place, CNI_FILE)); /* no pod before flanneld is up */
    assert_true(
        holds(place, CNI_FLANNEL_NET,
              "c == {'Network': '10.244.0.0/16', 'Backend': {'Type': 'vxlan', 'VNI': 1, 'Port': 8472}}"));
    put_text(place, CNI_FLANNEL_SUBNET,
             "FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.7.1/"
             "24\nFLANNEL_MTU=1400\nFLANNEL_IPMASQ=true\n");
    assert_true(write_cni(place, "flannel"));
    assert_true(
        holds(place, CNI_FILE, "c['plugins'][0]['ipam']['ranges'] == [[{'subnet': '10.244.7.0/24'}]]"));
    assert_true(
        holds(place, CNI_FILE, "c['plugins'][0]['mtu'] == 1400 and c['plugins'][0]['ipMasq'] is False"));
    assert_true(
        holds(place, CNI_FILE, "c['cniVersion'] == '0.4.0' and c['plugins'][1]['type'] == 'portmap'"));
    put_text(place, CNI_FLANNEL_SUBNET,
             "FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.7.1/"
             "24\nFLANNEL_MTU=1400\nFLANNEL_IPMASQ=false\n");
    assert_true(write_cni(place, "flannel"));
    assert_true(holds(place, CNI_FILE, "c['plugins'][0]['ipMasq'] is True"));
    put(place, CNI_FLANNEL_SUBNET, "FLANNEL\0", 8, 0644);
    bool ready;
    assert_int_equal(cni_write(&place->root, &member, "flannel", &ready, &last), -1);
    assert_int_equal(last.kind, ERR_VERIFY);
    assert_int_equal(unlink(below(place, CNI_FLANNEL_SUBNET)), 0);
    assert_false(write_cni(place, "flannel"));
    assert_false(there(place, CNI_FILE));
}

static void test_calico(void **state)
{
    const struct place *place = *state;
    put_text(place, CNI_FILE, "of the boot before");
    assert_false(write_cni(place, "calico"));
    assert_false(there(place, CNI_FILE));
    put_text(place, CNI_CALICO_NODENAME, "a");
    assert_false(write_cni(place, "calico")); /* of another node: the disk was one's before */
    put_text(place, CNI_CALICO_NODENAME, "b");
    assert_true(write_cni(place, "calico"));
    assert_true(
        holds(place, CNI_FILE, "c['plugins'][0]['type'] == 'calico' and c['plugins'][0]['nodename'] == 'b'"));
    assert_true(holds(place, CNI_FILE, "c['plugins'][0]['ipam'] == {'type': 'calico-ipam'}"));
    assert_true(holds(place, CNI_FILE, "c['plugins'][0]['calico_api_group'] == 'crd.projectcalico.org/v1'"));
    assert_true(
        holds(place, CNI_FILE,
              "c['plugins'][0]['kubernetes']['kubeconfig'] == '/etc/kubernetes/pki/network/kubeconfig'"));
    assert_true(
        holds(place, CNI_FILE, "c['plugins'][0]['mtu'] == 1410 and c['plugins'][1]['type'] == 'portmap'"));
}

static void test_subnet(void **state)
{
    struct cni_flannel got;
    (void)state;
    assert_int_equal(cni_flannel_parse(GOOD, "10.244.0.0/16", &got, &last), 0);
    assert_string_equal(got.cidr, "10.244.1.0/24");
    assert_int_equal(got.mtu, 1410);
    assert_true(got.masquerades);
    /* the order is flannel's to choose */
    assert_int_equal(
        cni_flannel_parse("FLANNEL_IPMASQ=false\nFLANNEL_MTU=65535\nFLANNEL_SUBNET=10.244.255.1/24\n"
                          "FLANNEL_NETWORK=10.244.0.0/16\n",
                          "10.244.0.0/16", &got, &last),
        0);
    assert_string_equal(got.cidr, "10.244.255.0/24");
    assert_false(got.masquerades);
}

static void test_hostile_subnet(void **state)
{
#define N "FLANNEL_NETWORK=10.244.0.0/16\n"
#define S "FLANNEL_SUBNET=10.244.1.1/24\n"
#define M "FLANNEL_MTU=1410\n"
#define Q "FLANNEL_IPMASQ=true\n"
    static const char *const bad[] = {
        "",
        "\n",
        N S M,
        N S M "FLANNEL_IPMASQ=true", /* cut: no end of line */
        N S M Q "\n",
        N N S M Q,
        N S S M Q,
        N S M Q "EVIL=1\n",
        N S M Q "# comment\n",
        " " N S M Q,
        N S M "FLANNEL_IPMASQ=\n",
        N S M "FLANNEL_IPMASQ=TRUE\n",
        N S M "FLANNEL_IPMASQ=\"true\"\n",
        N S M "FLANNEL_IPMASQ=true \n",
        N S "FLANNEL_MTU=0\n" Q,
        N S "FLANNEL_MTU=575\n" Q,
        N S "FLANNEL_MTU=65536\n" Q,
        N S "FLANNEL_MTU=01410\n" Q,
        N S "FLANNEL_MTU=-1410\n" Q,
        N S "FLANNEL_MTU=4294968706\n" Q,
        N S "FLANNEL_MTU=1410, \"x\": 1\n" Q,
        N "FLANNEL_SUBNET=10.244.1.0/24\n" M Q,
        N "FLANNEL_SUBNET=10.244.1.2/24\n" M Q,
        N "FLANNEL_SUBNET=10.244.1.1\n" M Q,
        N "FLANNEL_SUBNET=10.244.1.1/\n" M Q,
        N "FLANNEL_SUBNET=10.244.1.1/24/24\n" M Q,
        N "FLANNEL_SUBNET=10.244.1.1/024\n" M Q,
        N "FLANNEL_SUBNET=10.244.1.1/33\n" M Q,
        N "FLANNEL_SUBNET=10.244.0.1/16\n" M Q,
        N "FLANNEL_SUBNET=10.244.0.1/15\n" M Q,
        N "FLANNEL_SUBNET=10.245.1.1/24\n" M Q,
        N "FLANNEL_SUBNET=10.96.1.1/24\n" M Q,
        N "FLANNEL_SUBNET=0.0.0.1/24\n" M Q,
        N "FLANNEL_SUBNET=::1/24\n" M Q,
        N "FLANNEL_SUBNET=10.244.1.1/24\"}]]\n" M Q,
        "FLANNEL_NETWORK=10.0.0.0/8\n" S M Q,
        "FLANNEL_NETWORK=10.244.0.0/16,10.9.0.0/16\n" S M Q,
        "FLANNEL_NETWORK=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n" S M Q,
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct cni_flannel got;
        last = (struct err){0};
        if (cni_flannel_parse(bad[i], "10.244.0.0/16", &got, &last) == 0)
            fail_msg("taken: %s", bad[i]);
        assert_int_equal(last.kind, ERR_VERIFY);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_vxlan, make_place, remove_place),
        cmocka_unit_test_setup_teardown(test_flannel, make_place, remove_place),
        cmocka_unit_test_setup_teardown(test_calico, make_place, remove_place),
        cmocka_unit_test(test_subnet),
        cmocka_unit_test(test_hostile_subnet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
