// CPython's functions, bound at run time: from a libpython (embedded host) or from
// the interpreter that this process is (interpreter host). No Python.h: objects are
// opaque, and one binary hosts every CPython from 3.9 on, free-threaded ones too.
//
// Every function here wants the GIL held, except for those that take or give it.
#ifndef GB_PYTHON_API_H
#define GB_PYTHON_API_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct _object PyObject;
typedef struct _typeobject PyTypeObject;
typedef struct _ts PyThreadState;
typedef intptr_t Py_ssize_t;

typedef PyObject *(*PyCFunction)(PyObject *self, PyObject *arguments);

// Structs of the stable ABI.
typedef struct {
    const char *name;
    PyCFunction function;
    int flags;
    const char *doc;
} PyMethodDef;

typedef struct {
    int slot;
    void *function;
} PyType_Slot;

typedef struct {
    const char *name;
    int basicsize;
    int itemsize;
    unsigned int flags;
    PyType_Slot *slots;
} PyType_Spec;

// Numbers of the stable ABI.
enum {
    METH_VARARGS = 1,
    METH_NOARGS = 4,
    METH_O = 8,
    Py_tp_call = 50,
    Py_tp_getattro = 58,
    Py_tp_dealloc = 52,
    Py_tp_iter = 62,
    Py_tp_iternext = 63,
    Py_tp_methods = 64,
    Py_tp_free = 74,
    Py_am_await = 77,
    Py_file_input = 257,
};
#define Py_TPFLAGS_DEFAULT (1u << 18)

// X(result, name, arguments): every CPython has it, or the host refuses it.
#define GB_PYTHON_REQUIRED(X)                                                                                          \
    X(const char *, Py_GetVersion, (void))                                                                             \
    X(int, PyGILState_Ensure, (void))                                                                                  \
    X(void, PyGILState_Release, (int))                                                                                 \
    X(PyThreadState *, PyEval_SaveThread, (void))                                                                      \
    X(void, PyEval_RestoreThread, (PyThreadState *))                                                                   \
    X(void, PyOS_BeforeFork, (void))                                                                                   \
    X(void, PyOS_AfterFork_Parent, (void))                                                                             \
    X(void, PyOS_AfterFork_Child, (void))                                                                              \
    X(void, Py_IncRef, (PyObject *))                                                                                   \
    X(void, Py_DecRef, (PyObject *))                                                                                   \
    X(PyObject *, PyImport_ImportModule, (const char *))                                                               \
    X(PyObject *, PyImport_ExecCodeModule, (const char *, PyObject *))                                                 \
    X(PyObject *, Py_CompileString, (const char *, const char *, int))                                                 \
    X(int, PyErr_CheckSignals, (void))                                                                                 \
    X(void, PyErr_Clear, (void))                                                                                       \
    X(PyObject *, PyErr_Occurred, (void))                                                                              \
    X(int, PyErr_ExceptionMatches, (PyObject *))                                                                       \
    X(PyObject *, PyErr_Format, (PyObject *, const char *, ...))                                                       \
    X(PyObject *, PyErr_SetFromErrnoWithFilenameObject, (PyObject *, PyObject *))                                      \
    X(PyObject *, PyErr_NoMemory, (void))                                                                              \
    X(void, PyErr_Fetch, (PyObject **, PyObject **, PyObject **))                                                      \
    X(void, PyErr_NormalizeException, (PyObject **, PyObject **, PyObject **))                                         \
    X(void, PyErr_Restore, (PyObject *, PyObject *, PyObject *))                                                       \
    X(void, PyErr_SetObject, (PyObject *, PyObject *))                                                                 \
    X(void, PyErr_SetString, (PyObject *, const char *))                                                               \
    X(void, PyErr_WriteUnraisable, (PyObject *))                                                                       \
    X(int, PyException_SetTraceback, (PyObject *, PyObject *))                                                         \
    X(PyObject *, PyObject_Type, (PyObject *))                                                                         \
    X(PyObject *, PyObject_GetAttrString, (PyObject *, const char *))                                                  \
    X(PyObject *, PyObject_GetAttr, (PyObject *, PyObject *))                                                          \
    X(PyObject *, PyObject_GenericGetAttr, (PyObject *, PyObject *))                                                   \
    X(int, PyObject_SetAttrString, (PyObject *, const char *, PyObject *))                                             \
    X(PyObject *, PyObject_CallFunctionObjArgs, (PyObject *, ...))                                                     \
    X(PyObject *, PyObject_Call, (PyObject *, PyObject *, PyObject *))                                                 \
    X(PyObject *, PyObject_CallMethod, (PyObject *, const char *, const char *, ...))                                  \
    X(PyObject *, PyObject_CallMethodObjArgs, (PyObject *, PyObject *, ...))                                           \
    X(PyObject *, PyCFunction_NewEx, (PyMethodDef *, PyObject *, PyObject *))                                          \
    X(PyObject *, Py_VaBuildValue, (const char *, va_list))                                                            \
    X(PyObject *, PyObject_CallFunction, (PyObject *, const char *, ...))                                              \
    X(int, PyObject_IsTrue, (PyObject *))                                                                              \
    X(PyObject *, PySequence_List, (PyObject *))                                                                       \
    X(PyObject *, PySequence_Tuple, (PyObject *))                                                                      \
    X(PyObject *, PyMemoryView_FromObject, (PyObject *))                                                               \
    X(PyObject *, PyBytes_FromObject, (PyObject *))                                                                    \
    X(int, PyObject_IsInstance, (PyObject *, PyObject *))                                                              \
    X(int, PyCallable_Check, (PyObject *))                                                                             \
    X(PyObject *, PyObject_GetIter, (PyObject *))                                                                      \
    X(PyObject *, PyIter_Next, (PyObject *))                                                                           \
    X(PyObject *, PyType_FromSpec, (PyType_Spec *))                                                                    \
    X(void *, PyType_GetSlot, (PyTypeObject *, int))                                                                   \
    X(PyObject *, PyType_GenericAlloc, (PyTypeObject *, Py_ssize_t))                                                   \
    X(int, PyArg_ParseTuple, (PyObject *, const char *, ...))                                                          \
    X(int, PyArg_ParseTupleAndKeywords, (PyObject *, PyObject *, const char *, char **, ...))                          \
    X(PyObject *, PyDict_New, (void))                                                                                  \
    X(PyObject *, PyDict_GetItemWithError, (PyObject *, PyObject *))                                                   \
    X(PyObject *, PyDict_Copy, (PyObject *))                                                                           \
    X(int, PyDict_SetItem, (PyObject *, PyObject *, PyObject *))                                                       \
    X(int, PyDict_SetItemString, (PyObject *, const char *, PyObject *))                                               \
    X(PyObject *, PyList_New, (Py_ssize_t))                                                                            \
    X(Py_ssize_t, PyList_Size, (PyObject *))                                                                           \
    X(PyObject *, PyList_GetItem, (PyObject *, Py_ssize_t))                                                            \
    X(int, PyList_SetItem, (PyObject *, Py_ssize_t, PyObject *))                                                       \
    X(int, PyList_Append, (PyObject *, PyObject *))                                                                    \
    X(PyObject *, PyTuple_New, (Py_ssize_t))                                                                           \
    X(int, PyTuple_SetItem, (PyObject *, Py_ssize_t, PyObject *))                                                      \
    X(Py_ssize_t, PyTuple_Size, (PyObject *))                                                                          \
    X(PyObject *, PyTuple_GetItem, (PyObject *, Py_ssize_t))                                                           \
    X(PyObject *, PyBytes_FromStringAndSize, (const char *, Py_ssize_t))                                               \
    X(int, PyBytes_AsStringAndSize, (PyObject *, char **, Py_ssize_t *))                                               \
    X(PyObject *, PyUnicode_DecodeLatin1, (const char *, Py_ssize_t, const char *))                                    \
    X(PyObject *, PyUnicode_AsLatin1String, (PyObject *))                                                              \
    X(const char *, PyUnicode_AsUTF8AndSize, (PyObject *, Py_ssize_t *))                                               \
    X(PyObject *, PyUnicode_DecodeUTF8, (const char *, Py_ssize_t, const char *))                                      \
    X(PyObject *, PyUnicode_InternFromString, (const char *))                                                          \
    X(PyObject *, PyUnicode_FromString, (const char *))                                                                \
    X(void, PyUnicode_InternInPlace, (PyObject **))                                                                    \
    X(PyObject *, PyUnicode_EncodeFSDefault, (PyObject *))                                                             \
    X(PyObject *, PyBool_FromLong, (long))                                                                             \
    X(PyObject *, PyLong_FromSsize_t, (Py_ssize_t))                                                                    \
    X(Py_ssize_t, PyUnicode_GetLength, (PyObject *))                                                                   \
    X(Py_ssize_t, PyLong_AsSsize_t, (PyObject *))                                                                      \
    X(PyObject *, PyObject_Str, (PyObject *))

// X(name): present from some version on; NULL before.
#define GB_PYTHON_OPTIONAL(X)                                                                                          \
    X(int, PyIter_Send, (PyObject *, PyObject *, PyObject **))                                                         \
    X(int, PyDict_GetItemRef, (PyObject *, PyObject *, PyObject **))                                                   \
    X(PyObject *, PyErr_GetRaisedException, (void))                                                                    \
    X(PyObject *, PyList_GetItemRef, (PyObject *, Py_ssize_t))

// X(name): variables that hold an object; gb_py has the variable's address.
#define GB_PYTHON_EXCEPTIONS(X)                                                                                        \
    X(PyExc_AttributeError)                                                                                            \
    X(PyExc_AssertionError)                                                                                            \
    X(PyExc_BaseException)                                                                                             \
    X(PyExc_ConnectionResetError)                                                                                      \
    X(PyExc_OSError)                                                                                                   \
    X(PyExc_KeyError)                                                                                                  \
    X(PyExc_StopIteration)                                                                                             \
    X(PyExc_RuntimeError)                                                                                              \
    X(PyExc_TypeError)                                                                                                 \
    X(PyExc_ValueError)

// X(name): objects themselves.
#define GB_PYTHON_OBJECTS(X)                                                                                           \
    X(_Py_NoneStruct)                                                                                                  \
    X(PyBaseObject_Type)                                                                                               \
    X(PyBytes_Type)                                                                                                    \
    X(PyDict_Type)                                                                                                     \
    X(PyList_Type)                                                                                                     \
    X(PyTuple_Type)                                                                                                    \
    X(PyUnicode_Type)

struct gb_py {
#define GB_FUNCTION(result, name, arguments) result(*name) arguments;
    GB_PYTHON_REQUIRED(GB_FUNCTION)
    GB_PYTHON_OPTIONAL(GB_FUNCTION)
#undef GB_FUNCTION
#define GB_VARIABLE(name) PyObject **name;
    GB_PYTHON_EXCEPTIONS(GB_VARIABLE)
#undef GB_VARIABLE
#define GB_OBJECT(name) PyObject *name;
    GB_PYTHON_OBJECTS(GB_OBJECT)
#undef GB_OBJECT
};

extern struct gb_py gb_py;

// Fills gb_py from a library that dlopen returned, or from this process if it is
// NULL. 0, or -1 and *error names what is missing. The GIL is not needed.
int gb_python_bind(void *library, char *error, size_t size);

// Runs a module of the helper, by its source. 0, or -1: gb_failure says why.
int gb_python_module(const char *name, const char *source);

// Calls a function of the helper's modules with arguments as the format says
// (Py_BuildValue's; NULL: none); a new reference, or NULL with the exception set.
PyObject *gb_python_help(const char *function, const char *format, ...);

// What failed last, for people; never NULL. It stays good until the next failure.
const char *gb_failure(void);
void gb_failed(const char *text);

// The current exception, taken out and normalised: a new reference, NULL if there is none.
PyObject *gb_python_take_exception(void);

// The names that a file uses as keys or to call methods: a struct with a member for each name of
// TABLE, which is #define TABLE(X) X(name)...
#define GB_NAMES(set, TABLE)                                                                                           \
    static struct {                                                                                                    \
        TABLE(GB_NAME_MEMBER)                                                                                          \
    } set;                                                                                                             \
    static const char *const set##_texts[] = {TABLE(GB_NAME_TEXT)}
#define GB_NAME_MEMBER(name) PyObject *name;
#define GB_NAME_TEXT(name) #name,

// Makes them. False with the exception set.
#define GB_MAKE_NAMES(set) gb_python_intern((PyObject **)&(set), set##_texts, sizeof(set) / sizeof(PyObject *))

// Makes an interned str of each text that has none in `names` yet. They are never given up. False
// with the exception set.
bool gb_python_intern(PyObject **names, const char *const *texts, size_t count);

// Item i of a list: a new reference, or NULL with the exception set. Borrowed ones are
// not safe without the GIL.
PyObject *gb_python_list_item(PyObject *list, Py_ssize_t i);

// What `dict` has for a key: a new reference, or NULL, without an exception if there is nothing.
PyObject *gb_python_dict_item(PyObject *dict, PyObject *key);

// Does the type of an object say that it is this very type? Not: one derived from it.
bool gb_python_is_exactly(PyObject *object, PyObject *type);

// Makes a type whose instances have `size` bytes of their own behind the object
// header, at gb_python_own(). A new reference, or NULL with the exception set.
PyTypeObject *gb_python_type(const char *name, size_t size, PyType_Slot *slots);

// An instance's own bytes.
void *gb_python_own(PyObject *instance);

// The tp_dealloc of such types when their own bytes need no care.
void gb_python_dealloc(PyObject *instance);

static inline PyObject *gb_none(void)
{
    gb_py.Py_IncRef(gb_py._Py_NoneStruct);
    return gb_py._Py_NoneStruct;
}

#endif
