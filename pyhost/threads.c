#include "threads.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ENDING 0x4u // PF_EXITING of the kernel's flags, set before anyone who joins wakes

static bool read_stat(const char *id, char *text, size_t size)
{
    char path[64];
    if ((size_t)snprintf(path, sizeof path, "/proc/self/task/%s/stat", id) >= sizeof path)
        return false;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, size - 1) : -1;
    if (fd >= 0)
        close(fd);
    text[n > 0 ? n : 0] = '\0';
    return n > 0;
}

// The name of a thread whose stat is `text`, in place; NULL if it is ending. The line is
// "id (name) state parent group session terminal foreground flags ...".
static const char *name_of(char *text)
{
    char *name = strchr(text, '('), *end = strrchr(text, ')');
    if (name == NULL || end == NULL)
        return NULL;
    const char *at = end + 1; // a space stands before each field: the flags are the 7th from here
    for (int field = 0; field < 7 && at != NULL; field++)
        at = strchr(at + (field > 0), ' ');
    if (at == NULL || (strtoul(at, NULL, 10) & ENDING))
        return NULL;
    *end = '\0';
    for (char *c = name; *c != '\0'; c++)
        if (*c == '\n')
            *c = ' ';
    return name + 1;
}

static void add(struct gb_threads *t, const char *id, const char *name)
{
    size_t room = sizeof t->lines - t->size;
    int n = snprintf(t->lines + t->size, room, "%s %s\n", id, name);
    if (n > 0 && (size_t)n < room)
        t->size += (size_t)n;
    t->lines[t->size] = '\0';
}

void gb_threads_look(struct gb_threads *t)
{
    char own[32], text[512];
    t->size = 0;
    t->lines[0] = '\0';
    snprintf(own, sizeof own, "%ld", (long)syscall(SYS_gettid));
    DIR *tasks = opendir("/proc/self/task");
    if (tasks == NULL) {
        add(t, "0", "how many cannot be known without /proc");
        return;
    }
    for (struct dirent *e; (e = readdir(tasks)) != NULL;) {
        if (e->d_name[0] == '.' || strcmp(e->d_name, own) == 0 || !read_stat(e->d_name, text, sizeof text))
            continue;
        const char *name = name_of(text);
        if (name != NULL)
            add(t, e->d_name, name);
    }
    closedir(tasks);
}
