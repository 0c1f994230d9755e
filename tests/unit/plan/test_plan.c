/* Plans from recipes: places, enabling, conflicts, order, digest, output. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "json/json.h"
#include "plan/plan.h"
#include "recipe/recipe.h"
#include "text/hex.h"

/* ROOT is partition 9, OEM partition 6 at /oem and, as on old releases, /usr/share/oem; the rest of /usr is
 * read-only: the parts of a Container Linux layout that a plan uses. */
static int map(const struct layout *layout, const char *image_path, unsigned *ret_number,
               char ret_path[PATH_CAP], struct err *err)
{
    static const char *const oem[] = {"/oem", "/usr/share/oem"};
    (void)layout;
    for (size_t i = 0; i < 2; i++)
        if (path_under(image_path, oem[i])) {
            const char *rest = image_path + strlen(oem[i]);
            snprintf(ret_path, PATH_CAP, "%s", *rest ? rest : "/");
            *ret_number = 6;
            return 0;
        }
    if (path_under(image_path, "/usr"))
        return err_set(err, ERR_LAYOUT, 0, "%s: /usr is verity-protected", image_path);
    snprintf(ret_path, PATH_CAP, "%s", image_path);
    *ret_number = 9;
    return 0;
}

static const struct layout layout = {
    .partitions = {{.number = 6, .label = "OEM"}, {.number = 9, .label = "ROOT"}},
    .partition_count = 2,
};

struct made {
    struct recipe recipe;
    struct plan_wants wants;
    struct plan_content *contents;
    struct plan plan;
    struct err err;
    int result;
};

static void made_free(struct made *m)
{
    free(m->contents);
    plan_free(&m->plan);
    plan_wants_free(&m->wants);
    recipe_free(&m->recipe);
}
#define cleanup_made cleanup(made_free)

static const char unit_text[] = "[Unit]\nDescription=x\n[Install]\nWantedBy=multi-user.target\n";

/* A stub of the loader: texts as they are, an [Install] section for units, everything else its own label. */
static void load(struct made *m, const struct plan_tree_entry *tree, size_t tree_count)
{
    m->contents = calloc(m->wants.count + 1, sizeof *m->contents);
    assert_non_null(m->contents);
    for (size_t i = 0; i < m->wants.count; i++) {
        const struct plan_want *w = &m->wants.items[i];
        const char *text = w->source.kind == SOURCE_TEXT ? w->source.text
                           : w->kind == WANT_UNIT        ? unit_text
                                                         : w->label;
        assert_int_equal(blob_from_memory(text, strlen(text), &m->contents[i].blob, &m->err), 0);
        if (w->kind == WANT_TREE) {
            m->contents[i].entries = tree;
            m->contents[i].entry_count = tree_count;
        }
        if (w->source.kind == SOURCE_MEMBER) {
            m->contents[i].has_meta = true;
            m->contents[i].meta = (struct file_meta){.mode = 06750, .gid = 9};
        }
    }
}

/* BODY: further members of the recipe, from its line 3 on. */
static void make(struct made *m, const char *body, const struct plan_tree_entry *tree, size_t tree_count)
{
    cleanup_buf struct buf text = BUF_INIT(1 << 20);
    buf_printf(&text,
               "{\"name\":\"n\",\"base\":{\"os\":\"coreos\",\"channel\":\"stable\",\"keyring\":\"k\"},\n"
               "\"inputs\":{\"a\":{\"url\":\"file:/a\"}}%s%s}",
               *body ? ",\n" : "", body);
    m->result = recipe_parse(text.data, text.len, "r", NULL, NULL, &m->recipe, &m->err);
    if (m->result < 0)
        print_error("%s\n", m->err.text);
    assert_int_equal(m->result, 0);
    assert_int_equal(plan_wants(&m->recipe, &layout, &m->wants, &m->err), 0);
    load(m, tree, tree_count);
    struct plan_args args = {.recipe = &m->recipe,
                             .layout = &layout,
                             .map = map,
                             .wants = &m->wants,
                             .contents = m->contents,
                             .epoch = 1600000000};
    m->result = plan_make(&args, &m->plan, &m->err);
}

static const struct plan_tree_entry cni[] = {
    {.path = "sub/vlan", .type = TREE_FILE, .meta.mode = 04755},
    {.path = "", .type = TREE_DIR, .meta.mode = 0755},
    {.path = "sub", .type = TREE_DIR, .meta.mode = 0750},
    {.path = "link", .type = TREE_SYMLINK, .target = "sub/vlan"},
};

static const char whole[] =
    "\"kubernetes\":{\"input\":\"a\",\"form\":\"hyperkube\"},\n"
    "\"files\":[{\"path\":\"/opt/bin/etcd\",\"input\":\"a\",\"member\":\"x\"},\n"
    " {\"path\":\"/opt/cni\",\"input\":\"a\",\"tree\":\"x\",\"uid\":3},\n"
    " {\"path\":\"/etc/"
    "motd\",\"text\":\"hi\",\"mode\":\"0600\",\"gid\":7,\"xattrs\":{\"user.b\":\"1\",\"user.a\":\"2\"}},\n"
    " {\"path\":\"/oem/x\",\"text\":\"oem\"}, {\"path\":\"/opt/new\",\"directory\":true},\n"
    " {\"path\":\"/etc/l\",\"symlink\":\"a b\"}, {\"path\":\"/var/old\",\"remove\":true}],\n"
    "\"units\":[{\"name\":\"e.service\",\"builtin\":true,\"enable\":true,\"dropins\":[{\"name\":\"1.conf\","
    "\"text\":\"\"}]},\n"
    " {\"name\":\"q.service\",\"builtin\":true},\n"
    " {\"name\":\"docker.service\",\"enable\":true,\"wanted_by\":[\"multi-user.target\"]}],\n"
    "\"manifests\":[{\"name\":\"a.yaml\",\"text\":\"pod\"}]";

static const char picture[] =
    "OEM (partition 6)\n"
    "  + 0644 0:0               3 B  /oem/x\n"
    "ROOT (partition 9)\n"
    "  -                            /var/old\n"
    "  ~ 0755 0:0               dir  /etc/\n"
    "  ~ 0755 0:0               dir  /etc/kubernetes/\n"
    "  ~ 0755 0:0               dir  /etc/kubernetes/manifests/\n"
    "  + 0644 0:0               3 B  /etc/kubernetes/manifests/a.yaml\n"
    "  + 0777 0:0              link  /etc/l -> a b\n"
    "  + 0600 0:7               2 B  /etc/motd [user.a, user.b]\n"
    "  ~ 0755 0:0               dir  /etc/systemd/\n"
    "  ~ 0755 0:0               dir  /etc/systemd/system/\n"
    "  ~ 0755 0:0               dir  /etc/systemd/system-preset/\n"
    "  + 0644 0:0              93 B  /etc/systemd/system-preset/20-bake.preset\n"
    "  + 0644 0:0              58 B  /etc/systemd/system/e.service\n"
    "  ~ 0755 0:0               dir  /etc/systemd/system/e.service.d/\n"
    "  + 0644 0:0               0 B  /etc/systemd/system/e.service.d/1.conf\n"
    "  ~ 0755 0:0               dir  /etc/systemd/system/multi-user.target.wants/\n"
    "  + 0777 0:0              link  /etc/systemd/system/multi-user.target.wants/docker.service -> "
    "/usr/lib/systemd/system/docker.service\n"
    "  + 0777 0:0              link  /etc/systemd/system/multi-user.target.wants/e.service -> "
    "/etc/systemd/system/e.service\n"
    "  + 0644 0:0              58 B  /etc/systemd/system/q.service\n"
    "  ~ 0755 0:0               dir  /opt/\n"
    "  ~ 0755 0:0               dir  /opt/bake/\n"
    "  ~ 0755 0:0               dir  /opt/bake/bin/\n"
    "  + 0755 0:0               5 B  /opt/bake/bin/bake-agent\n"
    "  + 0644 0:0               6 B  /opt/bake/network\n"
    "  + 0644 0:0              11 B  /opt/bake/pause.tar\n"
    "  ~ 0755 0:0               dir  /opt/bin/\n"
    "  + 4750 0:0               8 B  /opt/bin/etcd\n"
    "  + 0755 0:0              10 B  /opt/bin/hyperkube\n"
    "  ~ 0755 3:0               dir  /opt/cni/\n"
    "  + 0777 3:0              link  /opt/cni/link -> sub/vlan\n"
    "  ~ 0750 3:0               dir  /opt/cni/sub/\n"
    "  + 0755 3:0               0 B  /opt/cni/sub/vlan\n"
    "  + 0755 0:0               dir  /opt/new/\n"
    "13 files, 4 links, 15 directories, 1 removal, 257 bytes of content\n"
    "note: files[0] (/opt/bin/etcd): set-user-id and set-group-id bits are dropped because the file gets "
    "another owner: 1 in input a, the first is \"x\", mode 6750, uid 0, gid 9\n"
    "note: files[1] (/opt/cni): set-user-id and set-group-id bits are dropped because the file gets another "
    "owner: 1 in input a, the first is \"sub/vlan\", mode 4755, uid 0, gid 0\n";

static void a_whole_recipe_has_this_picture(void **state)
{
    (void)state;
    cleanup_made struct made m = {0};
    make(&m, whole, cni, 4);
    if (m.result < 0)
        print_error("%s\n", m.err.text);
    assert_int_equal(m.result, 0);
    cleanup_buf struct buf text = BUF_INIT(1 << 20);
    assert_int_equal(plan_print_text(&m.plan, &layout, &text, &m.err), 0);
    assert_string_equal(text.data, picture);
}

static const struct plan_op *find(const struct plan *plan, const char *path)
{
    static const struct plan_op none = {.path = "", .target = "", .content = {.memory = ""}};
    for (size_t i = 0; i < plan->op_count; i++)
        if (strcmp(plan->ops[i].image_path, path) == 0)
            return &plan->ops[i];
    print_error("the plan has no %s\n", path);
    fail();
    return &none;
}

static void the_preset_names_what_is_enabled(void **state)
{
    (void)state;
    cleanup_made struct made m = {0};
    make(&m, whole, cni, 4);
    const struct plan_op *op = find(&m.plan, "/etc/systemd/system-preset/20-bake.preset");
    static const char text[] =
        "# Written by bake: the units that its recipe enables.\nenable docker.service\nenable e.service\n";
    assert_int_equal(op->content.size, sizeof text - 1);
    assert_memory_equal(op->content.memory, text, sizeof text - 1);
    assert_string_equal(find(&m.plan, "/oem/x")->path, "/x");
}

static void as_json(struct made *m, struct buf *ret)
{
    struct json_writer json = {.buf = ret};
    json_open(&json, NULL, '{');
    plan_print_json(&m->plan, &json);
    json_close(&json, '}');
    assert_int_equal(json_write_end(&json, "plan", &m->err), 0);
}

static void json_is_json_and_repeats(void **state)
{
    (void)state;
    cleanup_made struct made m = {0}, again = {0};
    make(&m, whole, cni, 4);
    make(&again, whole, cni, 4);
    cleanup_buf struct buf text = BUF_INIT(1 << 20), other = BUF_INIT(1 << 20);
    as_json(&m, &text);
    as_json(&again, &other);
    assert_string_equal(text.data, other.data);
    cleanup_json struct json_doc *doc = NULL;
    assert_int_equal(json_parse(text.data, text.len, "j", JSON_STRICT, ERR_INTERNAL, &doc, &m.err), 0);
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(json_root(doc), "ops")),
                     m.plan.op_count);
    assert_non_null(strstr(
        text.data, "{\"op\":\"file\",\"partition\":9,\"path\":\"/etc/motd\",\"image_path\":\"/etc/motd\","
                   "\"mode\":\"0600\",\"uid\":0,\"gid\":7,\"size\":2,\"sha256\":\""
                   "8f434346648f6b96df89dda901c5176b10a6d83961dd3c1ac88b59b2dc327aa4\","
                   "\"xattrs\":{\"user.a\":\"Mg==\",\"user.b\":\"MQ==\"}}"));
}

/* The serialisation is a format: changing it changes every package's name, so it must be deliberate. */
static void the_digest_is_pinned(void **state)
{
    (void)state;
    cleanup_made struct made m = {0}, other = {0};
    char hex[SHA256_HEX];
    make(&m, "\"agent\":false,\"files\":[{\"path\":\"/etc/motd\",\"text\":\"hi\"}]", NULL, 0);
    hex_encode(m.plan.digest.bytes, SHA256_SIZE, hex);
    assert_string_equal(hex, "bfb6fc126b6a145bdf32ccd8ffb26971de8e4b4565454e3a6935bfff49e4c0c7");
    static const char *const changes[] = {
        "\"agent\":false,\"files\":[{\"path\":\"/etc/motd\",\"text\":\"ho\"}]",
        "\"agent\":false,\"files\":[{\"path\":\"/etc/motd\",\"text\":\"hi\",\"mode\":\"0600\"}]",
        "\"agent\":false,\"files\":[{\"path\":\"/etc/motd\",\"text\":\"hi\",\"uid\":1}]",
        "\"agent\":false,\"files\":[{\"path\":\"/etc/motd2\",\"text\":\"hi\"}]",
        "\"agent\":false,\"files\":[{\"path\":\"/oem/motd\",\"text\":\"hi\"}]",
        "\"agent\":false,\"files\":[{\"path\":\"/etc/motd\",\"symlink\":\"hi\"}]",
        "\"agent\":false,\"files\":[{\"path\":\"/etc/motd\",\"text\":\"hi\",\"xattrs\":{\"user.a\":\"\"}}]",
        ("\"agent\":false,\"files\":[{\"path\":\"/etc/motd\",\"text\":\"hi\"},"
         "{\"path\":\"/etc\",\"directory\":true}]"),
        "\"agent\":true,\"files\":[{\"path\":\"/etc/motd\",\"text\":\"hi\"}]",
    };
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        make(&other, changes[i], NULL, 0);
        assert_int_equal(other.result, 0);
        assert_false(sha256_equal(&m.plan.digest, &other.plan.digest));
        made_free(&other);
        other = (struct made){0};
    }
}

static void binaries_come_with_their_dispatcher(void **state)
{
    (void)state;
    cleanup_made struct made m = {0};
    make(&m, "\"kubernetes\":{\"input\":\"a\",\"form\":\"binaries\"}", NULL, 0);
    assert_int_equal(m.result, 0);
    assert_int_equal(m.wants.count, 10);
    assert_string_equal(m.wants.items[0].source.member, "kubernetes/server/bin/kube-apiserver");
    assert_string_equal(m.wants.items[5].image_path, "/opt/bin/kubelet");
    assert_int_equal(m.wants.items[6].source.kind, SOURCE_BUILTIN);
    assert_string_equal(m.wants.items[6].source.name, "hyperkube");
    assert_string_equal(m.wants.items[6].image_path, "/opt/bin/hyperkube");
    assert_int_equal(find(&m.plan, "/opt/bin/kubelet")->mode, 0755);
}

static void a_network_has_what_it_needs(void **state)
{
    (void)state;
    static const struct plan_tree_entry plugins[] = {
        {.path = "host-local", .type = TREE_FILE, .meta.mode = 0755},
        {.path = "loopback", .type = TREE_FILE, .meta.mode = 0755},
        {.path = "portmap", .type = TREE_FILE, .meta.mode = 0755},
        {.path = "calico", .type = TREE_FILE, .meta.mode = 0755},
        {.path = "bridge", .type = TREE_DIR, .meta.mode = 0755},
    };
    static const char flannel[] =
        "\"network\":\"flannel\",\"files\":[{\"path\":\"/opt/cni/bin\",\"input\":\"a\","
        "\"tree\":\"x\"},{\"path\":\"/opt/bin/flanneld\",\"text\":\"\"}%s]";
    cleanup_made struct made m = {0};
    make(&m, "\"network\":\"flannel\"", NULL, 0);
    assert_int_equal(m.result, -1);
    assert_int_equal(m.err.kind, ERR_RECIPE);
    assert_string_equal(
        m.err.text,
        "r:3:11: network: \"flannel\" needs files that the recipe does not provide: /opt/bin/flanneld, "
        "/opt/cni/bin/bridge, /opt/cni/bin/host-local, /opt/cni/bin/loopback, "
        "/opt/cni/bin/portmap: list them under \"files\"");
    made_free(&m);
    /* A directory of that name is not a program. */
    char body[1024];
    m = (struct made){0};
    snprintf(body, sizeof body, flannel, "");
    make(&m, body, plugins, 5);
    assert_int_equal(m.result, -1);
    assert_non_null(strstr(m.err.text, "does not provide: /opt/cni/bin/bridge: list"));
    made_free(&m);
    m = (struct made){0};
    snprintf(body, sizeof body, flannel, ",{\"path\":\"/opt/cni/bin/bridge\",\"text\":\"\"}");
    make(&m, body, plugins, 4);
    assert_int_equal(m.result, 0);
    assert_memory_equal(find(&m.plan, "/opt/bake/network")->content.memory, "flannel\n", 8);
    made_free(&m);
    m = (struct made){0};
    make(&m, "\"network\":\"calico\",\"files\":[{\"path\":\"/opt/cni/bin\",\"input\":\"a\",\"tree\":\"x\"}]",
         plugins, 4);
    assert_int_equal(m.result, -1);
    assert_non_null(strstr(m.err.text, "provide: /opt/bin/calico-node, /opt/cni/bin/calico-ipam: list"));
    made_free(&m);
    /* Without the agent, the network is up to the recipe. */
    m = (struct made){0};
    make(&m, "\"network\":\"calico\",\"agent\":false", NULL, 0);
    assert_int_equal(m.result, 0);
}

#define MANIFESTS(list)      "\"manifests\":[" list "]"
#define MANIFEST(name, text) "{\"name\":\"" name "\",\"text\":\"" text "\"}"

#define ADDONS "\"units\":[{\"name\":\"bake-addons.service\",\"builtin\":true}],"

static void add_ons_are_templates(void **state)
{
    (void)state;
    cleanup_made struct made m = {0};
    make(&m,
         ADDONS MANIFESTS(MANIFEST("addon-x.yaml", "x") "," MANIFEST("x.yaml", "y") "," MANIFEST(
             "pod.yaml", "a: @NODE_IP@") "," MANIFEST("at.yaml", "a@B @c@ @OTHER@ @") "," MANIFEST("p.json",
                                                                                                   "@MTU@")),
         NULL, 0);
    assert_int_equal(m.result, 0);
    assert_int_equal(find(&m.plan, "/opt/bake/templates/addon-x.yaml")->mode, 0644);
    assert_int_equal(find(&m.plan, "/etc/kubernetes/manifests/x.yaml")->mode, 0644);
    /* a placeholder for the agent makes any YAML a template */
    assert_int_equal(find(&m.plan, "/opt/bake/templates/pod.yaml")->mode, 0644);
    assert_int_equal(find(&m.plan, "/etc/kubernetes/manifests/at.yaml")->mode, 0644);
    assert_int_equal(find(&m.plan, "/etc/kubernetes/manifests/p.json")->mode, 0644);
    made_free(&m);
    m = (struct made){0};
    make(&m, "\"agent\":false," MANIFESTS(MANIFEST("pod.yaml", "a: @NODE_IP@")), NULL, 0);
    assert_int_equal(m.result, 0);
    assert_int_equal(find(&m.plan, "/etc/kubernetes/manifests/pod.yaml")->mode, 0644);
}

static void a_components_configuration_is_no_static_pod(void **state)
{
    (void)state;
    cleanup_made struct made m = {0};
    make(&m,
         MANIFESTS("{\"name\":\"kube-apiserver.yaml\",\"builtin\":true}," MANIFEST(
             "admission.yaml", "x") "," MANIFEST("audit.yaml", "y")),
         NULL, 0);
    assert_int_equal(m.result, 0);
    assert_int_equal(find(&m.plan, "/opt/bake/templates/admission.yaml")->mode, 0644);
    assert_int_equal(find(&m.plan, "/opt/bake/templates/audit.yaml")->mode, 0644);
    assert_int_equal(m.plan.note_count, 0);
}

#define POLICY(text) ADDONS MANIFESTS(MANIFEST("addon-x.yaml", text))

static void a_void_policy_is_said(void **state)
{
    static const struct {
        const char *body, *note; /* NULL: none */
    } all[] = {
        {POLICY("a: b\\n---\\nkind: NetworkPolicy\\n"), "the pod network \"vxlan\" does not enforce"},
        {POLICY("{\\\"kind\\\": \\\"NetworkPolicy\\\"}"), "manifest addon-x.yaml has a NetworkPolicy"},
        {POLICY("items:\\n- kind : 'NetworkPolicy' # deny"), "manifest addon-x.yaml has a NetworkPolicy"},
        {POLICY("# kind: NetworkPolicy\\nkind: NetworkPolicyList2\\nmankind: NetworkPolicy\\n"), NULL},
        {POLICY("kind: GlobalNetworkPolicy\\nkind:\\nkind"), NULL},
        {"\"agent\":false," MANIFESTS(MANIFEST("x.yaml", "kind: NetworkPolicy")), NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        cleanup_made struct made m = {0};
        make(&m, all[i].body, NULL, 0);
        assert_int_equal(m.result, 0);
        assert_int_equal(m.plan.note_count, all[i].note ? 1 : 0);
        if (all[i].note && !strstr(m.plan.notes[0], all[i].note))
            fail_msg("%s", m.plan.notes[0]);
    }
}

static void what_the_agent_would_refuse_is_refused(void **state)
{
    static const struct {
        const char *body, *said;
    } bad[] = {
        {MANIFESTS(MANIFEST("addon-x.yaml", "a: @CLUSTER_DSN@")),
         "the agent does not know the mark @CLUSTER_DSN@"},
        {MANIFESTS(MANIFEST("x.yaml", "@OTHER@ @MTU@")),
         "manifest x.yaml: the agent does not know the mark @OTHER@"},
        {MANIFESTS(MANIFEST("addon-x.yml", "a")), "an add-on's name must end in .yaml"},
        {MANIFESTS(MANIFEST("addon-x.json", "a")), "an add-on's name must end in .yaml"},
        {MANIFESTS(MANIFEST("pod.yaml", "a") "," MANIFEST("addon-x.yaml", "a")),
         "nothing applies addon-x.yaml to the cluster: \"units\" needs { \"name\": \"bake-addons.service\""},
        {"\"units\":[{\"name\":\"e.service\",\"builtin\":\"etcd.service\"}]",
         "the built-in etcd.service needs { \"name\": \"bake-members.service\""},
        {"\"units\":[{\"name\":\"kubelet.service\",\"builtin\":true}]",
         "the built-in kubelet.service needs its configuration: \"manifests\" needs { \"name\": "
         "\"kubelet.yaml\""},
        {"\"units\":[{\"name\":\"p.service\",\"builtin\":\"kube-proxy.service\"}]",
         "the built-in kube-proxy.service needs its configuration"},
        {MANIFESTS("{\"name\":\"kube-apiserver.yaml\",\"builtin\":true}"),
         "the built-in kube-apiserver.yaml needs its configuration: \"manifests\" needs { \"name\": "
         "\"admission.yaml\", \"builtin\": \"config/admission.yaml\" }"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cleanup_made struct made m = {0};
        make(&m, bad[i].body, NULL, 0);
        assert_int_equal(m.result, -1);
        assert_int_equal(m.err.kind, ERR_RECIPE);
        if (!strstr(m.err.text, bad[i].said))
            fail_msg("%s", m.err.text);
    }
}

#define UNIT(name, text) "{\"name\":\"" name "\",\"enable\":true,\"text\":\"" text "\"}"

static void enabling_follows_the_install_section(void **state)
{
    (void)state;
    cleanup_made struct made m = {0};
    make(&m,
         "\"agent\":false,\"units\":[" UNIT(
             "a@.service", "[Install]\\nRequiredBy=x.target\\nDefaultInstance="
                           "i\\n") "," UNIT("b.service", "[Install]\\nAlias=c.service\\nAlso=d.service "
                                                         "e.socket\\n") ",{\"name\":\"d.service\","
                                                                        "\"text\":\"[Install]\\nWantedBy=x."
                                                                        "target\\n\"}]",
         NULL, 0);
    if (m.result < 0)
        print_error("%s\n", m.err.text);
    assert_int_equal(m.result, 0);
    assert_string_equal(find(&m.plan, "/etc/systemd/system/x.target.requires/a@i.service")->target,
                        "/etc/systemd/system/a@.service");
    assert_string_equal(find(&m.plan, "/etc/systemd/system/c.service")->target,
                        "/etc/systemd/system/b.service");
    assert_string_equal(find(&m.plan, "/etc/systemd/system/x.target.wants/d.service")->target,
                        "/etc/systemd/system/d.service");
    const struct plan_op *preset = find(&m.plan, "/etc/systemd/system-preset/20-bake.preset");
    assert_non_null(strstr(preset->content.memory,
                           "\nenable a@.service i\nenable b.service\nenable d.service\nenable "
                           "e.socket\n"));
}

#define TWO(a, b) "\"files\":[{\"path\":" a "},\n{\"path\":" b "}]"

static const struct {
    const char *body, *message;
    enum err_kind kind;
} bad[] = {
    {"\"files\":[{\"path\":\"/etc/machine-id\",\"text\":\"\"}]",
     "r:3:18: files[0]: /etc/machine-id cannot be written: every node must make its own at first boot",
     ERR_RECIPE},
    {"\"files\":[{\"path\":\"/etc/machine-id\",\"remove\":true}]",
     "r:3:18: files[0]: /etc/machine-id cannot be removed: every node must make its own at first boot",
     ERR_RECIPE},
    {"\"files\":[{\"path\":\"/etc/ssh/ssh_host_rsa_key\",\"text\":\"\"}]",
     "r:3:18: files[0]: /etc/ssh/ssh_host_rsa_key cannot be written: all nodes would share this host key, "
     "and so would "
     "everyone who can read the image",
     ERR_RECIPE},
    {"\"files\":[{\"path\":\"/boot/coreos/first_boot\",\"remove\":true}]",
     "r:3:18: files[0]: /boot/coreos/first_boot cannot be removed: the first-boot flag must stay as it is, "
     "or Ignition does "
     "not run",
     ERR_RECIPE},
    {"\"files\":[{\"path\":\"/etc/.wh.motd\",\"text\":\"\"}]",
     "r:3:18: files[0]: /etc/.wh.motd cannot be written: names that begin with .wh. are overlay whiteouts",
     ERR_RECIPE},
    {"\"files\":[{\"path\":\"/run/x\",\"text\":\"\"}]",
     "r:3:18: files[0]: /run/x cannot be written: another file system is mounted there at boot and would "
     "hide it",
     ERR_RECIPE},
    {"\"files\":[{\"path\":\"/opt/bake/contents.json\",\"text\":\"\"}]",
     "r:3:18: files[0]: /opt/bake/contents.json cannot be written: this folder is reserved for bake",
     ERR_RECIPE},
    {"\"files\":[{\"path\":\"/opt/bake\",\"remove\":true}]",
     "r:3:18: files[0]: /opt/bake cannot be removed: this folder is reserved for bake", ERR_RECIPE},
    {"\"files\":[{\"path\":\"/oem\",\"remove\":true}]",
     "r:3:18: files[0]: /oem is the root directory of a file system: it cannot be removed", ERR_RECIPE},
    {"\"files\":[{\"path\":\"/usr/bin/x\",\"text\":\"\"}]",
     "r:3:18: files[0]: /usr/bin/x: /usr is verity-protected", ERR_LAYOUT},
    {"\"files\":[{\"path\":\"/x\",\"text\":\"\",\"xattrs\":{\"trusted.overlay.opaque\":\"y\"}}]",
     "r:3:18: files[0]: attribute trusted.overlay.opaque controls the overlay on /etc and cannot be set",
     ERR_RECIPE},
    {TWO("\"/a\",\"text\":\"\"", "\"/a/b\",\"text\":\"\""),
     "r:4:9: files[1]: /a/b needs the directory /a, but files[0] (line 3) makes it a file", ERR_RECIPE},
    {TWO("\"/a/b/c\",\"directory\":true", "\"/a\",\"symlink\":\"x\""),
     "r:3:18: files[0]: /a/b/c needs the directory /a, but files[1] (line 4) makes it a symbolic link",
     ERR_RECIPE},
    {TWO("\"/a\",\"remove\":true", "\"/a/b\",\"text\":\"\""),
     "r:4:9: files[1]: /a/b needs the directory /a, but files[0] (line 3) removes it", ERR_RECIPE},
    {TWO("\"/oem/a\",\"text\":\"\"", "\"/usr/share/oem/a\",\"text\":\"\""),
     "r:4:9: files[1]: /usr/share/oem/a is already created by files[0] (line 3)", ERR_RECIPE},
    {"\"files\":[{\"path\":\"/etc/systemd/system/a.service\",\"text\":\"\"}],\n\"units\":[" UNIT(
         "a.service", "[Install]"
                      "\\nAlias=b."
                      "service") "]",
     "r:4:18: unit a.service: /etc/systemd/system/a.service is already created by files[0] (line 3)",
     ERR_RECIPE},
    {"\"kubernetes\":{\"input\":\"a\",\"form\":\"hyperkube\"},\n\"files\":[{\"path\":\"/opt/bin/"
     "hyperkube\",\"text\":\"\"}]",
     "r:4:18: files[0]: /opt/bin/hyperkube is already created by kubernetes (line 3)", ERR_RECIPE},
    {"\"units\":[" UNIT("a.service", "[Unit]") "]",
     "r:3:18: units: a.service cannot be enabled: its text has no [Install] section; add "
     "WantedBy=multi-user.target there, or leave out \"enable\"",
     ERR_RECIPE},
    {"\"units\":[" UNIT("a.service", "[Install]\\nWantedBy=") "]",
     "r:3:18: units: a.service cannot be enabled: its text names nothing in [Install]; add "
     "WantedBy=multi-user.target there, or leave out \"enable\"",
     ERR_RECIPE},
    {"\"units\":[" UNIT("a.service", "[Install]\\nWantedBy=%n") "]",
     "r:3:18: units: a.service: WantedBy=%n: specifiers are not supported: write the name out", ERR_RECIPE},
    {"\"units\":[" UNIT("a@.service", "[Install]\\nWantedBy=x.target") "]",
     "r:3:18: units: a@.service is a template: to enable it, its [Install] section needs DefaultInstance=",
     ERR_RECIPE},
    {"\"files\":[{\"path\":\"/x\",\"input\":\"a\",\"tree\":\"t\"}]",
     "r:3:18: files[0]: input a has nothing below \"t\"", ERR_RECIPE},
};

static void what_must_not_be_planned_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cleanup_made struct made m = {0};
        make(&m, bad[i].body, NULL, 0);
        if (m.result == 0)
            print_error("accepted: %s\n", bad[i].body);
        assert_int_equal(m.result, -1);
        assert_string_equal(m.err.text, bad[i].message);
        assert_int_equal(m.err.kind, bad[i].kind);
        assert_int_equal(m.plan.op_count, 0);
    }
}

static const struct plan_tree_entry owned[] = {
    {.path = "tmp", .type = TREE_DIR, .meta = {.mode = 01777}},
    {.path = "root", .type = TREE_FILE, .meta = {.mode = 06755}},
    {.path = "su", .type = TREE_FILE, .meta = {.mode = 06755, .uid = 998, .gid = 9}},
    {.path = "ping",
     .type = TREE_FILE,
     .meta = {.mode = 0755, .capability_size = 3, .capability = "cap", .lost = FILE_LOST_ACL}},
    {.path = "odd", .type = TREE_FILE, .meta = {.mode = 0644, .lost = FILE_LOST_ALL}},
};

static void is(const struct plan *plan, const char *path, uint32_t mode, uint32_t uid, uint32_t gid)
{
    const struct plan_op *op = find(plan, path);
    if (op->mode != mode || op->uid != uid || op->gid != gid)
        fail_msg("%s: %04o %u:%u", path, op->mode, op->uid, op->gid);
}

/* The recipe's keys, the result for "su" (6755 of 998:9 in the archive), and whether each kind of loss is
 * reported. */
static void archives_owners_and_modes(void **state)
{
    (void)state;
    static const struct {
        const char *says;
        uint32_t mode, uid, gid;
        bool owner, set_id;
    } cases[] = {{"", 0755, 0, 0, true, true},
                 {",\"uid\":998", 04755, 998, 0, false, true},
                 {",\"uid\":998,\"gid\":9", 06755, 998, 9, false, true /* "root" has them, and loses them */},
                 {",\"uid\":5", 0755, 5, 0, false, true},
                 {",\"owner\":\"archive\"", 06755, 998, 9, false, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cleanup_made struct made m = {0};
        cleanup_buf struct buf body = BUF_INIT(1000), text = BUF_INIT(1 << 20);
        buf_printf(&body,
                   "\"agent\":false,\"files\":[{\"path\":\"/opt/p\",\"input\":\"a\",\"tree\":\"x\"%s}]",
                   cases[i].says);
        make(&m, body.data, owned, 5);
        assert_int_equal(m.result, 0);
        assert_int_equal(plan_print_text(&m.plan, &layout, &text, &m.err), 0);
        is(&m.plan, "/opt/p/su", cases[i].mode, cases[i].uid, cases[i].gid);
        assert_int_equal(find(&m.plan, "/opt/p/tmp")->mode, 01777);
        assert_true(!strstr(text.data, "owners in the archive are not kept") == !cases[i].owner);
        assert_true(!strstr(text.data, "set-group-id bits are dropped") == !cases[i].set_id);
        assert_non_null(
            strstr(text.data, "access control lists (ACL) are dropped: 2 in input a, the first is \"ping\""));
        assert_non_null(strstr(
            text.data,
            "attributes other than security.capability are dropped: 1 in input a, the first is \"odd\""));
        assert_non_null(strstr(text.data, "flags (chattr) are dropped: 1 in input a"));
        const struct plan_op *ping = find(&m.plan, "/opt/p/ping");
        assert_int_equal(ping->xattr_count, 1);
        assert_string_equal(ping->xattrs[0].name, "security.capability");
        assert_int_equal(ping->xattrs[0].size, 3);
        assert_memory_equal(ping->xattrs[0].value, "cap", 3);
    }
    cleanup_made struct made m = {0};
    static const struct plan_tree_entry nobody[] = {
        {.path = "x", .type = TREE_FILE, .meta = {.uid = UINT32_MAX}}};
    make(&m, "\"files\":[{\"path\":\"/x\",\"input\":\"a\",\"tree\":\"t\",\"owner\":\"archive\"}]", nobody, 1);
    assert_int_equal(m.result, -1);
    assert_string_equal(m.err.text, "input a: \"x\" has an invalid owner in the archive");
}

static void hostile_trees_are_refused(void **state)
{
    (void)state;
    static const struct plan_tree_entry trees[] = {
        {.path = "../x", .type = TREE_FILE},
        {.path = "a/../../x", .type = TREE_FILE},
        {.path = "/abs", .type = TREE_FILE},
        {.path = "a//b", .type = TREE_FILE},
        {.path = "./a", .type = TREE_FILE},
        {.path = "", .type = TREE_FILE},
        {.path = "a\x1b[2J", .type = TREE_FILE},
        {.path = "a", .type = TREE_SYMLINK, .target = ""},
        {.path = "a", .type = TREE_SYMLINK, .target = "\xff"},
    };
    for (size_t i = 0; i < sizeof trees / sizeof *trees; i++) {
        cleanup_made struct made m = {0};
        make(&m, "\"files\":[{\"path\":\"/x\",\"input\":\"a\",\"tree\":\"t\"}]", &trees[i], 1);
        assert_int_equal(m.result, -1);
        assert_int_equal(m.err.kind, ERR_VERIFY);
    }
    static const struct plan_tree_entry odd[] = {{.path = "a", .type = TREE_SYMLINK, .target = "x\x1b[2J\n"}};
    cleanup_made struct made m = {0};
    make(&m, "\"agent\":false,\"files\":[{\"path\":\"/x\",\"input\":\"a\",\"tree\":\"t\"}]", odd, 1);
    cleanup_buf struct buf text = BUF_INIT(1 << 20);
    assert_int_equal(plan_print_text(&m.plan, &layout, &text, &m.err), 0);
    assert_non_null(strstr(text.data, "/x/a -> x\\x1b[2J\\x0a\n"));
}

static void bakes_own_files_are_added_afterwards(void **state)
{
    (void)state;
    struct made m = {0};
    make(&m, whole, cni, 4);
    struct plan_extra extra = {.image_path = PLAN_CONTENTS, .mode = 0644};
    struct err err = {0};
    assert_int_equal(blob_from_memory("{}", 2, &extra.blob, &err), 0);
    cleanup_plan struct plan same = {0}, with = {0}, twice = {0};
    assert_int_equal(plan_with(&m.plan, &layout, map, NULL, 0, &same, &err), 0);
    assert_true(sha256_equal(&same.digest, &m.plan.digest));
    assert_int_equal(plan_with(&m.plan, &layout, map, &extra, 1, &with, &err), 0);
    assert_int_equal(with.op_count, m.plan.op_count + 1);
    assert_int_equal(with.epoch, 1600000000);
    assert_false(sha256_equal(&with.digest, &m.plan.digest));
    assert_int_equal(plan_with(&with, &layout, map, &extra, 1, &twice, &err), -1);
    assert_string_equal(err.text, "bake: /opt/bake/contents.json is already created by the plan");
    /* The new plan does not depend on the old one. */
    made_free(&m);
    assert_memory_equal(find(&with, "/etc/systemd/system-preset/20-bake.preset")->content.memory,
                        "# Written by bake", 17);
    assert_memory_equal(find(&with, "/etc/motd")->xattrs[1].value, "1", 1);
    assert_string_equal(find(&with, "/etc/l")->target, "a b");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_recipe_has_this_picture),
        cmocka_unit_test(the_preset_names_what_is_enabled),
        cmocka_unit_test(json_is_json_and_repeats),
        cmocka_unit_test(the_digest_is_pinned),
        cmocka_unit_test(binaries_come_with_their_dispatcher),
        cmocka_unit_test(a_network_has_what_it_needs),
        cmocka_unit_test(add_ons_are_templates),
        cmocka_unit_test(a_components_configuration_is_no_static_pod),
        cmocka_unit_test(a_void_policy_is_said),
        cmocka_unit_test(what_the_agent_would_refuse_is_refused),
        cmocka_unit_test(enabling_follows_the_install_section),
        cmocka_unit_test(what_must_not_be_planned_is_refused),
        cmocka_unit_test(archives_owners_and_modes),
        cmocka_unit_test(hostile_trees_are_refused),
        cmocka_unit_test(bakes_own_files_are_added_afterwards),
    };
    return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
