// The ASGI interface inside a Python that is there already, for asgi.py: a library that plays
// the front (front.c) beside the event loop. asgi.py loads it with ctypes.PyDLL, so every
// function here is called with the GIL held, in the loop's thread.
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>

#include "front.h"
#include "../application.h"
#include "../asgi.h"
#include "../control.h"
#include "../loop.h"
#include "../python_api.h"

#define SHOWN __attribute__((visibility("default")))

static struct front front;
static struct gb_segment segment;

// Makes the loop, for an application that the caller keeps. `wsgi` and `asgi` are the sources
// of the helper's modules. Returns what is wrong, or NULL.
SHOWN const char *test_open(const char *wsgi, const char *asgi, PyObject *application)
{
    static char error[200];
    struct gb_worker_settings settings = {.application = "",
                                          .chdir = "",
                                          .interface = "asgi",
                                          .loop = "asyncio",
                                          .lifespan = "off",
                                          .threads = 1,
                                          .pathsend = true};
    struct gb_application loaded = {.callable = application, .interface = GB_INTERFACE_ASGI, .interface_name = "asgi"};
    front_open(&front, &segment);
    segment.doorbell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (gb_python_bind(NULL, error, sizeof error) != 0)
        return error;
    if (gb_python_module("_gobridge", wsgi) != 0 || gb_python_module("_gobridge_asgi", asgi) != 0)
        return gb_failure();
    unsigned loops;
    bool started = gb_asgi_prepare(&settings, &loaded) == 0 && gb_asgi_start(&segment, 1, &loops) != NULL;
    return started ? NULL : gb_failure();
}

SHOWN int test_doorbell(void)
{
    return segment.doorbell;
}

SHOWN PyObject *test_bell(void)
{
    return gb_loop_bell();
}

// News of a stream, for the loop.
static void tell(uint32_t stream)
{
    uint8_t *at = front.base + front.header->news_at + GB_TO_WORKER * front.header->news_stride;
    _Atomic uint64_t *summary = (_Atomic uint64_t *)at, *bits = (_Atomic uint64_t *)(at + 64);
    atomic_fetch_or(&bits[stream / 64], UINT64_C(1) << stream % 64);
    atomic_fetch_or(summary, UINT64_C(1) << stream / 64);
    gb_ring(segment.doorbell);
}

// Puts a request, the head and what goes with it, into the inbox, on a stream that is done.
SHOWN void test_begin(uint32_t stream, const char *request, size_t size, uint32_t flags)
{
    struct gb_stream *s = &front.stream[stream];
    memset((char *)s + sizeof s->word, 0, sizeof *s - sizeof s->word);
    CHECK(front_write(&front, stream, request, size) == size);
    front_set(&front, stream, flags);
    front_queue(&front, stream);
    gb_ring(segment.doorbell);
}

SHOWN size_t test_write(uint32_t stream, const char *data, size_t size)
{
    size_t n = front_write(&front, stream, data, size);
    if (n > 0 && atomic_load(&front.stream[stream].request.reader_waits) == GB_WAITS_NEWS)
        tell(stream);
    return n;
}

SHOWN size_t test_read(uint32_t stream, char *data, size_t size)
{
    size_t n = front_read(&front, stream, data, size);
    if (n > 0 && atomic_load(&front.stream[stream].response.writer_waits) == GB_WAITS_NEWS)
        tell(stream);
    return n;
}

SHOWN void test_set(uint32_t stream, uint32_t flags)
{
    struct gb_stream *s = &front.stream[stream];
    front_set(&front, stream, flags);
    if (atomic_load(&s->request.reader_waits) == GB_WAITS_NEWS ||
        atomic_load(&s->response.writer_waits) == GB_WAITS_NEWS)
        tell(stream);
}

// How its run has ended (GB_FINISHED, GB_ABORTED), or -1: it has not.
SHOWN int test_outcome(uint32_t stream)
{
    struct gb_stream *s = &front.stream[stream];
    return atomic_load(&s->word) >> GB_STATE_SHIFT == GB_DONE ? (int)atomic_load(&s->outcome) : -1;
}

// Does the application wait for a message of this stream?
SHOWN int test_waits(uint32_t stream)
{
    return atomic_load(&front.stream[stream].request.reader_waits) == GB_WAITS_NEWS;
}
