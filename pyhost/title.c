#include "title.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// The kernel shows what lies where it once put the arguments. Nobody reads them any more:
// Python has made its own copies of them, and the embedded host has none but room for a
// title (launch.go). What lies behind them, the environment, is not touched; for that their
// last byte must stay a NUL (proc_pid_cmdline(5)).

#define ARGUMENTS_FIELD 48 // of /proc/PID/stat: arg_start; arg_end is the next (proc_pid_stat(5))

static struct {
    bool looked;
    char *start;
    size_t room; // bytes, with the NUL at the end
} arguments;

static bool read_stat(char *text, size_t size)
{
    int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, size - 1) : -1;
    if (fd >= 0)
        close(fd);
    text[n > 0 ? n : 0] = '\0';
    return n > 0;
}

static void look(void)
{
    char text[2048];
    arguments.looked = true;
    char *at = read_stat(text, sizeof text) ? strrchr(text, ')') : NULL; // where field 2 ends
    for (int field = 2; at != NULL && field < ARGUMENTS_FIELD; field++)
        at = strchr(at + 1, ' ');
    if (at == NULL)
        return;
    uintptr_t start = strtoul(at, &at, 10), end = strtoul(at, NULL, 10);
    if (start == 0 || end <= start)
        return;                      // it is not to be known here
    arguments.start = (char *)start; // NOLINT(performance-no-int-to-ptr)
    arguments.room = end - start;
}

void gb_title_take(const struct gb_packet *p)
{
    const char *title = gb_packet_setting(p, "title");
    if (!arguments.looked)
        look();
    if (title == NULL || arguments.room == 0)
        return;
    size_t size = strnlen(title, arguments.room - 1);
    memcpy(arguments.start, title, size);
    memset(arguments.start + size, 0, arguments.room - size);
}
