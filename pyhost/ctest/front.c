#include "front.h"

#include <linux/futex.h>
#include <limits.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ROUND(n, to) (((n) + (to)-1) / (to) * (to))

static uint64_t lay_out(struct gb_header *h)
{
    uint64_t at = ROUND(sizeof *h, 64);
    h->reactors_at = at;
    at += h->reactors * sizeof(struct gb_reactor);
    h->workers_at = at;
    h->worker_stride = ROUND(sizeof(struct gb_worker) + h->inbox_entries * sizeof(struct gb_hint), 64);
    at += h->workers * h->worker_stride;
    h->news_at = at;
    h->news_stride = ROUND(h->summary_words * 8, 64) + ROUND(h->streams / 64 * 8, 64);
    at += 2 * h->workers * h->reactors * h->news_stride;
    h->streams_at = at;
    at += h->streams * sizeof(struct gb_stream);
    h->pipes_at = ROUND(at, 4096);
    return h->pipes_at + (uint64_t)2 * h->streams * h->pipe_size;
}

void front_open(struct front *f, struct gb_segment *s)
{
    struct gb_header h = {
        .magic = GB_MAGIC,
        .version = GB_LAYOUT_VERSION,
        .header_size = sizeof h,
        .workers = 1,
        .reactors = REACTORS,
        .streams = STREAMS,
        .pipe_size = PIPE,
        .inbox_entries = INBOX,
        .summary_words = (STREAMS + 4095) / 4096,
    };
    h.size = lay_out(&h);
    f->size = h.size;
    f->base = aligned_alloc(4096, f->size);
    CHECK(f->base != NULL);
    memset(f->base, 0, f->size);
    memcpy(f->base, &h, sizeof h);
    f->header = (struct gb_header *)f->base;
    f->worker = (struct gb_worker *)(f->base + h.workers_at);
    f->stream = (struct gb_stream *)(f->base + h.streams_at);
    f->sequence = 0;
    atomic_store(&f->worker->incarnation, INCARNATION);
    CHECK(gb_segment_adopt(s, f->base, f->size, 0, INCARNATION) == NULL);
}

void front_close(struct front *f)
{
    free(f->base);
}

struct gb_hint front_queue(struct front *f, uint32_t stream)
{
    uint64_t word =
        (uint64_t)GB_QUEUED << GB_STATE_SHIFT | (uint64_t)INCARNATION << GB_INCARNATION_SHIFT | ++f->sequence;
    uint32_t put = atomic_load(&f->worker->put);
    struct gb_hint hint = {.word = word, .stream = stream};
    atomic_store(&f->stream[stream].word, word);
    f->worker->inbox[put % INBOX] = hint;
    atomic_store(&f->worker->put, put + 1);
    return hint;
}

static void ring_bell(struct gb_stream *s)
{
    atomic_fetch_add(&s->bell, 1);
    syscall(SYS_futex, &s->bell, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

size_t front_write(struct front *f, uint32_t stream, const void *from, size_t n)
{
    struct gb_stream *s = &f->stream[stream];
    uint8_t *bytes = f->base + f->header->pipes_at + (size_t)2 * stream * PIPE;
    uint64_t written = atomic_load(&s->request.written);
    uint32_t base = (uint32_t)(written >> 32), write = (uint32_t)written;
    uint32_t used = write - atomic_load(&s->request.read);
    CHECK(used <= PIPE);
    if (used == 0)
        base = write;
    if (n > PIPE - used)
        n = PIPE - used;
    for (size_t i = 0; i < n; i++)
        bytes[(write - base + i) % PIPE] = ((const uint8_t *)from)[i];
    atomic_store(&s->request.written, (uint64_t)base << 32 | (uint32_t)(write + n));
    if (atomic_load(&s->request.reader_waits) == GB_WAITS_BELL)
        ring_bell(s);
    return n;
}

size_t front_read(struct front *f, uint32_t stream, void *to, size_t n)
{
    struct gb_stream *s = &f->stream[stream];
    uint8_t *bytes = f->base + f->header->pipes_at + ((size_t)2 * stream + 1) * PIPE;
    uint64_t written = atomic_load(&s->response.written);
    uint32_t read = atomic_load(&s->response.read), used = (uint32_t)written - read;
    CHECK(used <= PIPE);
    if (n > used)
        n = used;
    for (size_t i = 0; i < n; i++)
        ((uint8_t *)to)[i] = bytes[(read - (uint32_t)(written >> 32) + i) % PIPE];
    atomic_store(&s->response.read, (uint32_t)(read + n));
    if (n > 0 && atomic_load(&s->response.writer_waits) == GB_WAITS_BELL)
        ring_bell(s);
    return n;
}

void front_set(struct front *f, uint32_t stream, uint32_t flags)
{
    struct gb_stream *s = &f->stream[stream];
    atomic_fetch_or(&s->front, flags);
    uint32_t reader = atomic_load(&s->request.reader_waits);
    if (reader == GB_WAITS_BELL || reader == GB_WAITS_FILE || atomic_load(&s->response.writer_waits) == GB_WAITS_BELL)
        ring_bell(s);
}

int front_news(struct front *f, uint32_t reactor, uint32_t stream)
{
    uint8_t *at = f->base + f->header->news_at + (2 * reactor + GB_TO_FRONT) * f->header->news_stride;
    _Atomic uint64_t *summary = (_Atomic uint64_t *)at;
    _Atomic uint64_t *bits = (_Atomic uint64_t *)(at + ROUND(f->header->summary_words * 8, 64));
    uint64_t named = atomic_exchange(summary, 0);
    if (!(named >> (stream / 64) & 1))
        return 0;
    return atomic_exchange(&bits[stream / 64], 0) >> (stream % 64) & 1;
}
