"""The two commands."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from conftest import KEY, MakeFile, files_in, request
from indexedcp import IndexCPServer
from indexedcp._cli import main

BIN = Path(__file__).parent.parent / "bin"


def run(*arguments: object, **environment: str) -> Result:
    """Run ``indexcp``."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments], env=environment)


def test_from_adding_to_the_server(server: IndexCPServer, out: Path, make_file: MakeFile) -> None:
    """Files are added, listed, uploaded and gone from the buffer."""
    paths = [make_file("a.txt", b"aaa"), make_file("b.bin", bytes(2_000_000))]
    added = run("add", *paths)
    assert added.exit_code == 0, added.output
    assert f"{paths[0]}: 1 chunk\n" in added.output
    assert f"{paths[1]}: 2 chunks\n" in added.output
    listed = run("list").output
    assert "a.txt" in listed
    assert "2,000,000" in listed
    uploaded = run("upload", server.url, INDEXCP_API_KEY=KEY)
    assert uploaded.exit_code == 0, uploaded.output
    assert f"{paths[1]} -> b.bin\n" in uploaded.output
    assert files_in(out) == {"a.txt": b"aaa", "b.bin": bytes(2_000_000)}
    assert run("list").output == "the buffer is empty\n"
    assert "the buffer is empty" in run("upload", server.url, "--api-key", KEY).output


def test_buffer_and_upload(server: IndexCPServer, out: Path, make_file: MakeFile) -> None:
    """One command does both, in chunks of the size that was asked for."""
    path = make_file("a.txt", b"x" * 100)
    done = run("--chunk-size", 7, "buffer-and-upload", path, server.url, "--api-key", KEY)
    assert done.exit_code == 0, done.output
    assert files_in(out) == {"a.txt": b"x" * 100}


def test_clear(make_file: MakeFile) -> None:
    """What was added is forgotten, and another buffer is not."""
    path = make_file("a.txt", b"x")
    run("add", path)
    run("--db-name", "other", "add", path)
    assert run("clear").exit_code == 0
    assert run("list").output == "the buffer is empty\n"
    assert "a.txt" in run("--db-name", "other", "list").output


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["add", "/nowhere"], "No such file"),
        (["upload", "{url}", "--api-key", "wrong"], "Invalid API key"),
        (["upload", "{url}"], "INDEXCP_API_KEY"),
        (["upload", "http://127.0.0.1:9/upload", "--api-key", "x"], "connection refused"),
        (["--chunk-size", "0", "list"], "chunk_size"),
    ],
)
def test_failures_are_one_line(
    server: IndexCPServer, make_file: MakeFile, arguments: list[str], error: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What goes wrong is told without a traceback, and the exit status says so."""
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    run("add", make_file("a.txt", b"x"))
    done = run(*(argument.replace("{url}", server.url) for argument in arguments))
    assert done.exit_code == 1
    assert "Error: " in done.output
    assert error in done.output
    assert "Traceback" not in done.output


def test_what_arrived_is_shown_with_what_did_not(server: IndexCPServer, make_file: MakeFile) -> None:
    """A file that is refused does not hide the others."""
    run("add", make_file("bad.", b"x"), make_file("good", b"x"))
    done = run("upload", server.url, "--api-key", KEY)
    assert done.exit_code == 1
    assert "good -> good\n" in done.output
    assert "not accepted" in done.output


def test_changed_file_is_shown(server: IndexCPServer, make_file: MakeFile) -> None:
    """A file that has changed since is listed so, and a line warns when it is uploaded."""
    path = make_file("a.txt", b"x")
    run("add", path)
    path.write_bytes(b"changed")
    assert "has changed since" in run("list").output
    assert "warning: " in run("upload", server.url, "--api-key", KEY).output


@pytest.mark.parametrize("simple", [False, True])
def test_server_command(tmp_path: Path, simple: bool) -> None:
    """It serves from a checkout, says where, shows a key only if it made one up, and ends well when interrupted."""
    arguments = ["--port", "0", "--output-dir", str(tmp_path / "out"), *(["--simple"] if simple else [])]
    command = [sys.executable, str(BIN / "indexcp-server"), *arguments]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True) as process:
        assert process.stdout is not None
        key = "" if simple else process.stdout.readline().split()[-1]
        port = int(process.stdout.readline().split("127.0.0.1:")[1].split("/")[0])
        assert request(port, b"abc", key=key).status == 200
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        assert process.stdout.read() == ""
    assert list(files_in(tmp_path / "out").values()) == [b"abc"]


def test_server_command_keeps_a_key_to_itself(tmp_path: Path) -> None:
    """A key that was given is not shown."""
    command = [sys.executable, str(BIN / "indexcp-server"), "--port", "0", "--output-dir", str(tmp_path / "out")]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", "INDEXCP_API_KEY": "the-secret"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True) as process:
        assert process.stdout is not None
        shown = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        shown += process.stdout.read()
    assert shown.startswith("listening on http://127.0.0.1:")
    assert "secret" not in shown


def test_client_command_from_a_checkout() -> None:
    """It says what it can do."""
    done = subprocess.run([sys.executable, str(BIN / "indexcp"), "--help"], capture_output=True, text=True, check=True)
    assert all(command in done.stdout for command in ("add", "list", "upload", "buffer-and-upload", "clear"))
