#include "leave.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "python_api.h"
#include "threads.h"

#if defined(__SANITIZE_ADDRESS__)
#define GB_ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define GB_ADDRESS_SANITIZER 1
#endif
#endif

#ifdef GB_ADDRESS_SANITIZER
#include <sanitizer/lsan_interface.h>
#endif

// Calls of.method() and drops its result; takes over the reference to `of`, which
// may be NULL. False if it raised: the exception is set.
static bool call(PyObject *of, const char *method)
{
    PyObject *function = of != NULL ? gb_py.PyObject_GetAttrString(of, method) : NULL;
    PyObject *result = function != NULL ? gb_py.PyObject_CallFunctionObjArgs(function, NULL) : NULL;
    bool done = result != NULL;
    gb_py.Py_DecRef(result);
    gb_py.Py_DecRef(function);
    gb_py.Py_DecRef(of);
    return done;
}

static void call_module(const char *module, const char *method)
{
    if (!call(gb_py.PyImport_ImportModule(module), method))
        gb_py.PyErr_WriteUnraisable(NULL);
}

// sys.stdout may be None or closed: then there is nothing to flush.
static void flush(const char *stream)
{
    PyObject *sys = gb_py.PyImport_ImportModule("sys");
    if (!call(sys != NULL ? gb_py.PyObject_GetAttrString(sys, stream) : NULL, "flush"))
        gb_py.PyErr_Clear();
    gb_py.Py_DecRef(sys);
}

void gb_leave_flush(void)
{
    flush("stdout");
    flush("stderr");
    fflush(NULL);
}

#ifdef GB_ADDRESS_SANITIZER
// Waits until only the main thread and the watcher are left: Python's threads are joined
// before their C threads have ended, and the check trips over one that is just ending.
// False if others stay: then it could not be trusted.
static bool threads_have_ended(void)
{
    static struct gb_threads others;
    for (int tries = 0; tries < 300; tries++) {
        gb_threads_look(&others);
        const char *watcher = strstr(others.lines, " gb-watcher\n");
        if (others.size == 0 || (watcher != NULL && strchr(others.lines, '\n') == strrchr(others.lines, '\n')))
            return true;
        usleep(10000);
    }
    return false;
}
#endif

// _exit skips the leak check of a build with AddressSanitizer.
static void check_leaks(void)
{
#ifdef GB_ADDRESS_SANITIZER
    if (threads_have_ended() && __lsan_do_recoverable_leak_check() != 0)
        _exit(23);
#endif
}

void gb_leave(void)
{
    // The order in which the interpreter itself ends.
    call_module("threading", "_shutdown");
    call_module("atexit", "_run_exitfuncs");
    gb_leave_flush();
    check_leaks();
    _exit(0);
}

void gb_leave_fork(PyObject *exception)
{
    Py_ssize_t code = 0;
    if (exception != NULL) {
        PyObject *number = gb_python_help("fork_code", "O", exception);
        code = number != NULL ? gb_py.PyLong_AsSsize_t(number) : 1;
    }
    gb_leave_flush();
    _exit((int)code);
}
