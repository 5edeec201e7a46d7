// Tests of the worker's side of the bridge, without Python and without processes.
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "../control.h"
#include "../file.h"
#include "../spin.h"
#include "front.h"
#include "test_incoming.h"
#include "test_pace.h"
#include "test_seats.h"
#include "test_spool.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

// ---- Segment.

static const char *adopt(struct front *f)
{
    struct gb_segment s;
    return gb_segment_adopt(&s, f->base, f->size, 0, INCARNATION);
}

static void segment_refuses_what_does_not_fit(void)
{
    struct front f;
    struct gb_segment s;
    front_open(&f, &s);
    struct gb_header good = *f.header;
#define WRONG(field, value)                                                                                            \
    do {                                                                                                               \
        f.header->field = (value);                                                                                     \
        CHECK(adopt(&f) != NULL);                                                                                      \
        *f.header = good;                                                                                              \
        CHECK(adopt(&f) == NULL);                                                                                      \
    } while (0)
    WRONG(magic, 1);
    WRONG(version, GB_LAYOUT_VERSION + 1);
    WRONG(header_size, 0);
    WRONG(size, good.size + 1);
    WRONG(workers, 0);
    WRONG(workers, 2);
    WRONG(workers, GB_MAX_WORKERS + 1);
    WRONG(reactors, 0);
    WRONG(reactors, GB_MAX_REACTORS + 1);
    WRONG(streams, 0);
    WRONG(streams, STREAMS + 1);
    WRONG(streams, STREAMS * 2);
    WRONG(pipe_size, 0);
    WRONG(pipe_size, PIPE * 2);
    WRONG(pipe_size, PIPE + 4096 / 2);
    WRONG(inbox_entries, 0);
    WRONG(inbox_entries, 3);
    WRONG(inbox_entries, 1024);
    WRONG(summary_words, 0);
    WRONG(summary_words, 2);
    WRONG(spin_ns, GB_MAX_SPIN_NS + 1);
    WRONG(reactors_at, 0);
    WRONG(reactors_at, good.size);
    WRONG(workers_at, good.workers_at + 1);
    WRONG(workers_at, UINT64_MAX - 63);
    WRONG(worker_stride, 64);
    WRONG(worker_stride, UINT64_MAX - 63);
    WRONG(news_at, good.size - 64);
    WRONG(news_stride, 64);
    WRONG(streams_at, good.size - 64);
    WRONG(pipes_at, good.pipes_at + 4096);
    WRONG(pipes_at, good.pipes_at + 64);
    CHECK(gb_segment_adopt(&s, f.base, f.size - 4096, 0, INCARNATION) != NULL);
    CHECK(gb_segment_adopt(&s, f.base, 8, 0, INCARNATION) != NULL);
    CHECK(gb_segment_adopt(&s, f.base, f.size, 1, INCARNATION) != NULL);
    CHECK(gb_segment_adopt(&s, f.base, f.size, 0, INCARNATION + 1) != NULL);
    front_close(&f);
}

// ---- Inbox and claim.

static void inbox_gives_hints_in_order(void)
{
    struct front f;
    struct gb_segment s;
    struct gb_hint hint;
    front_open(&f, &s);
    s.taken = UINT32_MAX - 2; // the counters pass through zero
    atomic_store(&f.worker->taken, s.taken);
    atomic_store(&f.worker->put, s.taken);
    CHECK(gb_inbox_take(&s, &hint) == GB_INBOX_EMPTY && !gb_inbox_waiting(&s));
    for (uint32_t i = 0; i < INBOX; i++)
        front_queue(&f, i);
    CHECK(gb_inbox_waiting(&s));
    for (uint32_t i = 0; i < INBOX; i++)
        CHECK(gb_inbox_take(&s, &hint) == GB_INBOX_HINT && hint.stream == i);
    CHECK(gb_inbox_take(&s, &hint) == GB_INBOX_EMPTY && !gb_inbox_waiting(&s));
    atomic_store(&f.worker->put, s.taken + INBOX + 1);
    CHECK(gb_inbox_take(&s, &hint) == GB_INBOX_BROKEN);
    front_close(&f);
}

static void claim_is_won_once_and_only_with_the_right_word(void)
{
    struct front f;
    struct gb_segment s;
    struct gb_claim c;
    front_open(&f, &s);
    gb_claim_open(&c, &s);
    struct gb_hint old = front_queue(&f, 3), hint = front_queue(&f, 3);
    CHECK(!gb_claim_take(&c, &old)); // queued again since
    CHECK(front_news(&f, 0, 3));     // its room in the inbox may be waited for
    struct gb_hint other = hint;
    other.stream = STREAMS;
    CHECK(!gb_claim_take(&c, &other));
    other = hint;
    other.word += UINT64_C(1) << GB_INCARNATION_SHIFT;
    atomic_store(&f.stream[3].word, other.word);
    CHECK(!gb_claim_take(&c, &other)); // another worker's
    atomic_store(&f.stream[3].word, hint.word);
    CHECK(gb_claim_take(&c, &hint));
    CHECK(atomic_load(&f.stream[3].word) >> GB_STATE_SHIFT == GB_RUNNING);
    CHECK(!gb_claim_take(&c, &hint));
    gb_claim_close(&c);
    front_close(&f);
}

static void finish_stores_the_outcome_and_tells_the_reactor_once(void)
{
    struct front f;
    struct gb_segment s;
    struct gb_claim c;
    front_open(&f, &s);
    gb_claim_open(&c, &s);
    f.stream[70].reactor = 1;
    struct gb_hint hint = front_queue(&f, 70);
    CHECK(gb_claim_take(&c, &hint));
    CHECK(gb_response_try(&c, "end", 3, true) == 3);
    CHECK(!front_news(&f, 1, 70)); // the finish tells of both
    gb_claim_finish(&c, GB_ABORTED);
    CHECK(atomic_load(&f.stream[70].outcome) == GB_ABORTED);
    CHECK(atomic_load(&f.stream[70].word) >> GB_STATE_SHIFT == GB_DONE);
    CHECK(!front_news(&f, 0, 70) && front_news(&f, 1, 70));
    gb_claim_finish(&c, GB_FINISHED);
    CHECK(atomic_load(&f.stream[70].outcome) == GB_ABORTED && !front_news(&f, 1, 70));
    char byte;
    CHECK(gb_claim_closed(&c) && gb_request_try(&c, &byte, 1) == 0 && gb_response_try(&c, "x", 1, false) == 0);
    CHECK(gb_request_wait(&c) == GB_GONE && gb_response_wait(&c) == GB_GONE);
    gb_claim_close(&c);
    front_close(&f);
}

static void nonsense_from_the_front_breaks_only_the_request(void)
{
    struct front f;
    struct gb_segment s;
    struct gb_claim c;
    uint8_t *variables;
    size_t size;
    front_open(&f, &s);
    gb_claim_open(&c, &s);

    f.stream[0].reactor = REACTORS;
    struct gb_hint hint = front_queue(&f, 0);
    CHECK(!gb_claim_take(&c, &hint) && atomic_load(&f.stream[0].word) >> GB_STATE_SHIFT == GB_DONE);

    hint = front_queue(&f, 1);
    atomic_store(&f.stream[1].request.written, PIPE + 1);
    CHECK(gb_claim_take(&c, &hint) && gb_claim_head(&c, &variables, &size) == -1 && gb_claim_closed(&c));
    gb_claim_finish(&c, GB_FINISHED);
    CHECK(atomic_load(&f.stream[1].outcome) == GB_ABORTED);

    hint = front_queue(&f, 2);
    CHECK(gb_claim_take(&c, &hint));
    atomic_store(&f.stream[2].response.read, 1); // more than was written
    CHECK(gb_response_try(&c, "x", 1, false) == 0 && gb_response_wait(&c) == GB_GONE);
    gb_claim_finish(&c, GB_FINISHED);
    gb_claim_close(&c);
    front_close(&f);
}

// ---- Heads.

static size_t put_variable(uint8_t *at, const char *name, const char *value)
{
    struct gb_variable v = {.name_size = (uint16_t)strlen(name), .value_size = (uint32_t)strlen(value)};
    memcpy(at, &v, sizeof v);
    memcpy(at + sizeof v, name, v.name_size);
    memcpy(at + sizeof v + v.name_size, value, v.value_size);
    return sizeof v + v.name_size + v.value_size;
}

static int head_of(uint32_t declared, uint16_t count, const uint8_t *rest, size_t size)
{
    struct front f;
    struct gb_segment s;
    struct gb_claim c;
    uint8_t *variables;
    size_t got;
    front_open(&f, &s);
    gb_claim_open(&c, &s);
    struct gb_hint hint = front_queue(&f, 5);
    struct gb_request_head head = {.size = declared, .count = count, .body_length = 4};
    front_write(&f, 5, &head, sizeof head);
    front_write(&f, 5, rest, size);
    front_set(&f, 5, GB_CLOSED); // so that a head that is too short ends the wait
    CHECK(gb_claim_take(&c, &hint));
    int result = gb_claim_head(&c, &variables, &got);
    if (result == 0)
        CHECK(got == size && memcmp(variables, rest, size) == 0 && c.body_left == 4);
    gb_claim_close(&c);
    front_close(&f);
    return result;
}

static void heads_are_checked(void)
{
    uint8_t rest[256];
    size_t n = put_variable(rest, "REQUEST_METHOD", "GET");
    n += put_variable(rest + n, "PATH_INFO", "");
    uint32_t whole = (uint32_t)(sizeof(struct gb_request_head) + n);
    CHECK(head_of(whole, 2, rest, n) == 0);
    CHECK(head_of(sizeof(struct gb_request_head), 0, rest, 0) == 0);
    CHECK(head_of(whole, 1, rest, n) == -1);
    CHECK(head_of(whole, 3, rest, n) == -1);
    CHECK(head_of(whole - 1, 2, rest, n) == -1);
    CHECK(head_of(whole + 1, 2, rest, n) == -1);
    CHECK(head_of(sizeof(struct gb_request_head) - 1, 0, rest, 0) == -1);
    CHECK(head_of(GB_MAX_REQUEST_HEAD + 1, 2, rest, n) == -1);
    struct gb_variable huge = {.name_size = 1, .value_size = UINT32_MAX};
    memcpy(rest, &huge, sizeof huge);
    CHECK(head_of(whole, 2, rest, n) == -1);
}

// ---- Bodies, with a front in another thread.

struct exchange {
    struct front *front;
    uint32_t stream;
    size_t bytes;
    bool chunked;
};

static uint8_t byte_at(size_t i)
{
    return (uint8_t)(i * 31 + (i >> 8) * 7);
}

// Sends a head that does not fit the pipe, then the body in odd pieces.
static void *send_request(void *argument)
{
    struct exchange *x = argument;
    static uint8_t value[20000], packet[21000], piece[977];
    memset(value, 'v', sizeof value - 1);
    size_t n = sizeof(struct gb_request_head);
    n += put_variable(packet + n, "LONG", (char *)value);
    struct gb_request_head head = {
        .size = (uint32_t)n, .count = 1, .body_length = x->chunked ? GB_LENGTH_UNKNOWN : x->bytes};
    memcpy(packet, &head, sizeof head);
    for (size_t at = 0; at < n;) // a polling front: only the worker's side may sleep in these tests
        at += front_write(x->front, x->stream, packet + at, n - at < 700 ? n - at : 700);
    for (size_t at = 0; at < x->bytes;) {
        size_t m = x->bytes - at < sizeof piece ? x->bytes - at : sizeof piece;
        for (size_t i = 0; i < m; i++)
            piece[i] = byte_at(at + i);
        size_t put = front_write(x->front, x->stream, piece, m);
        if (put == 0)
            sched_yield();
        at += put;
    }
    front_set(x->front, x->stream, GB_BODY_END);
    return NULL;
}

static void *receive_response(void *argument)
{
    struct exchange *x = argument;
    uint8_t piece[1500];
    for (size_t at = 0; at < x->bytes;) {
        size_t n = front_read(x->front, x->stream, piece, sizeof piece);
        for (size_t i = 0; i < n; i++)
            CHECK(piece[i] == byte_at(at + i));
        if (n == 0)
            sched_yield();
        at += n;
    }
    return NULL;
}

static void echo(struct gb_claim *c, size_t bytes)
{
    static uint8_t piece[3001];
    size_t total = 0;
    for (;;) {
        size_t n = gb_request_try(c, piece, sizeof piece);
        if (n == 0) {
            enum gb_wait found = gb_request_wait(c);
            if (found == GB_END)
                break;
            CHECK(found == GB_READY);
            continue;
        }
        for (size_t at = 0; at < n;) {
            size_t put = gb_response_try(c, piece + at, n - at, false);
            at += put;
            if (put == 0)
                CHECK(gb_response_wait(c) == GB_READY);
        }
        total += n;
    }
    CHECK(total == bytes && gb_request_wait(c) == GB_END && gb_request_try(c, piece, 1) == 0);
}

static void exchange_bodies(bool chunked, uint32_t counter)
{
    struct front f;
    struct gb_segment s;
    struct gb_claim c;
    pthread_t sender, receiver;
    uint8_t *variables;
    size_t size;
    struct exchange x = {.front = &f, .stream = STREAMS - 1, .bytes = 1 << 22, .chunked = chunked};
    front_open(&f, &s);
    gb_claim_open(&c, &s);
    struct gb_stream *stream = &f.stream[x.stream];
    atomic_store(&stream->request.written, counter);
    atomic_store(&stream->request.read, counter);
    atomic_store(&stream->response.written, counter);
    atomic_store(&stream->response.read, counter);
    struct gb_hint hint = front_queue(&f, x.stream);
    CHECK(gb_claim_take(&c, &hint));
    CHECK(pthread_create(&sender, NULL, send_request, &x) == 0);
    CHECK(pthread_create(&receiver, NULL, receive_response, &x) == 0);
    CHECK(gb_claim_head(&c, &variables, &size) == 0 && size > 20000);
    echo(&c, x.bytes);
    gb_claim_finish(&c, GB_FINISHED);
    pthread_join(sender, NULL);
    pthread_join(receiver, NULL);
    CHECK(atomic_load(&stream->outcome) == GB_FINISHED);
    gb_claim_close(&c);
    front_close(&f);
}

static void bodies_go_through_whole(void)
{
    exchange_bodies(false, 0);
    exchange_bodies(true, UINT32_MAX - 5000); // the counters pass through zero
}

static void *close_stream(void *argument)
{
    struct exchange *x = argument;
    usleep(20000);
    front_set(x->front, x->stream, GB_CLOSED);
    return NULL;
}

// Runs `wait` on a claim whose client leaves meanwhile.
static void leave_during(enum gb_wait (*wait)(struct gb_claim *))
{
    struct front f;
    struct gb_segment s;
    struct gb_claim c;
    pthread_t thread;
    struct exchange x = {.front = &f, .stream = 9};
    static uint8_t full[PIPE];
    front_open(&f, &s);
    gb_claim_open(&c, &s);
    struct gb_hint hint = front_queue(&f, 9);
    CHECK(gb_claim_take(&c, &hint));
    c.body_left = 10;
    CHECK(gb_response_try(&c, full, sizeof full, false) == PIPE && gb_response_try(&c, full, 1, false) == 0);
    CHECK(pthread_create(&thread, NULL, close_stream, &x) == 0);
    CHECK(wait(&c) == GB_GONE && gb_claim_closed(&c));
    pthread_join(thread, NULL);
    gb_claim_close(&c);
    front_close(&f);
}

static void a_client_that_leaves_ends_the_waits(void)
{
    leave_during(gb_request_wait);
    leave_during(gb_response_wait);
}

static void a_body_that_ends_early_is_no_end(void)
{
    struct front f;
    struct gb_segment s;
    struct gb_claim c;
    front_open(&f, &s);
    gb_claim_open(&c, &s);
    struct gb_hint hint = front_queue(&f, 9);
    CHECK(gb_claim_take(&c, &hint));
    c.body_left = 10;
    front_set(&f, 9, GB_BODY_END);
    CHECK(gb_request_wait(&c) == GB_GONE);
    c.body_left = GB_LENGTH_UNKNOWN;
    CHECK(gb_request_wait(&c) == GB_END && gb_request_wait(&c) == GB_END);
    gb_claim_close(&c);
    front_close(&f);
}

static void *answer_expect(void *argument)
{
    struct exchange *x = argument;
    while (!front_news(x->front, 0, x->stream))
        sched_yield();
    front_set(x->front, x->stream, 0); // a wake for nothing: the wait goes on, and is told again
    while (!front_news(x->front, 0, x->stream))
        sched_yield();
    CHECK(atomic_load(&x->front->stream[x->stream].request.reader_waits) == GB_WAITS_BELL);
    front_write(x->front, x->stream, "body", 4);
    return NULL;
}

static void expect_is_told_when_the_body_is_waited_for(void)
{
    struct front f;
    struct gb_segment s;
    struct gb_claim c;
    pthread_t thread;
    uint8_t *variables, body[8];
    size_t size;
    struct exchange x = {.front = &f, .stream = 11};
    front_open(&f, &s);
    gb_claim_open(&c, &s);
    struct gb_hint hint = front_queue(&f, 11);
    struct gb_request_head head = {.size = sizeof head, .flags = GB_REQUEST_EXPECT, .body_length = 4};
    front_write(&f, 11, &head, sizeof head);
    CHECK(gb_claim_take(&c, &hint) && gb_claim_head(&c, &variables, &size) == 0);
    CHECK(!front_news(&f, 0, 11));
    CHECK(pthread_create(&thread, NULL, answer_expect, &x) == 0);
    CHECK(gb_request_wait(&c) == GB_READY && gb_request_try(&c, body, sizeof body) == 4);
    CHECK(memcmp(body, "body", 4) == 0);
    pthread_join(thread, NULL);
    CHECK(gb_request_wait(&c) == GB_END && !front_news(&f, 0, 11));
    gb_claim_close(&c);
    front_close(&f);
}

static void a_fork_of_the_worker_touches_nothing(void)
{
    struct front f;
    struct gb_segment s;
    struct gb_claim c;
    front_open(&f, &s);
    gb_claim_open(&c, &s);
    struct gb_hint hint = front_queue(&f, 1);
    CHECK(gb_claim_take(&c, &hint));
    s.left = true;
    CHECK(gb_claim_closed(&c) && gb_response_try(&c, "x", 1, false) == 0 && gb_request_wait(&c) == GB_GONE);
    gb_claim_finish(&c, GB_FINISHED);
    CHECK(atomic_load(&f.stream[1].word) >> GB_STATE_SHIFT == GB_RUNNING);
    gb_claim_close(&c);
    front_close(&f);
}

// ---- News.

static uint64_t rings(int eventfd)
{
    uint64_t count = 0;
    return read(eventfd, &count, sizeof count) == sizeof count ? count : 0;
}

static void only_sleepers_are_rung(void)
{
    struct front f;
    struct gb_segment s;
    front_open(&f, &s);
    int fd = s.reactor_doorbell[1] = eventfd(0, EFD_NONBLOCK);
    _Atomic uint32_t *sleeping = &s.reactor[1].sleeping;
    gb_news_give(&s, 1, 0);
    CHECK(rings(fd) == 0 && front_news(&f, 1, 0));
    atomic_store(sleeping, GB_ASLEEP);
    gb_news_give(&s, 1, 127);
    CHECK(rings(fd) == 1 && front_news(&f, 1, 127));
    atomic_store(sleeping, GB_DOZING);
    gb_news_give(&s, 1, 0);
    CHECK(rings(fd) == 1); // nothing else keeps this worker busy
    front_queue(&f, 4);
    gb_news_give(&s, 1, 0);
    CHECK(rings(fd) == 0);
    close(fd);
    front_close(&f);
}

static void note(void *self, uint32_t stream)
{
    uint64_t *seen = self;
    seen[stream / 64] |= UINT64_C(1) << stream % 64;
}

// One wait: nothing was found, then `requests` came. Returns whether it began with a spin.
static bool wait_for(struct gb_spin *s, int64_t limit, bool alone, unsigned requests)
{
    bool spins = gb_spin_try(s, limit, alone);
    while (requests-- > 0)
        gb_spin_found(s, limit);
    return spins;
}

static void only_a_row_of_short_waits_makes_a_worker_spin(void)
{
    const int64_t for_ever = INT64_MAX, never = 1;
    struct gb_spin s = {0};
    unsigned waits = 0;
    while (waits < 100 && !wait_for(&s, for_ever, true, 1))
        waits++;
    CHECK(waits >= 8 && waits < 100);
    CHECK(wait_for(&s, for_ever, true, 1));

    // Another client, two requests at once, a long wait, and a look in vain each end the row.
    CHECK(!wait_for(&s, for_ever, false, 1) && !wait_for(&s, for_ever, true, 1));
    for (unsigned i = 0; i < waits; i++)
        wait_for(&s, for_ever, true, 1);
    CHECK(wait_for(&s, for_ever, true, 2) && !wait_for(&s, for_ever, true, 1));
    for (unsigned i = 0; i < waits; i++)
        wait_for(&s, for_ever, true, 1);
    CHECK(wait_for(&s, never, true, 1) && !wait_for(&s, for_ever, true, 1));
    for (unsigned i = 0; i < waits; i++)
        wait_for(&s, for_ever, true, 1);
    CHECK(gb_spin_try(&s, for_ever, true) && !gb_spin_try(&s, for_ever, true));
    gb_spin_found(&s, for_ever);
    CHECK(!wait_for(&s, for_ever, true, 1));

    struct gb_spin off = {0};
    for (unsigned i = 0; i < 100; i++)
        CHECK(!wait_for(&off, 0, true, 1));
}

static void news_to_the_worker_are_taken_once(void)
{
    struct front f;
    struct gb_segment s;
    uint64_t seen[2] = {0};
    front_open(&f, &s);
    uint8_t *at = f.base + f.header->news_at + (2 * 1 + GB_TO_WORKER) * f.header->news_stride;
    uint64_t *summary = (uint64_t *)at, *bits = (uint64_t *)(at + 64);
    bits[0] = 1 | UINT64_C(1) << 63;
    bits[1] = 2;
    summary[0] = 3 | UINT64_C(1) << 40; // bit 40 names no word
    CHECK(gb_news_take(&s, 0, note, seen) == 0);
    CHECK(gb_news_take(&s, 1, note, seen) == 3);
    CHECK(seen[0] == (1 | UINT64_C(1) << 63) && seen[1] == 2);
    CHECK(gb_news_take(&s, 1, note, seen) == 0);
    front_close(&f);
}

// ---- Control messages.

static void messages_carry_settings_and_descriptors(void)
{
    static struct gb_packet p;
    int pair[2];
    CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
    static const char settings[] = "name\0value\0empty\0\0odd";
    struct gb_message m = {.kind = GB_MSG_SETUP, .size = sizeof settings - 1, .a = 1, .b = 2};
    CHECK(gb_send(pair[0], &m, settings, pair[0]));
    CHECK(gb_receive(pair[1], &p) == 1 && p.message.kind == GB_MSG_SETUP && p.descriptors == 1);
    CHECK(strcmp(gb_packet_setting(&p, "name"), "value") == 0 && strcmp(gb_packet_setting(&p, "empty"), "") == 0);
    CHECK(gb_packet_setting(&p, "odd") == NULL && gb_packet_setting(&p, "value") == NULL);
    int fd = gb_packet_take(&p, 0);
    CHECK(fd >= 0 && gb_packet_take(&p, 0) == -1 && gb_packet_take(&p, 1) == -1);
    CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC);
    close(fd);
    CHECK(send(pair[0], "short", 5, 0) == 5 && gb_receive(pair[1], &p) == -1 && errno == EPROTO);
    close(pair[0]);
    CHECK(gb_receive(pair[1], &p) == 0);
    close(pair[1]);
}

static void a_long_failure_keeps_its_end(void)
{
    static struct gb_packet p;
    static char text[3 * GB_MAX_MESSAGE];
    int pair[2], small = 20000;
    for (size_t i = 0; i + 2 < sizeof text; i += 2)
        memcpy(text + i, "\xc3\xa9", 2);
    memcpy(text + sizeof text - 6, "error", 6);
    CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
    CHECK(gb_send_failed(pair[0], 9, 3, text) && gb_receive(pair[1], &p) == 1);
    CHECK(p.message.kind == GB_MSG_FAILED && p.message.a == 9 && p.message.b == 3 && p.message.size > 100000);
    CHECK((p.payload[0] & 0xC0) != 0x80 && strcmp(p.payload + p.message.size - 5, "error") == 0);
    CHECK(setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small) == 0);
    CHECK(gb_send_failed(pair[0], 9, 3, text) && gb_receive(pair[1], &p) == 1);
    CHECK(p.message.size > 1000 && strcmp(p.payload + p.message.size - 5, "error") == 0);
    close(pair[0]);
    close(pair[1]);
}

static void a_file_is_passed_for_the_claim_that_runs(void)
{
    static struct gb_packet p;
    struct front f;
    struct gb_segment s;
    struct gb_claim c;
    int pair[2], fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    front_open(&f, &s);
    gb_claim_open(&c, &s);
    CHECK(fd >= 0 && s.control == -1 && !gb_file_pass(&c, fd)); // nothing runs
    struct gb_hint hint = front_queue(&f, 3);
    CHECK(gb_claim_take(&c, &hint) && !gb_file_pass(&c, fd)); // there is no socket
    CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
    s.control = pair[0];
    CHECK(!gb_file_pass(&c, -2)); // not even a message without a descriptor
    CHECK(gb_file_pass(&c, fd) && gb_receive(pair[1], &p) == 1);
    CHECK(p.message.kind == GB_MSG_FILE && p.message.size == 0 && p.descriptors == 1);
    CHECK(p.message.a == 3 && p.message.b == atomic_load(&f.stream[3].word) && p.message.b == c.word);
    gb_packet_drop(&p);
    front_set(&f, 3, GB_CLOSED);
    CHECK(!gb_file_pass(&c, fd)); // the client is gone
    close(pair[1]);
    hint = front_queue(&f, 4);
    gb_claim_finish(&c, GB_FINISHED);
    CHECK(gb_claim_take(&c, &hint) && !gb_file_pass(&c, fd)); // so is the front
    gb_claim_finish(&c, GB_FINISHED);
    close(pair[0]);
    close(fd);
    gb_claim_close(&c);
    front_close(&f);
}

// The next file waits until the front has read the record of the one before, and is told so by news.
static void a_file_waits_for_the_one_before(void)
{
    struct front f;
    struct gb_segment s;
    struct gb_claim c;
    char bytes[16] = {0};
    front_open(&f, &s);
    gb_claim_open(&c, &s);
    struct gb_hint hint = front_queue(&f, 3);
    CHECK(gb_claim_take(&c, &hint) && gb_file_watch(&c) == GB_READY); // there was none
    CHECK(gb_response_try(&c, bytes, 6, false) == 6);
    gb_file_named(&c, 10); // so long is what is written next
    CHECK(gb_response_try(&c, bytes, 4, false) == 4 && gb_response_try(&c, bytes, 6, false) == 6);
    CHECK(gb_response_try(&c, bytes, 5, false) == 5); // of the body, behind it
    CHECK(gb_file_watch(&c) == GB_LATER && atomic_load(&f.stream[3].response.writer_waits) == GB_WAITS_NEWS);
    CHECK(front_read(&f, 3, bytes, 15) == 15 && gb_file_watch(&c) == GB_LATER);
    CHECK(front_read(&f, 3, bytes, 1) == 1 && gb_file_watch(&c) == GB_READY);
    CHECK(atomic_load(&f.stream[3].response.writer_waits) == GB_WAITS_NOT);
    front_set(&f, 3, GB_CLOSED);
    CHECK(gb_file_watch(&c) == GB_GONE);
    gb_claim_finish(&c, GB_ABORTED);
    hint = front_queue(&f, 4);
    CHECK(gb_claim_take(&c, &hint) && gb_file_watch(&c) == GB_READY); // another request's
    gb_claim_finish(&c, GB_FINISHED);
    gb_claim_close(&c);
    front_close(&f);
}

#define RUN(test)                                                                                                      \
    do {                                                                                                               \
        test();                                                                                                        \
        printf("ok %s\n", #test);                                                                                      \
    } while (0)

int main(void)
{
    RUN(segment_refuses_what_does_not_fit);
    RUN(inbox_gives_hints_in_order);
    RUN(claim_is_won_once_and_only_with_the_right_word);
    RUN(finish_stores_the_outcome_and_tells_the_reactor_once);
    RUN(nonsense_from_the_front_breaks_only_the_request);
    RUN(heads_are_checked);
    RUN(bodies_go_through_whole);
    RUN(a_client_that_leaves_ends_the_waits);
    RUN(a_body_that_ends_early_is_no_end);
    RUN(expect_is_told_when_the_body_is_waited_for);
    RUN(a_fork_of_the_worker_touches_nothing);
    RUN(only_sleepers_are_rung);
    RUN(only_a_row_of_short_waits_makes_a_worker_spin);
    RUN(news_to_the_worker_are_taken_once);
    RUN(messages_carry_settings_and_descriptors);
    RUN(a_long_failure_keeps_its_end);
    RUN(a_file_is_passed_for_the_claim_that_runs);
    RUN(a_file_waits_for_the_one_before);
    RUN(a_pace_is_what_most_requests_take);
    RUN(a_body_in_a_file_is_read_to_its_end);
    RUN(a_body_whose_file_does_not_come_ends_the_wait);
    RUN(messages_are_put_together);
    RUN(messages_end_with_a_close_or_the_client);
    RUN(records_that_make_no_sense_are_told);
    RUN(who_waits_for_messages_gets_news);
    RUN(loops_share_an_inbox_and_their_news);
    return 0;
}
