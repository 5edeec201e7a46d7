#include "claim.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "news.h"
#include "steps.h"

// A thread keeps at most this much of a large head's memory for the next one.
#define VARIABLES_KEPT 65536u

static inline uint64_t with_state(uint64_t word, uint64_t state)
{
    return (word & ~(UINT64_C(15) << GB_STATE_SHIFT)) | state << GB_STATE_SHIFT;
}

static inline struct gb_stream *stream_of(const struct gb_claim *c)
{
    return &c->segment->stream[c->stream];
}

// Nothing of the stream may be touched: it is finished, makes no sense, or this
// process is a fork of the worker, where the segment is not mapped.
static inline bool lost(const struct gb_claim *c)
{
    return c->word == 0 || c->broken || atomic_load(&c->over) || c->segment->left;
}

static inline void tell(struct gb_claim *c)
{
    gb_news_give(c->segment, c->reactor, c->stream);
}

void gb_claim_open(struct gb_claim *c, struct gb_segment *segment)
{
    *c = (struct gb_claim){.segment = segment};
}

void gb_claim_close(struct gb_claim *c)
{
    gb_spool_drop(&c->spool);
    free(c->variables);
    *c = (struct gb_claim){.segment = c->segment};
}

// Which hints are worth a swap: queued, for this very process.
static bool sensible(const struct gb_segment *s, const struct gb_hint *hint)
{
    return hint->stream < s->streams && hint->word >> GB_STATE_SHIFT == GB_QUEUED &&
           (hint->word >> GB_INCARNATION_SHIFT & GB_INCARNATION_MASK) == s->incarnation;
}

// Only when the front writes nonsense: it must still be able to have its stream back.
static bool give_back(struct gb_claim *c)
{
    uint64_t running = c->word;
    atomic_store(&stream_of(c)->outcome, GB_ABORTED);
    atomic_compare_exchange_strong(&stream_of(c)->word, &running, with_state(running, GB_DONE));
    c->word = 0;
    return false;
}

// A hint that nobody wants any more took room in the inbox, and the front may have a
// request that waits for that room while nothing runs: it has to be told. Any reactor
// will do; the one that had the stream is as good as any.
static bool stale(struct gb_segment *s, uint32_t stream)
{
    uint32_t reactor = *(volatile uint32_t *)&s->stream[stream].reactor;
    gb_news_give(s, reactor < s->reactors ? reactor : 0, stream);
    return false;
}

bool gb_claim_take(struct gb_claim *c, const struct gb_hint *hint)
{
    struct gb_segment *s = c->segment;
    if (!sensible(s, hint))
        return false;
    struct gb_stream *stream = &s->stream[hint->stream];
    uint64_t queued = hint->word;
    if (!atomic_compare_exchange_strong(&stream->word, &queued, with_state(queued, GB_RUNNING)))
        return stale(s, hint->stream);
    GB_STEP(claimed);
    c->stream = hint->stream;
    c->word = with_state(hint->word, GB_RUNNING);
    c->head = (struct gb_request_head){0};
    c->body_left = 0;
    c->broken = false;
    c->unreadable = 0;
    atomic_store(&c->over, false);
    c->body_came = false;
    c->request_asked = c->response_asked = c->file_named = false;
    c->reactor = *(volatile uint32_t *)&stream->reactor;
    if (c->reactor >= s->reactors)
        return give_back(c);
    uint8_t *request = gb_segment_request_bytes(s, c->stream), *response = gb_segment_response_bytes(s, c->stream);
    c->broken = !gb_reader_open(&c->request, &stream->request, request, s->pipe_size) ||
                !gb_writer_open(&c->response, &stream->response, response, s->pipe_size);
    return true;
}

bool gb_claim_closed(struct gb_claim *c)
{
    return lost(c) || (atomic_load(&stream_of(c)->front) & GB_CLOSED);
}

void gb_claim_wake(struct gb_claim *c)
{
    atomic_store(&c->over, true);
    if (c->word != 0 && !c->segment->left)
        syscall(SYS_futex, &stream_of(c)->bell, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

// Takes back what was asked for, of a stream that is still ours.
static void ask_no_more(struct gb_claim *c)
{
    if (c->request_asked)
        atomic_store(&c->request.pipe->reader_waits, GB_WAITS_NOT);
    if (c->response_asked)
        atomic_store(&c->response.pipe->writer_waits, GB_WAITS_NOT);
    c->request_asked = c->response_asked = false;
}

void gb_claim_finish(struct gb_claim *c, uint32_t outcome)
{
    if (c->word == 0)
        return;
    uint64_t running = c->word;
    if (c->segment->left) {
        c->word = 0;
        return;
    }
    ask_no_more(c);
    c->word = 0;
    struct gb_stream *stream = stream_of(c);
    atomic_store(&stream->outcome, c->broken ? GB_ABORTED : outcome);
    GB_STEP(outcome_stored);
    if (!atomic_compare_exchange_strong(&stream->word, &running, with_state(running, GB_DONE)))
        return;
    GB_STEP(done);
    tell(c);
    gb_spool_drop(&c->spool); // the last close of a large file takes its time
}

// ---- Waiting.

// Sleeps while the bell has not been rung since `bell` was read. True if a signal
// ended the sleep.
static bool sleep_on_bell(struct gb_claim *c, uint32_t bell)
{
    return syscall(SYS_futex, &stream_of(c)->bell, FUTEX_WAIT, bell, NULL, NULL, 0) < 0 && errno == EINTR;
}

// Is the wait for request bytes over? The front flags are read before the counter,
// because the front writes the last bytes before it sets GB_BODY_END.
static bool look_request(struct gb_claim *c, enum gb_wait *found)
{
    uint32_t used;
    *found = GB_GONE;
    if (lost(c))
        return true;
    uint32_t front = atomic_load(&stream_of(c)->front);
    c->broken = !gb_reader_used(&c->request, &used);
    if (c->broken)
        return true;
    if (used > 0)
        *found = GB_READY;
    else if (front & GB_CLOSED)
        *found = GB_GONE;
    else if (front & GB_BODY_END)
        *found = GB_END;
    else
        return false;
    return true;
}

// The client sends the body of an Expect request only when it is told to, and the file of
// a body is sent only to who waits for it: the front learns here that the application
// waits. Each wait tells anew until
// the body comes: a wait that a signal or a late wake cuts short may be over before
// the front has looked.
static void want_body(struct gb_claim *c)
{
    if (!c->body_came && c->head.flags & (GB_REQUEST_EXPECT | GB_REQUEST_SPOOLED))
        tell(c);
}

// Is the wait for the body's file over, as far as the front has to do with it?
static bool look_spool(struct gb_claim *c, enum gb_wait *found)
{
    *found = GB_GONE;
    if (lost(c))
        return true;
    uint32_t front = atomic_load(&stream_of(c)->front);
    if (front & GB_BODY_PASSED)
        *found = GB_READY;
    else if (!(front & GB_CLOSED))
        return false;
    return true;
}

// Sleeps until what the front gives is there: bytes in the request pipe, of head or body
// (GB_WAITS_BELL), or the body's file (GB_WAITS_FILE).
static enum gb_wait request_from_front(struct gb_claim *c, uint32_t waits)
{
    bool (*look)(struct gb_claim *, enum gb_wait *) = waits == GB_WAITS_FILE ? look_spool : look_request;
    enum gb_wait found;
    if (look(c, &found))
        return found;
    for (;;) {
        uint32_t bell = atomic_load(&stream_of(c)->bell);
        bool interrupted = false;
        atomic_store(&c->request.pipe->reader_waits, waits);
        GB_STEP(request_waits);
        want_body(c);
        if (!look(c, &found))
            interrupted = sleep_on_bell(c, bell);
        GB_STEP(request_woken);
        atomic_store(&c->request.pipe->reader_waits, GB_WAITS_NOT);
        if (look(c, &found))
            return found;
        if (interrupted)
            return GB_INTERRUPTED;
    }
}

static enum gb_wait request_bytes(struct gb_claim *c)
{
    return request_from_front(c, GB_WAITS_BELL);
}

// The same without sleeping, with any `look` at the stream.
static enum gb_wait watch_request(struct gb_claim *c, bool (*look)(struct gb_claim *, enum gb_wait *))
{
    enum gb_wait found;
    bool over = look(c, &found);
    if (!over) {
        if (!c->request_asked) {
            c->request_asked = true;
            atomic_store(&c->request.pipe->reader_waits, GB_WAITS_NEWS);
            GB_STEP(request_waits);
        }
        want_body(c);
        over = look(c, &found);
    }
    if (!over)
        return GB_LATER;
    if (c->request_asked && !lost(c)) {
        GB_STEP(request_woken);
        c->request_asked = false;
        atomic_store(&c->request.pipe->reader_waits, GB_WAITS_NOT);
    }
    return found;
}

// As look_request, of a stream whose body was over before it began.
static bool look_records(struct gb_claim *c, enum gb_wait *found)
{
    *found = GB_GONE;
    if (lost(c))
        return true;
    uint32_t front = atomic_load(&stream_of(c)->front);
    uint32_t used = gb_request_used(c);
    if (used > 0)
        *found = GB_READY;
    return used > 0 || c->broken || front & GB_CLOSED;
}

enum gb_wait gb_records_watch(struct gb_claim *c)
{
    return watch_request(c, look_records);
}

static bool look_handshake(struct gb_claim *c, enum gb_wait *found)
{
    return look_records(c, found) || (atomic_load(&stream_of(c)->front) & GB_LEFT);
}

enum gb_wait gb_handshake_watch(struct gb_claim *c)
{
    return watch_request(c, look_handshake);
}

static bool look_client(struct gb_claim *c, enum gb_wait *found)
{
    *found = GB_GONE;
    return lost(c) || (atomic_load(&stream_of(c)->front) & (GB_CLOSED | GB_LEFT));
}

enum gb_wait gb_client_watch(struct gb_claim *c)
{
    return watch_request(c, look_client);
}

// Sleeps until the body's file is here. Once the front has sent it, it lies in the control
// socket, or the watcher, which does little else, has it.
static enum gb_wait request_file(struct gb_claim *c)
{
    if (!gb_spool_here(&c->spool)) {
        gb_spool_expect(&c->spool, c->stream, c->word);
        enum gb_wait found = request_from_front(c, GB_WAITS_FILE);
        if (found != GB_READY)
            return found;
        while (!gb_spool_here(&c->spool)) {
            if (gb_claim_closed(c))
                return GB_GONE;
            gb_spool_await(&c->spool);
        }
        GB_STEP(spool_taken);
        if (c->spool.file < 0)
            c->unreadable = EMFILE;
    }
    return c->unreadable ? GB_UNREADABLE : GB_READY;
}

static bool look_response(struct gb_claim *c, enum gb_wait *found)
{
    uint32_t room;
    *found = GB_GONE;
    if (gb_claim_closed(c))
        return true;
    c->broken = !gb_writer_room(&c->response, &room);
    if (c->broken)
        return true;
    *found = GB_READY;
    return room > 0;
}

// Is the wait for the front to take the last file over?
static bool look_file(struct gb_claim *c, enum gb_wait *found)
{
    *found = GB_GONE;
    if (gb_claim_closed(c))
        return true;
    *found = GB_READY;
    return !c->file_named || gb_writer_was_read(&c->response, c->file_end);
}

void gb_file_named(struct gb_claim *c, size_t size)
{
    c->file_named = true;
    c->file_end = c->response.write + (uint32_t)size;
}

// Asks for news of the response pipe until `look` is content.
static enum gb_wait watch_response(struct gb_claim *c, bool (*look)(struct gb_claim *, enum gb_wait *))
{
    enum gb_wait found;
    bool over = look(c, &found);
    if (!over && !c->response_asked) {
        c->response_asked = true;
        atomic_store(&c->response.pipe->writer_waits, GB_WAITS_NEWS);
        GB_STEP(response_waits);
        over = look(c, &found);
    }
    if (!over)
        return GB_LATER;
    if (c->response_asked && !lost(c)) {
        GB_STEP(response_woken);
        c->response_asked = false;
        atomic_store(&c->response.pipe->writer_waits, GB_WAITS_NOT);
    }
    return found;
}

enum gb_wait gb_response_watch(struct gb_claim *c)
{
    return watch_response(c, look_response);
}

enum gb_wait gb_file_watch(struct gb_claim *c)
{
    return watch_response(c, look_file);
}

enum gb_wait gb_response_wait(struct gb_claim *c)
{
    enum gb_wait found;
    if (look_response(c, &found))
        return found;
    for (;;) {
        uint32_t bell = atomic_load(&stream_of(c)->bell);
        bool interrupted = false;
        atomic_store(&c->response.pipe->writer_waits, GB_WAITS_BELL);
        GB_STEP(response_waits);
        if (!look_response(c, &found))
            interrupted = sleep_on_bell(c, bell);
        GB_STEP(response_woken);
        atomic_store(&c->response.pipe->writer_waits, GB_WAITS_NOT);
        if (look_response(c, &found))
            return found;
        if (interrupted)
            return GB_INTERRUPTED;
    }
}

// ---- Reading and writing.

// Takes request bytes and tells the front if it waits for room.
static size_t take(struct gb_claim *c, void *to, size_t n)
{
    size_t taken;
    if (lost(c))
        return 0;
    if (!gb_reader_take(&c->request, to, n, &taken)) {
        c->broken = true;
        return 0;
    }
    if (taken == 0)
        return 0;
    GB_STEP(request_read);
    if (atomic_load(&c->request.pipe->writer_waits) != GB_WAITS_NOT)
        tell(c);
    return taken;
}

uint32_t gb_request_used(struct gb_claim *c)
{
    uint32_t used = 0;
    if (!lost(c) && !gb_reader_used(&c->request, &used)) {
        c->broken = true;
        used = 0;
    }
    return used;
}

// Takes exactly n bytes of the head; false if they will never come.
static bool take_all(struct gb_claim *c, void *to, size_t n)
{
    uint8_t *at = to;
    while (n > 0) {
        size_t taken = take(c, at, n);
        at += taken;
        n -= taken;
        if (taken > 0)
            continue;
        enum gb_wait found = request_bytes(c);
        if (found == GB_GONE || found == GB_END)
            return false;
    }
    return true;
}

static bool make_room(struct gb_claim *c, size_t size)
{
    if (c->variables != NULL && size <= c->variables_room && c->variables_room <= VARIABLES_KEPT)
        return true;
    size_t room = size < 4096 ? 4096 : size;
    free(c->variables);
    c->variables = malloc(room);
    c->variables_room = c->variables != NULL ? room : 0;
    return c->variables != NULL;
}

// Do `count` variables fill exactly `size` bytes?
static bool variables_fit(const uint8_t *at, size_t size, unsigned count)
{
    struct gb_variable v;
    for (; count > 0; count--) {
        if (size < sizeof v)
            return false;
        memcpy(&v, at, sizeof v);
        uint64_t bytes = sizeof v + (uint64_t)v.name_size + v.value_size;
        if (bytes > size)
            return false;
        at += bytes;
        size -= bytes;
    }
    return size == 0;
}

int gb_claim_head(struct gb_claim *c, uint8_t **variables, size_t *size)
{
    struct gb_request_head head;
    if (!take_all(c, &head, sizeof head))
        return -1;
    if (head.size < sizeof head || head.size > GB_MAX_REQUEST_HEAD) {
        c->broken = true;
        return -1;
    }
    size_t rest = head.size - sizeof head;
    if (!make_room(c, rest) || !take_all(c, c->variables, rest))
        return -1;
    if (!variables_fit(c->variables, rest, head.count)) {
        c->broken = true;
        return -1;
    }
    bool websocket = head.flags & GB_REQUEST_WEBSOCKET;
    if ((head.flags & GB_REQUEST_SPOOLED) && (websocket || head.body_length == GB_LENGTH_UNKNOWN)) {
        c->broken = true;
        return -1;
    }
    c->head = head;
    c->body_left = websocket ? GB_LENGTH_UNKNOWN : head.body_length;
    *variables = c->variables;
    *size = rest;
    return 0;
}

// Reads from the body's file, if it has come.
static size_t take_spooled(struct gb_claim *c, void *to, size_t n)
{
    if (lost(c) || c->unreadable || !gb_spool_here(&c->spool))
        return 0;
    ssize_t got = gb_spool_read(&c->spool, to, n);
    if (got < 0)
        c->unreadable = errno;
    return got < 0 ? 0 : (size_t)got;
}

size_t gb_request_try(struct gb_claim *c, void *to, size_t n)
{
    if (n > c->body_left)
        n = c->body_left;
    size_t taken = gb_request_spooled(c) ? take_spooled(c, to, n) : take(c, to, n);
    if (taken > 0)
        c->body_came = true;
    if (c->body_left != GB_LENGTH_UNKNOWN)
        c->body_left -= taken;
    return taken;
}

static enum gb_wait at_end(struct gb_claim *c, enum gb_wait found)
{
    if (found != GB_END)
        return found;
    if (c->body_left != GB_LENGTH_UNKNOWN)
        return GB_GONE; // the front ended the body before the length it had told
    c->body_left = 0;
    return GB_END;
}

enum gb_wait gb_request_wait(struct gb_claim *c)
{
    if (lost(c))
        return GB_GONE;
    if (c->body_left == 0)
        return GB_END;
    if (gb_request_spooled(c))
        return request_file(c);
    return at_end(c, request_bytes(c));
}

enum gb_wait gb_request_watch(struct gb_claim *c)
{
    if (lost(c))
        return GB_GONE;
    if (c->body_left == 0)
        return GB_END;
    return at_end(c, watch_request(c, look_request));
}

bool gb_request_over(struct gb_claim *c)
{
    enum gb_wait found;
    if (c->body_left == GB_LENGTH_UNKNOWN && look_request(c, &found) && found == GB_END)
        c->body_left = 0;
    return c->body_left == 0;
}

size_t gb_response_try(struct gb_claim *c, const void *from, size_t n, bool last)
{
    size_t put;
    if (gb_claim_closed(c))
        return 0;
    if (!gb_writer_put(&c->response, from, n, &put)) {
        c->broken = true;
        return 0;
    }
    if (put > 0 && !(last && put == n))
        tell(c);
    return put;
}

bool gb_response_is_wide(const struct gb_claim *c)
{
    return c->response.write - c->response.base > GB_MIN_PIPE;
}

// Only the worker writes there, and what nobody is to read may be zeros.
bool gb_response_give_back(struct gb_claim *c)
{
    uint32_t room;
    const struct gb_segment *s = c->segment;
    if (lost(c))
        return true;
    if (!gb_writer_room(&c->response, &room) || room < s->pipe_size)
        return false;
    if (s->pipe_size > GB_MIN_PIPE)
        madvise(c->response.bytes + GB_MIN_PIPE, s->pipe_size - GB_MIN_PIPE, MADV_REMOVE);
    return true;
}
