#include "records.h"

// Records up to this size are put together and written as one.
#define SMALL 32768u

// Waits for room, without the GIL.
static enum gb_sent wait_for_room(struct gb_request *r)
{
    for (;;) {
        PyThreadState *state = gb_py.PyEval_SaveThread();
        enum gb_wait found = gb_response_wait(r->claim);
        gb_py.PyEval_RestoreThread(state);
        if (found == GB_READY)
            return GB_SENT;
        if (found != GB_INTERRUPTED) {
            r->gone = true;
            return GB_CLIENT_GONE;
        }
        if (gb_py.PyErr_CheckSignals() != 0)
            return GB_RAISED;
    }
}

// Writes all of it, waiting as often as needed.
static enum gb_sent put(struct gb_request *r, const char *data, size_t size, bool last)
{
    while (size > 0) {
        size_t n = gb_response_try(r->claim, data, size, last);
        data += n;
        size -= n;
        if (n > 0)
            continue;
        enum gb_sent waited = wait_for_room(r);
        if (waited != GB_SENT)
            return waited;
    }
    return GB_SENT;
}

enum gb_sent gb_records_body(struct gb_request *r, const char *data, size_t size, bool last)
{
    struct gb_record record = {GB_RECORD_BODY, (uint32_t)size};
    bool with_head = !r->head_sent, together = size <= SMALL;
    r->out.size = 0;
    if (with_head && !gb_head_record(&r->head, &r->out))
        return GB_RAISED;
    if (size > 0 && !gb_bytes_add(&r->out, &record, sizeof record))
        return GB_RAISED;
    if (together && !gb_bytes_add(&r->out, data, size))
        return GB_RAISED;
    r->head_sent = true;
    enum gb_sent sent = put(r, r->out.data, r->out.size, last && together);
    if (sent == GB_SENT && !together)
        sent = put(r, data, size, last);
    gb_bytes_clear(&r->out, (size_t)2 * SMALL);
    return sent;
}

enum gb_sent gb_records_file(struct gb_request *r, const struct gb_file *file)
{
    struct gb_record record = {GB_RECORD_FILE, sizeof *file};
    r->out.size = 0;
    if (!r->head_sent && !gb_head_record(&r->head, &r->out))
        return GB_RAISED;
    if (!gb_bytes_add(&r->out, &record, sizeof record) || !gb_bytes_add(&r->out, file, sizeof *file))
        return GB_RAISED;
    r->head_sent = true;
    // Not the last: the application's close() follows, and may take its time.
    enum gb_sent sent = put(r, r->out.data, r->out.size, false);
    gb_bytes_clear(&r->out, (size_t)2 * SMALL);
    return sent;
}

enum gb_sent gb_records_hints(struct gb_request *r, const struct gb_head *hints)
{
    r->out.size = 0;
    if (!gb_head_hints(hints, &r->out))
        return GB_RAISED;
    enum gb_sent sent = put(r, r->out.data, r->out.size, false);
    gb_bytes_clear(&r->out, (size_t)2 * SMALL);
    return sent;
}
