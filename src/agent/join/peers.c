#include "agent/join/peers.h"

#include <arpa/inet.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include <sodium.h>

#include "base/clock.h"

enum { BATCH = 64 };

int peers_read_key(const struct root *root, struct peers_key *ret, struct err *err)
{
    cleanup_buf struct buf text = BUF_INIT(2 * BOX_KEY_SIZE + 1);
    bool found = false;
    size_t len = 0;
    const char *end = NULL;
    if (root_read(root, PEERS_KEY, &text, &found, err) < 0)
        return -1;
    size_t digits = found && text.len > 0 && text.data[text.len - 1] == '\n' ? text.len - 1 : text.len;
    int status = !found || digits != 2UL * BOX_KEY_SIZE
                     ? -1
                     : sodium_hex2bin(ret->bytes, sizeof ret->bytes, text.data, digits, NULL, &len, &end);
    if (text.data)
        sodium_memzero(text.data, text.len);
    if (status < 0 || len != sizeof ret->bytes)
        return err_set(err, ERR_VERIFY, 0, "%s is %s: `bake-agent boot` makes it", PEERS_KEY,
                       found ? "damaged" : "missing");
    return 0;
}

void peers_clear_key(struct peers_key *key)
{
    sodium_memzero(key, sizeof *key);
}

int peers_listen(const char *ip, uint16_t port, int *ret_fd, struct err *err)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons(port)};
    if (inet_pton(AF_INET, ip, &addr.sin_addr) != 1)
        return err_set(err, ERR_INTERNAL, 0, "no IPv4 address: %s", ip);
    cleanup_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&addr, sizeof addr) < 0)
        return err_set(err, ERR_NETWORK, errno, "listen on UDP %s:%u", ip, (unsigned)port);
    *ret_fd = steal_fd(&fd);
    return 0;
}

static void log_unsealed(const struct peers *self, in_addr_t sender)
{
    struct peers_reported *reported = self->reported;
    char ip[VALUE_IP_CAP], line[128];
    for (size_t i = 0; i < reported->count; i++)
        if (reported->senders[i] == sender)
            return;
    /* with a full table nothing more is logged: forged senders must not fill the log */
    if (reported->count == PEERS_REPORTED_MAX)
        return;
    reported->senders[reported->count++] = sender;
    (void)inet_ntop(AF_INET, &(struct in_addr){sender}, ip, sizeof ip);
    snprintf(line, sizeof line, "a packet from %s is not sealed with this cluster's secret", ip);
    log_line(self->log, line);
}

/* Receives one datagram. 0: none is pending; 1: a member's message to this one; 2: noise. */
static int receive(int fd, const struct peers *self, struct peer_message *packet, struct sockaddr_in *from,
                   struct err *err)
{
    unsigned char bytes[BOX_MAX + 1], message[BOX_MESSAGE_MAX];
    socklen_t from_len = sizeof *from;
    size_t len = 0;
    ssize_t n = recvfrom(fd, bytes, sizeof bytes, 0, (struct sockaddr *)from, &from_len);
    if (n < 0 && errno == EAGAIN)
        return 0;
    /* an error that the network reports for an earlier packet does not mean that the socket failed */
    if (n < 0 && errno != EBADF && errno != ENOTSOCK && errno != EFAULT)
        return 2;
    if (n < 0)
        return err_set(err, ERR_NETWORK, errno, "receive");
    if (from_len != sizeof *from || from->sin_family != AF_INET)
        return 2;
    if (!box_open(self->key->bytes, bytes, (size_t)n, message, &len)) {
        log_unsealed(self, from->sin_addr.s_addr);
        return 2;
    }
    bool ok = peer_message_read(message, len, packet) &&
              strcmp(packet->cluster, self->metadata->cluster_name) == 0 &&
              strcmp(packet->to, self->metadata->name) == 0;
    return ok ? 1 : 2;
}

static void send_packet(int fd, const struct peers *self, const struct peer_message *packet,
                        const struct sockaddr_in *to)
{
    unsigned char message[BOX_MESSAGE_MAX], bytes[BOX_MAX];
    size_t len = peer_message_write(packet, message);
    if (!box_seal(self->key->bytes, message, len, bytes, &len))
        return;
    /* a failure to send is like a lost datagram: the question is repeated */
    (void)!sendto(fd, bytes, len, MSG_NOSIGNAL, (const struct sockaddr *)to, sizeof *to);
}

int peers_answer(int fd, const struct peers *self, struct err *err)
{
    for (unsigned i = 0; i < BATCH; i++) {
        struct peer_message question, answer;
        struct sockaddr_in from;
        struct member_state disk;
        int got = receive(fd, self, &question, &from, err);
        if (got <= 0)
            return got;
        if (got != 1 || question.type != PEER_MESSAGE_QUESTION)
            continue;
        if (member_state_load(self->root, &disk, err) < 0)
            return -1;
        if (!disk.has_id && disk.phase == MEMBER_WAITING)
            continue; /* `join` has not run yet: nothing to report */
        peer_message_start(self->metadata, &answer);
        answer.type = PEER_MESSAGE_ANSWER;
        memcpy(answer.echo, question.echo, sizeof answer.echo);
        memcpy(answer.to, question.from, sizeof answer.to);
        memcpy(answer.id, disk.id, sizeof answer.id);
        answer.phase = disk.phase;
        answer.roster = disk.roster;
        send_packet(fd, self, &answer, &from);
    }
    return 0;
}

struct asking {
    int fd;
    struct peer_message questions[NODE_MEMBERS_MAX];
    struct sockaddr_in addrs[NODE_MEMBERS_MAX];
    size_t open; /* not answered yet */
};

static int start_asking(const struct peers *self, struct asking *asking, struct err *err)
{
    const struct node_metadata *m = self->metadata;
    /* from the node's own address, which firewalls between members let pass */
    if (peers_listen(m->ip, 0, &asking->fd, err) < 0)
        return -1;
    for (size_t i = 0; i < m->node_count; i++) {
        struct peer_message *question = &asking->questions[i];
        peer_message_start(m, question);
        question->type = PEER_MESSAGE_QUESTION;
        randombytes_buf(question->echo, sizeof question->echo);
        memcpy(question->to, m->nodes[i].name, sizeof question->to);
        asking->addrs[i] = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(self->port)};
        if (inet_pton(AF_INET, m->nodes[i].ip, &asking->addrs[i].sin_addr) != 1)
            return err_set(err, ERR_INTERNAL, 0, "no IPv4 address: %s", m->nodes[i].ip);
    }
    asking->open = m->node_count - 1;
    return 0;
}

/* Stores an answer in the reply of the member that was asked, if it matches that question. */
static void take_answer(const struct peers *self, struct asking *asking, const struct peer_message *answer,
                        const struct sockaddr_in *from, struct peers_reply *replies)
{
    for (size_t i = 0; i < self->metadata->node_count; i++) {
        const struct peer_message *question = &asking->questions[i];
        if (i == self->metadata->self || replies[i].got || strcmp(answer->from, question->to) != 0 ||
            from->sin_addr.s_addr != asking->addrs[i].sin_addr.s_addr ||
            from->sin_port != asking->addrs[i].sin_port ||
            sodium_memcmp(answer->echo, question->echo, sizeof answer->echo) != 0)
            continue;
        replies[i].got = true;
        replies[i].same_list = memcmp(answer->list, question->list, sizeof answer->list) == 0;
        memcpy(replies[i].id, answer->id, sizeof replies[i].id);
        replies[i].phase = answer->phase;
        replies[i].roster = answer->roster;
        asking->open--;
    }
}

static int collect(const struct peers *self, struct asking *asking, struct peers_reply *replies,
                   struct err *err)
{
    for (unsigned i = 0; i < BATCH && asking->open > 0; i++) {
        struct peer_message answer;
        struct sockaddr_in from;
        int got = receive(asking->fd, self, &answer, &from, err);
        if (got <= 0)
            return got;
        if (got == 1 && answer.type == PEER_MESSAGE_ANSWER)
            take_answer(self, asking, &answer, &from, replies);
    }
    return 0;
}

static int ask_all(const struct peers *self, struct asking *asking, int64_t deadline,
                   struct peers_reply *replies, struct err *err)
{
    for (int64_t now = clock_now_ms(), resend = now; asking->open > 0 && now < deadline;) {
        for (size_t i = 0; now >= resend && i < self->metadata->node_count; i++)
            if (i != self->metadata->self && !replies[i].got)
                send_packet(asking->fd, self, &asking->questions[i], &asking->addrs[i]);
        if (now >= resend)
            resend = now + PEERS_RESEND_MS;
        struct pollfd poller = {.fd = asking->fd, .events = POLLIN};
        int64_t until = resend < deadline ? resend : deadline;
        if (poll(&poller, 1, (int)(until - now)) < 0 && errno != EINTR)
            return err_set(err, ERR_NETWORK, errno, "poll");
        if (collect(self, asking, replies, err) < 0)
            return -1;
        now = clock_now_ms();
    }
    return 0;
}

int peers_ask(const struct peers *self, unsigned limit_ms, struct peers_reply replies[NODE_MEMBERS_MAX],
              struct err *err)
{
    memset(replies, 0, sizeof *replies * NODE_MEMBERS_MAX);
    cleanup_free struct asking *asking = calloc(1, sizeof *asking);
    if (!asking)
        return err_oom(err);
    asking->fd = -1;
    int status = start_asking(self, asking, err);
    if (status == 0)
        status = ask_all(self, asking, clock_now_ms() + limit_ms, replies, err);
    cleanup_close_fn(&asking->fd);
    return status;
}
