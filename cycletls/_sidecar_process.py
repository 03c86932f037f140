"""What runs as a sidecar: a Python with nothing but the library, started by _launch as a script of its own.

It must stay small and quick to start: no package, no site-packages. It is told
what to do by the lines of a descriptor, so that nobody sees it in a list of
processes.
"""

from __future__ import annotations

import _thread
import ctypes
import os
import select
import signal
import sys

LINES = 5
ENDING = (signal.SIGINT, signal.SIGTERM)
"""Signals that end it; who starts it may block them until it can remove what it leaves."""


class Reply(ctypes.Structure):
    """cycletls_reply of golang/cycletls.h."""

    _fields_ = (
        ("head", ctypes.c_char_p),
        ("handle", ctypes.c_uint64),
        ("length", ctypes.c_int64),
        ("filled", ctypes.c_int64),
        ("status", ctypes.c_int32),
    )


def main(descriptor: int) -> None:
    """Serve until there is no more need.

    Args:
        descriptor: it gives the path of the library, the envelopes of "serve" and "served", the number of the
            process to end with (0: none, -1: whoever holds the other end of the descriptor), and a file to remove.
    """
    path, serve, served, parent, leftover = read_lines(descriptor)
    library = ctypes.CDLL(os.fsdecode(path))
    serving = call(library, 0, serve)
    _thread.start_new_thread(end_with, (library, serving.handle, served, leftover))
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
        outlive(descriptor, int(parent))
    except KeyboardInterrupt:
        pass
    finally:
        leave(leftover)


def read_lines(descriptor: int) -> list[bytes]:
    """Read what there is to know; the other end stays open."""
    text = b""
    while text.count(b"\n") < LINES:
        piece = os.read(descriptor, 4096)
        if not piece:
            sys.exit("the one who started this sidecar has gone")
        text += piece
    return text.split(b"\n")[:LINES]


def call(library: ctypes.CDLL, target: int, envelope: bytes) -> Reply:
    """Send the library a message and return the answer, or end the process with it."""
    reply = Reply()
    nothing = ctypes.c_void_p(), ctypes.c_int64(0)
    library.cycletls_call(ctypes.c_uint64(target), envelope, *nothing, *nothing, ctypes.c_void_p(), ctypes.byref(reply))
    if not reply.status:
        sys.exit((reply.head or b"").decode())
    return reply


def end_with(library: ctypes.CDLL, handle: int, served: bytes, leftover: bytes) -> None:
    """End the process when the library has ended serving."""
    call(library, handle, served)
    leave(leftover)


def outlive(descriptor: int, parent: int) -> None:
    """Wait for the end of the one to end with."""
    if parent > 0:
        if not hasattr(os, "pidfd_open"):
            while os.getppid() == parent:
                select.select([], [], [], 1)
            return
        descriptor = os.pidfd_open(parent)
    watch = select.poll()
    if parent:
        watch.register(descriptor, select.POLLIN | select.POLLHUP)
    watch.poll()


def leave(leftover: bytes) -> None:
    """End the process at once: the kernel gives back all there is."""
    if leftover and os.path.exists(leftover):
        os.unlink(leftover)
    os._exit(0)


if __name__ == "__main__":
    main(int(sys.argv[1]))
