#include "steps.h"

#ifdef GB_KILLPOINTS

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAME(label) #label,
static const char *const labels[] = {GB_STEPS(NAME)};

// What GOBRIDGE_KILLPOINT asks for.
static struct {
    const char *label; // one of labels, or NULL: no step ends this process
    long count;
    const char *file;
} wanted;

static atomic_long reached;

static const char *known(const char *text, size_t size)
{
    for (size_t i = 0; i < sizeof labels / sizeof *labels; i++)
        if (strlen(labels[i]) == size && memcmp(labels[i], text, size) == 0)
            return labels[i];
    return NULL;
}

static void read_wanted(void)
{
    const char *text = getenv("GOBRIDGE_KILLPOINT");
    if (text == NULL || *text == '\0')
        return;
    size_t size = strcspn(text, ":");
    const char *label = known(text, size);
    char *rest = NULL;
    long count = label != NULL && text[size] == ':' ? strtol(text + size + 1, &rest, 10) : 0;
    if (count < 1 || *rest != ':' || rest[1] == '\0') {
        // A test that kills nothing must not pass for one that did.
        fprintf(stderr, "gobridge: GOBRIDGE_KILLPOINT=%s is not label:count:file\n", text);
        abort();
    }
    wanted.label = label;
    wanted.count = count;
    wanted.file = rest + 1;
}

void gb_step_reached(const char *label)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, read_wanted);
    if (wanted.label == NULL || strcmp(wanted.label, label) != 0)
        return;
    if (atomic_fetch_add(&reached, 1) + 1 != wanted.count)
        return;
    int fd = open(wanted.file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return; // another worker was the first
    dprintf(fd, "%d\n", (int)getpid());
    kill(getpid(), SIGKILL);
}

#else

// An empty file is not C.
typedef int gb_no_steps;

#endif
