"""The processes of a run: a server, a client of ours, and one that knows as little as the Node client does.

They are forked from a process that has imported everything, and end without its clean-up.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import logging
import os
import random
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from indexedcp import IndexCPClient, IndexCPServer, IndexedCPError, _app, _body, _plan

import cycletls

from .faults import Fault, Saboteur
from .history import History

KEY = "a key for trials"


def fork(act: Callable[[], object]) -> int:
    """Run something in a child process and return its id; its status is 0 if it returned, 1 if it raised."""
    process = os.fork()
    if process:
        return process
    status = 1
    try:
        act()
        status = 0
    except (cycletls.RequestException, OSError):
        pass
    except BaseException:
        traceback.print_exc()
        status = 2
    finally:
        sys.stderr.flush()
        os._exit(status)


class ServerActor:
    """A server that tells its port in a file, and what it acknowledges in the history.

    Args:
        folder: of the run.
        host: where it listens.
        faults: what happens to it.
        seed: of what a power cut takes.
    """

    def __init__(self, folder: Path, host: str, faults: list[Fault], seed: int) -> None:
        self._folder, self._host, self._saboteur = folder, host, Saboteur(faults, random.Random(seed))

    def __call__(self) -> None:
        """Serve until killed."""
        signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
        logging.disable()
        _body.PIECE = 4096  # type: ignore[misc]  # chunks are small here, too
        self._saboteur.install()
        self._watch_answers()
        server = IndexCPServer(self._folder / "out", 0, KEY, host=self._host)
        server.listen(callback=lambda: self._begin(server.port))

    def _begin(self, port: int) -> None:
        (self._folder / "port.new").write_text(str(port))
        os.rename(self._folder / "port.new", self._folder / "port")
        self._saboteur.armed = True

    def _watch_answers(self) -> None:
        """Let the server die between having stored a chunk and saying so."""
        app: Any = _app
        real = app.receipt
        app.receipt = lambda *arguments: self._saboteur.at("answer", lambda: real(*arguments))


class ClientActor:
    """A client of ours that adds files and uploads them.

    Args:
        folder: of the run.
        name: of the client.
        sources: its files.
        url: where they go.
        options: chunk_size and width.
        faults: what happens to it.
    """

    def __init__(
        self, folder: Path, name: str, sources: list[Path], url: str, options: dict[str, int], faults: list[Fault]
    ) -> None:
        self._name, self._sources, self._url, self._options = name, sources, url, options
        self._home = folder / f"home-{name}"
        self._history = History(folder / "history")
        self._saboteur = Saboteur(faults, random.Random(0))

    def __call__(self) -> None:
        """Add what was not added before, and upload."""
        os.environ["HOME"] = str(self._home)
        self._watch()
        self._saboteur.armed = True
        client = IndexCPClient(retries=1, **self._options)  # type: ignore[arg-type]
        client.api_key = KEY
        added = {event["path"] for event in self._history.events() if event["what"] == "added"}
        for source in self._sources:
            if str(source) not in added:
                client.add_file(source)
                self._history.note("added", path=str(source), client=self._name)
        self._history.note("begun", client=self._name)
        try:
            self._note_results(client.upload_buffered_files(self._url))
        except IndexedCPError as exc:
            self._note_results(exc.results)
            raise

    def _note_results(self, results: Any) -> None:
        self._history.note("results", client=self._name, results=dict(results))

    def _watch(self) -> None:
        """Note each answer, and let the client die around its requests."""
        plan: Any = _plan.Plan
        answered, removed = plan.answered, plan._complete

        def note_answer(self_: Any, job: Any, response: Any) -> None:
            self._history.note("answer", **self._describe(job, response))
            answered(self_, job, response)

        def note_removal(self_: Any, target: Any) -> None:
            named = {target.file.path: target.server_name}
            self._history.note("complete", client=self._name, results=named)
            self._saboteur.at("remove", lambda: removed(self_, target))

        plan.answered, plan._complete = note_answer, note_removal
        request = cycletls.CycleTLS.request
        cycletls.CycleTLS.request = lambda *arguments, **options: self._saboteur.at(  # type: ignore[method-assign]
            "request", lambda: request(*arguments, **options)
        )

    def _describe(self, job: Any, response: Any) -> dict[str, Any]:
        described = {"id": job.target.file.id, "index": job.index, "status": response.status_code}
        if job.index is None and response.status_code == 200:
            described["received"] = response.json()["received"]
        return described


class PlainActor:
    """A client that knows no ids: it sends one chunk after the other, and again until it is acknowledged.

    Args:
        folder: of the run.
        source: its file.
        url: where it goes.
        chunk_size: bytes of a chunk.
    """

    def __init__(self, folder: Path, source: Path, url: str, chunk_size: int) -> None:
        self._source, self._address, self._chunk_size = source, urlsplit(url), chunk_size
        self._history = History(folder / "history")

    def __call__(self) -> None:
        """Go on behind the last chunk that was acknowledged."""
        events = [event for event in self._history.events() if event["what"] == "plain"]
        index = len(events)
        data = self._source.read_bytes()
        count = max(1, -(-len(data) // self._chunk_size))
        connection = http.client.HTTPConnection(self._address.hostname or "", self._address.port, timeout=20)
        while index < count:
            chunk = data[index * self._chunk_size : (index + 1) * self._chunk_size]
            try:
                name = self._send(connection, index, chunk)
            except http.client.HTTPException as exc:
                raise OSError("no answer") from exc
            self._history.note("plain", name=name, size=len(chunk))
            index += 1
        connection.close()

    def _send(self, connection: http.client.HTTPConnection, index: int, chunk: bytes) -> str:
        headers = {
            "Content-Type": "application/octet-stream",
            "X-Chunk-Index": str(index),
            "X-File-Name": f"./{self._source.name}",
            "Authorization": f"Bearer {KEY}",
        }
        connection.request("POST", self._address.path, chunk, headers)
        response = connection.getresponse()
        body = response.read()
        if response.status != 200:
            raise OSError(f"answer {response.status}: {body!r}")
        name: str = json.loads(body)["actualFilename"]
        return name


def sha256(path: Path) -> str:
    """The hash of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def own_host() -> str:
    """The loopback address of this process, so that no other run gets the port of a server that was killed."""
    return f"127.1.{os.getpid() >> 8 & 255}.{os.getpid() & 255}"


def free_listener() -> socket.socket:
    """A listening socket on loopback."""
    return socket.create_server(("127.0.0.1", 0), backlog=64)
