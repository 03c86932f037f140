"""The library in another process: who starts it, who may use it, and what happens when it dies or its user forks."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from servers import Peer, ScriptedServer
from test_ffi import ok, run

import cycletls
from cycletls import _carriers, _sidecar
from cycletls._core import ask

PATIENCE = 20.0
SOON = 0.05  # seconds between two looks at another process


def until(happened: Any) -> None:
    """Wait for what another process does at once, and tells nobody of."""
    end = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < end, "it does not happen"
        time.sleep(SOON)


def runs(pid: int) -> bool:
    """Whether there is such a process, which has not ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@contextmanager
def started(*arguments: str) -> Iterator[dict[str, Any]]:
    """A sidecar that a user has started by hand, and what it says of itself."""
    code = "import sys; from cycletls._cli import main; main(sys.argv[1:])"
    command = [sys.executable, "-c", code, "sidecar", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.kill()


@pytest.fixture
def own() -> Iterator[_sidecar.Sidecar]:
    """This process's own sidecar."""
    return _sidecar.own()


def pid_of(sidecar: _sidecar.Sidecar) -> int:
    """The process behind one of our own."""
    assert sidecar._process is not None
    return sidecar._process.pid


def test_requests_go_through_another_process(httpbin: str) -> None:
    """Nothing of Go is loaded where they are made."""
    script = """
        import sys, cycletls
        with cycletls.CycleTLS(sidecar=True) as c:
            assert c.post(sys.argv[1] + "/post", json={"a": 1}).json()["json"] == {"a": 1}
        print("libcycletls" in open("/proc/self/maps").read())
    """
    assert ok(run(script, httpbin)) == "False\n"


def test_sessions_of_a_process_share_its_sidecar(httpbin: str, own: _sidecar.Sidecar) -> None:
    """It is started once, and stays for the next."""
    for _ in range(2):
        with cycletls.CycleTLS(sidecar=True) as session:
            assert session.get(f"{httpbin}/get").ok
    assert _sidecar.own() is own


def test_a_sidecar_is_small() -> None:
    """No package of this or of another project is in it: less than 25 MiB when it begins."""
    fresh = _sidecar._start()
    ask(fresh, 0, {"type": "stats"})
    status = Path(f"/proc/{pid_of(fresh)}/status").read_text()
    fresh._end()
    assert int(status.partition("VmRSS:")[2].split()[0]) < 25 * 1024


def test_a_sidecar_does_not_hear_the_terminal(own: _sidecar.Sidecar) -> None:
    """It is in a session of its own, whose Ctrl-C is nobody's."""
    assert os.getsid(pid_of(own)) == pid_of(own) != os.getsid(0)


def test_the_token_is_no_argument_and_no_environment(own: _sidecar.Sidecar) -> None:
    """Other users may read those."""
    token = own._token.encode()
    assert len(token) == 43
    for name in ("cmdline", "environ"):
        assert token not in Path(f"/proc/{pid_of(own)}/{name}").read_bytes()


@pytest.mark.parametrize("end", ["sys.exit()", "os._exit(1)", "os.kill(os.getpid(), 9)"])
def test_a_sidecar_ends_with_the_process_that_needs_it(end: str) -> None:
    """However that ends."""
    script = f"""
        import os, sys
        from cycletls import _sidecar
        print(_sidecar.own()._process.pid, flush=True)
        {end}
    """
    pid = int(run(script).stdout)
    until(lambda: not runs(pid))


def test_a_sidecar_outlives_a_crash_of_one_of_its_users(httpbin: str) -> None:
    """The others go on."""
    with started() as told:
        script = """
            import os, sys, cycletls
            address, token_file, url = sys.argv[1:]
            cycletls.CycleTLS(sidecar=address, sidecar_token_file=token_file).get(url)
            os.kill(os.getpid(), 9)
        """
        run(script, told["address"], told["token_file"], f"{httpbin}/get")
        with cycletls.CycleTLS(sidecar=told["address"], sidecar_token_file=told["token_file"]) as session:
            assert session.get(f"{httpbin}/get").ok


def test_a_sidecar_started_by_hand_keeps_its_token_from_others(tmp_path: Path) -> None:
    """The file is for its user alone, replaces what was there, and goes with the sidecar."""
    path = tmp_path / "token"
    path.write_text("public")
    path.chmod(0o644)
    with started("--token-file", str(path)) as told:
        assert told["token_file"] == str(path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert len(path.read_text().strip()) == 43
        os.kill(told["pid"], signal.SIGTERM)
        until(lambda: not path.exists())


def test_a_sidecar_that_nobody_uses_ends() -> None:
    """After --idle-exit."""
    with started("--idle-exit", "0.1") as told:
        until(lambda: not runs(told["pid"]))


@pytest.mark.parametrize("stay", [(), ("--stay",)], ids=["ends", "stays"])
def test_a_sidecar_started_by_hand_ends_with_its_parent_unless_told_to_stay(stay: tuple[str, ...]) -> None:
    """What a script has started does not stay behind."""
    script = """
        import json, subprocess, sys
        code = "import sys; from cycletls._cli import main; main(sys.argv[1:])"
        command = [sys.executable, "-c", code, "sidecar", *sys.argv[1:]]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        print(process.stdout.readline())
    """
    told = json.loads(run(script, *stay).stdout)
    if stay:
        with cycletls.CycleTLS(sidecar=told["address"], sidecar_token_file=told["token_file"]) as session:
            assert session.cookies.get_dict() == {}
            session.cookies.set("a", "1", domain="h")
        os.kill(told["pid"], signal.SIGTERM)
    until(lambda: not runs(told["pid"]))


def test_who_has_no_token_is_refused() -> None:
    """With a message that says so."""
    with started() as told:
        session = cycletls.CycleTLS(sidecar=told["address"], sidecar_token="x" * 43)
        with pytest.raises(cycletls.InvalidOption, match="token"):
            session.get("http://127.0.0.1:1/")


@pytest.mark.parametrize(
    "options",
    [
        {"sidecar": "ws://127.0.0.1:1"},
        {"sidecar_token": "x"},
        {"sidecar": True, "sidecar_token": "x"},
        {"sidecar": "ws://localhost:1", "sidecar_token": "x"},
        {"sidecar": "ws://192.0.2.1:1", "sidecar_token": "x"},
        {"sidecar": "http://127.0.0.1:1", "sidecar_token": "x"},
        {"sidecar": "ws://127.0.0.1", "sidecar_token": "x"},
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any]) -> None:
    """An address is literal and of this machine, and has a token."""
    with pytest.raises(cycletls.InvalidOption):
        cycletls.CycleTLS(**options).get("http://127.0.0.1:1/")


def test_no_sidecar_at_an_address_is_said() -> None:
    """As the connection error that it is."""
    with pytest.raises(cycletls.SidecarDied, match="no sidecar at"):
        cycletls.CycleTLS(sidecar="ws://127.0.0.1:1", sidecar_token="x").get("http://127.0.0.1:1/")


def test_a_library_that_cannot_be_loaded_is_named() -> None:
    """Also where it is another process that cannot load it."""
    finished = run("import cycletls; cycletls.CycleTLS(sidecar=True).get('http://h/')", CYCLETLS_LIB_PATH="/dev/null")
    assert "LibraryError: the sidecar process cannot start" in finished.stderr
    assert "/dev/null" in finished.stderr


class Held:
    """A script of a server that takes a request and answers when it is told to."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.left = threading.Event()

    def __call__(self, peer: Peer) -> None:
        peer.read_head()
        self.asked.set()
        peer.read_all()
        self.left.set()


def test_what_was_under_way_when_it_died_fails_and_the_next_request_works(
    httpbin: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is sent again, and the log says that another sidecar was started."""
    server = Held()
    with ScriptedServer(server) as running, cycletls.CycleTLS(sidecar=True, profile="plain") as session:
        killer = threading.Thread(
            target=lambda: (server.asked.wait(PATIENCE), os.kill(pid_of(_sidecar.own()), signal.SIGKILL))
        )
        killer.start()
        with pytest.raises(cycletls.SidecarDied, match="not sent again"):
            session.get(running.url)
        killer.join()
        assert running.connections == 1
        assert session.get(f"{httpbin}/get").ok
    assert "another one" in caplog.text


@pytest.mark.parametrize("asleep", ["idle", "busy"])
def test_a_sidecar_that_stands_still_hangs_nobody(asleep: str, httpbin: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread whose sidecar is stopped learns of it, whatever its request's limits; another takes its place."""
    monkeypatch.setattr(_sidecar, "_PATIENCE", 0.5)
    _sidecar.end_own()  # connections of this one are patient for longer
    server = Held()
    with ScriptedServer(server) as running, cycletls.CycleTLS(sidecar=True, timeout=None) as session:
        assert session.get(f"{httpbin}/get").ok
        pid = pid_of(_sidecar.own())

        def stop() -> None:
            assert asleep == "idle" or server.asked.wait(PATIENCE)
            os.kill(pid, signal.SIGSTOP)

        stopper = threading.Thread(target=stop)
        stopper.start()
        if asleep == "idle":
            stopper.join()
        with pytest.raises(cycletls.SidecarDied):
            session.get(running.url)
        stopper.join()
        assert session.get(f"{httpbin}/get").ok
        assert pid_of(_sidecar.own()) != pid
        until(lambda: not runs(pid))


def test_a_sidecar_may_be_silent_for_long(httpbin: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as it answers others, a thread waits for it."""
    monkeypatch.setattr(_sidecar, "_PATIENCE", 0.1)
    _sidecar.end_own()
    with cycletls.CycleTLS(sidecar=True) as session:
        assert session.get(f"{httpbin}/delay/1").ok
    _sidecar.end_own()


def test_asyncio_learns_of_the_death_of_a_sidecar(httpbin: str) -> None:
    """Every task that waits gets the error, and the session goes on."""

    async def main() -> None:
        server = Held()
        with ScriptedServer(server) as running:
            async with cycletls.AsyncCycleTLS(sidecar=True) as session:
                tasks = [asyncio.ensure_future(session.get(running.url)) for _ in range(3)]
                await asyncio.to_thread(server.asked.wait, PATIENCE)
                os.kill(pid_of(_sidecar.own()), signal.SIGKILL)
                results = await asyncio.gather(*tasks, return_exceptions=True)
                assert [type(result) for result in results] == [cycletls.SidecarDied] * 3
                assert (await session.get(f"{httpbin}/get")).ok

    asyncio.run(main())


@pytest.mark.parametrize("seed", range(10))
def test_a_sidecar_killed_anywhere_hangs_nobody(seed: int, httpbin: str) -> None:
    """Every call ends with its answer or an error, well within its timeout (tests/endurance.py tries more places)."""
    survive_a_kill(seed, httpbin)


def survive_a_kill(seed: int, httpbin: str) -> None:
    """Send requests of all kinds while the sidecar is killed at a moment that the seed draws."""
    draw = random.Random(seed)
    began = time.monotonic()
    with cycletls.CycleTLS(sidecar=True, timeout=10) as session:
        session.get(f"{httpbin}/get")
        killer = threading.Timer(draw.uniform(0, 0.05), os.kill, (pid_of(_sidecar.own()), signal.SIGKILL))
        killer.start()
        answered = []
        for path in ("get", "bytes/300000", "stream/20", "post"):
            try:
                if path == "post":
                    answered.append(session.post(f"{httpbin}/post", content=iter([b"x" * 70_000] * 5)).ok)
                else:
                    answered.append(len(session.get(f"{httpbin}/{path}").content) > 0)
            except cycletls.SidecarDied:
                continue
        killer.join()
        until(lambda: session.get(f"{httpbin}/get").ok)
    assert all(answered)
    assert time.monotonic() - began < 2 * PATIENCE


def test_ctrl_c_ends_the_exchange_behind_it() -> None:
    """A signal handler that raises ends the wait, and the sidecar hangs up."""
    server = Held()

    class Stop(Exception):
        pass

    def stop(*_: object) -> None:
        raise Stop

    before = signal.signal(signal.SIGUSR1, stop)
    try:
        with ScriptedServer(server) as running, cycletls.CycleTLS(sidecar=True) as session:
            main = threading.main_thread().ident
            assert main is not None
            sender = threading.Thread(
                target=lambda: (server.asked.wait(PATIENCE), signal.pthread_kill(main, signal.SIGUSR1))
            )
            sender.start()
            with pytest.raises(Stop):
                session.get(running.url)
            assert server.left.wait(PATIENCE)
            sender.join()
            assert session.cookies.get_dict() == {}
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_a_slow_stream_holds_back_no_other(httpbin: str) -> None:
    """Sixty-three streams are read to their ends while nobody reads the sixty-fourth."""

    async def main() -> None:
        async with cycletls.AsyncCycleTLS(sidecar=True, max_connections_per_host=64) as session:

            async def read() -> int:
                async with session.stream("GET", f"{httpbin}/bytes/200000") as response:
                    return len(await response.read())

            async with session.stream("GET", f"{httpbin}/bytes/200000"):
                assert await asyncio.gather(*[read() for _ in range(63)]) == [min(200_000, 100 * 1024)] * 63

    asyncio.run(main())


FORKED = """
    import os, sys, multiprocessing, cycletls
    url = sys.argv[1]
    session = cycletls.CycleTLS(headers={"X-Kept": "1"}, sidecar={sidecar})
    session.cookies.set("kept", "1", domain="127.0.0.1")
    assert session.get(url + "/get").ok
"""


@pytest.mark.parametrize("sidecar", ["None", "True"])
def test_a_forked_child_goes_on_with_configuration_and_cookies(sidecar: str, httpbin: str) -> None:
    """The session that was open in the parent has both, and the parent keeps its own."""
    script = (
        FORKED.replace("{sidecar}", sidecar)
        + """
    child = os.fork()
    seen = session.get(url + "/anything").json()
    assert seen["headers"]["X-Kept"] == "1" and seen["headers"]["Cookie"] == "kept=1", seen
    session.cookies.set("own", str(child), domain="127.0.0.1")
    if child:
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert session.cookies.get_dict() == {"kept": "1", "own": str(child)}
    session.close()
    """
    )
    ok(run(script, httpbin))


@pytest.mark.parametrize("sidecar", ["None", "True"])
def test_what_was_open_before_a_fork_stays_with_the_parent(sidecar: str, httpbin: str) -> None:
    """A streamed response raises ForkError in the child, and is read to its end in the parent."""
    script = (
        FORKED.replace("{sidecar}", sidecar)
        + """
    stream = session.stream("GET", url + "/bytes/90000")
    assert len(stream.read(10)) == 10
    child = os.fork()
    if not child:
        try:
            stream.read(10)
        except cycletls.ForkError as exc:
            assert "parent" in str(exc)
            assert session.get(url + "/get").ok
            stream.close()
            os._exit(0)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert sum(map(len, iter(lambda: stream.read(5000), b""))) == 89990
    """
    )
    ok(run(script, httpbin))


def test_a_pool_of_forked_workers_works(httpbin: str) -> None:
    """As multiprocessing makes it, after the parent has used the library."""
    script = (
        FORKED.replace("{sidecar}", "None")
        + """
    def work(n):
        return session.get(url + "/anything", params={"n": n}).json()["args"]["n"]
    with multiprocessing.get_context("fork").Pool(3) as pool:
        assert pool.map(work, range(12)) == [str(n) for n in range(12)]
    """
    )
    ok(run(script, httpbin))


def test_grandchildren_go_on_too(httpbin: str) -> None:
    """A prefork server's master is often a child itself, and so are the workers' helpers."""
    script = (
        FORKED.replace("{sidecar}", "None")
        + """
    for depth in range(3):
        child = os.fork()
        if child:
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
            os._exit(0)
        if depth != 1:
            assert session.get(url + "/cookies").json() == {"cookies": {"kept": "1"}}, depth
    os._exit(0)
    """
    )
    ok(run(script, httpbin))


def test_workers_that_a_master_replaces_all_work(httpbin: str) -> None:
    """As Celery's prefork pool does: the master forks workers, each ends after some tasks, another takes its place."""
    script = (
        FORKED.replace("{sidecar}", "None")
        + """
    def worker(tasks, results):
        for n in iter(tasks.get, None):
            results.put(session.get(url + "/anything", params={"n": n}).json()["args"]["n"])
    context = multiprocessing.get_context("fork")
    tasks, results = context.SimpleQueue(), context.SimpleQueue()
    for generation in range(3):
        workers = [context.Process(target=worker, args=(tasks, results)) for _ in range(2)]
        for one in workers:
            one.start()
        for n in range(6):
            tasks.put(n)
        assert sorted(results.get() for _ in range(6)) == list("012345")
        for one in workers:
            tasks.put(None)
        for one in workers:
            one.join()
            assert one.exitcode == 0
        assert session.get(url + "/get").ok
    """
    )
    ok(run(script, httpbin))


def test_gunicorn_may_preload_an_application_that_made_requests(httpbin: str, tmp_path: Path) -> None:
    """Its workers are forked afterwards, and answer."""
    (tmp_path / "preloaded.py").write_text(
        "import os, cycletls\n"
        "session = cycletls.CycleTLS()\n"
        "url = os.environ['URL']\n"
        "assert session.get(url).ok\n"
        "def app(environ, start_response):\n"
        "    body = session.get(url).content\n"
        "    start_response('200 OK', [('Content-Length', str(len(body)))])\n"
        "    return [body]\n"
    )
    address = tmp_path / "address"
    hook = tmp_path / "hooks.py"
    hook.write_text(
        "def when_ready(server):\n"
        f"    open({str(address)!r} + '.new', 'w').write(str(server.LISTENERS[0].sock.getsockname()[1]))\n"
        f"    import os; os.rename({str(address)!r} + '.new', {str(address)!r})\n"
    )
    command = [sys.executable, "-m", "gunicorn", "--preload", "-w", "2", "-b", "127.0.0.1:0", "-c", str(hook)]
    with subprocess.Popen(
        [*command, "preloaded:app"],
        cwd=tmp_path,
        env={**os.environ, "URL": f"{httpbin}/get"},
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            until(address.exists)
            for _ in range(8):
                assert cycletls.get(f"http://127.0.0.1:{address.read_text()}/", timeout=20).json()["url"]
        finally:
            process.terminate()


def test_a_hundred_forks_and_requests(httpbin: str) -> None:
    """No hang, no body of another (tests/endurance.py does ten times as many)."""
    command = [sys.executable, Path(__file__).parent / "fork_rounds.py", "100", httpbin]
    assert "0 wrong" in subprocess.run(command, capture_output=True, text=True, timeout=55, check=True).stdout


def test_the_way_is_chosen_once_a_process_forks() -> None:
    """Here, where none has been forked, it is the library itself."""
    assert _carriers.current().remote is False
