// Tests of bodies that come in a file: the watcher's part and the request thread's.
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../spool.h"
#include "front.h"
#include "test_spool.h"

static const char text[] = "the body of a request";
enum { STREAM = 3, SIZE = sizeof text - 1 };

static int body_file(void)
{
    int fd = memfd_create("body", MFD_CLOEXEC);
    CHECK(fd >= 0 && write(fd, text, SIZE) == SIZE);
    return fd;
}

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

// A request of that length whose body is in a file, claimed and its head read.
static void begin(struct front *f, struct gb_claim *c, uint64_t length)
{
    uint8_t *variables;
    size_t size;
    struct gb_request_head head = {.size = sizeof head, .flags = GB_REQUEST_SPOOLED, .body_length = length};
    atomic_store(&f->stream[STREAM].front, 0);
    front_write(f, STREAM, &head, sizeof head);
    front_set(f, STREAM, GB_BODY_END);
    struct gb_hint hint = front_queue(f, STREAM);
    CHECK(gb_claim_take(c, &hint));
    CHECK(gb_claim_head(c, &variables, &size) == (length == GB_LENGTH_UNKNOWN ? -1 : 0));
}

// The front and the watcher, for a request whose thread waits.
struct giver {
    struct front *front;
    uint64_t word;
    int file;     // -1: it is lost on its way
    bool leaves;  // the client goes instead
    bool unasked; // it is sent, and the client goes before it is here
};

static void *give(void *argument)
{
    struct giver *g = argument;
    struct gb_stream *s = &g->front->stream[STREAM];
    while (atomic_load(&s->request.reader_waits) != GB_WAITS_FILE)
        sched_yield();
    while (!front_news(g->front, 0, STREAM)) // each wait tells
        sched_yield();
    if (g->leaves || g->unasked) {
        front_set(g->front, STREAM, GB_CLOSED | (g->unasked ? GB_BODY_PASSED : 0));
        return NULL;
    }
    for (unsigned wrong = 0; wrong < 2; wrong++) { // for another use of the stream, and for another stream
        int other = body_file();
        gb_spool_come(STREAM + wrong, g->word + 1 - wrong, other);
        CHECK(!is_open(other));
    }
    front_set(g->front, STREAM, GB_BODY_PASSED);
    usleep(1000);
    gb_spool_come(STREAM, g->word, g->file);
    return NULL;
}

static enum gb_wait wait_for(struct front *f, struct gb_claim *c, struct giver g)
{
    pthread_t thread;
    g.front = f;
    g.word = c->word;
    CHECK(pthread_create(&thread, NULL, give, &g) == 0);
    enum gb_wait found = gb_request_wait(c);
    CHECK(pthread_join(thread, NULL) == 0);
    return found;
}

void a_body_in_a_file_is_read_to_its_end(void)
{
    struct front f;
    struct gb_segment s;
    struct gb_claim c;
    char got[100];
    front_open(&f, &s);
    gb_claim_open(&c, &s);
    for (int use = 0; use < 3; use++) { // nothing of an earlier one is left
        begin(&f, &c, SIZE);
        int file = body_file();
        CHECK(gb_request_try(&c, got, sizeof got) == 0);
        CHECK(wait_for(&f, &c, (struct giver){.file = file}) == GB_READY);
        CHECK(gb_request_try(&c, got, 5) == 5 && gb_request_wait(&c) == GB_READY);
        CHECK(gb_request_try(&c, got + 5, sizeof got - 5) == SIZE - 5 && memcmp(got, text, SIZE) == 0);
        CHECK(gb_request_wait(&c) == GB_END && gb_request_try(&c, got, 1) == 0);
        int late = dup(file);
        gb_spool_come(STREAM, c.word, late); // a second one
        CHECK(!is_open(late) && is_open(file));
        uint64_t word = c.word;
        gb_claim_finish(&c, GB_FINISHED);
        CHECK(!is_open(file));
        late = body_file();
        gb_spool_come(STREAM, word, late); // one that comes after the end
        CHECK(!is_open(late));
    }
    gb_claim_close(&c);
    front_close(&f);
}

void a_body_whose_file_does_not_come_ends_the_wait(void)
{
    struct front f;
    struct gb_segment s;
    struct gb_claim c;
    char got[100];
    front_open(&f, &s);
    gb_claim_open(&c, &s);
    begin(&f, &c, SIZE);
    CHECK(wait_for(&f, &c, (struct giver){.file = -1}) == GB_UNREADABLE && c.unreadable == EMFILE);
    CHECK(gb_request_try(&c, got, 1) == 0 && gb_request_wait(&c) == GB_UNREADABLE);
    gb_claim_finish(&c, GB_FINISHED);
    CHECK(atomic_load(&f.stream[STREAM].outcome) == GB_FINISHED); // what it is worth the application says
    begin(&f, &c, SIZE);
    CHECK(wait_for(&f, &c, (struct giver){.leaves = true}) == GB_GONE);
    gb_claim_finish(&c, GB_FINISHED);
    begin(&f, &c, SIZE);
    CHECK(wait_for(&f, &c, (struct giver){.unasked = true}) == GB_GONE);
    gb_claim_finish(&c, GB_FINISHED);
    begin(&f, &c, SIZE + 5); // the front says more than there is
    CHECK(wait_for(&f, &c, (struct giver){.file = body_file()}) == GB_READY);
    CHECK(gb_request_try(&c, got, SIZE) == SIZE && gb_request_try(&c, got, 5) == 0);
    CHECK(gb_request_wait(&c) == GB_UNREADABLE && c.unreadable == EIO);
    gb_claim_finish(&c, GB_FINISHED);
    begin(&f, &c, GB_LENGTH_UNKNOWN);
    CHECK(gb_claim_closed(&c));
    gb_claim_finish(&c, GB_FINISHED);
    gb_claim_close(&c);
    front_close(&f);
}
