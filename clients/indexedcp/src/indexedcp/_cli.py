"""The command ``indexcp``."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn

import cycletls

from ._buffer import Progress as Report
from ._client import IndexCPClient
from ._exceptions import BufferInUse, IndexedCPError, MissingAPIKey, SourceChanged
from ._keys import VARIABLES, ask_api_key
from ._wire import DEFAULT_CHUNK_SIZE

_Command = TypeVar("_Command", bound=Callable[..., Any])
_FAILURES = (OSError, MissingAPIKey, BufferInUse, ValueError, cycletls.CycleTLSError)

_out = Console(highlight=False)
_err = Console(stderr=True, highlight=False)


class _Group(click.Group):
    """Commands whose failures are one line each."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except _FAILURES as exc:
            raise click.ClickException(str(exc)) from exc


@click.group(cls=_Group)
@click.version_option(package_name="indexedcp")
@click.option("--db-name", default="indexcp", show_default=True, help="The buffer: ~/.indexcp/NAME.db.")
@click.option("--chunk-size", default=DEFAULT_CHUNK_SIZE, show_default=True, help="Bytes of a chunk.")
@click.pass_context
def main(context: click.Context, db_name: str, chunk_size: int) -> None:
    """Upload files in chunks, through a buffer that forgets nothing until the server has it."""
    context.obj = context.with_resource(IndexCPClient(db_name, chunk_size))


def _uploads(command: _Command) -> _Command:
    """Give a command the options of an upload."""
    key = click.option(
        "--api-key", help=f"The server's key; better in {VARIABLES[0]}, which no list of processes shows."
    )
    resend = click.option("--resend", is_flag=True, help="Send chunks again that an old server may have.")
    return key(resend(command))


@main.command()
@click.argument("files", nargs=-1, required=True, type=click.Path())
@click.pass_obj
def add(client: IndexCPClient, files: tuple[str, ...]) -> None:
    """Copy FILES into the buffer."""
    with _bars() as report:
        counts = [client.add_file(file, progress=report) for file in files]
    for file, count in zip(files, counts, strict=True):
        _out.print(f"{file}: {count} chunk{'s' if count > 1 else ''}", markup=False, soft_wrap=True)


@main.command(name="list")
@click.pass_obj
def list_files(client: IndexCPClient) -> None:
    """Show what is in the buffer."""
    files = client.buffered()
    if not files:
        _out.print("the buffer is empty")
        return
    _out.print(f"{'bytes':>15} {'chunks':>8}  file")
    for file in files:
        note = "  (has changed since)" if file.has_changed() else ""
        line = f"{file.layout.size:>15,} {file.layout.count:>8,}  {file.path}{note}"
        _out.print(line, markup=False, soft_wrap=True)


@main.command()
@click.argument("url")
@_uploads
@click.pass_obj
def upload(client: IndexCPClient, url: str, api_key: str | None, resend: bool) -> None:
    """Upload what is in the buffer to URL, and go on with what was interrupted."""
    _upload(client, url, api_key, resend)


@main.command()
@click.argument("file", type=click.Path())
@click.argument("url")
@_uploads
@click.pass_obj
def buffer_and_upload(client: IndexCPClient, file: str, url: str, api_key: str | None, resend: bool) -> None:
    """Upload FILE to URL; if that is interrupted, it is in the buffer."""
    client.add_file(file)
    _upload(client, url, api_key, resend)


@main.command()
@click.pass_obj
def clear(client: IndexCPClient) -> None:
    """Forget all that is in the buffer."""
    client.clear_buffer()
    _out.print("the buffer is empty")


def _upload(client: IndexCPClient, url: str, api_key: str | None, resend: bool) -> None:
    client.api_key = api_key or ask_api_key()
    try:
        with _changes_shown(), _bars() as report:
            results = client.upload_buffered_files(url, progress=report, resend=resend)
    except IndexedCPError as exc:
        _show(exc.results)
        raise
    _show(results)
    if not results:
        _out.print("the buffer is empty")


def _show(results: Mapping[str, str]) -> None:
    for path, name in results.items():
        _out.print(f"{path} -> {name}", markup=False, soft_wrap=True)


@contextmanager
def _bars() -> Iterator[Report]:
    """Show a bar for each file, on stderr."""
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=_err) as progress:
        tasks: dict[str, TaskID] = {}

        def report(path: str, done: int, size: int) -> None:
            if path not in tasks:
                tasks[path] = progress.add_task(path, total=size)
            progress.update(tasks[path], completed=done)

        yield report


@contextmanager
def _changes_shown() -> Iterator[None]:
    """Show warnings of changed files as lines."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", SourceChanged)
        warnings.showwarning = _show_warning
        yield


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    _err.print(f"warning: {message}", markup=False, soft_wrap=True)


if __name__ == "__main__":
    main()
