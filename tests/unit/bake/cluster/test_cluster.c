/* The attributes of a cluster from the command line: addresses, roles, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "bake/cluster/cluster.h"

static void addresses_are_counted_up(void **state)
{
    (void)state;
    struct err err = {0};
    cleanup_cluster struct cluster cluster = {0};
    const struct cluster_options options = {.name = "p", .nodes = "a,b,c", .first_address = "10.0.0.254"};
    assert_int_equal(cluster_read(&options, &cluster, &err), 0);
    assert_int_equal(cluster.node_count, 3);
    assert_string_equal(cluster.nodes_text, "a=10.0.0.254,b=10.0.0.255,c=10.0.1.0");
}

static void roles_belong_to_nodes(void **state)
{
    (void)state;
    struct err err = {0};
    cleanup_cluster struct cluster cluster = {0};
    const struct cluster_options options = {.name = "p",
                                            .nodes = "a=10.0.0.2,b=10.0.0.3,c=10.0.0.4",
                                            .roles = {.values = {"c=witness", "a=node"}, .count = 2}};
    assert_int_equal(cluster_read(&options, &cluster, &err), 0);
    assert_string_equal(cluster.nodes[0].role, "node");
    assert_null(cluster.nodes[1].role);
    assert_string_equal(cluster.nodes[2].role, "witness");
    assert_int_equal(cluster.witness_count, 1);
}

static void the_secret_stays_out_of_arguments_and_code(void **state)
{
    (void)state;
    struct err err = {0};
    cleanup_cluster struct cluster cluster = {0};
    cleanup_buf_wipe struct buf gcloud = BUF_INIT(CLUSTER_TEXT_MAX);
    cleanup_buf_wipe struct buf terraform = BUF_INIT(CLUSTER_TEXT_MAX);
    const struct cluster_options options = {.name = "p", .nodes = "a=10.0.0.2"};
    assert_int_equal(cluster_read(&options, &cluster, &err), 0);
    assert_int_equal(cluster_make_secret(&cluster, &err), 0);
    assert_int_equal(strlen(cluster.secret), CLUSTER_SECRET_TEXT - 1);
    assert_int_equal(cluster_check(&cluster, &err), 0);
    assert_int_equal(cluster_gcloud(&cluster, "s e", &gcloud, &err), 0);
    cluster_terraform(&cluster, &terraform);
    assert_string_equal(gcloud.data, "a --private-network-ip=10.0.0.2 "
                                     "--metadata=^:^cluster-name=p:cluster-nodes=a=10.0.0.2 "
                                     "--metadata-from-file=cluster-secret='s e'\n");
    assert_null(strstr(terraform.data, cluster.secret));
    assert_int_equal(cluster_gcloud(&cluster, "a,b", &gcloud, &err), -1);
}

static void bad_clusters_are_refused(void **state)
{
    (void)state;
    static const struct {
        struct cluster_options options;
        const char *text;
    } rows[] = {
        {{.name = "p"}, "--name and --nodes are needed"},
        {{.name = "p", .nodes = "a,b"}, "--first-address"},
        {{.name = "p", .nodes = "a=10.0.0.2,b"}, "an address for each node, or for none"},
        {{.name = "p", .nodes = "A=10.0.0.2"}, "not an instance name"},
        {{.name = "p", .nodes = "a=10.0.0"}, "not the IPv4 address"},
        {{.name = "p", .nodes = "a=10.0.0.2", .first_address = "10.0.0.3"}, "gives addresses already"},
        {{.name = "p", .nodes = "a,b,c,d,e,f,g,h,i,j", .first_address = "10.0.0.2"}, "more than 9"},
        {{.name = "p", .nodes = "a=10.0.0.2", .roles = {{"b=node"}, 1}}, "--nodes has no \"b\""},
        {{.name = "p", .nodes = "a=10.0.0.2", .roles = {{"a=king"}, 1}}, "--role needs NODE=node"},
        {{.name = "p", .nodes = "a=10.0.0.2", .roles = {{"a=witness"}, 1}}, "witnesses alone"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct err err = {0};
        struct cluster cluster;
        assert_int_equal(cluster_read(&rows[i].options, &cluster, &err), -1);
        assert_int_equal(err.kind, ERR_USAGE);
        assert_non_null(strstr(err.text, rows[i].text));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_counted_up),
        cmocka_unit_test(roles_belong_to_nodes),
        cmocka_unit_test(the_secret_stays_out_of_arguments_and_code),
        cmocka_unit_test(bad_clusters_are_refused),
    };
    return cmocka_run_group_tests_name("cluster", tests, NULL, NULL);
}
