"""The boundary: what the library does with numbers, messages and processes that are not what they should be."""

from __future__ import annotations

import base64
import ctypes
import os
import re
import struct
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import msgpack
import pytest

import cycletls
from cycletls import _ffi, _sidecar_process, _transfer

ROOT = Path(cycletls.__file__).parent.parent


def run(script: str, *arguments: str, timeout: float = 60, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a script in a Python of its own, where a crash is a status and not the end of the tests."""
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=timeout,
    )


def ok(finished: subprocess.CompletedProcess[str]) -> str:
    """The output of a script that must have gone well."""
    assert finished.returncode == 0, f"status {finished.returncode}\n{finished.stdout}{finished.stderr}"
    return finished.stdout


def test_numbers_are_those_of_the_header() -> None:
    """Python, like Go, calls verbs and statuses by the numbers that golang/cycletls.h gives them."""
    enums = re.findall(r"enum \{(.*?)\}", (ROOT / "golang" / "cycletls.h").read_text(), re.DOTALL)
    statuses, verbs = [re.findall(r"CYCLETLS_(\w+)", enum) for enum in enums]
    assert verbs[0] == "CALL"
    assert [getattr(_transfer, name) for name in verbs] == list(range(1, len(verbs) + 1))
    for number, name in enumerate(statuses):
        assert name in ("FAILED", "IS_BINARY") or getattr(_transfer, name) == number  # those two are what is left


def test_structures_are_those_of_the_header() -> None:
    """The sidecar process, which has no cffi, and who reads completions lay them out as the compiler does."""
    ffi = _ffi.shim().ffi
    fields = {name: getattr(_sidecar_process.Reply, name).offset for name, _ in _sidecar_process.Reply._fields_}
    assert fields == {name: field.offset for name, field in ffi.typeof("cycletls_reply").fields}
    assert ctypes.sizeof(_sidecar_process.Reply) == ffi.sizeof("cycletls_reply")
    assert struct.calcsize(_ffi.Queue._ROW) == ffi.sizeof("cycletls_completion")


def test_import_starts_no_go_and_loads_nothing_heavy() -> None:
    """An import costs little: no Go runtime, no thread, none of the libraries that later calls may need."""
    heavy = (
        "pydantic",
        "msgpack",
        "cffi",
        "_cffi_backend",
        "ssl",
        "email",
        "http.cookies",
        "importlib.metadata",
        "asyncio",
        "json",
        "re",
    )
    script = """
        import os, sys
        before = set(sys.modules)
        import cycletls
        print(sorted((set(sys.modules) - before) & set(sys.argv[1:])))
        print(len(os.listdir("/proc/self/task")), "libcycletls" in open("/proc/self/maps").read())
    """
    assert ok(run(script, *heavy)).split("\n")[:2] == ["[]", "1 False"]


def test_a_session_starts_no_go() -> None:
    """Neither a plain one nor one that looks like a profile of the package: what forks then can use it."""
    script = """
        import cycletls
        for options in ({}, {"profile": "firefox"}, {"fingerprint": "chrome_120"}, {"profile": None}):
            cycletls.Session(**options)
        print("libcycletls" in open("/proc/self/maps").read())
    """
    assert ok(run(script)).strip() == "False"


def test_library_of_another_version_is_refused() -> None:
    """A library and a package that are not of one build do not work together, and the error says what to do."""
    script = """
        import cycletls._version
        cycletls._version.__version__ = "0.0.0"
        import cycletls
        cycletls.get("http://127.0.0.1:1/")
    """
    finished = run(script)
    assert "LibraryError" in finished.stderr
    assert "0.0.0" in finished.stderr
    assert "reinstall" in finished.stderr


def test_missing_library_is_named() -> None:
    """A library that cannot be opened is an error that names the file."""
    finished = run("import cycletls; cycletls.get('http://127.0.0.1:1/')", CYCLETLS_LIB_PATH="/nonexistent/library.so")
    assert "LibraryError: cannot load /nonexistent/library.so" in finished.stderr


@pytest.mark.parametrize("handle", [0, 1, 2**32 + 2**31, 2**64 - 1])
def test_unknown_handle_is_an_error(handle: int) -> None:
    """A number that names no session answers with an error; closing it does nothing."""
    request = _envelope({"type": "request", "method": "GET", "url": "http://127.0.0.1:1/"})
    reply = _ffi.exchange(handle, request, None)
    assert reply.status == 0
    assert _message(reply.head)["kind"] == "closed"
    _ffi.close(handle)


@pytest.mark.parametrize(
    "envelope",
    [
        b"",
        b"@@@@",
        b"gA==",
        b"wA==",
        b"3////////w==",
    ],
)
def test_broken_envelope_is_an_error(envelope: bytes) -> None:
    """Bytes that are no message answer with an error that says so."""
    assert _message(_ffi.message(0, envelope))["kind"] == "invalid_message"


def test_unknown_field_is_an_error() -> None:
    """A field the schema does not have is refused by its name, not ignored."""
    answer = _message(_ffi.message(0, _envelope({"type": "session", "verifyy": False})))
    assert answer["kind"] == "invalid_message"
    assert '"verifyy"' in str(answer["message"])


def test_random_calls_do_not_crash() -> None:
    """100,000 calls of every verb with made-up handles and envelopes end with an answer each."""
    script = """
        import base64, faulthandler, random
        import msgpack
        from cycletls import _ffi
        faulthandler.enable()
        lib, ffi = _ffi._library(), _ffi._ffi
        reply, buffer = ffi.new("cycletls_reply *"), ffi.new("char[]", 256)
        draw = random.Random(84)
        names = "type method url headers body profile timeouts cookies action set connection".split()
        types = "request session cookies certificates stats error made".split()

        def value(depth=0):
            kinds = [None, True, -1, 2**63, 1.5, "", "a", b"x", "http://127.0.0.1:1/", "{}"]
            if depth < 3 and draw.random() < 0.4:
                if draw.random() < 0.5:
                    return [value(depth + 1) for _ in range(draw.randrange(4))]
                return {draw.choice(names): value(depth + 1) for _ in range(draw.randrange(4))}
            return draw.choice(kinds)

        def envelope():
            if draw.random() < 0.2:
                return draw.randbytes(draw.randrange(40)).replace(b"\\0", b"?")
            if draw.random() < 0.2:
                return base64.b64encode(draw.randbytes(draw.randrange(40)))
            message = {"type": draw.choice(types)}
            message |= {draw.choice(names): value() for _ in range(draw.randrange(4))}
            return base64.b64encode(msgpack.packb(message))

        def handle():
            return draw.choice([0, 1, draw.getrandbits(8), draw.getrandbits(33), draw.getrandbits(64), made])

        made, answered = 0, 0
        for _ in range(100_000):
            reply.head = ffi.NULL
            verb = draw.randrange(7)
            if verb == 0:
                lib.cycletls_call(handle(), envelope(), b"body", 4, buffer, 256, draw.random() < 0.5, reply)
            elif verb == 1:
                lib.cycletls_start(handle(), envelope(), False, reply)
            elif verb == 2:
                lib.cycletls_write(handle(), buffer, draw.randrange(256), True, reply)
            elif verb == 3:
                lib.cycletls_wait(handle(), buffer, 256, True, reply)
            elif verb == 4:
                lib.cycletls_read(handle(), buffer, 256, False, reply)
            elif verb == 5:
                lib.cycletls_cancel(handle())
            else:
                lib.cycletls_close(handle())
            if reply.head:
                answered += 1
                msgpack.unpackb(base64.b64decode(ffi.string(reply.head)))
                lib.cycletls_free(reply.head)
        print(answered > 50_000)
    """
    assert ok(run(script, timeout=300)) == "True\n"


def test_fork_after_use_is_an_error_at_once_where_that_is_asked_for(httpbin: str) -> None:
    """With CYCLETLS_FORK=error a child of a process that used the library gets a clear error; the parent goes on."""
    script = """
        import os, sys, cycletls
        url = sys.argv[1]
        session = cycletls.CycleTLS()
        assert session.get(url).ok
        child = os.fork()
        if not child:
            for call in (session.get, cycletls.get, lambda url: cycletls.CycleTLS().get(url)):
                try:
                    call(url)
                except cycletls.ForkError:
                    continue
                os._exit(1)
            session.close()
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert session.get(url).ok
    """
    ok(run(script, f"{httpbin}/get", timeout=20, CYCLETLS_FORK="error"))


@pytest.mark.parametrize(
    "busy",
    [
        "lambda: cycletls.get(url)",
        "lambda: session.get(url)",
        "lambda: [session.get(url, server_name=str(n)) for n in range(200)]",
    ],
    ids=["opening the library", "making a session", "making variants"],
)
def test_fork_beside_a_busy_thread_never_hangs(httpbin: str, busy: str) -> None:
    """Whatever another thread was at when the process forked, the child gets its answers."""
    script = f"""
        import os, sys, threading, time, cycletls
        url = sys.argv[1]
        session = cycletls.CycleTLS()
        worker = threading.Thread(target={busy})
        worker.start()
        children = []
        for _ in range(20):
            child = os.fork()
            if not child:
                os._exit(0 if session.get(url).ok and cycletls.get(url).ok else 1)
            children.append(child)
            time.sleep(0.001)
        assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0] * 20
        worker.join()
    """
    ok(run(script, f"{httpbin}/get", timeout=60))


def test_signal_handler_may_use_the_session_that_it_interrupts(httpbin: str) -> None:
    """While the session makes what it needs for its first request, too."""
    script = """
        import signal, sys, threading, cycletls
        url, answers = sys.argv[1], []
        for _ in range(100):
            session = cycletls.CycleTLS()
            signal.signal(signal.SIGALRM, lambda *_: answers.append(session.get(url).status_code))
            signal.setitimer(signal.ITIMER_REAL, 0.0002)
            answers.append(session.get(url).status_code)
            while len(answers) % 2:
                signal.sigtimedwait([], 0.001)
            session.close()
        assert answers == [200] * 200
    """
    ok(run(script, f"{httpbin}/get", timeout=60))


def test_fork_before_use_works(httpbin: str) -> None:
    """A process that only imported the package may fork: parent and child both work."""
    script = """
        import os, sys, cycletls
        child = os.fork()
        assert cycletls.get(sys.argv[1]).ok
        if child:
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    """
    ok(run(script, f"{httpbin}/get", timeout=20))


def test_exit_with_requests_under_way_is_quick_and_clean(httpbin: str) -> None:
    """A process ends at once with status 0 while threads still wait for answers."""
    script = """
        import sys, threading, time, cycletls
        cycletls.get(sys.argv[1] + "/get")
        for _ in range(4):
            threading.Thread(target=cycletls.get, args=(sys.argv[1] + "/delay/10",), daemon=True).start()
        print(time.monotonic())
    """
    began = float(ok(run(script, httpbin, timeout=20)))
    assert time.monotonic() - began < 1


def _envelope(message: dict[str, object]) -> bytes:
    return base64.b64encode(msgpack.packb(message))


def _message(envelope: bytes) -> dict[str, object]:
    message: dict[str, object] = msgpack.unpackb(base64.b64decode(envelope))
    return message
