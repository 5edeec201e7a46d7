// The control messages: what the front, the zygote, the template and the workers say to
// each other over their SOCK_SEQPACKET unix sockets. One message is one packet: this
// struct, then `size` bytes of payload; descriptors travel beside it (SCM_RIGHTS).
#ifndef GB_CONTROL_H
#define GB_CONTROL_H

#include <stdint.h>

// The environment variable that makes a started process a zygote: the number of
// the descriptor of its control socket. Whoever reads it unsets it first.
#define GB_HOST_FD_VARIABLE "GOBRIDGE_HOST_FD"

#define GB_MAX_MESSAGE 131072 // bytes, payload included; longer texts are cut
#define GB_MAX_DESCRIPTORS 16

struct gb_message {
    uint32_t kind;
    uint32_t size; // payload bytes
    uint64_t a, b; // by kind
};

// Settings are a payload of "name\0value\0" pairs.
// clang-format off
enum {
    // front to zygote
    GB_MSG_BOOT = 1,  // settings: "library" (libpython's path; empty: this process is an interpreter),
                      // "program" (sys.executable to be); descriptors: a memfd with the Python helper: of each of its
                      // modules "name\0source\0"
                      // This, TEMPLATE and SETUP may have "title": how ps is to show the process
    GB_MSG_TEMPLATE = 5, // a: incarnation; settings as in SETUP, and "preload" (auto; on: may be forked whatever the
                         // import leaves behind); descriptors: the template's own socket. Answered by SPAWNED
    // front to zygote, and to a template that may be forked
    GB_MSG_SPAWN = 2, // a: incarnation; descriptors: the new worker's socket. Answered by SPAWNED
    // front to worker, and once to a template that may not be forked: it becomes the worker of its own incarnation
    GB_MSG_SETUP = 3, // a: worker slot, b: incarnation; settings: "application", "chdir", "interface" (auto, wsgi,
                      // asgi, asgi2), "loop" (auto, asyncio, uvloop), "lifespan" (auto, on, off), "threads", "multiprocess", "pathsend" (1 or 0); descriptors: segment, worker's doorbell, reactors' doorbells,
                      // a file for evidence. Who was imported in a template has its settings, and takes only the rest
    GB_MSG_STOPPING = 6, // the server is about to stop, and DRAIN is to come: call the application's SIGTERM handler
    GB_MSG_DRAIN = 4, // finish what is in the inbox, run exit handlers, leave. A template that is none yet leaves
    GB_MSG_STACKS = 7, // write the stack of every thread into the file for evidence. Answered by STACKED. To a template
                       // while it imports, too; it has no such file yet: descriptors: the file
    // front to worker
    GB_MSG_BODY = 8, // a: stream, b: its word, RUNNING; descriptors: the file of its request body. Sent when the worker
                     // waits for it (GB_WAITS_FILE), before GB_BODY_PASSED is set
    // zygote to front
    GB_MSG_BOOTED = 16, // payload: the Python version as sys.version says it
    // zygote or template to front
    GB_MSG_SPAWNED = 20, // a: incarnation: the worker or template is forked and is the front's child
    // template to front, when it has imported the application
    GB_MSG_IMPORTED = 21, // a: 1 if workers may be forked from it, else 0; payload: a line that says what speaks
                          // against that, empty if nothing does
    // worker or template to front
    GB_MSG_HELLO = 17, // a: pid; descriptors: a pidfd of the process; before anything else
    // worker to front
    GB_MSG_READY = 18, // a: GB_INTERFACE_*: the form of the heads it wants; b: its event loops, 0 for WSGI; payload:
                       // their name, empty for WSGI. The application is imported, its lifespan has started, all loops
                       // run; requests may come
    GB_MSG_FILE = 24,  // a: stream, b: its word, RUNNING; descriptors: a regular file, for the next GB_RECORD_FILE of
                       // this response, which is written after this was sent. The front holds one at a time
    GB_MSG_LEAVING = 25, // a: number of the event loop, from 1: the application has stopped it. The worker drains by itself,
                         // as after DRAIN, and another one is to take its place
    GB_MSG_STACKED = 22, // a: 1 if the stacks are written, else 0; payload: why not
    // anyone to front
    GB_MSG_FAILED = 19, // a: incarnation (0: the zygote itself), b: exit code to use; payload: what and why, with traceback
};
// clang-format on

// The interfaces between server and application, as they matter to the front.
enum {
    GB_INTERFACE_WSGI = 1,
    GB_INTERFACE_ASGI = 2, // also for ASGI 2 applications
};

// ---- The front's children's end of a control socket (control.c).

#include <stdbool.h>
#include <stddef.h>

// One message as it came. The descriptors are the holder's; -1 where one was taken
// out. The payload is followed by a NUL that is not counted.
struct gb_packet {
    struct gb_message message;
    unsigned descriptors;
    int descriptor[GB_MAX_DESCRIPTORS];
    char payload[GB_MAX_MESSAGE];
};

// Waits for one message. 1: it is in *p; 0: the other end is closed; -1: what came
// was no message, or errno. Descriptors close on exec. With EMFILE the message is there and
// its descriptors are not, because this process has too many open.
int gb_receive(int control, struct gb_packet *p);

// Closes the descriptors that are still in the packet.
void gb_packet_drop(struct gb_packet *p);

// Takes descriptor i out of the packet; it is the caller's then. -1 if there is none.
int gb_packet_take(struct gb_packet *p, unsigned i);

// The value of a setting in the payload, or NULL. It points into the packet.
const char *gb_packet_setting(const struct gb_packet *p, const char *name);

// Sends one message, whole or not at all. `descriptor` may be -1 and stays the caller's.
bool gb_send(int control, const struct gb_message *m, const void *payload, int descriptor);

// Sends GB_MSG_FAILED; of a text that is too long the end is kept, where the reason stands.
bool gb_send_failed(int control, uint32_t incarnation, int exit_code, const char *text);

#endif
