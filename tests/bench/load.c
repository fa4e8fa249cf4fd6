/* load: many SMTP connections from one thread, as fast as the server lets them.
 *
 *   load PORT CONNECTIONS BYTES RECIPIENTS SECONDS PATTERN [MESSAGES]
 *
 * PATTERN is the recipient with one %d for a number 0..99. MAIL, RCPT and DATA go in one write (the server must offer
 * PIPELINING), the body in another. Counts what was acknowledged within SECONDS; with MESSAGES it stops after so many.
 * Each message bears "X-Number: N" in order of its beginning. Prints one JSON line.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAX_LATENCIES 4000000

struct link {
    int fd;
    int waiting;       /* whole replies still to come before the next step */
    int step;          /* 0 banner, 1 EHLO, 2 envelope, 3 body, 4 QUIT */
    char input[8192];
    size_t held;       /* octets in input */
    char head[8192];   /* commands or header still to be written */
    size_t head_size, head_sent;
    size_t body_sent, body_size;
    int armed;         /* EPOLLOUT is asked for */
    double dot;        /* when the last octet of the message was written */
};

static int port, recipients, poller;
static long limit_messages, begun, acknowledged, failed, counted;
static size_t body_bytes;
static double seconds, started;
static const char *pattern;
static char *body, complaint[160];
static double *latencies;

static double clock_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void watch(struct link *l, int operation, int writable) {
    struct epoll_event event = {.events = EPOLLIN | (writable ? EPOLLOUT : 0), .data.ptr = l};
    epoll_ctl(poller, operation, l->fd, &event);
}

/* Writes what is pending. 0: all written or the socket is full; -1: broken. */
static int push(struct link *l) {
    int blocked = 0;
    while (l->head_sent < l->head_size || l->body_sent < l->body_size) {
        int in_head = l->head_sent < l->head_size;
        const char *from = in_head ? l->head + l->head_sent : body + l->body_sent;
        size_t count = in_head ? l->head_size - l->head_sent : l->body_size - l->body_sent;
        int flags = MSG_NOSIGNAL | (in_head && l->body_size > l->body_sent ? MSG_MORE : 0);
        ssize_t done = send(l->fd, from, count, flags);
        if (done < 0) {
            if (errno != EAGAIN) return -1;
            blocked = 1;
            break;
        }
        if (in_head) l->head_sent += (size_t)done;
        else l->body_sent += (size_t)done;
    }
    if (blocked || l->armed) watch(l, EPOLL_CTL_MOD, blocked);
    l->armed = blocked;
    if (!blocked && l->step == 3) l->dot = clock_now();
    return 0;
}

static int command(struct link *l, int step, int replies, const char *text, size_t size) {
    l->step = step;
    l->waiting = replies;
    memcpy(l->head, text, size);
    l->head_size = size;
    l->head_sent = l->body_sent = l->body_size = 0;
    return push(l);
}

static int finished(void) {
    return (limit_messages && begun >= limit_messages) || clock_now() - started > seconds;
}

static int envelope(struct link *l) {
    char text[8192], address[200];
    size_t at;
    if (finished()) return command(l, 4, 1, "QUIT\r\n", 6);
    at = (size_t)sprintf(text, "MAIL FROM:<load@bench.example>\r\n");
    for (int i = 0; i < recipients; i++) {
        snprintf(address, sizeof address, pattern, (int)((begun * recipients + i) % 100));
        at += (size_t)sprintf(text + at, "RCPT TO:<%s>\r\n", address);
    }
    at += (size_t)sprintf(text + at, "DATA\r\n");
    return command(l, 2, recipients + 2, text, at);
}

static int message(struct link *l) {
    l->step = 3;
    l->waiting = 1;
    l->head_size = (size_t)sprintf(l->head,
        "From: <load@bench.example>\r\nTo: <user@bench.example>\r\nSubject: load %ld\r\n"
        "Date: Tue, 24 Nov 2026 09:00:00 +0000\r\nMessage-ID: <%ld.%d@bench.example>\r\nX-Number: %ld\r\n\r\n",
        begun, begun, getpid(), begun);
    begun++;
    l->head_sent = l->body_sent = 0;
    l->body_size = body_bytes;
    return push(l);
}

/* All replies of the step have come. */
static int next_step(struct link *l) {
    if (l->step == 0) return command(l, 1, 1, "EHLO load.bench.example\r\n", 25);
    if (l->step == 1) return envelope(l);
    if (l->step == 2) return message(l);
    if (l->step == 3) {
        double now = clock_now();
        if (acknowledged < MAX_LATENCIES) latencies[acknowledged] = now - l->dot;
        acknowledged++;
        if (now - started <= seconds) counted++;
        return envelope(l);
    }
    return -1;
}

static int take(struct link *l) {
    ssize_t got = recv(l->fd, l->input + l->held, sizeof l->input - l->held, 0);
    char *from = l->input, *end;
    if (got < 0 && errno == EAGAIN) return 0;
    if (got <= 0) {
        if (l->step != 4) failed++;
        return -1;
    }
    l->held += (size_t)got;
    while ((end = memchr(from, '\n', l->held - (size_t)(from - l->input))) != NULL) {
        if (from[0] > '3') {
            failed++;
            if (!complaint[0]) snprintf(complaint, sizeof complaint, "%.*s", (int)(end - from - 1), from);
            return -1;
        }
        if (from[3] != '-' && --l->waiting == 0 && next_step(l) < 0) return -1;
        from = end + 1;
    }
    l->held -= (size_t)(from - l->input);
    memmove(l->input, from, l->held);
    return 0;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void open_link(struct link *l) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
    int one = 1;
    memset(l, 0, sizeof *l);
    l->waiting = 1;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    l->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(l->fd, (struct sockaddr *)&to, sizeof to) < 0) {
        perror("connect");
        exit(1);
    }
    setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    fcntl(l->fd, F_SETFL, O_NONBLOCK);
    watch(l, EPOLL_CTL_ADD, 0);
}

int main(int count, char **words) {
    if (count < 7) {
        fprintf(stderr, "usage: load PORT CONNECTIONS BYTES RECIPIENTS SECONDS PATTERN [MESSAGES]\n");
        return 2;
    }
    int connections = atoi(words[2]), alive;
    port = atoi(words[1]);
    body_bytes = (size_t)atol(words[3]);
    if (body_bytes < 8) body_bytes = 8;
    recipients = atoi(words[4]);
    seconds = atof(words[5]);
    pattern = words[6];
    limit_messages = count > 7 ? atol(words[7]) : 0;
    if (recipients > 60) recipients = 60;
    body = malloc(body_bytes);
    for (size_t i = 0; i < body_bytes; i++) {
        size_t column = i % 72;
        body[i] = column == 70 ? '\r' : column == 71 ? '\n' : (char)('a' + (i / 72 + column) % 26);
    }
    for (size_t i = body_bytes - 8; i < body_bytes - 5; i++) body[i] = 'z';
    memcpy(body + body_bytes - 5, "\r\n.\r\n", 5);
    latencies = calloc(MAX_LATENCIES, sizeof *latencies);
    poller = epoll_create1(0);
    struct link *links = calloc((size_t)connections, sizeof *links);
    for (int i = 0; i < connections; i++) open_link(&links[i]);
    alive = connections;
    started = clock_now();
    struct epoll_event events[128];
    while (alive > 0 && clock_now() - started < seconds + 20) {
        int ready = epoll_wait(poller, events, 128, 200);
        for (int i = 0; i < ready; i++) {
            struct link *l = events[i].data.ptr;
            int going = events[i].events & EPOLLOUT ? push(l) : 0;
            if (going == 0 && events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) going = take(l);
            if (going < 0) {
                close(l->fd);
                alive--;
            }
        }
    }
    double spent = clock_now() - started;
    size_t kept = (size_t)(acknowledged < MAX_LATENCIES ? acknowledged : MAX_LATENCIES);
    qsort(latencies, kept, sizeof *latencies, by_value);
    for (char *c = complaint; *c; c++)
        if (*c == '"' || *c == '\\' || *c < ' ') *c = ' ';
    double window = limit_messages ? spent : seconds;
    printf("{\"acknowledged\": %ld, \"per_second\": %.1f, \"p50_ms\": %.3f, \"p99_ms\": %.3f, \"failed\": %ld, "
           "\"unfinished\": %d, \"complaint\": \"%s\"}\n",
           acknowledged, (double)(limit_messages ? acknowledged : counted) / window,
           kept ? latencies[kept / 2] * 1e3 : 0, kept ? latencies[(size_t)((double)kept * .99)] * 1e3 : 0, failed,
           alive, complaint);
    return 0;
}
