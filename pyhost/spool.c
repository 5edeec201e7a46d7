#include "spool.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static struct {
    pthread_mutex_t lock;
    struct gb_spool *expected;
} spools = {.lock = PTHREAD_MUTEX_INITIALIZER};

void gb_spool_expect(struct gb_spool *s, uint32_t stream, uint64_t word)
{
    pthread_mutex_lock(&spools.lock);
    if (!s->expected) {
        *s = (struct gb_spool){.next = spools.expected, .expected = true, .stream = stream, .word = word, .file = -1};
        spools.expected = s;
    }
    pthread_mutex_unlock(&spools.lock);
}

// With the lock held: who expects this one and has none yet.
static struct gb_spool *who_expects(uint64_t stream, uint64_t word)
{
    struct gb_spool *s = spools.expected;
    while (s != NULL && (s->stream != stream || s->word != word || gb_spool_here(s)))
        s = s->next;
    return s;
}

void gb_spool_come(uint64_t stream, uint64_t word, int file)
{
    pthread_mutex_lock(&spools.lock);
    struct gb_spool *s = who_expects(stream, word);
    if (s != NULL) {
        s->file = file;
        atomic_store(&s->come, 1);
        syscall(SYS_futex, &s->come, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
    }
    pthread_mutex_unlock(&spools.lock);
    if (s == NULL && file >= 0)
        close(file);
}

void gb_spool_await(struct gb_spool *s)
{
    const struct timespec moment = {.tv_nsec = 100000000};
    syscall(SYS_futex, &s->come, FUTEX_WAIT_PRIVATE, 0, &moment, NULL, 0);
}

ssize_t gb_spool_read(struct gb_spool *s, void *to, size_t n)
{
    ssize_t got;
    if (n == 0)
        return 0;
    do
        got = pread(s->file, to, n, (off_t)s->read);
    while (got < 0 && errno == EINTR);
    if (got == 0) { // it is shorter than the front has said
        errno = EIO;
        return -1;
    }
    if (got > 0)
        s->read += (uint64_t)got;
    return got;
}

void gb_spool_drop(struct gb_spool *s)
{
    if (!s->expected) // written by this thread alone
        return;
    pthread_mutex_lock(&spools.lock);
    struct gb_spool **at = &spools.expected;
    while (*at != NULL && *at != s)
        at = &(*at)->next;
    if (*at != NULL)
        *at = s->next;
    s->expected = false;
    pthread_mutex_unlock(&spools.lock);
    if (gb_spool_here(s) && s->file >= 0)
        close(s->file);
    atomic_store(&s->come, 0); // the next request's has not
}

// Another thread may have been amid a change of the list when this process was forked: then
// the files stay open here until it ends.
void gb_spool_left(void)
{
    if (pthread_mutex_trylock(&spools.lock) != 0)
        return;
    for (struct gb_spool *s = spools.expected; s != NULL; s = s->next)
        if (s->file >= 0)
            close(s->file);
    spools.expected = NULL;
    pthread_mutex_unlock(&spools.lock);
}
