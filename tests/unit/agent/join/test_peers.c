/* Members asking each other, and packets made to hurt: cut, changed, sealed with another key, sent again. The
 * metadata is made here by hand, since no node may have a loopback address. */
#include "tests/unit/agent/helper.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <sodium.h>

#include "base/clock.h"
#include "agent/join/peers.h"

static struct err last;
static const struct peers_key key = {{1, 2, 3}}, other_key = {{1, 2, 4}};

struct lines {
    char text[4096];
    unsigned count;
};

static void collect_line(void *ctx, const char *text)
{
    struct lines *lines = ctx;
    size_t len = strlen(lines->text);
    snprintf(lines->text + len, sizeof lines->text - len, "%s\n", text);
    lines->count++;
}

static struct node_metadata cluster(size_t self)
{
    struct node_metadata m = {.node_count = 3, .self = self, .cluster_name = "test"};
    for (size_t i = 0; i < 3; i++) {
        snprintf(m.nodes[i].name, sizeof m.nodes[i].name, "%c", (char)('a' + (int)i));
        snprintf(m.nodes[i].ip, sizeof m.nodes[i].ip, "127.0.77.%zu", i + 1);
    }
    memcpy(m.name, m.nodes[self].name, sizeof m.name);
    memcpy(m.ip, m.nodes[self].ip, sizeof m.ip);
    return m;
}

static struct member_roster two(void)
{
    struct member_roster roster = {.count = 2};
    for (size_t i = 0; i < 2; i++) {
        snprintf(roster.entries[i].name, sizeof roster.entries[i].name, "%c", (char)('a' + (int)i));
        snprintf(roster.entries[i].ip, sizeof roster.entries[i].ip, "10.0.0.%zu", i + 2);
        memset(roster.entries[i].id, (int)i + 1, ROSTER_ID_SIZE);
    }
    return roster;
}

static size_t make_answer(unsigned char bytes[BOX_MAX], struct peer_message *packet)
{
    unsigned char message[BOX_MESSAGE_MAX];
    struct node_metadata m = cluster(1);
    size_t len = 0;
    peer_message_start(&m, packet);
    packet->type = PEER_MESSAGE_ANSWER;
    packet->phase = MEMBER_DECIDED;
    packet->roster = two();
    memcpy(packet->to, "a", 2);
    assert_true(box_seal(key.bytes, message, peer_message_write(packet, message), bytes, &len));
    return len;
}

static void a_packet_reads_back_the_same(void **state)
{
    (void)state;
    unsigned char bytes[BOX_MAX], message[BOX_MESSAGE_MAX];
    struct peer_message packet, again;
    size_t len = make_answer(bytes, &packet), got = 0;
    assert_true(box_open(key.bytes, bytes, len, message, &got));
    assert_true(peer_message_read(message, got, &again));
    assert_memory_equal(&packet, &again, sizeof packet);
    assert_false(box_open(other_key.bytes, bytes, len, message, &got));
}

static void every_cut_and_every_changed_bit_is_noise(void **state)
{
    (void)state;
    unsigned char bytes[BOX_MAX + 1], message[BOX_MESSAGE_MAX];
    struct peer_message packet;
    size_t len = make_answer(bytes, &packet), got = 0;
    for (size_t cut = 0; cut < len; cut++)
        assert_false(box_open(key.bytes, bytes, cut, message, &got));
    assert_false(box_open(key.bytes, bytes, len + 1, message, &got));
    for (size_t bit = 0; bit < len * 8; bit++) {
        bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
        assert_false(box_open(key.bytes, bytes, len, message, &got));
        bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
    assert_true(box_open(key.bytes, bytes, len, message, &got));
}

/* What a member with the key but without care could send. */
static void malformed_messages_are_noise(void **state)
{
    (void)state;
    unsigned char message[BOX_MESSAGE_MAX], bytes[BOX_MAX];
    struct peer_message packet, again;
    (void)make_answer(bytes, &packet);
    size_t len = peer_message_write(&packet, message);
    for (size_t cut = 0; cut < len; cut++)
        assert_false(peer_message_read(message, cut, &again));
    message[len] = 0;
    assert_false(peer_message_read(message, len + 1, &again));
    packet.phase = MEMBER_WAITING; /* with a roster */
    assert_false(peer_message_read(message, peer_message_write(&packet, message), &again));
    packet.phase = 4;
    assert_false(peer_message_read(message, peer_message_write(&packet, message), &again));
    packet.phase = MEMBER_JOINED;
    assert_true(peer_message_read(message, peer_message_write(&packet, message), &again));
    packet.type = 3;
    assert_false(peer_message_read(message, peer_message_write(&packet, message), &again));
    packet.type = PEER_MESSAGE_ANSWER;
    packet.roster.entries[1] = packet.roster.entries[0];
    assert_false(peer_message_read(message, peer_message_write(&packet, message), &again));
    packet.roster = two();
    memcpy(packet.cluster, "A", 2);
    assert_false(peer_message_read(message, peer_message_write(&packet, message), &again));
}

static void the_longest_message_fits(void **state)
{
    (void)state;
    unsigned char message[BOX_MESSAGE_MAX], bytes[BOX_MAX];
    struct peer_message packet, again;
    size_t len = 0;
    (void)make_answer(bytes, &packet);
    packet.roster.count = NODE_MEMBERS_MAX;
    for (size_t i = 0; i < NODE_MEMBERS_MAX; i++) {
        memset(packet.roster.entries[i].name, 'a', 63);
        packet.roster.entries[i].name[62] = (char)('a' + (int)i);
        snprintf(packet.roster.entries[i].ip, VALUE_IP_CAP, "10.200.100.%zu", i + 100);
        memset(packet.roster.entries[i].id, (int)i, ROSTER_ID_SIZE);
    }
    memset(packet.cluster, 'c', 63);
    memset(packet.from, 'f', 63);
    memset(packet.to, 't', 63);
    assert_true(box_seal(key.bytes, message, peer_message_write(&packet, message), bytes, &len));
    assert_true(box_open(key.bytes, bytes, len, message, &len));
    assert_true(peer_message_read(message, len, &again));
    assert_memory_equal(&packet, &again, sizeof packet);
    assert_false(box_seal(key.bytes, message, BOX_MESSAGE_MAX + 1, bytes, &len));
}

/* A member that answers until told to stop. */
struct member {
    struct peers self;
    struct node_metadata metadata;
    struct peers_reported reported;
    struct lines lines;
    struct log log;
    int fd, stop[2];
    pthread_t thread;
};

static void *serve(void *ctx)
{
    struct member *member = ctx;
    struct err err;
    for (;;) {
        struct pollfd fds[2] = {{.fd = member->fd, .events = POLLIN},
                                {.fd = member->stop[0], .events = POLLIN}};
        (void)poll(fds, 2, -1);
        if (fds[0].revents && peers_answer(member->fd, &member->self, &err) < 0)
            return member;
        if (fds[1].revents && !fds[0].revents)
            return NULL;
    }
}

static void start(struct member *member, const struct place *place, size_t self, const struct peers_key *with,
                  uint16_t port)
{
    *member = (struct member){.metadata = cluster(self)};
    member->log = (struct log){collect_line, &member->lines};
    member->self =
        (struct peers){&place->root, &member->metadata, with, &member->log, &member->reported, port};
    if (peers_listen(member->metadata.ip, port, &member->fd, &last) < 0)
        fail_msg("%s", last.text);
    assert_int_equal(pipe(member->stop), 0);
}

static void run_member(struct member *member)
{
    assert_int_equal(pthread_create(&member->thread, NULL, serve, member), 0);
}

static void stop(struct member *member)
{
    void *failed = member;
    assert_int_equal(write(member->stop[1], "x", 1), 1);
    assert_int_equal(pthread_join(member->thread, &failed), 0);
    assert_null(failed);
    close(member->stop[0]);
    close(member->stop[1]);
    close(member->fd);
}

/* A port that is free on all three addresses now. */
static uint16_t free_port(void)
{
    struct sockaddr_in addr = {0};
    socklen_t len = sizeof addr;
    int fd = -1;
    assert_int_equal(peers_listen("127.0.77.2", 0, &fd, &last), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
    close(fd);
    return ntohs(addr.sin_port);
}

static void ask(const struct place *place, uint16_t port, const struct node_metadata *m, unsigned limit_ms,
                struct peers_reply *replies)
{
    struct peers_reported reported = {0};
    struct peers self = {&place->root, m, &key, NULL, &reported, port};
    if (peers_ask(&self, limit_ms, replies, &last) < 0)
        fail_msg("%s", last.text);
}

static void members_answer_what_is_on_their_disk(void **state)
{
    const struct place *place = *state;
    struct node_metadata m = cluster(0);
    struct peers_reply replies[NODE_MEMBERS_MAX];
    struct member_roster roster = two();
    unsigned char id[ROSTER_ID_SIZE];
    static struct member b;
    uint16_t port = free_port();
    start(&b, place, 1, &key, port);
    run_member(&b);
    ask(place, port, &m, 600, replies);
    assert_false(replies[1].got); /* it has no incarnation yet */
    assert_int_equal(member_state_incarnate(&place->root, id, &last), 0);
    ask(place, port, &m, 600, replies);
    assert_true(replies[1].got);
    assert_true(replies[1].same_list);
    assert_false(replies[0].got || replies[2].got);
    assert_int_equal(replies[1].phase, MEMBER_WAITING);
    assert_memory_equal(replies[1].id, id, sizeof id);
    assert_int_equal(member_state_decide(&place->root, &roster, &last), 0);
    m.node_count = 2; /* all answer: no time is lost, however much there is */
    int64_t began = clock_now_ms();
    ask(place, port, &m, 60000, replies);
    assert_true(clock_now_ms() - began < 30000);
    assert_int_equal(replies[1].phase, MEMBER_DECIDED);
    assert_false(replies[1].same_list);
    assert_memory_equal(&replies[1].roster, &roster, sizeof roster);
    memcpy(m.cluster_name, "else", 5);
    ask(place, port, &m, 500, replies);
    assert_false(replies[1].got); /* another cluster's, even with the same key */
    stop(&b);
}

static void a_wrong_key_is_said_once(void **state)
{
    const struct place *place = *state;
    struct node_metadata m = cluster(0);
    struct peers_reply replies[NODE_MEMBERS_MAX];
    unsigned char id[ROSTER_ID_SIZE];
    static struct member b;
    uint16_t port = free_port();
    assert_int_equal(member_state_incarnate(&place->root, id, &last), 0);
    start(&b, place, 1, &other_key, port);
    run_member(&b);
    ask(place, port, &m, 700, replies); /* asked four times */
    assert_false(replies[1].got);
    stop(&b);
    assert_string_equal(b.lines.text, "a packet from 127.0.77.1 is not sealed with this cluster's secret\n");
}

/* Someone on the way who has seen an exchange, and sends its answer again to the next question. */
static void an_answer_to_another_question_is_not_taken(void **state)
{
    const struct place *place = *state;
    struct node_metadata m = cluster(0);
    struct peers_reply replies[NODE_MEMBERS_MAX];
    unsigned char bytes[BOX_MAX];
    struct peer_message answer;
    static struct member b;
    uint16_t port = free_port();
    size_t len = make_answer(bytes, &answer);
    start(&b, place, 1, &key, port);
    pid_t pid = fork();
    if (pid == 0) { /* answers every question at once with that packet */
        for (;;) {
            struct sockaddr_in from;
            socklen_t from_len = sizeof from;
            unsigned char in[BOX_MAX];
            struct pollfd fd = {.fd = b.fd, .events = POLLIN};
            (void)poll(&fd, 1, -1);
            if (recvfrom(b.fd, in, sizeof in, 0, (struct sockaddr *)&from, &from_len) > 0)
                (void)sendto(b.fd, bytes, len, 0, (struct sockaddr *)&from, from_len);
        }
    }
    ask(place, port, &m, 700, replies);
    assert_false(replies[1].got);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    close(b.fd);
}

static void noise_does_not_stop_a_member(void **state)
{
    const struct place *place = *state;
    struct node_metadata m = cluster(0);
    struct peers_reply replies[NODE_MEMBERS_MAX];
    unsigned char id[ROSTER_ID_SIZE], junk[2000];
    static struct member b;
    uint16_t port = free_port();
    assert_int_equal(member_state_incarnate(&place->root, id, &last), 0);
    start(&b, place, 1, &key, port);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    assert_int_equal(inet_pton(AF_INET, "127.0.77.2", &to.sin_addr), 1);
    cleanup_close int fd = socket(AF_INET, SOCK_DGRAM, 0);
    for (size_t i = 0; i < 60; i++) {
        randombytes_buf(junk, sizeof junk);
        assert_true(sendto(fd, junk, i * 33, 0, (struct sockaddr *)&to, sizeof to) >= 0);
    }
    size_t len = make_answer(junk, &(struct peer_message){0}); /* well sealed, but not a question for b */
    assert_true(sendto(fd, junk, len, 0, (struct sockaddr *)&to, sizeof to) >= 0);
    run_member(&b);
    ask(place, port, &m, 5000, replies);
    assert_true(replies[1].got);
    stop(&b);
    assert_int_equal(b.lines.count, 1);
}

static void the_key_is_read_strictly(void **state)
{
    const struct place *place = *state;
    struct peers_key made;
    static const char hex[] = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    char text[80];
    assert_int_equal(peers_read_key(&place->root, &made, &last), -1);
    assert_says(last, "missing");
    snprintf(text, sizeof text, "%s\n", hex);
    put_text(place, PEERS_KEY, text);
    assert_int_equal(peers_read_key(&place->root, &made, &last), 0);
    assert_int_equal(made.bytes[31], 31);
    static const char *const bad[] = {"", "\n", "00", "%s0", " %s", "%s\n\n", "%s\r"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const char *at = strstr(bad[i], "%s");
        snprintf(text, sizeof text, "%.*s%s%s", at ? (int)(at - bad[i]) : (int)strcspn(bad[i], "%"), bad[i],
                 at ? hex : "", at ? at + 2 : "");
        put_text(place, PEERS_KEY, text);
        assert_int_equal(peers_read_key(&place->root, &made, &last), -1);
    }
    snprintf(text, sizeof text, "%.63sx", hex);
    put_text(place, PEERS_KEY, text);
    assert_int_equal(peers_read_key(&place->root, &made, &last), -1);
    assert_says(last, "damaged");
    assert_null(strstr(last.text, "0f10"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_packet_reads_back_the_same),
        cmocka_unit_test(every_cut_and_every_changed_bit_is_noise),
        cmocka_unit_test(malformed_messages_are_noise),
        cmocka_unit_test(the_longest_message_fits),
        cmocka_unit_test_setup_teardown(members_answer_what_is_on_their_disk, make_place, remove_place),
        cmocka_unit_test_setup_teardown(a_wrong_key_is_said_once, make_place, remove_place),
        cmocka_unit_test_setup_teardown(an_answer_to_another_question_is_not_taken, make_place, remove_place),
        cmocka_unit_test_setup_teardown(noise_does_not_stop_a_member, make_place, remove_place),
        cmocka_unit_test_setup_teardown(the_key_is_read_strictly, make_place, remove_place),
    };
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
