/*
 * The ceiling: a Runtime API client that does no more than the protocol asks, in one thread.
 *
 *   client [--echo] [--pipeline] [--connections N]
 *
 * It answers every event with a fixed JSON object, or with the event itself (--echo). By default it writes an answer,
 * reads the acknowledgement, and writes the next poll, as awslambdaric does; with --pipeline the answer and the next
 * poll go out in one write. One connection is waited for in recv(2), several in epoll_wait(2). What a runtime needs
 * beyond this is its own cost; what this needs is the server's and the kernel's. It ends with status 1 when anything is
 * not as expected.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define BUFFER_SIZE (8 * 1024 * 1024) /* an event of at most 6 MiB and its head */
#define NOOP_ANSWER "{\"statusCode\": 200}"

static bool echo, pipeline;
static const char *address; /* host:port, for the Host header */
static char poll_text[256];
static int poll_length;

struct connection {
    int fd;
    bool answered;   /* the acknowledgement of an answer comes next, not an event */
    size_t buffered; /* bytes in `buffer`, from the beginning of the next response */
    char *buffer;
};

struct response {
    int status;
    char *head, *body;
    size_t head_length, body_length;
};

static void fail(const char *what) {
    fprintf(stderr, "benchmark client: %s\n", what);
    exit(1);
}

static const char *header(const struct response *response, const char *name) {
    size_t length = strlen(name);
    const char *line = response->head, *end = response->head + response->head_length;
    while ((line = memchr(line, '\n', end - line)) && ++line < end)
        if (!strncasecmp(line, name, length) && line[length] == ':') return line + length + 2;
    fail("a header is missing");
    return NULL;
}

/* Look for a whole response in the buffer; it is valid until it is discarded. */
static bool next_response(struct connection *c, struct response *response) {
    char *end = memmem(c->buffer, c->buffered, "\r\n\r\n", 4);
    if (!end) return false;
    response->head = c->buffer;
    response->head_length = end + 4 - c->buffer;
    response->status = atoi(c->buffer + strlen("HTTP/1.1 "));
    response->body = c->buffer + response->head_length;
    response->body_length = strtoull(header(response, "Content-Length"), NULL, 10);
    return c->buffered >= response->head_length + response->body_length;
}

static void discard(struct connection *c, const struct response *response) {
    size_t used = response->head_length + response->body_length;
    c->buffered -= used;
    memmove(c->buffer, c->buffer + used, c->buffered);
}

static void send_all(struct connection *c, struct iovec *parts, int count) {
    while (count) {
        ssize_t sent = writev(c->fd, parts, count);
        if (sent < 0) fail("the connection was closed");
        while (count && (size_t)sent >= parts->iov_len) {
            sent -= parts->iov_len;
            parts++;
            count--;
        }
        if (count) {
            parts->iov_base = (char *)parts->iov_base + sent;
            parts->iov_len -= sent;
        }
    }
}

static void send_poll(struct connection *c) {
    send_all(c, &(struct iovec){poll_text, poll_length}, 1);
}

static void send_answer(struct connection *c, const struct response *event) {
    char head[512], *body = echo ? event->body : NOOP_ANSWER;
    size_t body_length = echo ? event->body_length : strlen(NOOP_ANSWER);
    int head_length = snprintf(head, sizeof head,
                               "POST /2018-06-01/runtime/invocation/%.36s/response HTTP/1.1\r\nHost: %s\r\n"
                               "Content-Type: application/json\r\nLambda-Runtime-Invocation-Id: %.36s\r\n"
                               "Content-Length: %zu\r\n\r\n",
                               header(event, "Lambda-Runtime-Aws-Request-Id"), address,
                               header(event, "Lambda-Runtime-Invocation-Id"), body_length);
    struct iovec parts[] = {{head, head_length}, {body, body_length}, {poll_text, poll_length}};
    send_all(c, parts, pipeline ? 3 : 2);
}

static void on_response(struct connection *c, const struct response *response) {
    if (c->answered) {
        if (response->status != 202) fail("an answer was refused");
        if (!pipeline) send_poll(c);
    } else {
        if (response->status != 200) fail("a poll was refused");
        send_answer(c, response);
    }
    discard(c, response);
    c->answered = !c->answered;
}

static void on_readable(struct connection *c) {
    ssize_t got = recv(c->fd, c->buffer + c->buffered, BUFFER_SIZE - c->buffered, 0);
    if (got <= 0) fail("the connection was closed");
    c->buffered += got;
    for (struct response response; next_response(c, &response);) on_response(c, &response);
}

static void open_connection(struct connection *c) {
    char host[64];
    int port, on = 1;
    if (!address || sscanf(address, "%63[^:]:%d", host, &port) != 2) fail("AWS_LAMBDA_RUNTIME_API is not host:port");
    struct sockaddr_in peer = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = inet_addr(host)};
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(c->fd, (struct sockaddr *)&peer, sizeof peer)) fail("nothing listens at AWS_LAMBDA_RUNTIME_API");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (!(c->buffer = malloc(BUFFER_SIZE))) fail("no memory");
}

int main(int count, char **arguments) {
    int connections = 1;
    for (int i = 1; i < count; i++) {
        echo |= !strcmp(arguments[i], "--echo");
        pipeline |= !strcmp(arguments[i], "--pipeline");
        if (!strcmp(arguments[i], "--connections") && i + 1 < count) connections = atoi(arguments[++i]);
    }
    address = getenv("AWS_LAMBDA_RUNTIME_API");
    poll_length = snprintf(poll_text, sizeof poll_text,
                           "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: %s\r\n\r\n", address);
    struct connection *all = calloc(connections, sizeof *all);
    int epoll = epoll_create1(0);
    if (connections < 1 || !all || epoll < 0) fail("no connections");
    for (struct connection *c = all; c < all + connections; c++) {
        open_connection(c);
        struct epoll_event interest = {.events = EPOLLIN, .data.ptr = c};
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &interest)) fail("epoll_ctl");
        send_poll(c);
    }
    while (connections == 1) on_readable(all);
    for (;;) {
        struct epoll_event ready[256];
        int ready_count = epoll_wait(epoll, ready, 256, -1);
        for (int i = 0; i < ready_count; i++) on_readable(ready[i].data.ptr);
    }
}
