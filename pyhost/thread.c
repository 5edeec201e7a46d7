#include "thread.h"

#include <stddef.h>
#include <sys/prctl.h>

#include "python_api.h"

#define THREAD_STACK ((size_t)8 << 20) // as a main thread has; recursion must not find less

bool gb_thread_start(pthread_t *thread, void *(*body)(void *), void *argument)
{
    pthread_attr_t attributes;
    if (pthread_attr_init(&attributes) != 0)
        return false;
    bool started = pthread_attr_setstacksize(&attributes, THREAD_STACK) == 0 &&
                   pthread_create(thread, &attributes, body, argument) == 0;
    pthread_attr_destroy(&attributes);
    return started;
}

void gb_thread_name(const char *name)
{
    prctl(PR_SET_NAME, name);
}

// Its name and nature in Python are no reason not to serve.
void gb_thread_introduce(const char *name)
{
    gb_py.Py_DecRef(gb_python_help("introduce", "s", name));
    gb_py.PyErr_Clear();
}
