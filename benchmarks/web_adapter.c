/*
 * A stand-in for the Lambda Web Adapter: a Runtime API client that passes each event on to a web server over HTTP.
 *
 *   web_adapter --port PORT [--slots N] [--stream]
 *
 * As the adapter does, it waits until the server listens, then polls with N threads, makes a request of each event, sends
 * it over a connection that stays open, and answers with what comes back: whole, or with --stream as it comes. It takes
 * events of function URLs, and requests without a body only, which is all that the benchmark sends. It adds no headers of
 * its own, logs nothing, and decodes no JSON beyond what it needs: it costs less than the adapter, not more. It ends with
 * status 1 when anything is not as expected.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define SIZE (256 * 1024) /* of an event, a response, and what is made of either */

static bool streaming;
static int api_port, web_port;

struct peer {
    int fd;
    size_t start, end; /* of what was received and not consumed */
    char data[SIZE + 1];
};

struct slot {
    struct peer api, web;
    char out[SIZE], body[SIZE], head[8192];
};

static _Noreturn void fail(const char *what) {
    fprintf(stderr, "web adapter: %s\n", what);
    exit(1);
}

static int try_connect(int port) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    if (connect(fd, (struct sockaddr *)&to, sizeof to)) {
        close(fd);
        return -1;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

static void reconnect(struct peer *peer, int port) {
    if (peer->fd > 0) close(peer->fd);
    if ((peer->fd = try_connect(port)) < 0) fail("a connection was refused");
    peer->start = peer->end = 0;
}

static void put(struct peer *peer, const char *data, size_t length) {
    while (length) {
        ssize_t sent = send(peer->fd, data, length, MSG_NOSIGNAL);
        if (sent <= 0) fail("a connection broke while it was written to");
        data += sent, length -= sent;
    }
}

static void more(struct peer *peer) {
    if (peer->start == peer->end) peer->start = peer->end = 0;
    if (peer->start && peer->end > SIZE / 2) {
        memmove(peer->data, peer->data + peer->start, peer->end - peer->start);
        peer->end -= peer->start, peer->start = 0;
    }
    ssize_t got = recv(peer->fd, peer->data + peer->end, SIZE - peer->end, 0);
    if (got <= 0) fail("a connection ended, or a message is too long");
    peer->end += got;
    peer->data[peer->end] = 0;
}

/* Consume up to the end of `mark`; return what was there, ended by NUL in place of the mark. */
static char *until(struct peer *peer, const char *mark) {
    char *found;
    while (peer->start == peer->end || !(found = memmem(peer->data + peer->start, peer->end - peer->start, mark, strlen(mark))))
        more(peer);
    char *text = peer->data + peer->start;
    *found = 0;
    peer->start = found + strlen(mark) - peer->data;
    return text;
}

static char *take(struct peer *peer, size_t length) {
    while (peer->end - peer->start < length) more(peer);
    char *data = peer->data + peer->start;
    peer->start += length;
    return data;
}

static const char *header(const char *head, const char *name) {
    size_t length = strlen(name);
    for (const char *line = strchr(head, '\n'); line; line = strchr(line, '\n'))
        if (!strncasecmp(++line, name, length) && line[length] == ':') return line + length + 2;
    return NULL;
}

/* The JSON string after `"name":`, up to its quote. */
static const char *string(const char *json, const char *name, int *length) {
    char key[64];
    snprintf(key, sizeof key, "\"%s\"", name);
    const char *at = strstr(json, key);
    if (!at || !(at = strchr(at + strlen(key), '"'))) fail("the event lacks something");
    const char *end = strchr(++at, '"');
    *length = end - at;
    return at;
}

static size_t make_request(const char *event, char *out) {
    int method_length, path_length, query_length;
    const char *method = string(event, "method", &method_length), *path = string(event, "rawPath", &path_length);
    const char *query = string(event, "rawQueryString", &query_length);
    size_t at = sprintf(out, "%.*s %.*s%s%.*s HTTP/1.1\r\n", method_length, method, path_length, path,
                        query_length ? "?" : "", query_length, query);
    const char *next = strstr(event, "\"headers\""), *stop;
    if (!next || !(next = strchr(next, '{')) || !(stop = strchr(next, '}'))) fail("the event has no headers");
    while ((next = strchr(next, '"')) && next < stop) {
        const char *name = next + 1, *name_end = strchr(name, '"');
        const char *value = strchr(name_end + 1, '"') + 1, *value_end = value;
        while (*value_end != '"') value_end += *value_end == '\\' ? 2 : 1;
        at += sprintf(out + at, "%.*s: %.*s\r\n", (int)(name_end - name), name, (int)(value_end - value), value);
        next = value_end + 1;
    }
    return at + sprintf(out + at, "\r\n");
}

/* Status and headers of the response as members of a JSON object, without its braces. */
static size_t describe(const char *head, char *out) {
    size_t at = sprintf(out, "\"statusCode\":%d,\"headers\":{", atoi(head + 9));
    const char *separator = "";
    for (const char *line = strchr(head, '\n'); line; line = strchr(line, '\n')) {
        const char *colon = strchr(++line, ':'), *end = strpbrk(line, "\r");
        if (!end) end = line + strlen(line);
        if (!colon || !strncasecmp(line, "transfer-encoding", 17) || !strncasecmp(line, "connection", 10)) continue;
        at += sprintf(out + at, "%s\"%.*s\":\"%.*s\"", separator, (int)(colon - line), line, (int)(end - colon - 2), colon + 2);
        separator = ",";
    }
    return at + sprintf(out + at, "}");
}

/* The next piece of a body, and whether it is the last. */
static char *piece(struct peer *web, const char *length_told, size_t *length, bool *last) {
    if (length_told) {
        *length = atol(length_told), *last = true;
        return take(web, *length);
    }
    *length = strtol(until(web, "\r\n"), NULL, 16);
    *last = !*length;
    char *data = take(web, *length + 2);
    return data;
}

static size_t escape(const char *body, size_t length, char *out) {
    char *at = out;
    for (size_t i = 0; i < length; i++) {
        unsigned char c = body[i];
        if (c == '"' || c == '\\') *at++ = '\\', *at++ = c;
        else if (c < 0x20) at += sprintf(at, "\\u%04x", c);
        else *at++ = c;
    }
    return at - out;
}

static void answer_whole(struct slot *slot, const char *id, const char *head, const char *told) {
    size_t body = 0, length;
    char *out = slot->body;
    size_t described = describe(head, slot->head);
    body += sprintf(out, "{%.*s,\"body\":\"", (int)described, slot->head);
    for (bool last = false; !last;) {
        char *data = piece(&slot->web, told, &length, &last);
        body += escape(data, length, out + body);
    }
    body += sprintf(out + body, "\",\"isBase64Encoded\":false}");
    int at = sprintf(slot->out, "POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                     "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n", id, body);
    memcpy(slot->out + at, out, body);
    put(&slot->api, slot->out, at + body);
}

static void answer_as_it_comes(struct slot *slot, const char *id, const char *head, const char *told) {
    size_t described = describe(head, slot->head), length;
    int at = sprintf(slot->out, "POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                     "Content-Type: application/vnd.awslambda.http-integration-response\r\n"
                     "Lambda-Runtime-Function-Response-Mode: streaming\r\nTransfer-Encoding: chunked\r\n\r\n"
                     "%zx\r\n{%.*s}", id, described + 2 + 8, (int)described, slot->head);
    memset(slot->out + at, 0, 8);
    memcpy(slot->out + at + 8, "\r\n", 2);
    put(&slot->api, slot->out, at + 10);
    for (bool last = false; !last;) {
        char *data = piece(&slot->web, told, &length, &last);
        if (!length) break;
        int head_length = sprintf(slot->out, "%zx\r\n", length);
        memcpy(slot->out + head_length, data, length);
        memcpy(slot->out + head_length + length, "\r\n", 2);
        put(&slot->api, slot->out, head_length + length + 2);
    }
    put(&slot->api, "0\r\n\r\n", 5);
}

static void expect(const char *head, const char *status) {
    if (strncmp(head + 9, status, 3)) fail(head);
}

static void *serve(void *nothing) {
    (void)nothing;
    struct slot *slot = calloc(1, sizeof *slot);
    reconnect(&slot->api, api_port);
    reconnect(&slot->web, web_port);
    static const char poll[] = "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
    for (;;) {
        put(&slot->api, poll, sizeof poll - 1);
        char *head = until(&slot->api, "\r\n\r\n");
        expect(head, "200");
        const char *told = header(head, "content-length"), *named = header(head, "lambda-runtime-aws-request-id");
        if (!told || !named) fail("an event lacks its length or its id");
        char id[64];
        snprintf(id, sizeof id, "%.*s", (int)strcspn(named, "\r\n"), named);
        size_t length = atol(told);
        char *event = take(&slot->api, length);
        memcpy(slot->body, event, length);
        slot->body[length] = 0;
        put(&slot->web, slot->out, make_request(slot->body, slot->out));
        head = strdup(until(&slot->web, "\r\n\r\n"));
        told = header(head, "content-length");
        (streaming ? answer_as_it_comes : answer_whole)(slot, id, head, told);
        free(head);
        head = until(&slot->api, "\r\n\r\n");
        expect(head, "202");
        if ((told = header(head, "content-length"))) take(&slot->api, atol(told));
        if (streaming) reconnect(&slot->api, api_port); /* as the platform wants it after a stream */
    }
}

int main(int count, char **arguments) {
    int slots = 1;
    for (int i = 1; i < count; i++) {
        if (!strcmp(arguments[i], "--stream")) streaming = true;
        else if (!strcmp(arguments[i], "--slots") && i + 1 < count) slots = atoi(arguments[++i]);
        else if (!strcmp(arguments[i], "--port") && i + 1 < count) web_port = atoi(arguments[++i]);
        else fail("unknown option");
    }
    const char *api = getenv("AWS_LAMBDA_RUNTIME_API");
    if (!api || !strchr(api, ':') || !web_port) fail("--port or AWS_LAMBDA_RUNTIME_API is missing");
    api_port = atoi(strchr(api, ':') + 1);
    int fd;
    while ((fd = try_connect(web_port)) < 0) usleep(10000); /* as often as the adapter looks */
    close(fd);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 128 * 1024);
    pthread_t thread;
    for (int i = 1; i < slots; i++)
        if (pthread_create(&thread, &attributes, serve, NULL)) fail("no more threads");
    serve(NULL);
    return 0;
}
