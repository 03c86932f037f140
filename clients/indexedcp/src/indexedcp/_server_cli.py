"""The command ``indexcp-server``."""

from __future__ import annotations

import contextlib
import os

import click

from ._keys import VARIABLES
from ._output import FolderInUse
from ._server import IndexCPServer
from ._simple import create_simple_server
from ._wire import DEFAULT_NAME, DEFAULT_PORT


@click.command()
@click.version_option(package_name="indexedcp")
@click.option("--port", default=DEFAULT_PORT, show_default=True, help="0 is any that is free.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--output-dir", default=".", show_default=True, type=click.Path(file_okay=False), help="Where files go.")
@click.option("--api-key", help=f"What clients must have; else {VARIABLES[0]}, else one is made up and shown.")
@click.option("--simple", is_flag=True, help="Ask for no key and append all to one file: for development alone.")
def main(port: int, host: str, output_dir: str, api_key: str | None, simple: bool) -> None:
    """Store what clients upload, until interrupted."""
    try:
        if simple:
            _run_simple(port, output_dir)
        else:
            _run(port, host, output_dir, api_key)
    except (OSError, FolderInUse) as exc:
        raise click.ClickException(str(exc)) from exc


def _run(port: int, host: str, output_dir: str, api_key: str | None) -> None:
    known = api_key or next((key for name in VARIABLES if (key := os.environ.get(name))), None)
    server = IndexCPServer(output_dir, port, known, host=host)
    if known is None:
        click.echo(f"API key of this run: {server.api_key}")
    with contextlib.suppress(KeyboardInterrupt):
        server.listen(callback=lambda: click.echo(f"listening on {server.url}, storing in {server.output_dir}"))


def _run_simple(port: int, output_dir: str) -> None:
    os.makedirs(output_dir, exist_ok=True)
    path = os.path.join(output_dir, DEFAULT_NAME)
    with create_simple_server(path, port) as server, contextlib.suppress(KeyboardInterrupt):
        click.echo(f"listening on http://127.0.0.1:{server.server_port}/upload without a key, appending to {path}")
        server.serve_forever()
