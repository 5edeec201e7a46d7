#include "head.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "layout.h"
#include "python_api.h"

void gb_head_reset(struct gb_head *h)
{
    h->status = 0;
    h->flags = 0;
    h->body_length = GB_LENGTH_UNKNOWN;
    h->names_trailers = h->trails = false;
    h->reason.size = h->lines.size = h->table.size = 0;
}

void gb_head_trim(struct gb_head *h)
{
    gb_bytes_clear(&h->reason, 4096);
    gb_bytes_clear(&h->lines, 16384);
    gb_bytes_clear(&h->table, 4096);
}

void gb_head_free(struct gb_head *h)
{
    gb_bytes_clear(&h->reason, 0);
    gb_bytes_clear(&h->lines, 0);
    gb_bytes_clear(&h->table, 0);
}

// ---- What is valid.

bool gb_head_is_value(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

bool gb_head_is_token(const char *text, size_t size)
{
    static const bool token[256] = {
        ['0' ... '9'] = true, ['A' ... 'Z'] = true, ['a' ... 'z'] = true, ['!'] = true, ['#'] = true, ['$'] = true,
        ['%'] = true,         ['&'] = true,         ['\''] = true,        ['*'] = true, ['+'] = true, ['-'] = true,
        ['.'] = true,         ['^'] = true,         ['_'] = true,         ['`'] = true, ['|'] = true, ['~'] = true,
    };
    for (size_t i = 0; i < size; i++)
        if (!token[(unsigned char)text[i]])
            return false;
    return size > 0;
}

static bool is(const char *text, size_t size, const char *name)
{
    return size == strlen(name) && strncasecmp(text, name, size) == 0;
}

// ---- Headers.

// White space around a value is no part of it (Django's cookies begin with some).
static void trim(const char **value, size_t *size)
{
    for (; *size > 0 && (**value == ' ' || **value == '\t'); --*size)
        ++*value;
    while (*size > 0 && ((*value)[*size - 1] == ' ' || (*value)[*size - 1] == '\t'))
        --*size;
}

// Those that are the server's business.
static const char *const hop_by_hop[] = {
    "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection",
    "te",         "trailer",    "trailers",           "transfer-encoding",   "upgrade"};
#define HOP_BY_HOP (sizeof hop_by_hop / sizeof *hop_by_hop)
#define CONNECTION 0

// Which of them it is; HOP_BY_HOP: none.
static size_t which_hop_by_hop(const char *name, size_t size)
{
    size_t i = 0;
    if (strchr("ckptu", name[0] | 0x20) == NULL)
        return HOP_BY_HOP;
    while (i < HOP_BY_HOP && !is(name, size, hop_by_hop[i]))
        i++;
    return i;
}

// Has `Connection` the option close (RFC 9112 section 9.6)? The front says and does it then.
static bool asks_close(const char *value, size_t size)
{
    const char *end = value + size;
    while (value < end) {
        const char *comma = memchr(value, ',', (size_t)(end - value)), *next = comma != NULL ? comma : end;
        const char *option = value;
        size_t length = (size_t)(next - value);
        trim(&option, &length);
        if (is(option, length, "close"))
            return true;
        value = next + 1;
    }
    return false;
}

static const char *told_once(size_t which)
{
    static atomic_uint told;
    unsigned bit = 1u << which;
    return atomic_fetch_or(&told, bit) & bit ? NULL : hop_by_hop[which];
}

// A length that is there before must be the same (RFC 9110, 8.6).
static bool take_length(struct gb_head *h, const char *value, size_t size)
{
    uint64_t n = 0;
    bool valid = size > 0 && size <= 18;
    for (size_t i = 0; valid && i < size; i++) {
        valid = value[i] >= '0' && value[i] <= '9';
        n = n * 10 + (uint64_t)(value[i] - '0');
    }
    valid = valid && (h->body_length == GB_LENGTH_UNKNOWN || h->body_length == n);
    if (!valid)
        gb_py.PyErr_SetString(*gb_py.PyExc_ValueError, "Content-Length must be one number");
    h->body_length = n;
    return valid;
}

static bool add_line(struct gb_head *h, const char *name, size_t name_size, const char *value, size_t value_size)
{
    struct gb_line line = {(uint32_t)h->lines.size, (uint32_t)name_size};
    return gb_bytes_add(&h->table, &line, sizeof line) && gb_bytes_add(&h->lines, name, name_size) &&
           gb_bytes_add(&h->lines, ": ", 2) && gb_bytes_add(&h->lines, value, value_size) &&
           gb_bytes_add(&h->lines, "\r\n", 2);
}

bool gb_head_line(struct gb_head *h, const char *name, const char *value, size_t value_size)
{
    return add_line(h, name, strlen(name), value, value_size);
}

// Raises ValueError about a name that is none, as Python would write it: it may hold the end
// of a line, and the log another one then.
static void refuse_name(const char *name, size_t size)
{
    PyObject *text = gb_py.PyUnicode_DecodeLatin1(name, (Py_ssize_t)(size < 200 ? size : 200), NULL);
    if (text != NULL)
        gb_py.PyErr_Format(*gb_py.PyExc_ValueError, "a header's name is not one: %R", text);
    gb_py.Py_DecRef(text);
}

// Fields that say how the message is framed, routed, read, kept or answered: who takes a
// trailer for one of them must have had it before the body.
static const char *const before_body[] = {"accept-ranges",
                                          "age",
                                          "allow",
                                          "authentication-info",
                                          "authorization",
                                          "cache-control",
                                          "clear-site-data",
                                          "content-disposition",
                                          "content-encoding",
                                          "content-language",
                                          "content-length",
                                          "content-location",
                                          "content-range",
                                          "content-security-policy",
                                          "content-type",
                                          "cookie",
                                          "date",
                                          "expect",
                                          "expires",
                                          "host",
                                          "location",
                                          "max-forwards",
                                          "pragma",
                                          "proxy-authentication-info",
                                          "range",
                                          "retry-after",
                                          "set-cookie",
                                          "strict-transport-security",
                                          "vary",
                                          "warning",
                                          "www-authenticate"};

static bool may_trail(const char *name, size_t size)
{
    for (size_t i = 0; i < sizeof before_body / sizeof *before_body; i++)
        if (is(name, size, before_body[i])) {
            gb_py.PyErr_Format(*gb_py.PyExc_ValueError, "the field %s cannot stand behind the body", before_body[i]);
            return false;
        }
    return true;
}

enum gb_field gb_head_field(struct gb_head *h, const char *name, size_t name_size, const char *value, size_t value_size,
                            const char **tell)
{
    trim(&value, &value_size);
    *tell = NULL;
    if (!gb_head_is_token(name, name_size)) {
        refuse_name(name, name_size);
        return GB_FIELD_WRONG;
    }
    if (!gb_head_is_value(value, value_size)) {
        gb_py.PyErr_Format(*gb_py.PyExc_ValueError, "the header %.200s has a control character in its value", name);
        return GB_FIELD_WRONG;
    }
    size_t which = which_hop_by_hop(name, name_size);
    if (which < HOP_BY_HOP && !(h->names_trailers && is(name, name_size, "trailer"))) {
        bool heeded = which == CONNECTION && asks_close(value, value_size);
        if (heeded)
            h->flags |= GB_HEAD_CLOSE;
        else
            *tell = told_once(which);
        return GB_FIELD_LEFT_OUT;
    }
    if (h->trails && !may_trail(name, name_size))
        return GB_FIELD_WRONG;
    if (is(name, name_size, "content-length")) {
        bool again = h->body_length != GB_LENGTH_UNKNOWN; // nginx makes a 502 of it
        if (!take_length(h, value, value_size))
            return GB_FIELD_WRONG;
        if (again)
            return GB_FIELD_LEFT_OUT;
    }
    if (is(name, name_size, "date"))
        h->flags |= GB_HEAD_DATE;
    if (is(name, name_size, "server"))
        h->flags |= GB_HEAD_SERVER;
    return add_line(h, name, name_size, value, value_size) ? GB_FIELD_TAKEN : GB_FIELD_WRONG;
}

// ---- The whole.

bool gb_head_bodiless(const struct gb_head *h, unsigned request_flags)
{
    return (request_flags & GB_REQUEST_HEAD) || h->status == 204 || h->status == 304;
}

bool gb_head_announce(struct gb_head *h, unsigned request_flags, size_t size)
{
    char text[24];
    if (h->body_length != GB_LENGTH_UNKNOWN || (size == 0 && gb_head_bodiless(h, request_flags)) || h->status == 204 ||
        h->status == 304)
        return true;
    h->body_length = size;
    int n = snprintf(text, sizeof text, "%zu", size);
    return gb_head_line(h, "Content-Length", text, (size_t)n);
}

static bool add_record(const struct gb_head *h, uint32_t kind, struct gb_bytes *out)
{
    size_t size = sizeof(struct gb_response_head) + h->table.size + h->reason.size + h->lines.size;
    if (size > GB_MAX_RESPONSE_HEAD) {
        gb_py.PyErr_SetString(*gb_py.PyExc_ValueError, "the response's headers are larger than 1 MiB");
        return false;
    }
    struct gb_record record = {kind, (uint32_t)size};
    struct gb_response_head head = {
        .status = (uint16_t)h->status,
        .count = (uint16_t)(h->table.size / sizeof(struct gb_line)),
        .flags = h->flags,
        .body_length = h->body_length,
        .reason_size = (uint32_t)h->reason.size,
        .lines_size = (uint32_t)h->lines.size,
    };
    return gb_bytes_add(out, &record, sizeof record) && gb_bytes_add(out, &head, sizeof head) &&
           gb_bytes_add(out, h->table.data, h->table.size) && gb_bytes_add(out, h->reason.data, h->reason.size) &&
           gb_bytes_add(out, h->lines.data, h->lines.size);
}

bool gb_head_record(const struct gb_head *h, struct gb_bytes *out)
{
    return add_record(h, GB_RECORD_HEAD, out);
}

bool gb_head_hints(const struct gb_head *h, struct gb_bytes *out)
{
    return add_record(h, GB_RECORD_HINTS, out);
}

bool gb_head_accept(const struct gb_head *h, struct gb_bytes *out)
{
    return add_record(h, GB_RECORD_ACCEPT, out);
}

bool gb_head_trailers(const struct gb_head *h, struct gb_bytes *out)
{
    return add_record(h, GB_RECORD_TRAILERS, out);
}
