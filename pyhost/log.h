// Lines for the log, which is standard error: put together first and written at once, so
// that those of several workers do not mix.
#ifndef GB_LOG_H
#define GB_LOG_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "python_api.h"

#define GB_LOG_LINE 4096u // bytes of a line, its newline included

struct gb_log {
    size_t size;
    char text[GB_LOG_LINE + 1];
};

// Begins a line with who writes it.
void gb_log_begin(struct gb_log *l);

// Adds what a client has sent, and a character: what could forge lines or terminal codes is
// escaped, and what is very long is cut.
void gb_log_client(struct gb_log *l, const uint8_t *text, size_t size, char after);

// Adds a text of ours and ends the line with a newline, and a NUL that is not counted.
__attribute__((format(printf, 2, 0))) void gb_log_end(struct gb_log *l, const char *format, va_list arguments);

// Writes the line. Nobody is told if nobody reads it.
void gb_log_write(const struct gb_log *l);

// Writes it with an exception and its traceback behind it. The GIL is held and no exception
// is set, nor afterwards.
void gb_log_report(const struct gb_log *l, PyObject *exception);

#endif
