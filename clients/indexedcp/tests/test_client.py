"""The client, against a server of ours."""

from __future__ import annotations

import hashlib
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from conftest import KEY, MakeFile, files_in
from indexedcp import (
    AuthenticationFailed,
    BufferInUse,
    IndexCPClient,
    IndexCPServer,
    MissingAPIKey,
    SourceChanged,
    UploadRefused,
)
from indexedcp._buffer import Buffer

import cycletls


def test_files_arrive_as_they_are(client: IndexCPClient, server: IndexCPServer, out: Path, make_file: MakeFile) -> None:
    """Files of no, one and many chunks are on the server under their names, and the buffer is empty."""
    contents = {"none.bin": b"", "one.bin": b"x" * 1000, "many.bin": bytes(range(256)) * 50}
    paths = {name: str(make_file(name, data)) for name, data in contents.items()}
    assert [client.add_file(path) for path in paths.values()] == [1, 1, 13]
    assert client.get_buffered_files() == list(paths.values())
    assert client.upload_buffered_files(server.url) == {path: name for name, path in paths.items()}
    assert files_in(out) == contents
    assert client.get_buffered_files() == []


def test_buffer_is_where_the_documentation_says(home: Path, client: IndexCPClient, make_file: MakeFile) -> None:
    """``~/.indexcp/indexcp.db`` has the bytes in a table of chunks, and nobody else may read it."""
    client.add_file(make_file("a.bin", b"a" * 1500))
    path = home / ".indexcp" / "indexcp.db"
    assert client.db_path == str(path)
    with sqlite3.connect(path) as db:
        rows = db.execute("SELECT chunk_index, data FROM chunks ORDER BY chunk_index").fetchall()
    db.close()
    assert rows == [(0, b"a" * 1000), (1, b"a" * 500)]
    assert path.stat().st_mode & 0o077 == 0
    assert path.parent.stat().st_mode & 0o077 == 0


def test_buffer_survives_the_client(server: IndexCPServer, out: Path, make_file: MakeFile) -> None:
    """What one client adds, another one of the same name uploads."""
    with IndexCPClient("shared") as first:
        first.add_file(make_file("a.bin", b"kept"))
    with IndexCPClient("shared") as second:
        second.api_key = KEY
        second.upload_buffered_files(server.url)
    assert files_in(out) == {"a.bin": b"kept"}


def test_nothing_to_upload_needs_no_server(client: IndexCPClient) -> None:
    """An empty buffer is uploaded at once, wherever to."""
    assert client.upload_buffered_files("http://127.0.0.1:1/upload") == {}


def test_missing_file(client: IndexCPClient) -> None:
    """A file that is not there is a FileNotFoundError."""
    with pytest.raises(FileNotFoundError):
        client.add_file("/nowhere/at-all")


@pytest.mark.parametrize("chunk_size", [0, -1])
def test_chunk_size_is_positive(chunk_size: int) -> None:
    """Chunks of nothing would never end."""
    with pytest.raises(ValueError, match="chunk_size"):
        IndexCPClient(chunk_size=chunk_size)


@pytest.mark.parametrize("name", ["", "../other", "a/b", ".hidden"])
def test_buffer_name_is_a_name(name: str) -> None:
    """A buffer's name leads nowhere else."""
    with pytest.raises(ValueError, match="buffer's name"):
        IndexCPClient(name)


def test_wrong_key_is_a_value_error(client: IndexCPClient, server: IndexCPServer, make_file: MakeFile) -> None:
    """A key that the server does not accept is a ValueError and a RequestException, and nothing leaves the buffer."""
    client.add_file(make_file("a.bin", b"a"))
    client.api_key = "another"
    with pytest.raises(AuthenticationFailed, match="Invalid API key") as caught:
        client.upload_buffered_files(server.url)
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, cycletls.RequestException)
    assert "another" not in str(caught.value)
    assert len(client.get_buffered_files()) == 1


def test_no_server_is_a_request_exception(client: IndexCPClient, make_file: MakeFile) -> None:
    """A server that is not there leaves the buffer as it is."""
    client.add_file(make_file("a.bin", b"a"))
    with pytest.raises(cycletls.ConnectError):
        client.upload_buffered_files("http://127.0.0.1:1/upload")
    assert len(client.get_buffered_files()) == 1


def test_refused_file_does_not_stop_the_others(
    client: IndexCPClient, server: IndexCPServer, out: Path, make_file: MakeFile
) -> None:
    """The error of one file tells which others have arrived."""
    good, bad = make_file("good.bin", b"good"), make_file("trailing.", b"bad")
    client.add_file(bad)
    client.add_file(good)
    with pytest.raises(UploadRefused, match="not accepted") as caught:
        client.upload_buffered_files(server.url)
    assert (caught.value.status, caught.value.path) == (400, str(bad))
    assert caught.value.results == {str(good): "good.bin"}
    assert client.get_buffered_files() == [str(bad)]
    assert files_in(out) == {"good.bin": b"good"}


@pytest.mark.parametrize("variable", ["INDEXCP_API_KEY", "INDEXEDCP_API_KEY"])
def test_key_from_the_environment(client: IndexCPClient, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    """Both variables are read where no key was set, and a key that was set counts more."""
    monkeypatch.setenv(variable, "from the environment")
    assert client.get_api_key() == KEY
    client.api_key = None
    assert client.get_api_key() == "from the environment"


def test_key_from_the_user(client: IndexCPClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """At a terminal the user is asked, once, without echo."""
    client.api_key = None
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("getpass.getpass", lambda prompt: "typed")
    assert client.get_api_key() == "typed"
    monkeypatch.setattr("getpass.getpass", lambda prompt: "again")
    assert client.get_api_key() == "typed"


def test_no_key_at_all(client: IndexCPClient) -> None:
    """Without a terminal there is nobody to ask."""
    client.api_key = None
    with pytest.raises(MissingAPIKey, match="INDEXCP_API_KEY"):
        client.get_api_key()


def test_adding_again_changes_nothing(client: IndexCPClient, make_file: MakeFile) -> None:
    """The same content keeps its upload, other content replaces it."""
    path = make_file("a.bin", b"a" * 2500)
    client.add_file(path)
    (first,) = client.buffered()
    assert client.add_file(path) == 3
    assert client.buffered() == [first]
    path.write_bytes(b"b" * 500)
    assert client.add_file(path) == 1
    (second,) = client.buffered()
    assert second.id != first.id
    assert second.whole.sha256 == hashlib.sha256(b"b" * 500).hexdigest()


def test_changed_source_is_noticed(
    client: IndexCPClient, server: IndexCPServer, out: Path, make_file: MakeFile
) -> None:
    """A file that changed after it was buffered is uploaded as it was, with a warning."""
    path = make_file("a.bin", b"before")
    client.add_file(path)
    path.write_bytes(b"after that")
    with pytest.warns(SourceChanged, match=r"a\.bin"):
        client.upload_buffered_files(server.url)
    assert files_in(out) == {"a.bin": b"before"}


def test_source_may_be_gone(client: IndexCPClient, server: IndexCPServer, out: Path, make_file: MakeFile) -> None:
    """The buffer has all that is needed."""
    path = make_file("a.bin", b"kept")
    client.add_file(path)
    path.unlink()
    client.upload_buffered_files(server.url)
    assert files_in(out) == {"a.bin": b"kept"}


def test_same_name_from_two_folders(
    client: IndexCPClient, server: IndexCPServer, out: Path, make_file: MakeFile
) -> None:
    """Two files of one name become two files, and the results say which is which."""
    one, two = make_file("1/a.txt", b"one"), make_file("2/a.txt", b"two")
    client.add_file(one)
    client.add_file(two)
    results = client.upload_buffered_files(server.url)
    assert {path: (out / name).read_bytes() for path, name in results.items()} == {str(one): b"one", str(two): b"two"}


def test_uploading_again_replaces_nothing(
    client: IndexCPClient, server: IndexCPServer, out: Path, make_file: MakeFile
) -> None:
    """A file that is there already stays, and the new one gets a name of its own."""
    path = make_file("a.txt", b"first")
    assert client.buffer_and_upload(path, server.url) == "a.txt"
    path.write_bytes(b"second")
    name = client.buffer_and_upload(path, server.url)
    assert files_in(out) == {"a.txt": b"first", name: b"second"}
    assert name.startswith("a_")
    assert name.endswith(".txt")


def test_foreign_names_arrive(client: IndexCPClient, server: IndexCPServer, out: Path, make_file: MakeFile) -> None:
    """Names outside of Latin-1, with spaces and with percent signs are the same on the server."""
    for name in ("größe.txt", "文件.bin", "two  spaces.txt", "100%.txt", "%41.txt", "🗂.zip"):
        assert client.buffer_and_upload(make_file(name, name.encode()), server.url) == name
    assert all(data == name.encode() for name, data in files_in(out).items())


def test_progress_counts_to_the_end(client: IndexCPClient, server: IndexCPServer, make_file: MakeFile) -> None:
    """Progress is told for each file, never backwards with one request at once, and ends with all bytes."""
    client.width = 1
    path = make_file("a.bin", b"a" * 4500)
    seen: list[tuple[str, int, int]] = []
    client.add_file(path, progress=lambda *report: seen.append(report))
    assert seen[-1] == (str(path), 4500, 4500)
    seen.clear()
    client.upload_buffered_files(server.url, progress=lambda *report: seen.append(report))
    assert [done for _, done, _ in seen] == [1000, 2000, 3000, 4000, 4500]


def test_one_upload_at_a_time(client: IndexCPClient, server: IndexCPServer, make_file: MakeFile) -> None:
    """Somebody else who uploads from the buffer is not joined."""
    client.add_file(make_file("a.bin", b"a"))
    with Buffer("indexcp").exclusive(), pytest.raises(BufferInUse):
        client.upload_buffered_files(server.url)
    assert client.upload_buffered_files(server.url)


def test_clearing_gives_space_back(client: IndexCPClient, make_file: MakeFile) -> None:
    """After ``clear_buffer`` nothing is listed, and the file is small again."""
    client.chunk_size = 1 << 20
    client.add_file(make_file("a.bin", bytes(4 << 20)))
    assert Path(client.db_path).stat().st_size > 4 << 20
    client.clear_buffer()
    assert client.get_buffered_files() == []
    assert Path(client.db_path).stat().st_size < 1 << 20


def test_threads_share_a_client(client: IndexCPClient, server: IndexCPServer, out: Path, make_file: MakeFile) -> None:
    """Files that several threads add are all uploaded."""
    contents = {f"{number}.bin": bytes([number]) * 3000 for number in range(8)}
    threads = [threading.Thread(target=client.add_file, args=(make_file(*item),)) for item in contents.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    client.upload_buffered_files(server.url)
    assert files_in(out) == contents


def test_chunks_without_a_buffer(client: IndexCPClient, server: IndexCPServer, out: Path) -> None:
    """``upload_chunk`` makes a file of what is sent one after the other, and a second try doubles nothing."""
    for index, data in ((0, b"one"), (0, b"one"), (1, b"two"), (1, b"two"), (2, b"three")):
        answer = client.upload_chunk(server.url, data, index, "/some/where/s.txt")
        assert (answer["actualFilename"], answer["clientFilename"], answer["chunkIndex"]) == ("s.txt", "s.txt", index)
    assert files_in(out) == {"s.txt": b"onetwothree"}


def test_chunks_of_a_name_again(client: IndexCPClient, server: IndexCPServer, out: Path) -> None:
    """Chunk 0 of a file that has gone on begins another upload, also where it is the same."""
    for rest in (b"two", b"other"):
        for index, data in enumerate((b"one", rest)):
            name = client.upload_chunk(server.url, data, index, "s.txt")["actualFilename"]
    assert files_in(out) == {"s.txt": b"onetwo", name: b"oneother"}


def test_chunk_with_another_key(client: IndexCPClient, server: IndexCPServer) -> None:
    """``upload_chunk`` takes a key of its own."""
    with pytest.raises(AuthenticationFailed):
        client.upload_chunk(server.url, b"x", 0, "s.txt", "another")


def test_close_twice(client: IndexCPClient, make_file: MakeFile) -> None:
    """Closing is harmless, and a closed client opens its buffer again."""
    client.add_file(make_file("a.bin", b"a"))
    client.close()
    client.close()
    assert len(client.get_buffered_files()) == 1


def test_interrupt_ends_an_upload(home: Path, make_file: MakeFile) -> None:
    """Ctrl-C ends an upload whose server says nothing, at once, and the file stays in the buffer."""
    path = make_file("a.bin", b"a" * 5000)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/upload"
        command = [sys.executable, "-m", "indexedcp._cli", "buffer-and-upload", str(path), url, "--api-key", KEY]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            silent.settimeout(30)
            accepted, _ = silent.accept()
            started = time.monotonic()
            process.send_signal(signal.SIGINT)
            assert process.wait(30) == 1
            assert time.monotonic() - started < 10
            accepted.close()
    with IndexCPClient() as client:
        assert client.get_buffered_files() == [str(path)]


def test_failure_of_the_buffer_ends_an_upload(
    client: IndexCPClient, server: IndexCPServer, make_file: MakeFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What fails in one thread is raised, and the others do not wait for it for ever."""
    client.add_file(make_file("a.bin", b"a" * 50_000))
    monkeypatch.setattr(Buffer, "chunk", lambda self, file, index: {}[index])
    with pytest.raises(KeyError):
        client.upload_buffered_files(server.url)
