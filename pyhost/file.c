#include "file.h"

#include "control.h"
#include "steps.h"

// A full socket is waited for: who empties it does nothing else, and the bytes, sent
// through the pipe instead, would wait for the same process.
bool gb_file_pass(struct gb_claim *c, int fd)
{
    struct gb_message m = {.kind = GB_MSG_FILE, .a = c->stream, .b = c->word};
    if (fd < 0 || gb_claim_closed(c) || !gb_send(c->segment->control, &m, NULL, fd))
        return false;
    GB_STEP(file_sent);
    return true;
}
