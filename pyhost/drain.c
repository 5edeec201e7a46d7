#include "drain.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include "control.h"
#include "news.h"
#include "python_api.h"
#include "signals.h"

// The main thread is reached as a person's signal would reach it: a signal of our own
// ends what it sleeps in, and Python calls our handler between two steps of whatever
// runs. That one calls the application's, so that what is raised does not come up in
// the request that happens to run.

static struct {
    atomic_bool begun;
    atomic_bool told; // of the end
    atomic_bool prepared;
    pthread_t main;
    bool called;        // the main thread's
    PyObject *receiver; // our own signal's handler: kept in sight of the leak check
} drain;

void gb_drain_begin(const struct gb_segment *s)
{
    gb_drain_tell();
    atomic_store(&drain.begun, true);
    gb_ring(s->doorbell);
}

bool gb_draining(void)
{
    return atomic_load(&drain.begun);
}

void gb_drain_ask(const struct gb_segment *s, unsigned loop)
{
    struct gb_message leaving = {.kind = GB_MSG_LEAVING, .a = loop};
    if (atomic_load(&drain.told) || atomic_load(&drain.begun))
        return;
    gb_send(s->control, &leaving, NULL, -1);
    gb_drain_begin(s);
}

// The four wait while it runs: some handlers set the default and send the signal anew,
// which would take the running requests along.
void gb_drain_call(void)
{
    sigset_t before;
    if (drain.called)
        return;
    drain.called = true;
    gb_signals_block(&before);
    PyObject *done = gb_python_help("drain", NULL);
    if (done == NULL)
        gb_py.PyErr_WriteUnraisable(NULL);
    gb_py.Py_DecRef(done);
    gb_signals_hold_new();
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static PyObject *receive(PyObject *self, PyObject *arguments, PyObject *keywords)
{
    (void)self, (void)arguments, (void)keywords;
    gb_drain_call();
    return gb_none();
}

const char *gb_drain_prepare(void)
{
    static PyType_Slot slots[] = {
        {Py_tp_dealloc, (void *)gb_python_dealloc},
        {Py_tp_call, (void *)receive},
        {0, NULL},
    };
    PyTypeObject *type = gb_python_type("gobridge.Drain", 0, slots);
    drain.receiver = type != NULL ? gb_py.PyType_GenericAlloc(type, 0) : NULL;
    gb_py.Py_DecRef((PyObject *)type); // the instance has its own
    PyObject *module = gb_py.PyImport_ImportModule("signal");
    PyObject *set = module != NULL ? gb_py.PyObject_GetAttrString(module, "signal") : NULL;
    PyObject *old = NULL;
    if (drain.receiver != NULL && set != NULL)
        old = gb_py.PyObject_CallFunction(set, "iO", GB_DRAIN_SIGNAL, drain.receiver);
    gb_py.PyErr_Clear();
    drain.main = pthread_self();
    atomic_store(&drain.prepared, old != NULL);
    gb_py.Py_DecRef(old);
    gb_py.Py_DecRef(set);
    gb_py.Py_DecRef(module);
    return drain.prepared ? NULL : "a signal handler cannot be set";
}

void gb_drain_tell(void)
{
    atomic_store(&drain.told, true);
    if (atomic_load(&drain.prepared) && gb_signals_has_own_term())
        pthread_kill(drain.main, GB_DRAIN_SIGNAL);
}
