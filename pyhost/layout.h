// The shared-memory segment: the one place where its layout is defined.
//
// One segment (a sealed memfd) belongs to one generation. The front creates and
// fills it; each worker maps it after its own fork. Go holds the same layout in
// layout.go, and a test compares every size and offset with this header.
//
// Who writes what stands beside each field. "Front" is the Go process, "worker"
// the process that runs Python. A field is written by one side only, except for
// gb_stream.word, which both sides change by compare-and-swap, and the news
// bitmaps, in which one side sets bits and the other takes them by exchange.
// All accesses to _Atomic fields are sequentially consistent.
//
// 64-bit little-endian machines only.
#ifndef GB_LAYOUT_H
#define GB_LAYOUT_H

#include <stdint.h>

#define GB_MAGIC UINT64_C(0x6567646972626f67) // "gobridge", read as little-endian
#define GB_LAYOUT_VERSION 4u

#define GB_MAX_WORKERS 257u // 256, and the next one of one that is being renewed
#define GB_MAX_REACTORS 8u
#define GB_MAX_STREAMS 65536u
#define GB_MIN_PIPE 4096u
#define GB_MAX_PIPE (1u << 24)
#define GB_MAX_INBOX 65536u
#define GB_MAX_SPIN_NS 1000000u

// ---- The header: written by the front before the first worker, then constant.

struct gb_header {
    uint64_t magic;
    uint32_t version;
    uint32_t header_size;   // sizeof(struct gb_header)
    uint64_t size;          // bytes in the whole segment
    uint32_t workers;       // worker slots, 1..GB_MAX_WORKERS
    uint32_t reactors;      // 1..GB_MAX_REACTORS
    uint32_t streams;       // 64..GB_MAX_STREAMS, a multiple of 64
    uint32_t pipe_size;     // bytes in each pipe: a power of two, a multiple of the page size
    uint32_t inbox_entries; // hints in each inbox: a power of two
    uint32_t summary_words; // words in the upper level of a bitmap: ceil(streams / 4096)
    uint32_t spin_ns;       // how long a worker may look for a request before it sleeps; 0: not at all
    uint32_t reserved;
    uint64_t reactors_at; // offsets from the start of the segment; the parts lie in this order
    uint64_t workers_at;
    uint64_t worker_stride; // bytes from one worker block to the next
    uint64_t news_at;
    uint64_t news_stride; // bytes from one bitmap to the next
    uint64_t streams_at;
    uint64_t pipes_at; // stream s: request pipe at pipes_at + 2*s*pipe_size, response pipe after it
};

// ---- Reactors: is this one asleep?

enum {
    GB_AWAKE = 0,
    GB_ASLEEP = 1,   // until rung: ring for any news
    GB_DOZING = 2,   // for 200 us at most: ring only for a batch, or when nothing more waits in the worker's inbox
    GB_WATCHING = 3, // awake, with nothing to do but to look for the one answer that is due
};

struct gb_reactor {
    _Alignas(64) _Atomic uint32_t sleeping; // front writes: GB_AWAKE and so on
    uint32_t reserved[15];
};

// ---- Workers: inbox and sleep.
//
// A hint whose stream was taken back or cancelled takes its room in the inbox until it
// is read. The worker that read it gives news of its stream: the front may have
// requests that wait for that room while nothing runs.

struct gb_hint {
    uint64_t word;   // the stream's word as it was queued
    uint32_t stream; // its index
    uint32_t reserved;
};

struct gb_worker {
    _Alignas(64) _Atomic uint32_t incarnation; // front writes, before the worker is set up
    _Atomic uint32_t put;                      // front writes: hints put, ever growing
    uint32_t reserved_front[14];
    _Alignas(64) _Atomic uint32_t taken; // worker writes: hints taken, ever growing
    _Atomic uint32_t sleeping;           // worker writes: 1 while a thread sleeps on the doorbell
    _Atomic uint32_t pace;               // worker writes (pace.h): nanoseconds that a request takes; 0: not known
    uint32_t reserved_worker[13];
    struct gb_hint inbox[]; // front writes; inbox_entries of them
};

// ---- News: one bit a stream, "look at it again".
//
// For worker w and reactor r there are two bitmaps; their index is
// 2 * (w * reactors + r) + direction. A bitmap is summary_words words of
// summary (one bit for each word of bits), padded to 64 bytes, then streams/64
// words of bits. The sender sets the bit, then the summary bit; the receiver
// takes the summary word, then the words it names.

enum {
    GB_TO_FRONT = 0,
    GB_TO_WORKER = 1,
};

// ---- Streams.

// The word: who owns the stream. state:4 | incarnation:24 | sequence:36, from the
// top bit down. An incarnation names one worker process of this generation and is
// never used again; a sequence is new for each queueing of the stream.
enum {
    GB_FREE = 0,    // the front's: unused, being filled, or taken back
    GB_QUEUED = 1,  // named by a hint in an inbox: whoever swaps it owns it
    GB_RUNNING = 2, // the worker's, until it swaps or dies
    GB_DONE = 3,    // the front's again: the worker is through with it
};

#define GB_STATE_SHIFT 60
#define GB_INCARNATION_SHIFT 36
#define GB_INCARNATION_MASK ((UINT64_C(1) << 24) - 1)
#define GB_SEQUENCE_MASK ((UINT64_C(1) << 36) - 1)

// Front flags of a stream (gb_stream.front): set by the front alone.
enum {
    GB_BODY_END = 1,    // every byte of the request body is in the pipe, or in its file
    GB_CLOSED = 2,      // the client is gone, or the request is broken: reads and writes fail
    GB_LEFT = 4,        // the client sends nothing more, not even another request: it has probably left
    GB_BODY_PASSED = 8, // the descriptor of the body's file was sent (GB_MSG_BODY)
};

// How a run ended (gb_stream.outcome): stored by the worker before RUNNING becomes DONE.
enum {
    GB_FINISHED = 0, // the response is whole
    GB_ABORTED = 1,  // the response must be seen to be cut
};

// What the one who waits on a pipe wants (gb_pipe.*_waits).
enum {
    GB_WAITS_NOT = 0,
    GB_WAITS_BELL = 1, // a worker's thread sleeps on gb_stream.bell: add one, then futex-wake it
    GB_WAITS_NEWS = 2, // set the stream's news bit and ring
    GB_WAITS_FILE = 3, // as GB_WAITS_BELL; what it waits for is the file of the request body
};

struct gb_pipe {
    // The writer's line. `written` is {base:32 | write:32}: a byte's place in the pipe is
    // (counter - base) mod pipe_size; the writer sets base = write when it finds the pipe
    // empty, so that small messages start at the pipe's beginning.
    _Alignas(64) _Atomic uint64_t written; // writer
    _Atomic uint32_t writer_waits;         // writer
    uint32_t reserved_writer[13];
    // The reader's line.
    _Alignas(64) _Atomic uint32_t read; // reader: bytes read, ever growing, modulo 2^32
    _Atomic uint32_t reader_waits;      // reader
    uint32_t reserved_reader[14];
};

struct gb_stream {
    // Both sides, by compare-and-swap.
    _Alignas(64) _Atomic uint64_t word;
    // The front's, while the word is FREE or DONE; constant for the worker.
    uint32_t reactor; // whose bitmap takes this stream's news
    // The front's at any time.
    _Atomic uint32_t front; // GB_BODY_END, GB_CLOSED, GB_LEFT
    _Atomic uint32_t bell;  // futex: grows by one for each wake of a waiting thread
    uint32_t reserved_front[11];
    // The worker's.
    _Alignas(64) _Atomic uint32_t outcome;
    uint32_t reserved_worker[15];
    struct gb_pipe request;  // front writes, worker reads
    struct gb_pipe response; // worker writes, front reads
};

// ---- What the pipes carry. Multi-byte numbers are little-endian and unaligned.

// Request pipe: one head, then the body's bytes as they are (chunked coding removed). With
// GB_REQUEST_SPOOLED no body bytes: they are in a file from its beginning, all of them, and
// its descriptor comes through the control socket when the worker waits for it.
struct gb_request_head {
    uint32_t size;        // bytes of the whole head: this struct and all variables
    uint16_t count;       // variables that follow
    uint16_t flags;       // GB_REQUEST_*
    uint64_t body_length; // bytes, or GB_LENGTH_UNKNOWN
};
// Then `count` times: struct gb_variable, name bytes, value bytes. In the form the
// application interface wants: for WSGI names are environ keys (HTTP_ACCEPT), values latin-1.
// For ASGI the first GB_SCOPE_VARIABLES have no name and lie in the order of enum gb_scope,
// and the rest are the fields as they came, with names in lower case.
// With GB_REQUEST_GATEWAY one more stands before the fields: its name is the protocol's ("uwsgi"), and its value
// is variables, as WSGI has them, of all that the web server has sent besides fields. With GB_REQUEST_TLS another one
// stands behind that: "tls", and its value is variables: server_cert, client_cert_chain (in PEM, one behind the other),
// client_cert_name, tls_version and cipher_suite (decimal), as the TLS extension of ASGI has them.
struct gb_variable {
    uint16_t name_size;
    uint16_t reserved;
    uint32_t value_size;
};

// The variable with the id by which logs know the request, if it has one.
#define GB_REQUEST_ID "gobridge.request_id"

enum {
    GB_REQUEST_HEAD = 1,       // the method is HEAD: no body goes out
    GB_REQUEST_HTTP10 = 2,     // the client speaks HTTP/1.0
    GB_REQUEST_EXPECT = 4,     // the client waits for 100 (Continue)
    GB_REQUEST_SPOOLED = 8,    // the body is in a file; its length is known
    GB_REQUEST_WEBSOCKET = 16, // a WebSocket's handshake (RFC 6455 section 4): there is no body; see GB_RECORD_ACCEPT
    GB_REQUEST_TRAILERS =
        32, // the client takes trailers (TE: trailers, RFC 9110 section 6.5.1), and its protocol has them
    GB_REQUEST_GATEWAY = 64, // a web server has passed it on, by a protocol of its own
    GB_REQUEST_TLS = 128,    // its connection is encrypted, and a scope says how; nothing else than a scope looks
};

enum gb_scope {
    GB_SCOPE_METHOD,      // upper case
    GB_SCOPE_ROOT,        // where the application is mounted, percent-decoded; empty: at the top
    GB_SCOPE_PATH,        // percent-decoded, with the root
    GB_SCOPE_RAW_PATH,    // as sent, without the query
    GB_SCOPE_QUERY,       // as sent, without the question mark
    GB_SCOPE_VERSION,     // "1.0", "1.1"
    GB_SCOPE_SCHEME,      // "http", "https"
    GB_SCOPE_CLIENT,      // address; empty: it has none (a unix socket)
    GB_SCOPE_CLIENT_PORT, // decimal
    GB_SCOPE_SERVER,      // address, or the path of a unix socket
    GB_SCOPE_SERVER_PORT, // decimal; empty: a unix socket
    GB_SCOPE_REQUEST_ID,  // by which logs know the request; empty: by none
    GB_SCOPE_VARIABLES,
};

#define GB_LENGTH_UNKNOWN UINT64_MAX
#define GB_MAX_REQUEST_HEAD (1u << 20)
#define GB_MAX_RESPONSE_HEAD (1u << 20)

// Response pipe: records. BODY records may be longer than the pipe.
struct gb_record {
    uint32_t kind; // GB_RECORD_*
    uint32_t size; // payload bytes that follow
};

enum {
    GB_RECORD_HEAD = 1,  // struct gb_response_head and what follows it; once
    GB_RECORD_BODY = 2,  // body bytes
    GB_RECORD_FILE = 3,  // struct gb_file: bytes of the file whose descriptor was sent before it (GB_MSG_FILE). There
                         // may be several; the next one's descriptor is sent when this record was read
    GB_RECORD_HINTS = 4, // as HEAD, with the status 103 and no reason: early hints (RFC 8297); before HEAD, any number
    // A WebSocket's. ACCEPT stands in the response pipe where HEAD would; behind it both pipes carry
    // messages, in records of these kinds, until a CLOSE of either side. HEAD refuses the handshake. A CLOSE may come
    // without ACCEPT, from the front, when the server ends before the application has decided.
    GB_RECORD_ACCEPT = 5, // as HEAD, with the status 101 and no reason; its lines are the application's
    GB_RECORD_TEXT = 6,   // UTF-8, checked by who wrote it; may be cut between any two bytes (GB_RECORD_MORE)
    GB_RECORD_BINARY = 7,
    GB_RECORD_CLOSE = 8,    // struct gb_close and the reason; the last record of its pipe
    GB_RECORD_TRAILERS = 9, // as HEAD, with the status 200 and no reason: fields behind the body; the last record
};

// Set in the kind of a TEXT or BINARY record: the same message goes on in the next record, of the same kind.
#define GB_RECORD_MORE 0x100u

// Why a WebSocket ends (RFC 6455 section 7.4). To the worker: as the client's close frame says, or 1005 for an
// empty one, 1006 for a lost connection, what the front has told the client where it was the front that ended it.
struct gb_close {
    uint16_t code;
};
// Then the reason: UTF-8, at most 123 bytes.

struct gb_file {
    uint64_t offset; // in the file
    uint64_t length; // bytes from there on; both together fit into 63 bits
};

struct gb_response_head {
    uint16_t status;      // 200..999; 103 in a HINTS record
    uint16_t count;       // header lines
    uint32_t flags;       // GB_HEAD_*
    uint64_t body_length; // Content-Length, or GB_LENGTH_UNKNOWN
    uint32_t reason_size;
    uint32_t lines_size;
};
// Then `count` times struct gb_line, then the reason, then the header lines, each
// "Name: value\r\n". The worker has validated names and values (RFC 9110 section 5).
struct gb_line {
    uint32_t start;     // offset in the lines
    uint32_t name_size; // bytes of the name; the value starts 2 bytes behind it
};

enum {
    GB_HEAD_DATE = 1,   // the application set Date
    GB_HEAD_SERVER = 2, // the application set Server
    GB_HEAD_CLOSE = 4,  // the application wants the connection closed behind the response
};

#endif
