#include "segment.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

// Is [at, at + count*stride) inside the segment, behind *end, and aligned? *end
// becomes its end, so that no two of them overlap.
static bool inside(const struct gb_header *h, uint64_t *end, uint64_t at, uint64_t count, uint64_t stride)
{
    uint64_t bytes;
    if (at % 64 != 0 || stride % 64 != 0 || at < *end || at > h->size)
        return false;
    if (__builtin_mul_overflow(count, stride, &bytes) || bytes > h->size - at)
        return false;
    *end = at + bytes;
    return true;
}

static bool power_of_two(uint64_t n)
{
    return n != 0 && (n & (n - 1)) == 0;
}

static uint64_t bitmap_bytes(const struct gb_header *h)
{
    uint64_t summary = ((uint64_t)h->summary_words * 8 + 63) & ~UINT64_C(63);
    return summary + h->streams / 64 * UINT64_C(8);
}

static const char *check_numbers(const struct gb_header *h, size_t mapped)
{
    if (h->magic != GB_MAGIC)
        return "not a gobridge segment";
    if (h->version != GB_LAYOUT_VERSION || h->header_size != sizeof *h)
        return "segment of another layout version";
    if (h->size != mapped)
        return "segment's size differs from its header";
    if (h->workers < 1 || h->workers > GB_MAX_WORKERS)
        return "segment: number of workers";
    if (h->reactors < 1 || h->reactors > GB_MAX_REACTORS)
        return "segment: number of reactors";
    if (h->streams < 64 || h->streams > GB_MAX_STREAMS || h->streams % 64 != 0)
        return "segment: number of streams";
    if (h->pipe_size < GB_MIN_PIPE || h->pipe_size > GB_MAX_PIPE || !power_of_two(h->pipe_size))
        return "segment: size of pipes";
    if (h->inbox_entries < 1 || h->inbox_entries > GB_MAX_INBOX || !power_of_two(h->inbox_entries))
        return "segment: size of inboxes";
    if (h->summary_words != (h->streams + 4095) / 4096)
        return "segment: size of bitmaps";
    if (h->spin_ns > GB_MAX_SPIN_NS)
        return "segment: time before a sleep";
    return NULL;
}

static const char *check_places(const struct gb_header *h)
{
    uint64_t worker_bytes = sizeof(struct gb_worker) + h->inbox_entries * (uint64_t)sizeof(struct gb_hint);
    uint64_t bitmaps = (uint64_t)2 * h->workers * h->reactors, end = sizeof *h;
    if (!inside(h, &end, h->reactors_at, h->reactors, sizeof(struct gb_reactor)))
        return "segment: place of reactors";
    if (h->worker_stride < worker_bytes || !inside(h, &end, h->workers_at, h->workers, h->worker_stride))
        return "segment: place of workers";
    if (h->news_stride < bitmap_bytes(h) || !inside(h, &end, h->news_at, bitmaps, h->news_stride))
        return "segment: place of news";
    if (!inside(h, &end, h->streams_at, h->streams, sizeof(struct gb_stream)))
        return "segment: place of streams";
    if (h->pipes_at % GB_MIN_PIPE != 0 || !inside(h, &end, h->pipes_at, (uint64_t)2 * h->streams, h->pipe_size))
        return "segment: place of pipes";
    return NULL;
}

static const char *check_worker(struct gb_segment *s)
{
    if (atomic_load(&s->worker->incarnation) != s->incarnation)
        return "segment: worker slot belongs to another incarnation";
    s->taken = atomic_load(&s->worker->taken);
    if (atomic_load(&s->worker->put) - s->taken > s->inbox_entries)
        return "segment: inbox counters";
    return NULL;
}

const char *gb_segment_adopt(struct gb_segment *s, void *base, size_t size, uint32_t slot, uint32_t incarnation)
{
    struct gb_header h;
    if (size < sizeof h)
        return "segment is smaller than its header";
    memcpy(&h, base, sizeof h);
    const char *wrong = check_numbers(&h, size);
    if (wrong == NULL)
        wrong = check_places(&h);
    if (wrong != NULL)
        return wrong;
    if (slot >= h.workers || incarnation == 0 || incarnation > GB_INCARNATION_MASK)
        return "segment: worker slot or incarnation";

    uint8_t *start = base;
    uint8_t *news = start + h.news_at + (uint64_t)2 * slot * h.reactors * h.news_stride;
    *s = (struct gb_segment){
        .base = start,
        .size = size,
        .workers = h.workers,
        .reactors = h.reactors,
        .streams = h.streams,
        .pipe_size = h.pipe_size,
        .inbox_entries = h.inbox_entries,
        .summary_words = h.summary_words,
        .spin_ns = h.spin_ns,
        .news_stride = h.news_stride,
        .slot = slot,
        .incarnation = incarnation,
        .reactor = (struct gb_reactor *)(start + h.reactors_at),
        .worker = (struct gb_worker *)(start + h.workers_at + slot * h.worker_stride),
        .news = news,
        .stream = (struct gb_stream *)(start + h.streams_at),
        .pipes = start + h.pipes_at,
        .control = -1,
        .doorbell = -1,
    };
    for (unsigned r = 0; r < GB_MAX_REACTORS; r++)
        s->reactor_doorbell[r] = -1;
    return check_worker(s);
}

// A segment that its maker could still shrink would end us with SIGBUS.
static bool sealed(int fd)
{
    int seals = fcntl(fd, F_GET_SEALS);
    return seals >= 0 && (seals & F_SEAL_SHRINK) && (seals & F_SEAL_GROW);
}

const char *gb_segment_map(struct gb_segment *s, int fd, uint32_t slot, uint32_t incarnation)
{
    struct stat st;
    if (fstat(fd, &st) != 0 || st.st_size <= 0)
        return "segment has no size";
    if (!sealed(fd))
        return "segment is not sealed against shrinking and growing";
    size_t size = (size_t)st.st_size;
    void *base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (base == MAP_FAILED)
        return "segment cannot be mapped";
    // An application's own forks must not touch the bridge, nor core dumps carry it.
    const char *wrong = "segment cannot be kept from forks";
    if (madvise(base, size, MADV_DONTFORK) == 0) {
        (void)madvise(base, size, MADV_DONTDUMP);
        wrong = gb_segment_adopt(s, base, size, slot, incarnation);
    }
    if (wrong != NULL)
        munmap(base, size);
    return wrong;
}
