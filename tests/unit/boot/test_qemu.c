#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>
#include <pthread.h>

#include "metadata_server/server.h"
#include "boot/qemu.h"
#include "metadata_server/relay.h"

static struct err err;

static const char *after(const char *const *argv, const char *option, const char *with)
{
    for (size_t i = 0; argv[i] && argv[i + 1]; i++)
        if (strcmp(argv[i], option) == 0 && strstr(argv[i + 1], with))
            return argv[i + 1];
    return NULL;
}

static void bios_guest(void **state)
{
    (void)state;
    cleanup_arena struct arena arena = {0};
    const char *const *argv = NULL;
    const struct qemu_spec spec = {.disk_fd = 7, .relay = "/usr/bin/bake", .metadata_port = 4711};
    assert_int_equal(qemu_argv(&spec, NULL, -1, &arena, &argv, &err), 0);
    assert_string_equal(argv[0], "qemu-system-x86_64");
    assert_non_null(after(argv, "-machine", "q35"));
    assert_non_null(after(argv, "-accel", "tcg,thread=multi"));
    assert_string_equal(after(argv, "-smp", ""), "2");
    assert_string_equal(after(argv, "-m", ""), "1024");
    assert_string_equal(after(argv, "-netdev", ""),
                        "user,id=net0,restrict=on,net=169.254.0.0/16,dhcpstart=169.254.0.15,"
                        "guestfwd=tcp:169.254.169.254:80-cmd:'/usr/bin/bake' relay-metadata 4711");
    const char *disk = after(argv, "-drive", "id=disk0");
    assert_non_null(disk);
    assert_non_null(strstr(disk, "file=/proc/self/fd/7,format=raw,snapshot=on"));
    assert_null(after(argv, "-drive", "pflash"));
}

static void efi_guest(void **state)
{
    (void)state;
    cleanup_arena struct arena arena = {0};
    const char *const *argv = NULL;
    const struct qemu_spec spec = {.disk_fd = 7, .efi = true, .cpus = 4, .memory_mib = 2048};
    assert_int_equal(qemu_argv(&spec, "/x/CODE.fd", 9, &arena, &argv, &err), 0);
    assert_string_equal(after(argv, "-drive", "unit=0"),
                        "if=pflash,format=raw,unit=0,readonly=on,file=/x/CODE.fd");
    assert_string_equal(after(argv, "-drive", "unit=1"), "if=pflash,format=raw,unit=1,file=/proc/self/fd/9");
    assert_string_equal(after(argv, "-smp", ""), "4");
    assert_string_equal(after(argv, "-m", ""), "2048");
    assert_null(strstr(after(argv, "-netdev", ""), "guestfwd"));
}

static void guest_on_a_tap(void **state)
{
    (void)state;
    cleanup_arena struct arena arena = {0};
    const char *const *argv = NULL;
    struct qemu_spec spec = {.disk_fd = 7, .tap_fd = 8, .mac = "42:01:0a:80:00:02"};
    assert_int_equal(qemu_argv(&spec, NULL, -1, &arena, &argv, &err), 0);
    assert_string_equal(after(argv, "-netdev", ""), "tap,id=net0,fd=8");
    assert_non_null(after(argv, "-device", "virtio-net-pci,netdev=net0,mac=42:01:0a:80:00:02"));
    spec.mac = NULL;
    assert_int_equal(qemu_argv(&spec, NULL, -1, &arena, &argv, &err), -1);
}

/* No character of the relay's path may end QEMU's option or the word of the command. */
static void relay_path_is_quoted(void **state)
{
    (void)state;
    cleanup_arena struct arena arena = {0};
    const char *const *argv = NULL;
    const struct qemu_spec spec = {.disk_fd = 7, .relay = "/it's $(a), \"dir\"/bake;x", .metadata_port = 80};
    assert_int_equal(qemu_argv(&spec, NULL, -1, &arena, &argv, &err), 0);
    assert_non_null(
        strstr(after(argv, "-netdev", ""), "-cmd:'/it'\\''s $(a),, \"dir\"/bake;x' relay-metadata 80"));
}

static void refused(struct qemu_spec spec, enum err_kind kind)
{
    cleanup_arena struct arena arena = {0};
    const char *const *argv = NULL;
    err = (struct err){0};
    assert_int_equal(qemu_argv(&spec, NULL, -1, &arena, &argv, &err), -1);
    assert_int_equal(err.kind, kind);
    assert_null(argv);
}

static void impossible_guests_are_refused(void **state)
{
    (void)state;
    refused((struct qemu_spec){.disk_fd = 7, .cpus = 17}, ERR_USAGE);
    refused((struct qemu_spec){.disk_fd = 7, .memory_mib = 64}, ERR_USAGE);
    refused((struct qemu_spec){.disk_fd = 7, .memory_mib = 1 << 20}, ERR_USAGE);
    refused((struct qemu_spec){.disk_fd = 7, .relay = "bake", .metadata_port = 1}, ERR_INTERNAL);
    refused((struct qemu_spec){.disk_fd = 7, .relay = "/bake"}, ERR_INTERNAL);
}

/* --- the relay --- */

struct relay {
    int fd;
    uint16_t port;
    int result;
    struct err err;
};

static void *run_relay(void *ctx)
{
    struct relay *relay = ctx;
    relay->result = relay_run(relay->fd, relay->fd, relay->port, &relay->err);
    close(relay->fd);
    return NULL;
}

static const struct metadata_server_instance *values(const char *attribute)
{
    static struct metadata_server_attribute list[1];
    static struct metadata_server_instance all;
    list[0] = (struct metadata_server_attribute){"large", attribute};
    all = (struct metadata_server_instance){.name = "n",
                                            .hostname = "n.c.p.internal",
                                            .id = 1,
                                            .zone = "z",
                                            .machine_type = "t",
                                            .ip = GUEST_IP,
                                            .gateway = GUEST_GATEWAY,
                                            .netmask = GUEST_NETMASK,
                                            .mac = GUEST_MAC,
                                            .attributes = list,
                                            .attribute_count = 1,
                                            .project_id = "p",
                                            .project_number = 1};
    return &all;
}

static void relay_carries_both_ways(void **state)
{
    (void)state;
    static const char request[] = "GET /computeMetadata/v1/instance/attributes/large HTTP/1.0\r\n"
                                  "Metadata-Flavor: Google\r\n\r\n";
    cleanup_metadata_server struct metadata_server *server = NULL;
    char *large = malloc(200001);
    int ends[2];
    pthread_t thread;
    struct buf got = BUF_INIT(1 << 20);
    char chunk[4096];
    ssize_t n;
    assert_non_null(large);
    memset(large, 'y', 200000);
    large[200000] = 0;
    const struct metadata_server_options told = {.instances = values(large), .instance_count = 1};
    assert_int_equal(metadata_server_start(&told, NULL, &server, &err), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    struct relay relay = {.fd = ends[1], .port = metadata_server_port(server)};
    assert_int_equal(pthread_create(&thread, NULL, run_relay, &relay), 0);
    assert_int_equal(write(ends[0], request, sizeof request - 1), (ssize_t)(sizeof request - 1));
    while ((n = read(ends[0], chunk, sizeof chunk)) > 0)
        buf_add(&got, chunk, (size_t)n);
    pthread_join(thread, NULL);
    close(ends[0]);
    assert_int_equal(relay.result, 0);
    assert_int_equal(strncmp(got.data, "HTTP/1.", 7), 0);
    assert_true(got.len > 200000);
    assert_string_equal(got.data + got.len - 200000, large);
    buf_free(&got);
    free(large);
}

static void relay_without_a_server_says_so(void **state)
{
    (void)state;
    struct metadata_server *server = NULL;
    const struct metadata_server_options told = {.instances = values("x"), .instance_count = 1};
    assert_int_equal(metadata_server_start(&told, NULL, &server, &err), 0);
    uint16_t port = metadata_server_port(server);
    metadata_server_stop(server);
    assert_int_equal(relay_run(-1, -1, port, &err), -1);
    assert_int_equal(err.kind, ERR_NETWORK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bios_guest),
        cmocka_unit_test(efi_guest),
        cmocka_unit_test(guest_on_a_tap),
        cmocka_unit_test(relay_path_is_quoted),
        cmocka_unit_test(impossible_guests_are_refused),
        cmocka_unit_test(relay_carries_both_ways),
        cmocka_unit_test(relay_without_a_server_says_so),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
