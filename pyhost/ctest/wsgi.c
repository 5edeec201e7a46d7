// The WSGI interface inside a Python that is there already, for wsgi.py: a library
// that plays the front (front.c) for one request at a time. wsgi.py loads it with
// ctypes.PyDLL, so every function here is called with the GIL held.
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "front.h"
#include "../application.h"
#include "../control.h"
#include "../python_api.h"
#include "../spool.h"
#include "../wsgi.h"

#define SHOWN __attribute__((visibility("default")))

enum { STREAM = 5 };

static struct front front;
static struct gb_segment segment;
static struct gb_claim claim;
static uint64_t ran; // the word of the last request
static int control;  // the front's end

// What the client does during a request; all of it is set before its thread starts.
static struct client {
    const uint8_t *request; // the head, then the body
    size_t size, sent;
    size_t piece;       // bytes of the request that it gives at a time
    size_t leave_after; // response bytes after which it goes; SIZE_MAX: it stays
    int end;            // it says that the body is over
    int body;           // the file of its body, which the front gives to who wants it; -1: it has none
    uint8_t *response;
    size_t taken, room;
} client;

static void open_control(void)
{
    int pair[2];
    CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
    control = pair[0];
    segment.control = pair[1];
}

// Makes the bridge and prepares `application`. NULL, or why not.
SHOWN const char *test_open(const char *helper, const char *application, const char *directory)
{
    static char error[256];
    static struct gb_worker_settings settings;
    settings = (struct gb_worker_settings){.application = application,
                                           .chdir = directory,
                                           .interface = "wsgi",
                                           .loop = "auto",
                                           .lifespan = "auto",
                                           .threads = 1};
    if (front.base == NULL) {
        front_open(&front, &segment);
        gb_claim_open(&claim, &segment);
        open_control();
        if (gb_python_bind(NULL, error, sizeof error) != 0)
            return error;
        if (gb_python_module("_gobridge", helper) != 0)
            return gb_failure();
    }
    struct gb_application loaded;
    return gb_application_load(&loaded, &settings) != 0 || gb_wsgi_prepare(&settings, &loaded) != 0 ? gb_failure()
                                                                                                    : NULL;
}

static void reset_stream(void)
{
    struct gb_stream *s = &front.stream[STREAM];
    memset((char *)s + sizeof s->word, 0, sizeof *s - sizeof s->word);
}

// Gives the next piece of the request, if there is room for it.
static void give(void)
{
    size_t n = client.size - client.sent < client.piece ? client.size - client.sent : client.piece;
    if (n > 0)
        client.sent += front_write(&front, STREAM, client.request + client.sent, n);
    if (client.sent == client.size && client.end && !(atomic_load(&front.stream[STREAM].front) & GB_BODY_END))
        front_set(&front, STREAM, GB_BODY_END);
}

static void take(void)
{
    if (client.room - client.taken < PIPE) {
        client.room = 2 * client.room + PIPE;
        client.response = realloc(client.response, client.room);
        CHECK(client.response != NULL);
    }
    client.taken += front_read(&front, STREAM, client.response + client.taken, PIPE);
    if (client.taken >= client.leave_after)
        front_set(&front, STREAM, GB_CLOSED);
}

// Gives the body's file, if it is waited for: the front's part and the watcher's.
static void pass(void)
{
    if (client.body < 0 || atomic_load(&front.stream[STREAM].request.reader_waits) != GB_WAITS_FILE)
        return;
    front_set(&front, STREAM, GB_BODY_PASSED);
    gb_spool_come(STREAM, ran, client.body);
    client.body = -1;
}

static bool is_done(void)
{
    return atomic_load(&front.stream[STREAM].word) >> GB_STATE_SHIFT == GB_DONE;
}

static void *live(void *unused)
{
    while (!is_done()) {
        give();
        take();
        pass();
        usleep(20);
    }
    return unused;
}

static int body = -1;

// The body of the next request is in this file, which is taken over.
SHOWN void test_body(int file)
{
    body = file;
}

// Runs one request. With `piece` 0 the whole request is there before, and nobody
// takes the response until it is over: both must fit into a pipe. Returns the
// outcome; *response and *size are good until the next call.
SHOWN uint32_t test_run(const uint8_t *request, size_t size, size_t piece, int end, size_t leave_after,
                        const uint8_t **response, size_t *response_size)
{
    pthread_t thread;
    bool alive = piece > 0;
    reset_stream();
    client = (struct client){.request = request,
                             .size = size,
                             .piece = alive ? piece : size,
                             .leave_after = leave_after,
                             .end = end,
                             .body = body,
                             .response = client.response,
                             .room = client.room};
    body = -1;
    if (leave_after == 0)
        front_set(&front, STREAM, GB_CLOSED);
    give();
    struct gb_hint hint = front_queue(&front, STREAM);
    CHECK(gb_claim_take(&claim, &hint));
    ran = claim.word;
    if (alive)
        CHECK(pthread_create(&thread, NULL, live, NULL) == 0);
    gb_wsgi_run(&claim);
    CHECK(gb_py.PyErr_Occurred() == NULL);
    CHECK(is_done() && claim.word == 0);
    if (alive)
        CHECK(pthread_join(thread, NULL) == 0);
    if (client.body >= 0) // nobody wanted it
        close(client.body);
    while ((uint32_t)atomic_load(&front.stream[STREAM].response.written) !=
           atomic_load(&front.stream[STREAM].response.read))
        take();
    *response = client.response;
    *response_size = client.taken;
    return atomic_load(&front.stream[STREAM].outcome);
}

// The descriptor that the last request has sent, for the caller to close; -1: none.
SHOWN int test_file(void)
{
    static struct gb_packet packet;
    char none;
    if (recv(control, &none, 1, MSG_PEEK | MSG_DONTWAIT) < 0)
        return -1;
    CHECK(gb_receive(control, &packet) == 1);
    CHECK(packet.message.kind == GB_MSG_FILE && packet.message.size == 0 && packet.descriptors == 1);
    CHECK(packet.message.a == STREAM && packet.message.b == ran && ran >> GB_STATE_SHIFT == GB_RUNNING);
    return gb_packet_take(&packet, 0);
}

// Closes the front's end of the control socket, or makes a new one.
SHOWN void test_control(int open)
{
    close(control);
    control = -1;
    if (!open)
        return;
    close(segment.control);
    open_control();
}

// Bytes that the running request has written so far.
SHOWN uint32_t test_written(void)
{
    return (uint32_t)atomic_load(&front.stream[STREAM].response.written);
}

// The client leaves, in the middle of the running request.
SHOWN void test_leave(void)
{
    front_set(&front, STREAM, GB_CLOSED);
}

static double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

// Runs the same request `times` times; returns the microseconds that one of them
// takes from its claim to its finish. Request and response must fit into a pipe.
SHOWN double test_speed(const uint8_t *request, size_t size, int times)
{
    double spent = 0;
    for (int i = 0; i < times; i++) {
        reset_stream();
        CHECK(front_write(&front, STREAM, request, size) == size);
        front_set(&front, STREAM, GB_BODY_END);
        struct gb_hint hint = front_queue(&front, STREAM);
        CHECK(gb_claim_take(&claim, &hint));
        double since = now_us();
        gb_wsgi_run(&claim);
        spent += now_us() - since;
    }
    return spent / times;
}
