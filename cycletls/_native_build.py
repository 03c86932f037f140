"""Builds ``cycletls._native``, the C shim between Python and libcycletls.

The shim exists because the Go library must not be linked: it is opened on first
use, so that ``import cycletls`` starts no Go runtime and a process may fork
before it sends anything. It is compiled against the stable ABI: one build
serves every CPython from 3.10 on.
"""

from cffi import FFI

_STRUCT = """
typedef struct {
    char *head;
    uint64_t handle;
    int64_t length;
    int64_t filled;
    int32_t status;
} cycletls_reply;
typedef struct {
    uint64_t ticket;
    uint64_t handle;
    int64_t length;
    int64_t filled;
    int64_t status;
    int64_t head;
    int64_t body;
} cycletls_completion;
"""

# What Python sees. Memory is declared as char, because cffi hands the bytes of
# a Python object over as they are for char, and only for char.
_DECLARATIONS = (
    _STRUCT
    + """
const char *cycletls_open(const char *path);
char *cycletls_version(void);
void cycletls_call(uint64_t target, const char *envelope, const char *body, int64_t body_size,
                   char *buffer, int64_t buffer_size, int main_thread, cycletls_reply *reply);
void cycletls_start(uint64_t session, const char *envelope, int main_thread, cycletls_reply *reply);
void cycletls_write(uint64_t exchange, const char *piece, int64_t size, int main_thread,
                    cycletls_reply *reply);
void cycletls_wait(uint64_t exchange, char *buffer, int64_t size, int main_thread,
                   cycletls_reply *reply);
void cycletls_read(uint64_t exchange, char *buffer, int64_t size, int main_thread,
                   cycletls_reply *reply);
void cycletls_receive(uint64_t exchange, int64_t limit, char *buffer, int64_t size, int main_thread,
                      cycletls_reply *reply);
void cycletls_send(uint64_t exchange, int32_t verb, const char *data, int64_t size, int main_thread,
                   cycletls_reply *reply);
uint64_t cycletls_submit(uint64_t queue, int32_t verb, uint64_t target, const char *envelope,
                         const char *body, int64_t body_size, char *buffer, int64_t buffer_size);
int64_t cycletls_drain(uint64_t queue, cycletls_completion *into, int64_t count, char *memory, int64_t size);
int32_t cycletls_cancel(uint64_t handle);
int32_t cycletls_close(uint64_t handle);
void cycletls_free(char *text);

extern "Python" int run_signals(void);
"""
)

_SOURCE = r"""
#include "cycletls.h"

#ifdef _WIN32
#include <windows.h>
static void *load(const char *path) { return (void *)LoadLibraryA(path); }
static void *find(void *library, const char *name) { return (void *)GetProcAddress((HMODULE)library, name); }
static const char *problem(void) { return "LoadLibrary failed"; }
#else
#include <dlfcn.h>
/* Local: two Go runtimes may live in one process. Nodelete: a Go runtime cannot
 * be unloaded (golang/go#11100). */
static void *load(const char *path) { return dlopen(path, RTLD_LOCAL | RTLD_NOW | RTLD_NODELETE); }
static void *find(void *library, const char *name) { return dlsym(library, name); }
static const char *problem(void) { const char *text = dlerror(); return text ? text : "dlopen failed"; }
#endif

static int run_signals(void);

static struct {
    char *(*version)(void);
    void (*call)(uint64_t, const char *, const void *, int64_t, void *, int64_t, cycletls_signals, cycletls_reply *);
    void (*start)(uint64_t, const char *, cycletls_signals, cycletls_reply *);
    void (*write)(uint64_t, const void *, int64_t, cycletls_signals, cycletls_reply *);
    void (*wait)(uint64_t, void *, int64_t, cycletls_signals, cycletls_reply *);
    void (*read)(uint64_t, void *, int64_t, cycletls_signals, cycletls_reply *);
    void (*receive)(uint64_t, int64_t, void *, int64_t, cycletls_signals, cycletls_reply *);
    void (*send)(uint64_t, int32_t, const void *, int64_t, cycletls_signals, cycletls_reply *);
    uint64_t (*submit)(uint64_t, int32_t, uint64_t, const char *, const void *, int64_t, void *, int64_t);
    int64_t (*drain)(uint64_t, cycletls_completion *, int64_t, void *, int64_t);
    int32_t (*cancel)(uint64_t);
    int32_t (*close)(uint64_t);
    void (*free)(char *);
} go;

/* Opens the library; returns what went wrong, or NULL. */
static const char *cycletls_open(const char *path) {
    void *library = load(path);
    if (!library) return problem();
#define FIND(verb) \
    if (!(*(void **)&go.verb = find(library, "cycletls_" #verb))) return "it has no cycletls_" #verb;
    FIND(version) FIND(call) FIND(start) FIND(write) FIND(wait) FIND(read)
    FIND(receive) FIND(send) FIND(submit) FIND(drain) FIND(cancel) FIND(close) FIND(free)
#undef FIND
    return NULL;
}

static cycletls_signals signals_of(int main_thread) { return main_thread ? run_signals : NULL; }

static char *cycletls_version(void) { return go.version(); }
static void cycletls_call(uint64_t target, const char *envelope, const char *body, int64_t body_size,
                          char *buffer, int64_t buffer_size, int main_thread, cycletls_reply *reply) {
    go.call(target, envelope, body, body_size, buffer, buffer_size, signals_of(main_thread), reply);
}
static void cycletls_start(uint64_t session, const char *envelope, int main_thread, cycletls_reply *reply) {
    go.start(session, envelope, signals_of(main_thread), reply);
}
static void cycletls_write(uint64_t exchange, const char *piece, int64_t size, int main_thread, cycletls_reply *reply) {
    go.write(exchange, piece, size, signals_of(main_thread), reply);
}
static void cycletls_wait(uint64_t exchange, char *buffer, int64_t size, int main_thread, cycletls_reply *reply) {
    go.wait(exchange, buffer, size, signals_of(main_thread), reply);
}
static void cycletls_read(uint64_t exchange, char *buffer, int64_t size, int main_thread, cycletls_reply *reply) {
    go.read(exchange, buffer, size, signals_of(main_thread), reply);
}
static void cycletls_receive(uint64_t exchange, int64_t limit, char *buffer, int64_t size, int main_thread,
                             cycletls_reply *reply) {
    go.receive(exchange, limit, buffer, size, signals_of(main_thread), reply);
}
static void cycletls_send(uint64_t exchange, int32_t verb, const char *data, int64_t size, int main_thread,
                          cycletls_reply *reply) {
    go.send(exchange, verb, data, size, signals_of(main_thread), reply);
}
static uint64_t cycletls_submit(uint64_t queue, int32_t verb, uint64_t target, const char *envelope,
                                const char *body, int64_t body_size, char *buffer, int64_t buffer_size) {
    return go.submit(queue, verb, target, envelope, body, body_size, buffer, buffer_size);
}
static int64_t cycletls_drain(uint64_t queue, cycletls_completion *into, int64_t count, char *memory, int64_t size) {
    return go.drain(queue, into, count, memory, size);
}
static int32_t cycletls_cancel(uint64_t handle) { return go.cancel(handle); }
static int32_t cycletls_close(uint64_t handle) { return go.close(handle); }
static void cycletls_free(char *text) { go.free(text); }
"""

ffibuilder = FFI()
ffibuilder.cdef(_DECLARATIONS)
ffibuilder.set_source(
    "cycletls._native",
    _SOURCE,
    include_dirs=["golang"],
    depends=["golang/cycletls.h"],
    py_limited_api=True,
    define_macros=[("Py_LIMITED_API", "0x030A0000")],
)
