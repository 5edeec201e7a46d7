// Tests of a WebSocket's messages in the request pipe: incoming.c, on a claim.
#include "test_incoming.h"

#include <stdatomic.h>
#include <string.h>

#include "../incoming.h"
#include "../python_api.h"
#include "front.h"

struct gb_py gb_py; // bytes.c wants it when there is no memory

enum { STREAM = 6, LONG = 3 * PIPE + 100 };

// A claim of a WebSocket's request.
struct socket {
    struct front front;
    struct gb_segment segment;
    struct gb_claim claim;
    struct gb_incoming in;
};

static void open_socket(struct socket *s)
{
    uint8_t *variables;
    size_t size;
    struct gb_request_head head = {.size = sizeof head, .flags = GB_REQUEST_WEBSOCKET, .body_length = 0};
    *s = (struct socket){0};
    front_open(&s->front, &s->segment);
    gb_claim_open(&s->claim, &s->segment);
    struct gb_hint hint = front_queue(&s->front, STREAM);
    front_write(&s->front, STREAM, &head, sizeof head);
    front_set(&s->front, STREAM, GB_BODY_END); // there is no body: the messages are none
    CHECK(gb_claim_take(&s->claim, &hint) && gb_claim_head(&s->claim, &variables, &size) == 0);
}

static void close_socket(struct socket *s)
{
    gb_incoming_drop(&s->in);
    gb_claim_finish(&s->claim, GB_FINISHED);
    gb_claim_close(&s->claim);
    front_close(&s->front);
}

static void put(struct socket *s, const void *data, size_t size)
{
    CHECK(front_write(&s->front, STREAM, data, size) == size);
}

static void put_record(struct socket *s, uint32_t kind, const void *data, size_t size)
{
    struct gb_record record = {kind, (uint32_t)size};
    put(s, &record, sizeof record);
    put(s, data, size);
}

static enum gb_came look(struct socket *s)
{
    return gb_incoming_look(&s->in, &s->claim);
}

// The next message is this one.
static void check_message(struct socket *s, uint32_t kind, const char *text)
{
    char got[64];
    CHECK(look(s) == GB_CAME_MESSAGE && look(s) == GB_CAME_MESSAGE);
    CHECK(s->in.kind == kind && gb_incoming_size(&s->in) == strlen(text));
    CHECK(gb_incoming_take(&s->in, &s->claim, got) && memcmp(got, text, strlen(text)) == 0);
    CHECK(s->in.kept.data == NULL); // an idle one keeps no memory
}

static void a_message_longer_than_the_pipe(struct socket *s)
{
    static uint8_t sent[LONG], got[LONG];
    struct gb_record record = {GB_RECORD_BINARY, LONG};
    for (size_t i = 0; i < LONG; i++)
        sent[i] = (uint8_t)(i * 31 >> 3);
    put(s, &record, sizeof record);
    for (size_t at = 0; at < LONG;) {
        CHECK(look(s) == GB_CAME_NOTHING && gb_records_watch(&s->claim) == GB_LATER);
        at += front_write(&s->front, STREAM, sent + at, LONG - at);
    }
    CHECK(look(s) == GB_CAME_MESSAGE && gb_incoming_size(&s->in) == LONG);
    CHECK(gb_incoming_take(&s->in, &s->claim, got) && memcmp(sent, got, LONG) == 0);
}

void messages_are_put_together(void)
{
    struct socket s;
    open_socket(&s);
    CHECK(look(&s) == GB_CAME_NOTHING);
    put_record(&s, GB_RECORD_TEXT, "hello", 5);
    put_record(&s, GB_RECORD_BINARY, "", 0);
    put_record(&s, GB_RECORD_TEXT | GB_RECORD_MORE, "a", 1);
    put_record(&s, GB_RECORD_TEXT | GB_RECORD_MORE, "", 0);
    put_record(&s, GB_RECORD_TEXT, "bc", 2);
    check_message(&s, GB_RECORD_TEXT, "hello");
    check_message(&s, GB_RECORD_BINARY, "");
    check_message(&s, GB_RECORD_TEXT, "abc");
    CHECK(look(&s) == GB_CAME_NOTHING);
    put_record(&s, GB_RECORD_BINARY | GB_RECORD_MORE, "in", 2);
    CHECK(look(&s) == GB_CAME_NOTHING && look(&s) == GB_CAME_NOTHING);
    put(&s, (const char[]){GB_RECORD_BINARY, 0, 0}, 3); // amid a header
    CHECK(look(&s) == GB_CAME_NOTHING && gb_records_watch(&s.claim) == GB_LATER);
    put(&s, (const char[]){0, 8, 0, 0, 0, ' '}, 6);
    CHECK(look(&s) == GB_CAME_NOTHING && gb_records_watch(&s.claim) == GB_LATER);
    put(&s, " pieces", 7);
    check_message(&s, GB_RECORD_BINARY, "in  pieces");
    a_message_longer_than_the_pipe(&s);
    close_socket(&s);
}

static void check_close(struct socket *s, uint16_t code, const char *reason)
{
    size_t size;
    CHECK(look(s) == GB_CAME_CLOSE && look(s) == GB_CAME_CLOSE && gb_incoming_code(&s->in) == code);
    const char *text = gb_incoming_reason(&s->in, &size);
    CHECK(size == strlen(reason) && memcmp(text, reason, size) == 0);
}

void messages_end_with_a_close_or_the_client(void)
{
    struct socket s;
    char longest[2 + GB_MAX_REASON + 1] = "\xe8\x03";
    memset(longest + 2, 'r', GB_MAX_REASON);
    open_socket(&s);
    put_record(&s, GB_RECORD_TEXT, "last", 4);
    put_record(&s, GB_RECORD_CLOSE, longest, 2 + GB_MAX_REASON);
    front_set(&s.front, STREAM, GB_CLOSED);
    check_message(&s, GB_RECORD_TEXT, "last"); // also when the client is gone
    check_close(&s, 1000, longest + 2);
    close_socket(&s);

    open_socket(&s);
    put_record(&s, GB_RECORD_TEXT | GB_RECORD_MORE, "begun", 5);
    CHECK(look(&s) == GB_CAME_NOTHING);
    put_record(&s, GB_RECORD_CLOSE, "\xf1\x03", 2); // amid a message: it was too large
    check_close(&s, 1009, "");
    CHECK(s.in.kept.data == NULL);
    close_socket(&s);

    open_socket(&s);
    put_record(&s, GB_RECORD_TEXT, "last", 4);
    put(&s, "\7", 1);
    front_set(&s.front, STREAM, GB_CLOSED);
    check_message(&s, GB_RECORD_TEXT, "last");
    CHECK(look(&s) == GB_CAME_NOTHING && gb_records_watch(&s.claim) == GB_GONE);
    close_socket(&s);
}

// A record of this kind and size behind the begin of a message, if there is one.
static void check_nonsense(uint32_t begun, uint32_t kind, uint32_t size)
{
    struct socket s;
    struct gb_record record = {kind, size};
    open_socket(&s);
    if (begun != 0)
        put_record(&s, begun | GB_RECORD_MORE, "x", 1);
    put(&s, &record, sizeof record);
    CHECK(look(&s) == GB_CAME_NONSENSE && look(&s) == GB_CAME_NONSENSE);
    close_socket(&s);
}

void records_that_make_no_sense_are_told(void)
{
    struct socket s;
    check_nonsense(0, GB_RECORD_HEAD, 30);
    check_nonsense(0, 0, 0);
    check_nonsense(0, GB_RECORD_TEXT | 0x200, 1);
    check_nonsense(0, GB_RECORD_CLOSE, 1);
    check_nonsense(0, GB_RECORD_CLOSE, 126);
    check_nonsense(0, GB_RECORD_CLOSE | GB_RECORD_MORE, 2);
    check_nonsense(GB_RECORD_TEXT, GB_RECORD_BINARY, 1);
    check_nonsense(GB_RECORD_BINARY, GB_RECORD_BODY, 1);

    char byte;
    open_socket(&s);
    put_record(&s, GB_RECORD_BINARY, "x", 1);
    CHECK(look(&s) == GB_CAME_MESSAGE);
    atomic_store(&s.front.stream[STREAM].request.written, UINT64_C(0)); // the counter cannot be
    CHECK(!gb_incoming_take(&s.in, &s.claim, &byte) && s.claim.broken);
    CHECK(look(&s) == GB_CAME_NOTHING && gb_records_watch(&s.claim) == GB_GONE);
    close_socket(&s);

    uint8_t *variables;
    size_t size;
    struct gb_request_head head = {.size = sizeof head, .flags = GB_REQUEST_WEBSOCKET | GB_REQUEST_SPOOLED};
    open_socket(&s);
    gb_claim_finish(&s.claim, GB_FINISHED);
    struct gb_hint hint = front_queue(&s.front, STREAM);
    put(&s, &head, sizeof head);
    CHECK(gb_claim_take(&s.claim, &hint) && gb_claim_head(&s.claim, &variables, &size) == -1 && s.claim.broken);
    close_socket(&s);
}

void who_waits_for_messages_gets_news(void)
{
    struct socket s;
    open_socket(&s);
    _Atomic uint32_t *waits = &s.front.stream[STREAM].request.reader_waits;
    CHECK(look(&s) == GB_CAME_NOTHING && atomic_load(waits) == GB_WAITS_NOT);
    CHECK(gb_records_watch(&s.claim) == GB_LATER && atomic_load(waits) == GB_WAITS_NEWS);
    put_record(&s, GB_RECORD_TEXT, "x", 1);
    CHECK(gb_records_watch(&s.claim) == GB_READY && atomic_load(waits) == GB_WAITS_NOT);
    check_message(&s, GB_RECORD_TEXT, "x");
    CHECK(gb_records_watch(&s.claim) == GB_LATER);
    front_set(&s.front, STREAM, GB_LEFT); // a FIN is told by the front, as a CLOSE
    CHECK(gb_records_watch(&s.claim) == GB_LATER);
    front_set(&s.front, STREAM, GB_CLOSED);
    CHECK(gb_records_watch(&s.claim) == GB_GONE && atomic_load(waits) == GB_WAITS_NOT);
    close_socket(&s);
}
