#include "zygote.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control.h"
#include "python_api.h"
#include "signals.h"
#include "spawn.h"
#include "start.h"
#include "template.h"
#include "title.h"
#include "worker.h"

static struct gb_packet packet;

_Noreturn static void fail(int control, const char *text)
{
    gb_send_failed(control, 0, GB_EXIT_HOST, text);
    _exit(GB_EXIT_HOST);
}

// ---- Boot.

// The whole file, *total bytes with a NUL behind them, or NULL; the caller frees it.
static char *read_text(int fd, size_t *total)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return NULL;
    size_t size = *total = (size_t)st.st_size, have = 0;
    char *text = malloc(size + 1);
    while (text != NULL && have < size) {
        ssize_t n = pread(fd, text + have, size - have, (off_t)have);
        if (n > 0)
            have += (size_t)n;
        else if (n == 0 || errno != EINTR)
            break;
    }
    if (text != NULL)
        text[have] = '\0';
    return text;
}

// Runs the modules of the helper: of each its name and its source, each with a NUL.
static bool run_helper(const char *at, size_t size)
{
    for (const char *end = at + size; at < end;) {
        const char *source = at + strlen(at) + 1;
        if (source >= end || gb_python_module(at, source) != 0)
            return false;
        at = source + strlen(source) + 1;
    }
    return true;
}

// In the interpreter host Python had read the environment before we could change it.
static void forget_variable(void)
{
    PyObject *os = gb_py.PyImport_ImportModule("os");
    PyObject *environ = os != NULL ? gb_py.PyObject_GetAttrString(os, "environ") : NULL;
    PyObject *pop = environ != NULL ? gb_py.PyObject_GetAttrString(environ, "pop") : NULL;
    if (pop != NULL)
        gb_py.Py_DecRef(gb_py.PyObject_CallFunction(pop, "ss", GB_HOST_FD_VARIABLE, ""));
    gb_py.PyErr_Clear();
    gb_py.Py_DecRef(pop);
    gb_py.Py_DecRef(environ);
    gb_py.Py_DecRef(os);
}

static const char *setting(const char *name)
{
    const char *value = gb_packet_setting(&packet, name);
    return value != NULL ? value : "";
}

static void boot(int control)
{
    char error[1024] = "";
    size_t size = 0;
    const char *library = setting("library"), *program = setting("program");
    int fd = gb_packet_take(&packet, 0);
    char *helper = fd >= 0 ? read_text(fd, &size) : NULL;
    gb_packet_drop(&packet);
    if (helper == NULL)
        fail(control, "boot: not the message that was expected");
    close(fd);
    if (!gb_start_python(library, program, error, sizeof error))
        fail(control, error);
    forget_variable();
    if (!run_helper(helper, size))
        fail(control, gb_failure());
    free(helper);
    // Its table of handlers is made now, before ours are there: it would give None for them.
    gb_py.Py_DecRef(gb_py.PyImport_ImportModule("signal"));
    const char *version = gb_py.Py_GetVersion();
    struct gb_message booted = {.kind = GB_MSG_BOOTED, .size = (uint32_t)strlen(version)};
    if (!gb_send(control, &booted, version, -1))
        _exit(0);
}

// ---- The loop.

static void be_worker(int own, const struct gb_packet *request)
{
    (void)own, (void)request;
    gb_worker_main();
}

static void be_template(int own, const struct gb_packet *request)
{
    gb_template_main(own, request);
}

static void obey(int control)
{
    int got = gb_receive(control, &packet);
    if (got <= 0)
        _exit(0); // the front is gone, or is through with us
    if (packet.message.kind == GB_MSG_SPAWN)
        gb_spawn(control, &packet, be_worker);
    else if (packet.message.kind == GB_MSG_TEMPLATE)
        gb_spawn(control, &packet, be_template);
    gb_packet_drop(&packet);
}

void gb_zygote_main(int control)
{
    sigset_t before;
    prctl(PR_SET_NAME, "gobridge-zygote");
    gb_signals_block(&before);
    int got = gb_receive(control, &packet);
    if (got == 0)
        _exit(0);
    if (got < 0 || packet.message.kind != GB_MSG_BOOT)
        fail(control, "boot: not the message that was expected");
    gb_title_take(&packet);
    boot(control);
    gb_signals_hold();
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    for (;;)
        obey(control);
}
