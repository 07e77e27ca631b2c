/*
 * The ceiling: a Runtime API client that does no more than the protocol asks, on one blocking connection.
 *
 *   client [--echo] [--pipeline]
 *
 * It answers every event with a fixed JSON object, or with the event itself (--echo). By default it writes an answer,
 * reads the acknowledgement, and writes the next poll, as awslambdaric does; with --pipeline the answer and the next
 * poll go out in one write. What a runtime needs beyond this is its own cost; what this needs is the server's and the
 * kernel's. It ends with status 1 when anything is not as expected.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define BUFFER_SIZE (8 * 1024 * 1024) /* an event of at most 6 MiB and its head */
#define NOOP_ANSWER "{\"statusCode\": 200}"

static int connection;
static char *buffer;
static size_t buffered; /* bytes in `buffer`, from the beginning of the next response */

struct response {
    int status;
    char *head, *body;
    size_t head_length, body_length;
};

static void fail(const char *what) {
    fprintf(stderr, "benchmark client: %s\n", what);
    exit(1);
}

static void receive(void) {
    ssize_t got = recv(connection, buffer + buffered, BUFFER_SIZE - buffered, 0);
    if (got <= 0) fail("the connection was closed");
    buffered += got;
}

static const char *header(const struct response *response, const char *name) {
    size_t length = strlen(name);
    const char *line = response->head, *end = response->head + response->head_length;
    while ((line = memchr(line, '\n', end - line)) && ++line < end)
        if (!strncasecmp(line, name, length) && line[length] == ':') return line + length + 2;
    fail("a header is missing");
    return NULL;
}

/* Read one response; it is valid until it is discarded. */
static struct response read_response(void) {
    struct response response = {.head = buffer};
    char *end;
    while (!(end = memmem(buffer, buffered, "\r\n\r\n", 4))) receive();
    response.head_length = end + 4 - buffer;
    response.status = atoi(buffer + strlen("HTTP/1.1 "));
    response.body = buffer + response.head_length;
    response.body_length = strtoull(header(&response, "Content-Length"), NULL, 10);
    while (buffered < response.head_length + response.body_length) receive();
    return response;
}

static void discard(const struct response *response) {
    size_t used = response->head_length + response->body_length;
    buffered -= used;
    memmove(buffer, buffer + used, buffered);
}

static void send_all(struct iovec *parts, int count) {
    while (count) {
        ssize_t sent = writev(connection, parts, count);
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

static void open_connection(const char *address) {
    char host[64];
    int port, on = 1;
    if (!address || sscanf(address, "%63[^:]:%d", host, &port) != 2) fail("AWS_LAMBDA_RUNTIME_API is not host:port");
    struct sockaddr_in peer = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = inet_addr(host)};
    connection = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(connection, (struct sockaddr *)&peer, sizeof peer)) fail("nothing listens at AWS_LAMBDA_RUNTIME_API");
    setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

int main(int count, char **arguments) {
    bool echo = false, pipeline = false;
    for (int i = 1; i < count; i++) {
        echo |= !strcmp(arguments[i], "--echo");
        pipeline |= !strcmp(arguments[i], "--pipeline");
    }
    char *address = getenv("AWS_LAMBDA_RUNTIME_API"), poll_text[256];
    open_connection(address);
    buffer = malloc(BUFFER_SIZE);
    int poll_length = snprintf(poll_text, sizeof poll_text,
                               "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: %s\r\n\r\n", address);
    send_all(&(struct iovec){poll_text, poll_length}, 1);
    for (;;) {
        struct response event = read_response();
        if (event.status != 200) fail("a poll was refused");
        char head[512], *body = echo ? event.body : NOOP_ANSWER;
        size_t body_length = echo ? event.body_length : strlen(NOOP_ANSWER);
        int head_length = snprintf(head, sizeof head,
                                   "POST /2018-06-01/runtime/invocation/%.36s/response HTTP/1.1\r\nHost: %s\r\n"
                                   "Content-Type: application/json\r\nLambda-Runtime-Invocation-Id: %.36s\r\n"
                                   "Content-Length: %zu\r\n\r\n",
                                   header(&event, "Lambda-Runtime-Aws-Request-Id"), address,
                                   header(&event, "Lambda-Runtime-Invocation-Id"), body_length);
        struct iovec parts[] = {{head, head_length}, {body, body_length}, {poll_text, poll_length}};
        send_all(parts, pipeline ? 3 : 2);
        discard(&event);
        struct response acknowledgement = read_response();
        if (acknowledgement.status != 202) fail("an answer was refused");
        discard(&acknowledgement);
        if (!pipeline) send_all(&(struct iovec){poll_text, poll_length}, 1);
    }
}
