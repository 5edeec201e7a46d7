// libFuzzer target: the worker's side of the bridge against a front that writes
// anything, anywhere, at any time.
//
// The input is first a segment (a raw image, or a sound one with a request in it),
// then a list of what the front does: at every labelled step of the worker, and
// whenever the worker would sleep, the next entries are carried out. So the memory
// changes between any two looks of the worker at it. Nothing may crash, read or
// write outside, or sleep for ever once the front has closed the stream.
#include <errno.h>
#include <linux/futex.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../claim.h"
#include "../inbox.h"
#include "../incoming.h"
#include "../news.h"
#include "../python_api.h"
#include "../segment.h"
#include "../steps.h"

struct gb_py gb_py; // nothing here may touch Python

enum { STREAMS = 64, PIPE = 4096, REACTORS = 2, INBOX = 4, INCARNATION = 1, MAX_IMAGE = 1 << 16 };

// ---- The input.

static const uint8_t *input;
static size_t left;

static uint64_t next(size_t bytes)
{
    uint64_t value = 0;
    if (bytes > left)
        bytes = left;
    if (bytes > 0)
        memcpy(&value, input, bytes);
    input += bytes;
    left -= bytes;
    return value;
}

// ---- The memory.

static uint8_t *memory;
static struct gb_header layout;    // of a sound segment
static struct gb_segment *current; // what the worker made of the memory; NULL: it refused
static unsigned sleeps;
static const struct gb_claim *running; // NULL: none

static void lay_out(void)
{
    layout = (struct gb_header){
        .magic = GB_MAGIC,
        .version = GB_LAYOUT_VERSION,
        .header_size = sizeof layout,
        .workers = 1,
        .reactors = REACTORS,
        .streams = STREAMS,
        .pipe_size = PIPE,
        .inbox_entries = INBOX,
        .summary_words = 1,
        .reactors_at = 128,
        .worker_stride = sizeof(struct gb_worker) + INBOX * sizeof(struct gb_hint),
        .news_stride = 128,
    };
    layout.workers_at = layout.reactors_at + REACTORS * sizeof(struct gb_reactor);
    layout.news_at = layout.workers_at + layout.worker_stride;
    layout.streams_at = layout.news_at + 2 * REACTORS * layout.news_stride;
    layout.pipes_at = (layout.streams_at + STREAMS * sizeof(struct gb_stream) + 4095) & ~UINT64_C(4095);
    layout.size = layout.pipes_at + (uint64_t)2 * STREAMS * PIPE;
}

// ---- The hostile front.

static uint64_t word_of(uint64_t state, uint64_t sequence)
{
    return state << GB_STATE_SHIFT | (uint64_t)INCARNATION << GB_INCARNATION_SHIFT | (sequence & GB_SEQUENCE_MASK);
}

static void queue(uint32_t stream, uint64_t sequence)
{
    struct gb_worker *w = current->worker;
    uint32_t put = atomic_load(&w->put);
    uint64_t word = word_of(GB_QUEUED, sequence);
    atomic_store(&current->stream[stream].word, word);
    w->inbox[put % current->inbox_entries] = (struct gb_hint){.word = word, .stream = stream};
    atomic_store(&w->put, put + 1);
}

// Puts bytes of the input into the request pipe as a sound front would, unless the
// pipe's counters are not sound any more.
static void feed(uint32_t stream, size_t n)
{
    struct gb_pipe *p = &current->stream[stream].request;
    uint64_t written = atomic_load(&p->written);
    uint32_t base = (uint32_t)(written >> 32), write = (uint32_t)written;
    uint8_t *bytes = gb_segment_request_bytes(current, stream);
    for (; n > 0 && write - atomic_load(&p->read) < current->pipe_size; n--)
        bytes[(write++ - base) % current->pipe_size] = (uint8_t)next(1);
    atomic_store(&p->written, (uint64_t)base << 32 | write);
}

static void feed_head(uint32_t stream, unsigned variables)
{
    struct gb_pipe *p = &current->stream[stream].request;
    struct gb_request_head head = {.size = sizeof head, .count = (uint16_t)variables, .flags = (uint16_t)next(1)};
    struct gb_variable v = {.name_size = (uint16_t)next(1), .value_size = (uint32_t)next(1)};
    uint8_t *bytes = gb_segment_request_bytes(current, stream);
    uint32_t write = (uint32_t)atomic_load(&p->written);
    head.body_length = next(1) & 1 ? GB_LENGTH_UNKNOWN : next(2);
    head.size += (uint32_t)(variables * (sizeof v + v.name_size + v.value_size));
    if (head.size > current->pipe_size)
        return;
    memcpy(bytes, &head, sizeof head);
    for (uint32_t at = sizeof head; at < head.size; at += (uint32_t)(sizeof v + v.name_size + v.value_size))
        memcpy(bytes + at, &v, sizeof v);
    atomic_store(&p->written, (uint64_t)write << 32 | (write + head.size));
}

// A record of a WebSocket, of which only the header is sure to be sound.
static void feed_record(uint32_t stream, unsigned what)
{
    static const uint32_t kinds[] = {
        GB_RECORD_TEXT,  GB_RECORD_BINARY, GB_RECORD_TEXT | GB_RECORD_MORE, GB_RECORD_BINARY | GB_RECORD_MORE,
        GB_RECORD_CLOSE, GB_RECORD_HEAD};
    struct gb_record record = {kinds[what % 6], (uint32_t)next(1)};
    struct gb_pipe *p = &current->stream[stream].request;
    uint64_t written = atomic_load(&p->written);
    uint32_t base = (uint32_t)(written >> 32), write = (uint32_t)written;
    uint8_t *bytes = gb_segment_request_bytes(current, stream);
    for (size_t i = 0; i < sizeof record; i++)
        bytes[(write++ - base) % current->pipe_size] = ((const uint8_t *)&record)[i];
    atomic_store(&p->written, (uint64_t)base << 32 | write);
    feed(stream, record.size);
}

static void poke(struct gb_stream *s, unsigned field, uint64_t value)
{
    struct gb_worker *w = current->worker;
    struct gb_hint *hint = &w->inbox[value % current->inbox_entries];
    // clang-format off
    switch (field % 16) {
    case 0: atomic_store(&s->word, value); break;
    case 1: s->reactor = (uint32_t)value; break;
    case 2: atomic_store(&s->front, (uint32_t)value); break;
    case 3: atomic_fetch_add(&s->bell, 1); break;
    case 4: atomic_store(&s->request.written, value); break;
    case 5: atomic_store(&s->request.read, (uint32_t)value); break;
    case 6: atomic_store(&s->response.written, value); break;
    case 7: atomic_store(&s->response.read, (uint32_t)value); break;
    case 8: atomic_store(&s->request.writer_waits, (uint32_t)value); break;
    case 9: atomic_store(&w->put, (uint32_t)value); break;
    case 10: atomic_store(&w->taken, (uint32_t)value); break;
    case 11: hint->stream = (uint32_t)(value >> 8); break;
    case 12: hint->word = value; break;
    case 13: atomic_store(&current->reactor[0].sleeping, (uint32_t)value); break;
    case 14: memcpy(memory + value % (layout.size - 8), &value, 8); break;
    case 15: atomic_store((_Atomic uint64_t *)(current->news + value % 512 / 8 * 8), value); break;
    }
    // clang-format on
}

// Sends a body's file, one of a few bytes or lost on its way: to the request that runs, or
// for some use of a stream.
static void pass(uint32_t stream, uint64_t sequence, unsigned size)
{
    uint64_t word = word_of(GB_RUNNING, sequence);
    if (sequence < 200 && running != NULL) {
        stream = running->stream;
        word = running->word;
    }
    int file = size > 0 ? memfd_create("body", MFD_CLOEXEC) : -1;
    if (file >= 0 && ftruncate(file, size) != 0)
        abort();
    gb_spool_come(stream, word, file);
}

// Carries out one entry of the input, if there is one.
static void act(void)
{
    if (left == 0 || current == NULL)
        return;
    unsigned what = (unsigned)next(1);
    uint32_t stream = (uint32_t)next(1) % current->streams;
    struct gb_stream *s = &current->stream[stream];
    // clang-format off
    switch (what % 10) {
    case 0: break; // the worker is quicker
    case 1: queue(stream, what); break;
    case 2: feed(stream, what); break;
    case 3: feed_head(stream, what >> 5); break;
    case 4: poke(s, what >> 3, next(1)); break;
    case 5: poke(s, what >> 3, next(8)); break;
    case 6: poke(s, what >> 3, ~next(1)); break;
    case 7: atomic_fetch_or(&s->front, what >> 3 & 7); break;
    case 8: pass(stream, next(1), what >> 4); break;
    case 9: feed_record(stream, what >> 3); break;
    }
    // clang-format on
}

void gb_step_reached(const char *label)
{
    (void)label;
    act();
}

// The worker's sleep. When the front has nothing more to do, it closes all streams;
// a worker that still sleeps after that would hang.
long __wrap_syscall(long number, ...);
long __wrap_syscall(long number, ...)
{
    if (number != SYS_futex)
        abort();
    va_list arguments;
    va_start(arguments, number);
    (void)va_arg(arguments, void *);
    int operation = va_arg(arguments, int);
    va_end(arguments);
    if (operation == FUTEX_WAKE_PRIVATE) // the watcher's, which is the hostile front's doing
        return 0;
    if (left == 0)
        for (uint32_t i = 0; i < current->streams; i++)
            atomic_store(&current->stream[i].front, GB_CLOSED);
    if (left == 0 && ++sleeps > 4)
        abort();
    act();
    errno = EINTR;
    return -1;
}

// ---- The worker.

static volatile unsigned sink;

static unsigned walk_bytes(const uint8_t *at, size_t size)
{
    unsigned sum = 0;
    for (; size > 0; size--)
        sum += *at++;
    return sum;
}

// What the application interface does with the variables: reads all of them.
static unsigned walk(const uint8_t *at, size_t size, unsigned count)
{
    const uint8_t *end = at + size;
    unsigned sum = 0;
    for (; count > 0; count--) {
        struct gb_variable v;
        memcpy(&v, at, sizeof v);
        at += sizeof v;
        for (uint64_t n = (uint64_t)v.name_size + v.value_size; n > 0; n--)
            sum += *at++;
    }
    if (at != end)
        abort();
    return sum;
}

// The planted bug makes counters endless that cannot be; that is not what is to be found.
static void endless(void)
{
#ifndef GB_PLANTED_BUG
    abort();
#endif
}

// What the application interface does with a WebSocket's messages: takes each as soon as it
// is whole. Returns when there is none, and must come to that.
static void receive(struct gb_incoming *in, struct gb_claim *c)
{
    static uint8_t message[1 << 20];
    for (unsigned looks = 0;; looks++) {
        enum gb_came came = gb_incoming_look(in, c);
        if (looks > 4 * PIPE) {
            endless();
            return;
        }
        if (came == GB_CAME_NOTHING) {
            enum gb_wait found = gb_records_watch(c);
            if (found == GB_READY)
                continue;
            return;
        }
        if (came == GB_CAME_MESSAGE) {
            size_t size = gb_incoming_size(in);
            if (size > sizeof message)
                abort(); // more than all inputs have
            if (!gb_incoming_take(in, c, message))
                return;
            sink += walk_bytes(message, size);
            continue;
        }
        if (came == GB_CAME_CLOSE) {
            size_t size;
            const char *reason = gb_incoming_reason(in, &size);
            sink += gb_incoming_code(in) + walk_bytes((const uint8_t *)reason, size);
            if (size > GB_MAX_REASON || gb_incoming_look(in, c) != GB_CAME_CLOSE)
                abort();
        }
        return;
    }
}

static void run(struct gb_claim *c)
{
    static uint8_t bytes[3 * PIPE];
    uint8_t *variables;
    size_t size;
    struct gb_incoming in = {0};
    running = c;
    if (gb_claim_head(c, &variables, &size) == 0)
        sink += walk(variables, size, c->head.count);
    bool websocket = c->head.flags & GB_REQUEST_WEBSOCKET;
    for (unsigned turns = 0; turns < 32 && left > 0; turns++) {
        unsigned what = (unsigned)next(1);
        size_t n = (what >> 3) * sizeof bytes / 31;
        // clang-format off
        switch (what % 6) {
        case 0: if (!websocket) (void)gb_request_try(c, bytes, n); break;
        case 1: if (!websocket) (void)gb_request_wait(c); break;
        case 2: (void)gb_response_try(c, bytes, n, false); break;
        case 3: (void)gb_response_wait(c); break;
        case 4: (void)gb_response_try(c, bytes, n, true); break;
        case 5: (void)gb_claim_closed(c); break;
        }
        // clang-format on
        if (websocket)
            receive(&in, c);
    }
    gb_incoming_drop(&in);
    gb_claim_finish(c, GB_FINISHED);
    running = NULL;
}

static void in_range(void *self, uint32_t stream)
{
    struct gb_segment *s = self;
    if (stream >= s->streams)
        abort();
}

static void serve(struct gb_segment *s)
{
    struct gb_claim claim;
    struct gb_hint hint;
    gb_claim_open(&claim, s);
    for (unsigned turns = 0; turns < 16; turns++) {
        gb_inbox_sleep(s);
        gb_inbox_wake(s);
        act();
        enum gb_taken taken = gb_inbox_take(s, &hint);
        if (taken == GB_INBOX_BROKEN)
            break;
        if (taken == GB_INBOX_HINT && gb_claim_take(&claim, &hint))
            run(&claim);
        gb_news_take(s, turns % REACTORS, in_range, s);
    }
    gb_claim_close(&claim);
}

static void raw_image(void)
{
    struct gb_segment s;
    size_t size = left < MAX_IMAGE ? left : MAX_IMAGE;
    uint8_t *image = aligned_alloc(64, (size + 63) / 64 * 64 + 64);
    memcpy(image, input, size);
    if (gb_segment_adopt(&s, image, size, 0, INCARNATION) == NULL)
        abort(); // the smallest sound segment is larger than any image
    free(image);
}

static void sound_image(void)
{
    struct gb_segment s;
    memset(memory, 0, layout.size);
    memcpy(memory, &layout, sizeof layout);
    atomic_store(&((struct gb_worker *)(memory + layout.workers_at))->incarnation, INCARNATION);
    for (unsigned patches = (unsigned)next(1) % 8 / 5; patches > 0; patches--) {
        // One number of the header is another. Whatever is accepted must be safe.
        size_t at = next(1) % sizeof layout;
        uint64_t value = next(8);
        memcpy(memory + at, &value, at + 8 <= sizeof layout ? 8 : sizeof layout - at);
    }
    if (gb_segment_adopt(&s, memory, layout.size, 0, INCARNATION) != NULL)
        return;
    current = &s;
    serve(&s);
    current = NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (memory == NULL) {
        lay_out();
        memory = aligned_alloc(4096, layout.size);
    }
    input = data;
    left = size;
    sleeps = 0;
    if (next(1) % 8 == 0)
        raw_image();
    else
        sound_image();
    return 0;
}
