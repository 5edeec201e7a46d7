#include "python_api.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct gb_py gb_py;

// ---- Binding.

struct symbol {
    const char *name;
    void **into;
    bool required;
};

static const struct symbol symbols[] = {
#define REQUIRED(result, name, arguments) {#name, (void **)&gb_py.name, true},
    GB_PYTHON_REQUIRED(REQUIRED)
#define OPTIONAL(result, name, arguments) {#name, (void **)&gb_py.name, false},
        GB_PYTHON_OPTIONAL(OPTIONAL)
#define OBJECT(name) {#name, (void **)&gb_py.name, true},
            GB_PYTHON_EXCEPTIONS(OBJECT) GB_PYTHON_OBJECTS(OBJECT)};

int gb_python_bind(void *library, char *error, size_t size)
{
    for (size_t i = 0; i < sizeof symbols / sizeof *symbols; i++) {
        const struct symbol *s = &symbols[i];
        *s->into = dlsym(library != NULL ? library : RTLD_DEFAULT, s->name);
        if (*s->into == NULL && s->required) {
            snprintf(error, size, "this Python has no %s: is it CPython 3.9 or later?", s->name);
            return -1;
        }
    }
    return 0;
}

// ---- Failures.

static char *failure;

const char *gb_failure(void)
{
    return failure != NULL ? failure : "no reason is known";
}

void gb_failed(const char *text)
{
    free(failure);
    failure = strdup(text);
}

// Keeps str(object) as the failure; takes over the reference.
static void failed_with(PyObject *object)
{
    PyObject *text = object != NULL ? gb_py.PyObject_Str(object) : NULL;
    const char *utf8 = text != NULL ? gb_py.PyUnicode_AsUTF8AndSize(text, NULL) : NULL;
    gb_failed(utf8 != NULL ? utf8 : "an exception that has no text");
    gb_py.Py_DecRef(text);
    gb_py.Py_DecRef(object);
    gb_py.PyErr_Clear();
}

PyObject *gb_python_take_exception(void)
{
    if (gb_py.PyErr_GetRaisedException != NULL)
        return gb_py.PyErr_GetRaisedException();
    PyObject *type = NULL, *value = NULL, *traceback = NULL;
    gb_py.PyErr_Fetch(&type, &value, &traceback);
    if (type == NULL)
        return NULL;
    gb_py.PyErr_NormalizeException(&type, &value, &traceback);
    if (traceback != NULL && value != NULL)
        gb_py.PyException_SetTraceback(value, traceback);
    gb_py.Py_DecRef(type);
    gb_py.Py_DecRef(traceback);
    return value;
}

bool gb_python_intern(PyObject **names, const char *const *texts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (names[i] == NULL && (names[i] = gb_py.PyUnicode_InternFromString(texts[i])) == NULL)
            return false;
    return true;
}

PyObject *gb_python_list_item(PyObject *list, Py_ssize_t i)
{
    if (gb_py.PyList_GetItemRef != NULL)
        return gb_py.PyList_GetItemRef(list, i);
    PyObject *item = gb_py.PyList_GetItem(list, i);
    gb_py.Py_IncRef(item);
    return item;
}

PyObject *gb_python_dict_item(PyObject *dict, PyObject *key)
{
    PyObject *item = NULL;
    if (gb_py.PyDict_GetItemRef != NULL)
        return gb_py.PyDict_GetItemRef(dict, key, &item) == 1 ? item : NULL;
    item = gb_py.PyDict_GetItemWithError(dict, key);
    gb_py.Py_IncRef(item);
    return item;
}

bool gb_python_is_exactly(PyObject *object, PyObject *type)
{
    PyObject *own = gb_py.PyObject_Type(object);
    gb_py.Py_DecRef(own);
    return own == type;
}

// ---- The helper.

#define MODULES 8

static PyObject *helper[MODULES];
static unsigned modules;

int gb_python_module(const char *name, const char *source)
{
    PyObject *module = NULL, *code = NULL;
    if (modules < MODULES)
        code = gb_py.Py_CompileString(source, "<gobridge>", Py_file_input);
    if (code != NULL)
        module = gb_py.PyImport_ExecCodeModule(name, code);
    gb_py.Py_DecRef(code);
    if (module == NULL) {
        failed_with(gb_python_take_exception());
        return -1;
    }
    helper[modules++] = module;
    return 0;
}

// A new reference, or NULL with the exception set.
static PyObject *find_in_helper(const char *function)
{
    PyObject *found = NULL;
    for (unsigned i = 0; found == NULL && i < modules; i++) {
        gb_py.PyErr_Clear();
        found = gb_py.PyObject_GetAttrString(helper[i], function);
    }
    return found;
}

// The arguments as a tuple, whatever their number: a new reference.
static PyObject *tuple_of(const char *format, va_list arguments)
{
    char in_brackets[16];
    snprintf(in_brackets, sizeof in_brackets, "(%s)", format != NULL ? format : "");
    return gb_py.Py_VaBuildValue(in_brackets, arguments);
}

PyObject *gb_python_help(const char *function, const char *format, ...)
{
    PyObject *callable = find_in_helper(function);
    if (callable == NULL)
        return NULL;
    va_list arguments;
    va_start(arguments, format);
    PyObject *tuple = tuple_of(format, arguments);
    va_end(arguments);
    PyObject *result = tuple != NULL ? gb_py.PyObject_Call(callable, tuple, NULL) : NULL;
    gb_py.Py_DecRef(tuple);
    gb_py.Py_DecRef(callable);
    return result;
}

// ---- Types.

// An object's header has another size in free-threaded builds.
static size_t header_size(void)
{
    static size_t known;
    if (known == 0) {
        PyObject *size = gb_py.PyObject_GetAttrString(gb_py.PyBaseObject_Type, "__basicsize__");
        Py_ssize_t n = size != NULL ? gb_py.PyLong_AsSsize_t(size) : -1;
        gb_py.Py_DecRef(size);
        known = n > 0 ? ((size_t)n + 15) & ~(size_t)15 : 0;
    }
    return known;
}

PyTypeObject *gb_python_type(const char *name, size_t size, PyType_Slot *slots)
{
    if (header_size() == 0)
        return NULL;
    PyType_Spec spec = {name, (int)(header_size() + size), 0, Py_TPFLAGS_DEFAULT, slots};
    // cppcheck-suppress returnDanglingLifetime ; the type copies what it needs
    return (PyTypeObject *)gb_py.PyType_FromSpec(&spec);
}

void *gb_python_own(PyObject *instance)
{
    return (char *)instance + header_size();
}

void gb_python_dealloc(PyObject *instance)
{
    PyTypeObject *type = (PyTypeObject *)gb_py.PyObject_Type(instance);
    void (*release)(void *);
    *(void **)&release = gb_py.PyType_GetSlot(type, Py_tp_free);
    release(instance);
    gb_py.Py_DecRef((PyObject *)type); // PyObject_Type's
    gb_py.Py_DecRef((PyObject *)type); // the instance's own
}
