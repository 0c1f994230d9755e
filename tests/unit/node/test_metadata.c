/* Metadata: what is taken, and everything that is not. */
#include "tests/unit/agent/helper.h"

#include "node/metadata.h"
#include "agent/config/render.h"

#define INSTANCE(name, ip, attributes)                                                                       \
    "{\"attributes\":" attributes ",\"cpuPlatform\":\"x\",\"hostname\":\"a.c.p.internal\","                  \
    "\"id\":4578439574389574389,\"name\":\"" name "\",\"networkInterfaces\":[{\"accessConfigs\":"            \
    "[{\"externalIp\":\"1.2.3.4\",\"type\":\"ONE_TO_ONE_NAT\"}],\"ip\":\"" ip "\",\"mtu\":1460},"            \
    "{\"ip\":\"10.9.9.9\"}],\"scheduling\":{\"preemptible\":\"FALSE\"},\"tags\":[],"                         \
    "\"zone\":\"projects/12345/zones/us-central1-a\"}"
#define SECRET "hVJ2QxmV0GDyL3tq2C7OaVjEd4RkYw8uKZ1nSsBp5Fo="
#define NODES  "a=10.0.0.2,b=10.0.1.2,c=10.0.2.2"

static struct err last;
static struct cluster_secret secret;

static int parse(const char *instance, const char *project, struct node_metadata *ret)
{
    return node_metadata_parse(&(struct node_metadata_text){instance, strlen(instance)},
                               &(struct node_metadata_text){project, strlen(project)}, ret, &secret, &last);
}

static void everything_is_taken(void **state)
{
    (void)state;
    struct node_metadata m;
    if (parse(INSTANCE(
                  "a", "10.0.0.2",
                  "{\"cluster-name\":\"prod\",\"cluster-domain\":\"\",\"cluster-pod-cidr\":\"10.1.0.0/16\","
                  "\"other\":1}"),
              "{\"cluster-name\":\"shared\",\"cluster-domain\":\"k8s.example\",\"cluster-nodes\":\"" NODES
              "\",\"cluster-secret\":\"" SECRET "\"}",
              &m) < 0)
        fail_msg("%s", last.text);
    assert_string_equal(m.name, "a");
    assert_string_equal(m.id, "4578439574389574389");
    assert_string_equal(m.hostname, "a.c.p.internal");
    assert_string_equal(m.zone, "us-central1-a");
    assert_string_equal(m.ip, "10.0.0.2");
    assert_string_equal(m.cluster_name, "prod"); /* the instance's goes first */
    assert_int_equal(m.node_count, 3);
    assert_string_equal(m.nodes[2].name, "c");
    assert_string_equal(m.nodes[2].ip, "10.0.2.2");
    assert_string_equal(m.pod_cidr, "10.1.0.0/16");
    assert_string_equal(m.service_cidr, "10.96.0.0/16");
    assert_string_equal(m.domain, "k8s.example"); /* the instance's is empty, so none */
}

static void a_copy_reads_back_the_same_and_holds_no_secret(void **state)
{
    (void)state;
    struct node_metadata m, again;
    cleanup_buf struct buf copy = BUF_INIT(NODE_METADATA_COPY_MAX);
    assert_int_equal(parse(INSTANCE("a", "10.0.0.2",
                                    "{\"cluster-name\":\"prod\",\"cluster-secret\":\"" SECRET
                                    "\",\"snapshot-bucket\":\"bkt\",\"cluster-restore\":\"r=newest\"}"),
                           "{\"cluster-nodes\":\"" NODES "\"}", &m),
                     0);
    node_metadata_write(&m, &copy);
    if (parse(copy.data, "{}", &again) < 0)
        fail_msg("%s", last.text);
    assert_memory_equal(&m, &again, sizeof m);
    assert_null(strstr(copy.data, SECRET));
}

static void refused(const char *instance, const char *project, const char *part)
{
    struct node_metadata m, before;
    memset(&m, 0x5a, sizeof m);
    before = m;
    if (parse(instance, project, &m) == 0)
        fail_msg("taken: %s %s", instance, project);
    assert_says(last, part);
    for (const char *at = last.text; *at; at++)
        assert_in_range(*at, 0x20, 0x7e);
    assert_memory_equal(&m, &before, sizeof m);
}

/* What would be a second line of an environment file, a command, an option, a path. */
static void injections_are_refused(void **state)
{
    (void)state;
    static const char *const names[] = {"a\\nETCD_X=1",
                                        "a b",
                                        "$(reboot)",
                                        "`reboot`",
                                        "a;b",
                                        "a\\\"",
                                        "'",
                                        "-a",
                                        "a-",
                                        "1a",
                                        "../../x",
                                        "A",
                                        "a.b",
                                        "a=b",
                                        "a\\u2028b",
                                        "a\\tb",
                                        "\\u001b[2J",
                                        "a\\\\",
                                        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                                        ""};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char text[1024];
        snprintf(text, sizeof text, "{\"name\":\"%s\",\"networkInterfaces\":[{\"ip\":\"10.0.0.2\"}]}",
                 names[i]);
        refused(text, "{\"cluster-name\":\"c\"}", "metadata: name ");
        snprintf(text, sizeof text, "{\"cluster-name\":\"%s\"}", names[i]);
        refused(INSTANCE("a", "10.0.0.2", "{}"), text, "metadata: cluster-name ");
    }
    refused("{\"name\":\"a\\n\",\"networkInterfaces\":[{\"ip\":\"10.0.0.2\"}]}", "{\"cluster-name\":\"c\"}",
            "metadata: name ");
    refused(INSTANCE("a", "10.0.0.2", "{}"), "{\"cluster-name\":\"a\\u0000b\"}", "\\u escape");
    refused(INSTANCE("a", "10.0.0.2\\nX=1", "{}"), "{\"cluster-name\":\"c\"}", "networkInterfaces[0].ip is");
}

static void values_have_one_spelling(void **state)
{
    (void)state;
    static const char *const ips[] = {"",        "10.0.0",    "10.0.0.2.3", "10.0.0.256",      "010.0.0.2",
                                      "0.0.0.0", "127.0.0.1", "224.0.0.1",  "255.255.255.255", "10.0.0.2 ",
                                      "::1",     "10.0.0.-2", "1000.0.0.1", "0x0a.0.0.2"};
    static const char *const cidrs[] = {"10.0.0.0",    "10.0.0.0/",    "10.0.0.0/7", "10.0.0.0/31",
                                        "10.0.0.1/24", "10.0.0.0/024", "0.0.0.0/8",  "10.0.0.0/8/8",
                                        "10.0.0.0/8 ", "a/8"};
    static const char *const domains[] = {".", "a.", ".a", "a..b", "-a.b", "A.b", "a_b", "a b", "a.b\\n"};
    for (size_t i = 0; i < sizeof ips / sizeof *ips; i++)
        assert_false(value_ip_ok(ips[i]));
    for (size_t i = 0; i < sizeof cidrs / sizeof *cidrs; i++)
        assert_false(value_cidr_ok(cidrs[i]));
    for (size_t i = 0; i < sizeof domains / sizeof *domains; i++)
        assert_false(value_domain_ok(domains[i]));
    static const char *const ids[] = {"",
                                      "05",
                                      "00",
                                      "-1",
                                      "1 ",
                                      "1a",
                                      "18446744073709551616",
                                      "99999999999999999999",
                                      "111111111111111111111"};
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
        assert_false(value_id_ok(ids[i]));
    static const char *const snapshots[] = {"",
                                            "20261129T054500Z",
                                            "20261129T054500Z.r1",
                                            "20261129T054500Z.r.a",
                                            "20261129T054500Z.r01.a",
                                            "20261129T054500Z.r1.",
                                            "20261129T054500Z.r1.a.",
                                            "20261129T054500Z.r1.a..x",
                                            "20261129T054500Z.r1.a.b.c",
                                            "20261129T054500Z.r1.A",
                                            "2026112xT054500Z.r1.a",
                                            "20261129T054500Z.r1.a/b",
                                            "20261129T054500Z.r99999999999999999999.a"};
    for (size_t i = 0; i < sizeof snapshots / sizeof *snapshots; i++)
        assert_false(value_snapshot_ok(snapshots[i]));
    static const char *const restores[] = {"",         "newest",  "=newest",  "x=",       "x=new",
                                           "X=newest", "x=disk@", "x=disk@A", "x=disk:a", "x=newest=y"};
    for (size_t i = 0; i < sizeof restores / sizeof *restores; i++)
        assert_false(value_restore_ok(restores[i]));
    static const char *const buckets[] = {"", "ab", "gs://b", "A-b", "-ab", "ab-", "a..b", "a/b", "a b"};
    for (size_t i = 0; i < sizeof buckets / sizeof *buckets; i++)
        assert_false(value_bucket_ok(buckets[i]));
    assert_true(value_snapshot_ok("20261129T054500Z.r1.a"));
    assert_true(value_snapshot_ok("20261129T054500Z.r18446744073709551615.node-1.restore-1"));
    assert_true(value_restore_ok("x=newest"));
    assert_true(value_restore_ok("2x=newest") == false);
    assert_true(value_restore_ok("r1=disk@node-1"));
    assert_true(value_restore_ok("r1=20261129T054500Z.r1.a"));
    assert_true(value_bucket_ok("my-bucket_1.example.com"));
    assert_true(value_id_ok("0"));
    assert_true(value_id_ok("18446744073709551615"));
    assert_true(value_ip_ok("10.128.0.2"));
    assert_true(value_cidr_ok("10.0.0.0/8"));
    assert_true(value_cidr_ok("192.168.0.252/30"));
    assert_true(value_domain_ok("cluster.local"));
    assert_true(value_domain_ok("9a.internal"));
}

/* What an editor, a shell or a Windows machine adds to an attribute. */
static void white_space_around_a_value_is_no_part_of_it(void **state)
{
    (void)state;
    static const char *const lists[] = {"a=10.0.0.2,b=10.0.1.2\\n",
                                        "a=10.0.0.2,b=10.0.1.2\\r\\n",
                                        "a=10.0.0.2, b=10.0.1.2",
                                        "a=10.0.0.2 ,b=10.0.1.2",
                                        "a=10.0.0.2\\nb=10.0.1.2",
                                        "a=10.0.0.2,\\nb=10.0.1.2\\n",
                                        "a=10.0.0.2\\r\\n\\r\\nb=10.0.1.2\\r\\n",
                                        " a=10.0.0.2\\n  , b=10.0.1.2 \\t"};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        char text[512];
        struct node_metadata m;
        snprintf(text, sizeof text,
                 "{\"cluster-name\":\"prod\\r\\n\",\"cluster-nodes\":\"%s\",\"cluster-domain\":\" "
                 "k8s.example\\n\","
                 "\"cluster-api-names\":\"api.example\\n10.0.0.9\\n\",\"cluster-pod-cidr\":\"\\n\"}",
                 lists[i]);
        if (parse(INSTANCE("a", "10.0.0.2", "{}"), text, &m) < 0)
            fail_msg("%s: %s", lists[i], last.text);
        assert_string_equal(m.cluster_name, "prod");
        assert_int_equal(m.node_count, 2);
        assert_string_equal(m.nodes[1].name, "b");
        assert_string_equal(m.nodes[1].ip, "10.0.1.2");
        assert_string_equal(m.domain, "k8s.example");
        assert_int_equal(m.api_name_count, 2);
        assert_string_equal(m.pod_cidr, "10.244.0.0/16"); /* nothing but white space is nothing */
    }
}

static void nodes_must_make_sense(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "a=10.0.0.2,",
        ",a=10.0.0.2",
        "a",
        "a=",
        "=10.0.0.2",
        "a=10.0.0.2,a=10.0.0.3",
        "a=10.0.0.2,b=10.0.0.2",
        "a=10.0.0.2;b=10.0.0.3",
        "a=10.0.0.2 b=10.0.0.3",
        "b=10.0.0.3",
        "a=10.0.0.9",
        "a=http://10.0.0.2",
        ("a=10.0.0.2,b=10.0.0.3,c=10.0.0.4,d=10.0.0.5,e=10.0.0.6,f=10.0.0.7,g=10.0.0.8,"
         "h=10.0.0.9,i=10.0.0.10,j=10.0.0.11")};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char text[512];
        snprintf(text, sizeof text, "{\"cluster-name\":\"c\",\"cluster-nodes\":\"%s\"}", bad[i]);
        refused(INSTANCE("a", "10.0.0.2", "{}"), text, "metadata: cluster-nodes ");
    }
}

static void json_is_read_strictly(void **state)
{
    (void)state;
    const char *good = INSTANCE("a", "10.0.0.2", "{}");
    static const char *const bad[] = {"",
                                      "[]",
                                      "{",
                                      "{\"a\":}",
                                      "{\"a\":1,}",
                                      "{\"a\" 1}",
                                      "{'a':1}",
                                      "{\"a\":01}",
                                      "{\"a\":1.}",
                                      "{\"a\":1e}",
                                      "{\"a\":tru}",
                                      "{\"a\":\"\\x\"}",
                                      "{\"a\":\"\xff\"}",
                                      "{\"a\":\"\xed\xa0\x80\"}",
                                      "{\"a\":\"\\ud800\"}",
                                      "{\"a\":\"\n\"}",
                                      "{}x",
                                      "{} {}",
                                      "{\"cluster-name\":7}",
                                      "{\"cluster-name\":\"a\",\"cluster-name\":\"b\"}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        refused(good, bad[i], "metadata: project/attributes/");
    char deep[200] = "{\"a\":";
    memset(deep + 5, '[', 100);
    refused(good, deep, "nested too deeply");
    refused("{\"name\":\"a\",\"name\":\"b\"}", "{}", "twice");
    refused("{\"id\":99999999999999999999}", "{}", "2^64");
}

static void a_secret_is_32_random_bytes(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "hush",
        "hVJ2QxmV0GDyL3tq2C7OaVjEd4RkYw8uKZ1nSsBp5Fo",
        "hVJ2QxmV0GDyL3tq2C7O aVjEd4RkYw8uKZ1nSsBp5Fo=",
        "hVJ2QxmV0GDyL3tq2C7OaVjEd4RkYw8uKZ1nSsBp5Fp=", /* bits behind the last byte */
        "hVJ2QxmV0GDyL3tq2C7OaVjEd4RkYw8uKZ1nSsBp5-_=",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "YWJjZGFiY2RhYmNkYWJjZGFiY2RhYmNkYWJjZGFiY2Q="};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char text[256];
        snprintf(text, sizeof text, "{\"cluster-name\":\"c\",\"cluster-secret\":\"%s\"}", bad[i]);
        refused(INSTANCE("a", "10.0.0.2", "{}"), text, "metadata: cluster-secret: ");
        assert_null(strstr(last.text, bad[i]));
    }
    struct node_metadata m;
    assert_int_equal(parse(INSTANCE("a", "10.0.0.2", "{}"),
                           "{\"cluster-name\":\"c\",\"cluster-secret\":\"" SECRET "\"}", &m),
                     0);
    assert_true(secret.set);
    unsigned char one[DERIVED_KEY_SIZE], other[DERIVED_KEY_SIZE];
    cluster_secret_derive(&secret, "c", "ca", one);
    cluster_secret_derive(&secret, "c", "ca", other);
    assert_memory_equal(one, other, sizeof one);
    cluster_secret_derive(&secret, "d", "ca", other);
    assert_memory_not_equal(one, other, sizeof one);
    cluster_secret_derive(&secret, "c", "ca2", other);
    assert_memory_not_equal(one, other, sizeof one);
    assert_int_equal(parse(INSTANCE("a", "10.0.0.2", "{}"), "{\"cluster-name\":\"c\"}", &m), 0);
    assert_false(secret.set);
}

static void roles_and_names_of_the_api(void **state)
{
    (void)state;
    struct node_metadata m;
    if (parse(INSTANCE("b", "10.0.1.2", "{\"cluster-role\":\"witness\"}"),
              "{\"cluster-name\":\"c\",\"cluster-nodes\":\"" NODES
              "\",\"cluster-api-names\":\"api.example.com,34.1.2.3\"}",
              &m) < 0)
        fail_msg("%s", last.text);
    assert_int_equal(m.role, NODE_ROLE_WITNESS);
    assert_int_equal(m.self, 1);
    assert_int_equal(m.api_name_count, 2);
    assert_string_equal(m.api_names[1], "34.1.2.3");
    static const char *const bad[] = {
        "a,", ",a", "a,,b", "10.0.0.256", "*.example.com", "a b", "a,b,c,d,e,f,g,h,i", "A"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char text[256];
        snprintf(text, sizeof text, "{\"cluster-name\":\"c\",\"cluster-api-names\":\"%s\"}", bad[i]);
        refused(INSTANCE("a", "10.0.0.2", "{}"), text, "metadata: cluster-api-names is ");
    }
    refused(INSTANCE("a", "10.0.0.2", "{}"), "{\"cluster-name\":\"c\",\"cluster-role\":\"master\"}",
            "cluster-role is \"master\": it must be node or witness");
}

static void ranges_do_not_overlap(void **state)
{
    (void)state;
    static const struct {
        const char *attributes, *part;
    } bad[] = {
        {"\"cluster-pod-cidr\":\"10.96.0.0/12\"",
         "10.96.0.0/12 and cluster-service-cidr 10.96.0.0/16 overlap"},
        {"\"cluster-pod-cidr\":\"10.0.0.0/8\"", "overlap"},
        {"\"cluster-pod-cidr\":\"10.0.0.0/24\"", "10.0.0.2 of a lies in cluster-pod-cidr, 10.0.0.0/24"},
        {"\"cluster-service-cidr\":\"10.0.0.0/16\"", "lies in cluster-service-cidr, 10.0.0.0/16"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char text[256];
        snprintf(text, sizeof text, "{\"cluster-name\":\"c\",%s}", bad[i].attributes);
        refused(INSTANCE("a", "10.0.0.2", "{}"), text, bad[i].part);
    }
}

static void environment_files(void **state)
{
    (void)state;
    struct node_metadata m;
    cleanup_buf struct buf node = BUF_INIT(4096);
    cleanup_buf struct buf etcd = BUF_INIT(4096);
    assert_int_equal(parse(INSTANCE("a", "10.0.0.2", "{}"),
                           "{\"cluster-name\":\"prod\",\"cluster-nodes\":\"" NODES "\"}", &m),
                     0);
    render_node(&m, &node);
    render_etcd(&m, &etcd);
    assert_string_equal(node.data, "BAKE_NODE_NAME=a\nBAKE_NODE_IP=10.0.0.2\nBAKE_CLUSTER_NAME=prod\n"
                                   "BAKE_CLUSTER_NODES=" NODES "\nBAKE_CLUSTER_DOMAIN=cluster.local\n"
                                   "BAKE_POD_CIDR=10.244.0.0/16\nBAKE_SERVICE_CIDR=10.96.0.0/16\n"
                                   "NODE_NAME=a\nNODE_IP=10.0.0.2\n");
    assert_non_null(strstr(
        etcd.data, "ETCD_NAME=a\nETCD_LISTEN_CLIENT_URLS=https://10.0.0.2:2379,https://127.0.0.1:2379\n"
                   "ETCD_ADVERTISE_CLIENT_URLS=https://10.0.0.2:2379\n"
                   "ETCD_LISTEN_PEER_URLS=https://10.0.0.2:2380\n"));
    assert_non_null(strstr(etcd.data, "ETCD_CLIENT_CERT_AUTH=true\n"));
    assert_non_null(strstr(etcd.data, "ETCD_PEER_CLIENT_CERT_AUTH=true\n"));
    /* only health and metrics are served without a certificate, and only on loopback */
    assert_non_null(strstr(etcd.data, "http://127.0.0.1:2381\n"));
    assert_null(strstr(strstr(etcd.data, "http://") + 1, "http://"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_is_taken),
        cmocka_unit_test(a_copy_reads_back_the_same_and_holds_no_secret),
        cmocka_unit_test(injections_are_refused),
        cmocka_unit_test(values_have_one_spelling),
        cmocka_unit_test(white_space_around_a_value_is_no_part_of_it),
        cmocka_unit_test(nodes_must_make_sense),
        cmocka_unit_test(json_is_read_strictly),
        cmocka_unit_test(a_secret_is_32_random_bytes),
        cmocka_unit_test(roles_and_names_of_the_api),
        cmocka_unit_test(ranges_do_not_overlap),
        cmocka_unit_test(environment_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
