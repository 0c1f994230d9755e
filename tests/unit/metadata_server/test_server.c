#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <curl/curl.h>
#include <pthread.h>

#include "base/buf.h"
#include "json/json.h"
#include "metadata_server/server.h"

#define V1     "/computeMetadata/v1/"
#define FLAVOR "Metadata-Flavor: Google"

static struct err err;
static struct metadata_server *server;

static const struct metadata_server_attribute attributes[] = {
    {"cluster-nodes", "bake-test=169.254.0.15"}, {"cluster-name", "test"}, {"odd_key-X", "a \"b\"\nc"}};
static const struct metadata_server_attribute project_attributes[] = {{"ssh-keys", "core:ssh-ed25519 AAAA"}};

static struct metadata_server_instance values(void)
{
    return (struct metadata_server_instance){.name = "bake-test",
                                             .hostname = "bake-test.c.p.internal",
                                             .id = UINT64_C(18446744073709551615),
                                             .zone = "local-a",
                                             .machine_type = "e2-small",
                                             .ip = "169.254.0.15",
                                             .gateway = "169.254.0.2",
                                             .netmask = "255.255.0.0",
                                             .mac = "42:01:a9:fe:00:0f",
                                             .attributes = attributes,
                                             .attribute_count = 3,
                                             .project_id = "bake-project",
                                             .project_number = 424242,
                                             .project_attributes = project_attributes,
                                             .project_attribute_count = 1};
}

struct answer {
    long status;
    struct buf body, headers;
    char etag[64], flavor[16], location[256], type[64];
    double seconds;
};

static void answer_free(struct answer *answer)
{
    buf_free(&answer->body);
    buf_free(&answer->headers);
}
#define cleanup_answer cleanup(answer_free)

static size_t take(char *bytes, size_t size, size_t count, void *to)
{
    buf_add(to, bytes, size * count);
    return size * count;
}

static void header(const struct answer *answer, const char *name, char *out, size_t room)
{
    const char *at = strcasestr(answer->headers.data, name);
    out[0] = 0;
    if (!at)
        return;
    at += strlen(name) + 1;
    size_t len = strcspn(at, "\r\n");
    assert_true(len < room);
    memcpy(out, at, len);
    out[len] = 0;
}

/* FROM: the client's address in 127.0.0.0/8. */
static struct answer ask_from(const char *from, const char *method, const char *path, const char *with)
{
    struct answer answer = {.body = BUF_INIT(1 << 20), .headers = BUF_INIT(1 << 16)};
    char url[512];
    CURL *curl = curl_easy_init();
    struct curl_slist *headers = with ? curl_slist_append(NULL, with) : NULL;
    assert_non_null(curl);
    snprintf(url, sizeof url, "http://127.0.0.1:%u%s", (unsigned)metadata_server_port(server), path);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_INTERFACE, from);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer.body);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, &answer.headers);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, 30L);
    if (strcmp(method, "PUT") == 0 || strcmp(method, "POST") == 0)
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, "a body");
    CURLcode code = curl_easy_perform(curl);
    if (code != CURLE_OK)
        fail_msg("%s: %s", url, curl_easy_strerror(code));
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer.status);
    curl_easy_getinfo(curl, CURLINFO_TOTAL_TIME, &answer.seconds);
    buf_add(&answer.body, "", 0);
    header(&answer, "ETag:", answer.etag, sizeof answer.etag);
    header(&answer, "Metadata-Flavor:", answer.flavor, sizeof answer.flavor);
    header(&answer, "Location:", answer.location, sizeof answer.location);
    header(&answer, "Content-Type:", answer.type, sizeof answer.type);
    /* every answer has it, errors too: clients use it to recognize a metadata server */
    assert_string_equal(answer.flavor, "Google");
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    return answer;
}

static struct answer ask(const char *method, const char *path, const char *with)
{
    return ask_from("127.0.0.1", method, path, with);
}

static void expect_from(const char *from, const char *path, long status, const char *body)
{
    cleanup_answer struct answer answer = ask_from(from, "GET", path, FLAVOR);
    if (answer.status != status || (body && strcmp(answer.body.data ? answer.body.data : "", body) != 0))
        fail_msg("%s: %ld \"%s\", not %ld \"%s\"", path, answer.status, answer.body.data, status, body);
}

static void expect(const char *path, long status, const char *body)
{
    expect_from("127.0.0.1", path, status, body);
}

static int start(void **state)
{
    struct metadata_server_instance all = values();
    (void)state;
    const struct metadata_server_options told = {.instances = &all, .instance_count = 1};
    return metadata_server_start(&told, NULL, &server, &err);
}

static int stop(void **state)
{
    (void)state;
    metadata_server_stop(server);
    server = NULL;
    return 0;
}

static void values_have_their_paths(void **state)
{
    (void)state;
    expect(V1 "instance/name", 200, "bake-test");
    expect(V1 "instance/hostname", 200, "bake-test.c.p.internal");
    expect(V1 "instance/id", 200, "18446744073709551615");
    expect(V1 "instance/zone", 200, "projects/424242/zones/local-a");
    expect(V1 "instance/machine-type", 200, "projects/424242/machineTypes/e2-small");
    expect(V1 "instance/network-interfaces/0/ip", 200, "169.254.0.15");
    expect(V1 "instance/network-interfaces/0/access-configs/0/external-ip", 200, "");
    expect(V1 "instance/attributes/cluster-name", 200, "test");
    expect(V1 "instance/attributes/odd_key-X", 200, "a \"b\"\nc");
    expect(V1 "instance/tags", 200, "[]");
    expect(V1 "project/project-id", 200, "bake-project");
    expect(V1 "project/numeric-project-id", 200, "424242");
    expect(V1 "project/attributes/ssh-keys", 200, "core:ssh-ed25519 AAAA");
}

static void directories_list_their_names(void **state)
{
    (void)state;
    expect("/", 200, "computeMetadata/\n");
    expect("/computeMetadata/", 200, "v1/\n");
    expect(V1, 200, "instance/\nproject/\n");
    expect(V1 "instance/attributes/", 200, "cluster-name\ncluster-nodes\nodd_key-X\n");
    expect(V1 "instance/network-interfaces/", 200, "0/\n");
    expect(V1 "instance/service-accounts/", 200, "");
    expect(V1 "project/", 200, "attributes/\nnumeric-project-id\nproject-id\n");
    expect(V1 "project/?alt=json", 200, "[\"attributes/\",\"numeric-project-id\",\"project-id\"]");
}

static void directory_without_slash_is_redirected(void **state)
{
    (void)state;
    char want[256];
    cleanup_answer struct answer answer =
        ask("GET", V1 "instance/attributes?recursive=true&alt=json", FLAVOR);
    snprintf(want, sizeof want, "http://127.0.0.1:%u" V1 "instance/attributes/?recursive=true&alt=json",
             (unsigned)metadata_server_port(server));
    assert_int_equal(answer.status, 301);
    assert_string_equal(answer.location, want);
}

static void recursive_is_json_in_camel_case(void **state)
{
    (void)state;
    struct json_doc *doc = NULL;
    cleanup_answer struct answer answer = ask("GET", V1 "?recursive=true", FLAVOR);
    assert_int_equal(answer.status, 200);
    assert_string_equal(answer.type, "application/json");
    assert_int_equal(
        json_parse(answer.body.data, answer.body.len, "answer", JSON_STRICT, ERR_VERIFY, &doc, &err),
        -1); /* an id of 64 bits is more than a strict reader takes: Compute Engine's are like that */
    struct metadata_server_instance all = values();
    all.id = 7;
    assert_int_equal(metadata_server_set(server, &all, 1, &err), 0);
    cleanup_answer struct answer again = ask("GET", V1 "?recursive=true", FLAVOR);
    assert_int_equal(
        json_parse(again.body.data, again.body.len, "answer", JSON_STRICT, ERR_VERIFY, &doc, &err), 0);
    const cJSON *instance = cJSON_GetObjectItemCaseSensitive(json_root(doc), "instance");
    const cJSON *nic = cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(instance, "networkInterfaces"), 0);
    const cJSON *access = cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(nic, "accessConfigs"), 0);
    assert_string_equal(cJSON_GetObjectItemCaseSensitive(nic, "ip")->valuestring, "169.254.0.15");
    assert_string_equal(cJSON_GetObjectItemCaseSensitive(access, "externalIp")->valuestring, "");
    assert_int_equal(cJSON_GetObjectItemCaseSensitive(instance, "id")->valueint, 7);
    assert_true(cJSON_IsArray(cJSON_GetObjectItemCaseSensitive(instance, "tags")));
    const cJSON *own = cJSON_GetObjectItemCaseSensitive(instance, "attributes");
    assert_string_equal(cJSON_GetObjectItemCaseSensitive(own, "odd_key-X")->valuestring, "a \"b\"\nc");
    assert_string_equal(cJSON_GetObjectItemCaseSensitive(own, "cluster-name")->valuestring, "test");
    json_free(doc);
    expect(V1 "instance/attributes/?recursive=true", 200,
           "{\"cluster-name\":\"test\",\"cluster-nodes\":\"bake-test=169.254.0.15\",\"odd_key-X\":\"a "
           "\\\"b\\\"\\nc\"}");
    expect(V1 "project/?recursive=true&alt=text", 200,
           "attributes/ssh-keys core:ssh-ed25519 AAAA\nnumeric-project-id 424242\nproject-id bake-project\n");
    expect(V1 "instance/name?alt=json", 200, "\"bake-test\"");
    expect(V1 "project/numeric-project-id?alt=json", 200, "424242");
    expect(V1 "instance/name?recursive=true", 200, "bake-test");
}

static void what_is_not_there_is_404(void **state)
{
    (void)state;
    static const char *const paths[] = {V1 "instance/nope",
                                        V1 "instance/name/",
                                        V1 "instance/name/x",
                                        V1 "instance//name",
                                        V1 "instance/attributes/none",
                                        V1 "instance/network-interfaces/1/ip",
                                        V1 "instance/network-interfaces/00/ip",
                                        V1 "instance/network-interfaces/x/ip",
                                        V1 "instance/network-interfaces/99999999999/ip",
                                        V1 "instance/attributes/none?wait_for_change=true",
                                        V1 "%2e%2e/x",
                                        "/computeMetadata/v2/",
                                        "/computeMetadata/v1beta1/instance/name",
                                        "/latest/meta-data/",
                                        "/computeMetadata"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        expect(paths[i], 404, NULL);
    char path[512] = V1 "instance/attributes/";
    memset(path + strlen(path), 'a', 300);
    expect(path, 404, NULL);
    cleanup_answer struct answer aws =
        ask("PUT", "/latest/api/token", "X-aws-ec2-metadata-token-ttl-seconds: 60");
    assert_int_equal(aws.status, 404);
    assert_true(aws.seconds < 2);
}

static void flavor_is_required(void **state)
{
    (void)state;
    static const char *const wrong[] = {NULL, "Metadata-Flavor: Amazon", "X-Forwarded-For: 10.0.0.1"};
    for (size_t i = 0; i < 3; i++) {
        cleanup_answer struct answer answer = ask("GET", V1 "instance/name", wrong[i]);
        assert_int_equal(answer.status, 403);
        assert_null(strstr(answer.body.data, "bake-test"));
    }
    cleanup_answer struct answer root = ask("GET", "/", NULL);
    assert_int_equal(root.status, 200);
    cleanup_answer struct answer put = ask("PUT", V1 "instance/name", FLAVOR);
    assert_int_equal(put.status, 405);
}

static void bad_queries_are_400(void **state)
{
    (void)state;
    expect(V1 "instance/name?alt=xml", 400, NULL);
    expect(V1 "instance/name?wait_for_change=true&timeout_sec=-1", 400, NULL);
    expect(V1 "instance/name?wait_for_change=true&timeout_sec=", 400, NULL);
    expect(V1 "instance/name?timeout_sec=99999999999999999999", 400, NULL);
}

static void etag_stands_for_the_content(void **state)
{
    (void)state;
    cleanup_answer struct answer before = ask("GET", V1 "instance/attributes/", FLAVOR);
    cleanup_answer struct answer json = ask("GET", V1 "instance/attributes/?recursive=true", FLAVOR);
    cleanup_answer struct answer name = ask("GET", V1 "instance/name", FLAVOR);
    assert_int_equal(strlen(before.etag), 16);
    assert_string_equal(before.etag, json.etag);
    assert_string_not_equal(before.etag, name.etag);
    struct metadata_server_instance all = values();
    all.attribute_count = 2;
    assert_int_equal(metadata_server_set(server, &all, 1, &err), 0);
    cleanup_answer struct answer after = ask("GET", V1 "instance/attributes/", FLAVOR);
    cleanup_answer struct answer same = ask("GET", V1 "instance/name", FLAVOR);
    assert_string_not_equal(before.etag, after.etag);
    assert_string_equal(name.etag, same.etag);
}

static void waiting_ends_at_once_for_an_old_etag(void **state)
{
    (void)state;
    cleanup_answer struct answer old =
        ask("GET", V1 "instance/name?wait_for_change=true&last_etag=0&timeout_sec=20", FLAVOR);
    assert_int_equal(old.status, 200);
    assert_true(old.seconds < 5);
    assert_string_equal(old.body.data, "bake-test");
}

static void waiting_ends_with_the_time(void **state)
{
    (void)state;
    char path[256];
    cleanup_answer struct answer now = ask("GET", V1 "instance/name", FLAVOR);
    snprintf(path, sizeof path, V1 "instance/name?wait_for_change=true&last_etag=%s&timeout_sec=1", now.etag);
    cleanup_answer struct answer late = ask("GET", path, FLAVOR);
    assert_int_equal(late.status, 200);
    assert_true(late.seconds > 0.9 && late.seconds < 10);
    assert_string_equal(late.etag, now.etag);
}

struct later {
    struct metadata_server_instance values;
    pthread_t thread;
};

static void *change(void *ctx)
{
    const struct later *later = ctx;
    const struct timespec nap = {.tv_nsec = 400000000};
    struct err ignored;
    nanosleep(&nap, NULL);
    return metadata_server_set(server, &later->values, 1, &ignored) == 0 ? ctx : NULL;
}

static struct answer ask_while_changing(struct later *later, const char *path)
{
    void *done = NULL;
    assert_int_equal(pthread_create(&later->thread, NULL, change, later), 0);
    struct answer answer = ask("GET", path, FLAVOR);
    pthread_join(later->thread, &done);
    assert_non_null(done);
    return answer;
}

static void waiting_ends_with_a_change(void **state)
{
    (void)state;
    struct metadata_server_attribute changed[] = {{"cluster-name", "other"}, attributes[0]};
    struct later later = {.values = values()};
    later.values.attributes = changed;
    later.values.attribute_count = 2;
    cleanup_answer struct answer answer =
        ask_while_changing(&later, V1 "instance/attributes/cluster-name?wait_for_change=true&timeout_sec=20");
    assert_int_equal(answer.status, 200);
    assert_string_equal(answer.body.data, "other");
    assert_true(answer.seconds > 0.3 && answer.seconds < 10);
    /* removed while a request waits for it */
    later.values.attributes = NULL;
    later.values.attribute_count = 0;
    cleanup_answer struct answer gone =
        ask_while_changing(&later, V1 "instance/attributes/cluster-name?wait_for_change=true&timeout_sec=20");
    assert_int_equal(gone.status, 404);
}

static void change_elsewhere_does_not_wake(void **state)
{
    (void)state;
    struct later later = {.values = values()};
    later.values.attribute_count = 1;
    cleanup_answer struct answer answer =
        ask_while_changing(&later, V1 "instance/name?wait_for_change=true&timeout_sec=1");
    assert_int_equal(answer.status, 200);
    assert_true(answer.seconds > 0.9);
}

/* The server stops during the request, which must end, with or without an answer. */
static void *wait_long(void *ctx)
{
    char url[256];
    curl_off_t took = 0;
    CURL *curl = curl_easy_init();
    struct curl_slist *headers = curl_slist_append(NULL, FLAVOR);
    struct buf body = BUF_INIT(1 << 16);
    snprintf(url, sizeof url, "http://127.0.0.1:%u" V1 "instance/name?wait_for_change=true&timeout_sec=25",
             (unsigned)metadata_server_port(server));
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &body);
    curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_TOTAL_TIME_T, &took);
    *(double *)ctx = (double)took / 1e6;
    buf_free(&body);
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    return NULL;
}

static void stop_does_not_wait(void **state)
{
    (void)state;
    double seconds = 100;
    pthread_t thread;
    const struct timespec nap = {.tv_nsec = 500000000};
    assert_int_equal(pthread_create(&thread, NULL, wait_long, &seconds), 0);
    nanosleep(&nap, NULL);
    metadata_server_stop(server);
    server = NULL;
    pthread_join(thread, NULL);
    assert_true(seconds > 0.3 && seconds < 10);
}

/* Values that Compute Engine would reject are refused, and the old ones stay. */
static void bad_values_are_refused(void **state)
{
    (void)state;
    char *large = malloc(METADATA_VALUE_MAX + 2);
    assert_non_null(large);
    memset(large, 'x', METADATA_VALUE_MAX + 1);
    large[METADATA_VALUE_MAX + 1] = 0;
    char key[METADATA_KEY_MAX + 2];
    memset(key, 'k', sizeof key - 1);
    key[sizeof key - 1] = 0;
    struct metadata_server_attribute bad[] = {{"", "x"},    {key, "x"},   {"a/b", "x"},
                                              {"a b", "x"}, {"k", large}, {"k", "\xff\xfe"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct metadata_server_instance all = values();
        all.attributes = &bad[i];
        all.attribute_count = 1;
        err = (struct err){0};
        assert_int_equal(metadata_server_set(server, &all, 1, &err), -1);
        assert_int_equal(err.kind, ERR_USAGE);
    }
    large[METADATA_VALUE_MAX] = 0;
    struct metadata_server_attribute lots[] = {{"a", large}, {"b", large}};
    struct metadata_server_attribute twice[] = {{"a", "1"}, {"a", "2"}};
    struct metadata_server_instance all = values();
    all.attribute_count = 2;
    all.attributes = lots;
    assert_int_equal(metadata_server_set(server, &all, 1, &err), -1);
    all.attributes = twice;
    assert_int_equal(metadata_server_set(server, &all, 1, &err), -1);
    assert_non_null(strstr(err.text, "twice"));
    all = values();
    all.name = "a/b";
    assert_int_equal(metadata_server_set(server, &all, 1, &err), -1);
    all.name = NULL;
    assert_int_equal(metadata_server_set(server, &all, 1, &err), -1);
    expect(V1 "instance/name", 200, "bake-test");
    /* the largest value allowed arrives complete */
    all = values();
    all.attributes = lots;
    all.attribute_count = 1;
    assert_int_equal(metadata_server_set(server, &all, 1, &err), 0);
    cleanup_answer struct answer answer = ask("GET", V1 "instance/attributes/a", FLAVOR);
    assert_int_equal(answer.body.len, METADATA_VALUE_MAX);
    free(large);
}

/* --- several instances --- */

static const struct metadata_server_attribute secret_of_two[] = {{"cluster-secret", "two"}};

static void three(struct metadata_server_instance all[static 3])
{
    static const char *const names[] = {"one", "two", "three"};
    static const char *const ips[] = {"127.0.1.1", "127.0.1.2", "127.0.1.3"};
    for (size_t i = 0; i < 3; i++) {
        all[i] = values();
        all[i].name = names[i];
        all[i].ip = ips[i];
        all[i].attribute_count = 0;
    }
    all[1].attributes = secret_of_two;
    all[1].attribute_count = 1;
}

static int start_three(void **state)
{
    struct metadata_server_instance all[3];
    (void)state;
    three(all);
    const struct metadata_server_options told = {.instances = all, .instance_count = 3, .by_address = true};
    return metadata_server_start(&told, NULL, &server, &err);
}

static void each_instance_sees_its_own(void **state)
{
    (void)state;
    expect_from("127.0.1.1", V1 "instance/name", 200, "one");
    expect_from("127.0.1.2", V1 "instance/name", 200, "two");
    expect_from("127.0.1.3", V1 "instance/network-interfaces/0/ip", 200, "127.0.1.3");
    expect_from("127.0.1.2", V1 "instance/attributes/cluster-secret", 200, "two");
    expect_from("127.0.1.1", V1 "instance/attributes/cluster-secret", 404, NULL);
    expect_from("127.0.1.3", V1 "project/attributes/ssh-keys", 200, "core:ssh-ed25519 AAAA");
}

static void strangers_are_refused(void **state)
{
    (void)state;
    expect_from("127.0.1.4", V1 "instance/name", 403, "no instance has the client's address\n");
    expect_from("127.0.0.1", V1, 403, NULL);
    expect_from("127.0.0.1", V1 "instance/name?wait_for_change=true&timeout_sec=20", 403, NULL);
    expect_from("127.0.1.4", "/latest/", 404, NULL);
    /* an unknown client must not get the first instance's values */
    struct metadata_server_instance all[3];
    three(all);
    assert_int_equal(metadata_server_set(server, all + 1, 1, &err), 0);
    expect_from("127.0.1.1", V1 "instance/name", 403, NULL);
    expect_from("127.0.1.2", V1 "instance/name", 200, "two");
}

static void *set_three(void *ctx)
{
    const struct timespec nap = {.tv_nsec = 400000000};
    struct err ignored;
    nanosleep(&nap, NULL);
    return metadata_server_set(server, ctx, 3, &ignored) == 0 ? ctx : NULL;
}

static void change_wakes_the_instance_it_is_for(void **state)
{
    (void)state;
    struct metadata_server_instance all[3];
    pthread_t thread;
    void *done = NULL;
    three(all);
    all[0].attributes = secret_of_two;
    all[0].attribute_count = 1;
    assert_int_equal(pthread_create(&thread, NULL, set_three, all), 0);
    cleanup_answer struct answer answer =
        ask_from("127.0.1.1", "GET",
                 V1 "instance/attributes/?recursive=true&wait_for_change=true&timeout_sec=20", FLAVOR);
    pthread_join(thread, &done);
    assert_non_null(done);
    assert_string_equal(answer.body.data, "{\"cluster-secret\":\"two\"}");
    assert_true(answer.seconds > 0.3 && answer.seconds < 10);
}

static void impossible_rosters_are_refused(void **state)
{
    (void)state;
    struct metadata_server_instance all[3];
    static struct metadata_server_instance lots[METADATA_INSTANCES_MAX + 1];
    three(all);
    all[2].ip = all[0].ip;
    assert_int_equal(metadata_server_set(server, all, 3, &err), -1);
    assert_non_null(strstr(err.text, "two instances have the address 127.0.1.1"));
    all[2].ip = "host.example";
    assert_int_equal(metadata_server_set(server, all, 3, &err), -1);
    assert_int_equal(metadata_server_set(server, all, 0, &err), -1);
    assert_int_equal(metadata_server_set(server, lots, METADATA_INSTANCES_MAX + 1, &err), -1);
    assert_int_equal(err.kind, ERR_USAGE);
    expect_from("127.0.1.3", V1 "instance/name", 200, "three");
}

static void listens_where_it_is_told(void **state)
{
    (void)state;
    struct metadata_server_instance all = values();
    const struct metadata_server_options here = {
        .instances = &all, .instance_count = 1, .listen = "127.0.2.1", .port = metadata_server_port(server)};
    cleanup_metadata_server struct metadata_server *other = NULL;
    assert_int_equal(metadata_server_start(&here, NULL, &other, &err), 0);
    assert_int_equal(metadata_server_port(other), metadata_server_port(server));
    struct metadata_server *none = NULL;
    assert_int_equal(metadata_server_start(&here, NULL, &none, &err), -1); /* the port is in use */
    assert_int_equal(err.kind, ERR_IO);
    const struct metadata_server_options bad = {
        .instances = &all, .instance_count = 1, .listen = "localhost"};
    assert_int_equal(metadata_server_start(&bad, NULL, &none, &err), -1);
    assert_int_equal(err.kind, ERR_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(values_have_their_paths, start, stop),
        cmocka_unit_test_setup_teardown(directories_list_their_names, start, stop),
        cmocka_unit_test_setup_teardown(directory_without_slash_is_redirected, start, stop),
        cmocka_unit_test_setup_teardown(recursive_is_json_in_camel_case, start, stop),
        cmocka_unit_test_setup_teardown(what_is_not_there_is_404, start, stop),
        cmocka_unit_test_setup_teardown(flavor_is_required, start, stop),
        cmocka_unit_test_setup_teardown(bad_queries_are_400, start, stop),
        cmocka_unit_test_setup_teardown(etag_stands_for_the_content, start, stop),
        cmocka_unit_test_setup_teardown(waiting_ends_at_once_for_an_old_etag, start, stop),
        cmocka_unit_test_setup_teardown(waiting_ends_with_the_time, start, stop),
        cmocka_unit_test_setup_teardown(waiting_ends_with_a_change, start, stop),
        cmocka_unit_test_setup_teardown(change_elsewhere_does_not_wake, start, stop),
        cmocka_unit_test_setup_teardown(stop_does_not_wait, start, stop),
        cmocka_unit_test_setup_teardown(bad_values_are_refused, start, stop),
        cmocka_unit_test_setup_teardown(each_instance_sees_its_own, start_three, stop),
        cmocka_unit_test_setup_teardown(strangers_are_refused, start_three, stop),
        cmocka_unit_test_setup_teardown(change_wakes_the_instance_it_is_for, start_three, stop),
        cmocka_unit_test_setup_teardown(impossible_rosters_are_refused, start_three, stop),
        cmocka_unit_test_setup_teardown(listens_where_it_is_told, start_three, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
