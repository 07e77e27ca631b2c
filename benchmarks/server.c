/*
 * A Runtime API server for benchmarks: hands one fixed event to whatever polls, as fast as one core can.
 *
 *   server --event FILE [--content-type TYPE] [--slots N] [--warmup SECONDS] [--seconds S | --count N] [--answer FILE]
 *          [--spin 0|1]
 *
 * One thread, epoll, loopback, any number of connections. A poll (`next`) is answered at once. Every answer must carry
 * the id of an outstanding invocation; after the warm-up, in which a runtime may still change its encoder, it must also
 * be as long as the first one, whose body is kept in the file of --answer so that the caller can look at it. Each
 * response is written by a system call of its own, as the platform's server does, also when the runtime sent its answer
 * and the next poll in one write. With --spin the server never sleeps, for a core of its own: on a virtual machine,
 * waking another core costs more than handling a request; without it, the core is free for others when it is idle.
 *
 * The run has two phases, warm-up and measurement. A phase begins when all slots poll and ends when they all poll
 * again: at both ends the runtime is at rest, so that its CPU time and memory can be read from outside without a race.
 * The server speaks JSON lines on standard output; after "warm" and "done" it waits for a line on standard input:
 *
 *   {"event": "listening", "port": 40123}
 *   {"event": "first_next", "monotonic_ns": ...}      time of the first poll by CLOCK_MONOTONIC
 *   {"event": "warm", "ready_ns": ..., ...}           the warm-up is over; the next line read begins the measurement
 *   {"event": "done", "invocations": ..., ...}        the measurement is over; the next line read ends the server
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define INPUT_SIZE (256 * 1024) /* a request head must fit */
#define OUTPUT_SIZE 2048        /* so must a response head */
#define OUTSTANDING 65536       /* invocations that may be under way at once */
#define SECOND 1000000000LL
#define FUNCTION_TIMEOUT_MS (15 * 60 * 1000)

#define ARN "arn:aws:lambda:eu-west-1:123456789012:function:benchmark"
#define OK_BODY "{\"status\":\"OK\"}\n"
#define BAD_ID_BODY "{\"errorMessage\":\"Invalid request ID\",\"errorType\":\"InvalidRequestID\"}"
#define NOT_FOUND_BODY "{\"errorMessage\":\"No such path\",\"errorType\":\"NotFound\"}"
#define REGISTERED_BODY "{\"functionName\":\"benchmark\",\"functionVersion\":\"$LATEST\",\"handler\":\"benchmark\"}"
#define IDENTIFIER "Lambda-Extension-Identifier: 6f3b1c9e-5eed-4000-8000-00000000e001\r\n"

enum route { NEXT, RESPONSE, ERROR, INIT_ERROR, EXTENSION_REGISTER, EXTENSION_NEXT, NOT_FOUND };
enum state { HEAD, BODY, CHUNK_SIZE, CHUNK_DATA, TRAILERS };
enum phase { BOOT, WARM_UP, MEASUREMENT };

struct connection {
    int fd;
    bool held;            /* a poll that is not answered yet: nothing behind it is read */
    bool close_after;     /* the request said `Connection: close` */
    bool blocked;         /* the socket's buffer is full: waiting for EPOLLOUT */
    enum state state;
    enum route route;
    uint64_t invocation;  /* the one this answer is for; 0 when the id is not one of ours */
    uint64_t body_length; /* received so far */
    uint64_t remaining;   /* of the body or the chunk, its CRLF included */
    FILE *capture;        /* where the body goes; NULL: nowhere */
    size_t start, end;    /* the unread part of `input` */
    char output[OUTPUT_SIZE];
    size_t output_sent, output_length;
    const char *payload;  /* follows `output` */
    size_t payload_left;
    struct connection *next_idle;
    char input[INPUT_SIZE + 64]; /* and room to read a number past the end of a short header */
};

static struct options {
    const char *event_path, *content_type, *answer_path;
    unsigned slots;
    bool spin;
    int64_t warmup_ns, measure_ns;
    uint64_t count; /* 0: bounded by time */
} options = {NULL, "application/json", NULL, 1, false, 0, SECOND, 0};

static char *event_body;
static size_t event_length;

/* The head of a `next` response, with the places of what changes from one to the next. */
static struct {
    char text[1024];
    size_t length, request_id, invocation_id, trace_root, trace_parent, deadline;
} head;

static int epoll;
static struct connection *idle_first, **idle_last = &idle_first;
static unsigned idle_count;

static enum phase phase = BOOT;
static int64_t ready_at, phase_start, phase_cpu_start, first_handed, last_answered;
static uint64_t last_invocation, handed, answered, under_way;
static uint64_t outstanding[OUTSTANDING];
static uint64_t errors, mismatches, connections, expected_length = UINT64_MAX;

static void fail(const char *what) {
    fprintf(stderr, "benchmark server: %s%s%s\n", what, errno ? ": " : "", errno ? strerror(errno) : "");
    exit(1);
}

static int64_t now(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return time.tv_sec * SECOND + time.tv_nsec;
}

/* ---- The run: phases, and what the caller is told --------------------------------------------------------------- */

static bool may_hand_out(void) {
    switch (phase) {
    case BOOT: return false;
    case WARM_UP: return options.warmup_ns && now(CLOCK_MONOTONIC) - phase_start < options.warmup_ns;
    default:
        if (options.count) return handed < options.count;
        return handed == 0 || now(CLOCK_MONOTONIC) - phase_start < options.measure_ns;
    }
}

static void begin(enum phase next) {
    phase = next;
    handed = answered = 0;
    phase_start = now(CLOCK_MONOTONIC);
    phase_cpu_start = now(CLOCK_PROCESS_CPUTIME_ID);
}

static void report(const char *what) {
    printf("{\"event\": \"%s\", \"invocations\": %" PRIu64 ", \"elapsed_ns\": %" PRId64 ", \"server_cpu_ns\": %" PRId64
           ", \"errors\": %" PRIu64 ", \"mismatches\": %" PRIu64 ", \"answer_bytes\": %" PRIu64
           ", \"connections\": %" PRIu64 ", \"ready_ns\": %" PRId64 "}\n",
           what, answered, answered ? last_answered - first_handed : 0, now(CLOCK_PROCESS_CPUTIME_ID) - phase_cpu_start,
           errors, mismatches, expected_length == UINT64_MAX ? 0 : expected_length, connections, ready_at);
    fflush(stdout);
}

static void wait_for_caller(void) {
    char byte;
    do {
        if (read(STDIN_FILENO, &byte, 1) != 1) exit(0);
    } while (byte != '\n');
}

/* ---- Writing ---------------------------------------------------------------------------------------------------- */

static void watch(struct connection *c, int operation, uint32_t events) {
    struct epoll_event interest = {.events = events, .data.ptr = c};
    if (epoll_ctl(epoll, operation, c->fd, &interest)) fail("epoll_ctl");
}

static void flush(struct connection *c) {
    while (c->output_sent < c->output_length || c->payload_left) {
        struct iovec parts[2] = {{c->output + c->output_sent, c->output_length - c->output_sent},
                                 {(void *)c->payload, c->payload_left}};
        ssize_t sent = writev(c->fd, parts, 2);
        if (sent < 0) {
            if (errno != EAGAIN) { /* the peer is gone: the read side will say so */
                c->close_after = true;
                break;
            }
            if (!c->blocked) watch(c, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
            c->blocked = true;
            return;
        }
        size_t of_head = (size_t)sent < parts[0].iov_len ? (size_t)sent : parts[0].iov_len;
        c->output_sent += of_head;
        c->payload += sent - of_head;
        c->payload_left -= sent - of_head;
    }
    c->output_sent = c->output_length = c->payload_left = 0;
    if (c->blocked) watch(c, EPOLL_CTL_MOD, EPOLLIN);
    c->blocked = false;
}

static void reply(struct connection *c, const char *status, const char *headers, const char *body) {
    c->output_length = snprintf(c->output, OUTPUT_SIZE,
                                "HTTP/1.1 %s\r\nContent-Type: application/json\r\n%s%sContent-Length: %zu\r\n\r\n%s",
                                status, headers, c->close_after ? "Connection: close\r\n" : "", strlen(body), body);
    flush(c);
}

static void put_digits(char *at, uint64_t value, unsigned base, int digits) {
    while (digits--) {
        at[digits] = "0123456789abcdef"[value % base];
        value /= base;
    }
}

static void send_event(struct connection *c) {
    uint64_t invocation = ++last_invocation;
    put_digits(head.text + head.request_id, invocation, 16, 12);
    put_digits(head.text + head.invocation_id, invocation, 16, 12);
    put_digits(head.text + head.trace_root, invocation, 16, 12);
    put_digits(head.text + head.trace_parent, invocation, 16, 12);
    put_digits(head.text + head.deadline, now(CLOCK_REALTIME_COARSE) / 1000000 + FUNCTION_TIMEOUT_MS, 10, 13);
    memcpy(c->output, head.text, head.length);
    c->output_length = head.length;
    c->payload = event_body;
    c->payload_left = event_length;

    outstanding[invocation % OUTSTANDING] = invocation;
    under_way++;
    if (handed++ == 0) first_handed = now(CLOCK_MONOTONIC);
    flush(c);
}

static size_t place(const char *marker, size_t offset) {
    return strstr(head.text, marker) - head.text + offset;
}

static void build_head(void) {
    char date[64];
    time_t seconds = time(NULL);
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime(&seconds));
    head.length = snprintf(head.text, sizeof head.text,
                           "HTTP/1.1 200 OK\r\n"
                           "Content-Type: %s\r\n"
                           "Lambda-Runtime-Aws-Request-Id: 6f3b1c9e-5eed-4000-8000-000000000000\r\n"
                           "Lambda-Runtime-Aws-Tenant-Id: \r\n"
                           "Lambda-Runtime-Client-Context: \r\n"
                           "Lambda-Runtime-Cognito-Identity: \r\n"
                           "Lambda-Runtime-Deadline-Ms: 0000000000000\r\n"
                           "Lambda-Runtime-Invocation-Id: 0a7d52e1-5eed-4000-8000-000000000000\r\n"
                           "Lambda-Runtime-Invoked-Function-Arn: " ARN "\r\n"
                           "Lambda-Runtime-Trace-Id: Root=1-%08llx-5eed5eed5eed000000000000;"
                           "Parent=5eed000000000000;Sampled=1\r\n"
                           "Date: %s\r\n"
                           "Content-Length: %zu\r\n\r\n",
                           options.content_type, (unsigned long long)seconds, date, event_length);
    head.request_id = place("Request-Id: ", 12 + 24);
    head.invocation_id = place("Invocation-Id: ", 15 + 24);
    head.trace_root = place("-5eed5eed5eed", 13);
    head.trace_parent = place("Parent=5eed", 11);
    head.deadline = place("Deadline-Ms: ", 13);
}

/* ---- Polls ------------------------------------------------------------------------------------------------------ */

static void hold(struct connection *c) {
    c->held = true;
    c->next_idle = NULL;
    *idle_last = c;
    idle_last = &c->next_idle;
    idle_count++;
}

static void forget(struct connection *c) {
    for (struct connection **link = &idle_first; *link; link = &(*link)->next_idle)
        if (*link == c) {
            *link = c->next_idle;
            if (idle_last == &c->next_idle) idle_last = link;
            idle_count--;
            return;
        }
}

static void on_next(struct connection *c) {
    static bool polled;
    if (!polled) {
        polled = true;
        printf("{\"event\": \"first_next\", \"monotonic_ns\": %" PRId64 "}\n", now(CLOCK_MONOTONIC));
        fflush(stdout);
    }
    if (!idle_first && may_hand_out())
        send_event(c);
    else
        hold(c);
}

static void go_on(struct connection *c);

/* Change the phase when the runtime is at rest; feed the polls that waited for that. */
static void advance(void) {
    while (under_way == 0 && idle_count >= options.slots && !may_hand_out()) {
        if (phase == BOOT) {
            ready_at = now(CLOCK_MONOTONIC); /* all slots poll */
            begin(WARM_UP);
        } else if (phase == WARM_UP) {
            report("warm");
            wait_for_caller();
            begin(MEASUREMENT);
        } else {
            report("done");
            wait_for_caller();
            exit(0);
        }
    }
    while (idle_first && may_hand_out()) {
        struct connection *c = idle_first;
        forget(c);
        c->held = false;
        send_event(c);
        go_on(c);
    }
}

/* ---- Requests --------------------------------------------------------------------------------------------------- */

static void on_answer(struct connection *c) {
    if (!c->invocation) {
        mismatches++;
        reply(c, "400 Bad Request", "", BAD_ID_BODY);
        return;
    }
    outstanding[c->invocation % OUTSTANDING] = 0;
    under_way--;
    answered++;
    last_answered = now(CLOCK_MONOTONIC);
    if (c->route == ERROR) {
        errors++;
    } else if (phase == MEASUREMENT) {
        if (expected_length == UINT64_MAX) expected_length = c->body_length;
        if (expected_length != c->body_length) mismatches++;
    }
    reply(c, "202 Accepted", "", OK_BODY);
}

static void on_request(struct connection *c) {
    if (c->capture && c->capture != stderr) fclose(c->capture);
    c->capture = NULL;
    c->state = HEAD;
    switch (c->route) {
    case NEXT: on_next(c); break;
    case RESPONSE:
    case ERROR: on_answer(c); break;
    case INIT_ERROR: reply(c, "202 Accepted", "", OK_BODY); break;
    case EXTENSION_REGISTER: reply(c, "200 OK", IDENTIFIER, REGISTERED_BODY); break;
    case EXTENSION_NEXT: c->held = true; break; /* there is never an event for an extension */
    case NOT_FOUND: reply(c, "404 Not Found", "", NOT_FOUND_BODY); break;
    }
}

static bool is(const char *text, size_t length, const char *expected) {
    return length == strlen(expected) && !memcmp(text, expected, length);
}

/* The value of the header when this line has that name (given in lower case), else NULL. */
static const char *value_of(const char *line, const char *name) {
    size_t length = strlen(name);
    if (strncasecmp(line, name, length) || line[length] != ':') return NULL;
    line += length + 1;
    return line + strspn(line, " \t");
}

#define INVOCATION "/2018-06-01/runtime/invocation/"
#define ID_LENGTH 36

static void set_route(struct connection *c, const char *path, size_t length) {
    size_t prefix = strlen(INVOCATION);
    c->route = NOT_FOUND;
    if (length > prefix && !memcmp(path, INVOCATION, prefix)) {
        path += prefix;
        length -= prefix;
        if (is(path, length, "next")) c->route = NEXT;
        if (length <= ID_LENGTH) return;
        if (is(path + ID_LENGTH, length - ID_LENGTH, "/response")) c->route = RESPONSE;
        if (is(path + ID_LENGTH, length - ID_LENGTH, "/error")) c->route = ERROR;
        uint64_t id = strtoull(path + 24, NULL, 16);
        bool ours = !memcmp(path, head.text + head.request_id - 24, 24) && outstanding[id % OUTSTANDING] == id;
        c->invocation = ours ? id : 0;
    } else if (is(path, length, "/2018-06-01/runtime/init/error")) {
        c->route = INIT_ERROR;
    } else if (is(path, length, "/2020-01-01/extension/register")) {
        c->route = EXTENSION_REGISTER;
    } else if (is(path, length, "/2020-01-01/extension/event/next")) {
        c->route = EXTENSION_NEXT;
    }
}

static void choose_capture(struct connection *c) {
    if (phase == MEASUREMENT && c->route == RESPONSE && c->invocation && options.answer_path) {
        c->capture = fopen(options.answer_path, "w");
        options.answer_path = NULL; /* the first one only */
    } else if ((c->route == ERROR && !errors) || c->route == INIT_ERROR) {
        c->capture = stderr;
    }
}

static bool read_head(struct connection *c) {
    char *text = c->input + c->start;
    char *end = memmem(text, c->end - c->start, "\r\n\r\n", 4);
    if (!end) return false;
    char *path = memchr(text, ' ', end - text);
    char *path_end = path ? memchr(path + 1, ' ', end - path - 1) : NULL;
    if (!path_end) fail("not a request line");
    c->start = end + 4 - c->input;
    c->body_length = c->remaining = 0;
    set_route(c, path + 1, path_end - path - 1);

    bool chunked = false;
    char *line = text;
    while ((line = (char *)memchr(line, '\n', end + 2 - line) + 1) < end) {
        const char *value;
        if ((value = value_of(line, "content-length"))) c->remaining = strtoull(value, NULL, 10);
        if ((value = value_of(line, "transfer-encoding"))) chunked = !strncasecmp(value, "chunked", 7);
        if ((value = value_of(line, "connection"))) c->close_after = !strncasecmp(value, "close", 5);
        if ((value = value_of(line, "lambda-runtime-invocation-id")) && strtoull(value + 24, NULL, 16) != c->invocation)
            c->invocation = 0;
        if ((value = value_of(line, "expect")) && send(c->fd, "HTTP/1.1 100 Continue\r\n\r\n", 25, 0) != 25)
            c->close_after = true;
    }
    choose_capture(c);
    if (chunked)
        c->state = CHUNK_SIZE;
    else if (c->remaining)
        c->state = BODY;
    else
        on_request(c);
    return true;
}

static bool read_data(struct connection *c) {
    size_t got = c->end - c->start < c->remaining ? c->end - c->start : c->remaining;
    if (!got) return false;
    c->remaining -= got;
    /* The last two bytes of a chunk are its CRLF, and may come apart. */
    size_t data = got;
    if (c->state == CHUNK_DATA && c->remaining < 2) {
        size_t crlf = 2 - c->remaining;
        data = got > crlf ? got - crlf : 0;
    }
    if (c->capture) fwrite(c->input + c->start, 1, data, c->capture);
    c->body_length += data;
    c->start += got;
    if (!c->remaining) {
        if (c->state == CHUNK_DATA)
            c->state = CHUNK_SIZE;
        else
            on_request(c);
    }
    return true;
}

static bool read_line(struct connection *c) {
    char *line = c->input + c->start;
    char *end = memchr(line, '\n', c->end - c->start);
    if (!end) return false;
    c->start = end + 1 - c->input;
    if (c->state == CHUNK_SIZE) {
        uint64_t size = strtoull(line, NULL, 16);
        c->remaining = size + 2;
        c->state = size ? CHUNK_DATA : TRAILERS;
    } else if (*line == '\r' || *line == '\n') {
        on_request(c);
    }
    return true;
}

/* Read requests from the input as long as there are whole pieces of them and the responses get out. */
static void process(struct connection *c) {
    bool more = true;
    while (more && !c->held && !c->blocked && !(c->close_after && c->state == HEAD)) {
        switch (c->state) {
        case HEAD: more = read_head(c); break;
        case BODY:
        case CHUNK_DATA: more = read_data(c); break;
        case CHUNK_SIZE:
        case TRAILERS: more = read_line(c); break;
        }
    }
}

/* ---- Sockets ---------------------------------------------------------------------------------------------------- */

static void drop(struct connection *c) {
    forget(c);
    close(c->fd);
    free(c);
}

static void go_on(struct connection *c) {
    process(c);
    if (c->close_after && c->state == HEAD && !c->held && !c->blocked) drop(c);
}

static void on_readable(struct connection *c) {
    if (c->start == c->end) c->start = c->end = 0;
    if (c->end == INPUT_SIZE) {
        memmove(c->input, c->input + c->start, c->end - c->start);
        c->end -= c->start;
        c->start = 0;
    }
    if (c->end == INPUT_SIZE) fail("a request head is too large, or too much was sent behind a poll");
    ssize_t got = recv(c->fd, c->input + c->end, INPUT_SIZE - c->end, 0);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) {
        drop(c);
        return;
    }
    c->end += got;
    go_on(c);
}

static void on_writable(struct connection *c) {
    flush(c);
    if (!c->blocked) go_on(c);
}

static void on_connection(int listener) {
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), on = 1;
    if (fd < 0) return;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct connection *c = calloc(1, sizeof *c);
    if (!c) fail("calloc");
    c->fd = fd;
    connections++;
    watch(c, EPOLL_CTL_ADD, EPOLLIN);
}

static int listen_on_loopback(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, size) || listen(listener, 1024)) fail("listen");
    getsockname(listener, (struct sockaddr *)&address, &size);
    printf("{\"event\": \"listening\", \"port\": %d}\n", ntohs(address.sin_port));
    fflush(stdout);
    return listener;
}

static void load_event(void) {
    struct stat status;
    int fd = options.event_path ? open(options.event_path, O_RDONLY) : -1;
    if (fd < 0 || fstat(fd, &status)) fail("--event FILE cannot be read");
    event_length = status.st_size;
    event_body = malloc(event_length + 1);
    for (size_t have = 0; have < event_length;) {
        ssize_t got = read(fd, event_body + have, event_length - have);
        if (got <= 0) fail("--event FILE cannot be read");
        have += got;
    }
    close(fd);
}

static void read_options(int count, char **arguments) {
    for (int i = 1; i < count; i += 2) {
        const char *name = arguments[i], *value = arguments[i + 1];
        if (!value) fail("an option has no value");
        if (!strcmp(name, "--event")) options.event_path = value;
        else if (!strcmp(name, "--content-type")) options.content_type = value;
        else if (!strcmp(name, "--answer")) options.answer_path = value;
        else if (!strcmp(name, "--slots")) options.slots = atoi(value);
        else if (!strcmp(name, "--spin")) options.spin = atoi(value);
        else if (!strcmp(name, "--warmup")) options.warmup_ns = atof(value) * SECOND;
        else if (!strcmp(name, "--seconds")) options.measure_ns = atof(value) * SECOND;
        else if (!strcmp(name, "--count")) options.count = strtoull(value, NULL, 10);
        else fail("unknown option; see the head of server.c");
    }
}

int main(int count, char **arguments) {
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* do not outlive the benchmark */
    signal(SIGPIPE, SIG_IGN);
    read_options(count, arguments);
    load_event();
    build_head();
    if ((epoll = epoll_create1(EPOLL_CLOEXEC)) < 0) fail("epoll_create1");
    int listener = listen_on_loopback();
    struct epoll_event interest = {.events = EPOLLIN, .data.ptr = NULL};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &interest)) fail("epoll_ctl");
    for (;;) {
        struct epoll_event ready[256];
        int ready_count = epoll_wait(epoll, ready, 256, options.spin ? 0 : -1);
        for (int i = 0; i < ready_count; i++) {
            struct connection *c = ready[i].data.ptr;
            if (!c)
                on_connection(listener);
            else if (c->blocked && ready[i].events & EPOLLOUT)
                on_writable(c);
            else if (ready[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
                on_readable(c);
        }
        advance();
    }
}
