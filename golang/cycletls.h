/* The C boundary: what libcycletls exports. The one description of it; the Go
 * side (exports.go) and the Python shim (cycletls/_native_build.py) include it.
 *
 * Messages are envelopes: base64 of a msgpack map, as NUL-terminated strings.
 * Body bytes travel beside them, in memory that the caller owns for the length
 * of a call. Every verb may be called from any thread. */
#ifndef CYCLETLS_H
#define CYCLETLS_H

#include <stdint.h>

/* Defined by the build (setup.py): a linker's -X has no room beside the flags
 * that setuptools-golang gives. */
#ifndef CYCLETLS_VERSION
#define CYCLETLS_VERSION "unset"
#endif

/* Runs the host's signal handlers; returns non-zero when one of them raised.
 * Given by calls from the host's main thread, NULL from any other. */
typedef int (*cycletls_signals)(void);

typedef struct {
    char *head;      /* the answering envelope, to be freed; NULL: none */
    uint64_t handle; /* of an exchange with more to come; 0: it is over */
    int64_t length;  /* decoded length of the body, -1 where unknown */
    int64_t filled;  /* bytes put into the caller's buffer */
    int32_t status;  /* of HTTP, or one of those below */
} cycletls_reply;

/* Statuses: head is an "error"; done; the server answered before the body was
 * sent; a WebSocket's message is text, or binary; it would have to wait; what was
 * taken has not been sent as a whole. */
enum {
    CYCLETLS_FAILED, CYCLETLS_DONE, CYCLETLS_ANSWERED, CYCLETLS_IS_TEXT, CYCLETLS_IS_BINARY, CYCLETLS_NOT_YET,
    CYCLETLS_PENDING
};

/* What cycletls_drain tells of work that cycletls_submit began. The answering
 * envelope and then the body stand in the memory that was given, one completion
 * after the other. */
typedef struct {
    uint64_t ticket;
    uint64_t handle; /* this and what follows: as in cycletls_reply */
    int64_t length;
    int64_t filled;
    int64_t status;
    int64_t head; /* bytes of the envelope in the memory */
    int64_t body; /* bytes of the body in the memory */
} cycletls_completion;

/* Verbs, for cycletls_submit; from CYCLETLS_TEXT on for cycletls_send, too. */
enum {
    CYCLETLS_CALL = 1, CYCLETLS_START, CYCLETLS_WRITE, CYCLETLS_WAIT, CYCLETLS_READ, CYCLETLS_RECEIVE,
    CYCLETLS_TEXT, CYCLETLS_BINARY, CYCLETLS_PING, CYCLETLS_GOODBYE, CYCLETLS_FLUSH
};

#endif
