#include "start.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <wchar.h>

#include "control.h"
#include "python_api.h"
#include "zygote.h"

// ---- CPython 3.14 and later.

typedef struct PyInitConfig PyInitConfig;

struct init_config {
    PyInitConfig *(*create)(void);
    void (*free)(PyInitConfig *);
    int (*set_int)(PyInitConfig *, const char *name, int64_t value);
    int (*set_str)(PyInitConfig *, const char *name, const char *value);
    int (*get_error)(PyInitConfig *, const char **message);
    int (*initialize)(PyInitConfig *);
};

// A function of the library, for assignment to a pointer of its type.
static void *symbol(void *library, const char *name)
{
    return dlsym(library, name);
}

static bool bind_init_config(void *library, struct init_config *f)
{
    *(void **)&f->create = symbol(library, "PyInitConfig_Create");
    *(void **)&f->free = symbol(library, "PyInitConfig_Free");
    *(void **)&f->set_int = symbol(library, "PyInitConfig_SetInt");
    *(void **)&f->set_str = symbol(library, "PyInitConfig_SetStr");
    *(void **)&f->get_error = symbol(library, "PyInitConfig_GetError");
    *(void **)&f->initialize = symbol(library, "Py_InitializeFromInitConfig");
    return f->create && f->free && f->set_int && f->set_str && f->get_error && f->initialize;
}

// The configuration begins isolated; an application is to find what `python`
// itself would give it: PYTHON* variables, the user's site-packages.
static int configure(const struct init_config *f, PyInitConfig *config, const char *program)
{
    static const struct {
        const char *name;
        int64_t value;
    } settings[] = {
        {"isolated", 0},         {"use_environment", 1}, {"user_site_directory", 1},     {"safe_path", 0},
        {"configure_locale", 1}, {"utf8_mode", 1},       {"install_signal_handlers", 0}, {"buffered_stdio", 0},
    };
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
        if (f->set_int(config, settings[i].name, settings[i].value) < 0)
            return -1;
    return f->set_str(config, "program_name", program);
}

static bool initialize_with_config(const struct init_config *f, const char *program, char *error, size_t size)
{
    PyInitConfig *config = f->create();
    if (config == NULL) {
        snprintf(error, size, "out of memory");
        return false;
    }
    bool started = configure(f, config, program) == 0 && f->initialize(config) == 0;
    if (!started) {
        const char *message = NULL;
        f->get_error(config, &message);
        snprintf(error, size, "Python did not start: %s", message != NULL ? message : "no reason given");
    }
    f->free(config);
    return started;
}

// ---- CPython before 3.14.

static bool initialize_by_flags(void *library, const char *program, char *error, size_t size)
{
    void (*set_program_name)(const wchar_t *), (*initialize)(int);
    wchar_t *(*decode)(const char *, size_t *);
    int *utf8_mode = symbol(library, "Py_UTF8Mode"), *unbuffered = symbol(library, "Py_UnbufferedStdioFlag");
    *(void **)&set_program_name = symbol(library, "Py_SetProgramName");
    *(void **)&decode = symbol(library, "Py_DecodeLocale");
    *(void **)&initialize = symbol(library, "Py_InitializeEx");
    if (!utf8_mode || !unbuffered || !set_program_name || !decode || !initialize) {
        snprintf(error, size, "the library lacks the functions that start CPython 3.9 to 3.13");
        return false;
    }
    *utf8_mode = 1; // first: it also says how the program's name is decoded
    *unbuffered = 1;
    static wchar_t *volatile name; // has to stay as long as Python runs
    name = decode(program, NULL);
    if (name == NULL) {
        snprintf(error, size, "the interpreter's path cannot be decoded: %s", program);
        return false;
    }
    set_program_name(name);
    initialize(0);
    return true;
}

// ---- Either.

static bool start_embedded(const char *path, const char *program, char *error, size_t size)
{
    struct init_config f;
    // Global, because extension modules are not linked to libpython; and for good.
    void *library = dlopen(path, RTLD_NOW | RTLD_GLOBAL);
    if (library == NULL) {
        snprintf(error, size, "libpython cannot be opened: %s", dlerror());
        return false;
    }
    if (gb_python_bind(library, error, size) != 0)
        return false;
    if (bind_init_config(library, &f))
        return initialize_with_config(&f, program, error, size);
    return initialize_by_flags(library, program, error, size);
}

bool gb_start_python(const char *library, const char *program, char *error, size_t size)
{
    if (*library != '\0')
        return start_embedded(library, program, error, size);
    return gb_python_bind(NULL, error, size) == 0;
}

// ---- The way in.

// The control socket that the front passed by number, or -1. The application must
// not see the variable, nor its children the socket.
static int control_socket(void)
{
    const char *value = getenv(GB_HOST_FD_VARIABLE);
    char *end;
    if (value == NULL)
        return -1;
    long fd = strtol(value, &end, 10);
    bool number = *value != '\0' && *end == '\0' && fd >= 0 && fd <= INT32_MAX;
    unsetenv(GB_HOST_FD_VARIABLE);
    if (number && fcntl((int)fd, F_SETFD, FD_CLOEXEC) == 0)
        return (int)fd;
    fprintf(stderr, "gobridge: " GB_HOST_FD_VARIABLE " is set, but not to an open descriptor: unset it\n");
    _exit(1);
}

#ifdef GB_SHARED_LIBRARY

#ifdef GB_FINGERPRINT
// Of the sources, for the front to look for in this file (library.go).
__attribute__((used)) static const char fingerprint[] = "gobridge-host sources " GB_FINGERPRINT;
#endif

// The interpreter host: called through ctypes with the GIL held; never returns.
__attribute__((visibility("default"))) void gb_host_main(void)
{
    int control = control_socket();
    if (control < 0) {
        fprintf(stderr, "gobridge: this library is started by gobridge itself\n");
        _exit(1);
    }
    gb_zygote_main(control);
}

#else

// A file with capabilities or a set-user-id bit lends them to the front, to bind
// low ports. Whoever starts it may set the variable: Python gets none of them.
static void drop_lent_privileges(void)
{
    if (getauxval(AT_SECURE) == 0)
        return;
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[2] = {{0}};
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    if (setresgid(getgid(), getgid(), getgid()) != 0 || setresuid(getuid(), getuid(), getuid()) != 0 ||
        syscall(SYS_capset, &header, none) != 0)
        _exit(1);
}

// The embedded host: before the Go runtime starts, in a process with one thread.
// Only libc is there.
__attribute__((constructor)) static void become_zygote(void)
{
    int control = control_socket();
    if (control < 0)
        return;
    drop_lent_privileges();
    gb_zygote_main(control);
}

#endif
