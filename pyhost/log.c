#include "log.h"

#include <stdio.h>
#include <unistd.h>

#define CLIENT 1000u // bytes of one text of a client

void gb_log_begin(struct gb_log *l)
{
    l->size = (size_t)snprintf(l->text, GB_LOG_LINE, "gobridge[%d]: ", (int)getpid());
}

void gb_log_client(struct gb_log *l, const uint8_t *text, size_t size, char after)
{
    size_t end = l->size + CLIENT;
    for (size_t i = 0; i < size && l->size < end; i++) {
        if (text[i] > ' ' && text[i] < 0x7f)
            l->text[l->size++] = (char)text[i];
        else
            l->size += (size_t)snprintf(l->text + l->size, 5, "\\x%02x", text[i]);
    }
    l->text[l->size++] = after;
}

void gb_log_end(struct gb_log *l, const char *format, va_list arguments)
{
    int more = vsnprintf(l->text + l->size, GB_LOG_LINE - l->size, format, arguments);
    l->size += more < 0 ? 0 : (size_t)more;
    if (l->size > GB_LOG_LINE - 1)
        l->size = GB_LOG_LINE - 1;
    l->text[l->size++] = '\n';
    l->text[l->size] = '\0';
}

void gb_log_write(const struct gb_log *l)
{
    if (write(STDERR_FILENO, l->text, l->size) < 0)
        return; // nobody is there to be told
}

void gb_log_report(const struct gb_log *l, PyObject *exception)
{
    PyObject *reported = gb_python_help("report", "sO", l->text, exception);
    if (reported == NULL)
        gb_py.PyErr_WriteUnraisable(NULL);
    gb_py.Py_DecRef(reported);
}
