#include "control.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

union rights {
    char bytes[CMSG_SPACE(GB_MAX_DESCRIPTORS * sizeof(int))];
    struct cmsghdr header; // for its alignment
};

void gb_packet_drop(struct gb_packet *p)
{
    for (unsigned i = 0; i < p->descriptors; i++)
        if (p->descriptor[i] >= 0)
            close(p->descriptor[i]);
    p->descriptors = 0;
}

int gb_packet_take(struct gb_packet *p, unsigned i)
{
    if (i >= p->descriptors)
        return -1;
    int fd = p->descriptor[i];
    p->descriptor[i] = -1;
    return fd;
}

// Takes the descriptors out of the control data; whatever does not fit is closed.
static void collect(struct msghdr *m, struct gb_packet *p)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c != NULL; c = CMSG_NXTHDR(m, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        unsigned count = (unsigned)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
        for (unsigned i = 0; i < count; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
            if (p->descriptors < GB_MAX_DESCRIPTORS)
                p->descriptor[p->descriptors++] = fd;
            else
                close(fd);
        }
    }
}

int gb_receive(int control, struct gb_packet *p)
{
    union rights rights;
    struct iovec parts[] = {{&p->message, sizeof p->message}, {p->payload, sizeof p->payload - 1}};
    struct msghdr m = {.msg_iov = parts, .msg_iovlen = 2, .msg_control = &rights, .msg_controllen = sizeof rights};
    ssize_t n;

    p->descriptors = 0;
    do
        n = recvmsg(control, &m, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n < 0 && errno == ECONNRESET) // the other end closed and left something of ours unread
        return 0;
    if (n < 0)
        return -1;
    collect(&m, p);
    if (n == 0 && p->descriptors == 0)
        return 0;
    bool whole = !(m.msg_flags & MSG_TRUNC) && (size_t)n >= sizeof p->message &&
                 p->message.size == (size_t)n - sizeof p->message;
    if (!whole || (m.msg_flags & MSG_CTRUNC)) {
        gb_packet_drop(p);
        errno = whole ? EMFILE : EPROTO;
        return -1;
    }
    p->payload[p->message.size] = '\0';
    return 1;
}

const char *gb_packet_setting(const struct gb_packet *p, const char *name)
{
    const char *at = p->payload, *end = at + p->message.size;
    while (at < end) {
        const char *value = at + strlen(at) + 1;
        if (value >= end)
            return NULL; // a name without a value
        if (strcmp(at, name) == 0)
            return value;
        at = value + strlen(value) + 1;
    }
    return NULL;
}

bool gb_send(int control, const struct gb_message *m, const void *payload, int descriptor)
{
    union rights rights;
    struct gb_message head = *m;
    struct iovec parts[] = {{&head, sizeof head}, {(void *)payload, m->size}};
    struct msghdr out = {.msg_iov = parts, .msg_iovlen = m->size > 0 ? 2 : 1};
    ssize_t n;

    if (descriptor >= 0) {
        memset(&rights, 0, sizeof rights);
        out.msg_control = &rights;
        out.msg_controllen = CMSG_SPACE(sizeof descriptor);
        struct cmsghdr *c = CMSG_FIRSTHDR(&out);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof descriptor);
        memcpy(CMSG_DATA(c), &descriptor, sizeof descriptor);
    }
    do
        n = sendmsg(control, &out, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n >= 0;
}

// The last `room` bytes of a text, not beginning inside a UTF-8 character.
static const char *tail(const char *text, size_t *size, size_t room)
{
    if (*size <= room)
        return text;
    const char *from = text + (*size - room);
    while (((unsigned char)*from & 0xC0) == 0x80)
        from++;
    *size = (size_t)(text + *size - from);
    return from;
}

bool gb_send_failed(int control, uint32_t incarnation, int exit_code, const char *text)
{
    // A packet is sent whole or not at all; a system with small socket buffers takes a shorter one.
    for (size_t room = GB_MAX_MESSAGE - sizeof(struct gb_message);; room /= 2) {
        size_t size = strlen(text);
        const char *from = tail(text, &size, room);
        struct gb_message m = {
            .kind = GB_MSG_FAILED, .size = (uint32_t)size, .a = incarnation, .b = (uint64_t)exit_code};
        if (gb_send(control, &m, from, -1))
            return true;
        if ((errno != EMSGSIZE && errno != ENOBUFS) || room < 1024)
            return false;
    }
}
