"""The command line: listen, publish, request, and look into the broker.

What arrives goes to stdout, one JSON text a line where that is not a terminal; all else goes to stderr. Exit status: 0,
1 for a failure, 2 for what cannot be asked so.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, Literal, NoReturn, cast

import click
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ._client import MessageBrokerClient
from ._exceptions import MessageBrokerError
from ._header import MessageHeader
from ._version import __version__

PORTS: Final = {("ws", False): 3000, ("tcp", False): 3001, ("ws", True): 8000, ("tcp", True): 8001}
"""Where the broker listens unless it is told otherwise."""

INTERRUPTED: Final = 130
"""The exit status that shells give to SIGINT."""


class _Group(click.Group):
    """Commands whose errors are one line."""

    def main(self, *args: Any, **extra: Any) -> NoReturn:
        """Run a command and end the process with its status."""
        try:
            status = super().main(*args, **{**extra, "standalone_mode": False}) or 0
            sys.stdout.flush()
        except click.ClickException as exc:
            status = exc.exit_code
            click.echo(f"mb: {exc.format_message()}", err=True)
        except MessageBrokerError as exc:
            status = 1
            click.echo(f"mb: {exc}", err=True)
        except (click.Abort, KeyboardInterrupt):
            status = INTERRUPTED
        except BrokenPipeError:  # such as of head
            status = 1
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(status)


class _Broker:
    """Where the broker is, and how to talk to it, as the options say."""

    def __init__(self, host: str, port: int | None, protocol: str, use_tls: bool, ca: str | None) -> None:
        self.host = host
        self.protocol = cast(Literal["ws", "tcp"], protocol)
        self.use_tls = use_tls or ca is not None
        self.port = port or PORTS[self.protocol, self.use_tls]
        self.ca = ca

    def run(self, work: Callable[[MessageBrokerClient], Awaitable[None]]) -> None:
        """Connect, do something, and close."""

        async def main() -> None:
            async with self._connected() as client:
                await work(client)

        asyncio.run(main())

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[MessageBrokerClient]:
        async with MessageBrokerClient(self.protocol, use_tls=self.use_tls, ca=self.ca) as client:
            client.on_error(lambda error: click.echo(f"mb: {error}", err=True))
            await client.connect(self.host, self.port)
            yield client


def _json(text: str) -> Any:
    """Return what a text means as JSON."""
    try:
        return json.loads(text)
    except ValueError as exc:
        raise click.BadParameter(f"{text!r} is not JSON: {exc}") from exc


@click.group(cls=_Group, context_settings={"auto_envvar_prefix": "MB", "help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="mb")
@click.option("--host", default="localhost", show_default=True, show_envvar=True)
@click.option("--port", type=click.IntRange(1, 65_535), show_envvar=True, help="Default: the broker's own.")
@click.option("--protocol", type=click.Choice(["ws", "tcp"]), default="ws", show_default=True, show_envvar=True)
@click.option("--tls", "use_tls", is_flag=True, show_envvar=True, help="Connect over TLS.")
@click.option(
    "--ca", type=click.Path(exists=True, dir_okay=False), show_envvar=True, help="Whom to trust; implies --tls."
)
@click.pass_context
def main(context: click.Context, host: str, port: int | None, protocol: str, use_tls: bool, ca: str | None) -> None:
    """Talk to an MB message broker."""
    context.obj = _Broker(host, port, protocol, use_tls, ca)


@main.command()
@click.argument("topics", nargs=-1, required=True)
@click.option("--count", type=click.IntRange(1), help="End after so many messages.")
@click.pass_obj
def listen(broker: _Broker, topics: Sequence[str], count: int | None) -> None:
    """Show what is published on TOPICS."""

    async def work(client: MessageBrokerClient) -> None:
        seen = _Counter(count)

        @client.on_message
        def show(header: MessageHeader, payload: Any) -> None:
            if seen.one_more():
                _show({"topic": header.topic, "version": header.version, "payload": payload})

        for topic in topics:
            await client.subscribe(topic, action="publish")
        await seen.wait(client)

    broker.run(work)


@main.command()
@click.argument("topic")
@click.argument("payload", type=_json, default="{}")
@click.option("--version", default="1.0.0", show_default=True, help="Of the payload's format.")
@click.pass_obj
def publish(broker: _Broker, topic: str, payload: Any, version: str) -> None:
    """Publish PAYLOAD, which is JSON, on TOPIC, and wait until the broker has passed it on."""
    broker.run(lambda client: client.publish(topic, payload, version=version))


@main.command()
@click.argument("topic")
@click.argument("payload", type=_json, default="{}")
@click.option("--version", default="1.0.0", show_default=True, help="Of the payload's format.")
@click.option("--timeout", type=click.IntRange(1, 3_600_000), default=30_000, show_default=True, help="Milliseconds.")
@click.pass_obj
def request(broker: _Broker, topic: str, payload: Any, version: str, timeout: int) -> None:
    """Ask whoever serves TOPIC, with PAYLOAD, which is JSON, and show the answer."""

    async def work(client: MessageBrokerClient) -> None:
        _show(await client.request(topic, payload, timeout=timeout, version=version))

    broker.run(work)


@main.command()
@click.pass_obj
def topics(broker: _Broker) -> None:
    """List the topics that somebody subscribes to."""

    async def work(client: MessageBrokerClient) -> None:
        rows = [
            (topic.topic, topic.action, " ".join(one.service_id for one in topic.subscribers))
            for topic in await client.topics()
        ]
        _print_table(("topic", "action", "subscribers"), sorted(rows))

    broker.run(work)


@main.command()
@click.pass_obj
def services(broker: _Broker) -> None:
    """List the services that are connected."""

    async def work(client: MessageBrokerClient) -> None:
        rows = [(one.id, one.name, one.description, one.connected_at) for one in await client.services()]
        _print_table(("id", "name", "description", "connected"), rows)

    broker.run(work)


@main.command()
@click.option("--watch", is_flag=True, help="Show them anew every --interval seconds.")
@click.option("--interval", type=click.FloatRange(0.1), default=2.0, show_default=True)
@click.option("--count", type=click.IntRange(1), help="With --watch: end after so many times.")
@click.pass_obj
def metrics(broker: _Broker, watch: bool, interval: float, count: int | None) -> None:
    """Show the broker's figures."""

    async def work(client: MessageBrokerClient) -> None:
        if not watch:
            _print_table(("metric", "value"), await _figures(client))
            return
        seen = _Counter(count)
        with Live(console=_console(), auto_refresh=False) as live:
            while seen.one_more():
                live.update(_table(("metric", "value"), await _figures(client)), refresh=True)
                if not seen.enough:
                    await asyncio.sleep(interval)

    broker.run(work)


@main.command()
@click.option(
    "--level", "levels", multiple=True, type=click.Choice(["debug", "info", "warn", "error"]), default=["error"]
)
@click.option("--regex", help="What the broker compares entries with.")
@click.option("--count", type=click.IntRange(1), help="End after so many entries.")
@click.pass_obj
def log(broker: _Broker, levels: Sequence[str], regex: str | None, count: int | None) -> None:
    """Show the broker's log; --level may be given several times."""

    async def work(client: MessageBrokerClient) -> None:
        await _watch(count, client, lambda show: client.subscribe_logs(show, levels, regex))

    broker.run(work)


@main.command()
@click.option("--count", type=click.IntRange(1), help="End after so many messages.")
@click.pass_obj
def messages(broker: _Broker, count: int | None) -> None:
    """Show every message that the broker relays."""

    async def work(client: MessageBrokerClient) -> None:
        await _watch(count, client, client.subscribe_messages)

    broker.run(work)


class _Counter:
    """Counts up to a limit, if there is one."""

    def __init__(self, limit: int | None) -> None:
        self._left = limit
        self._done = asyncio.Event()

    @property
    def enough(self) -> bool:
        """Whether the limit is reached."""
        return self._done.is_set()

    def one_more(self) -> bool:
        """Count one; say whether it was wanted."""
        if self.enough:
            return False
        if self._left is not None:
            self._left -= 1
            if not self._left:
                self._done.set()
        return True

    async def wait(self, client: MessageBrokerClient) -> None:
        """Wait for the limit, or for the client's end."""
        waits = [asyncio.ensure_future(self._done.wait()), asyncio.ensure_future(client.run())]
        done, pending = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in pending:
            wait.cancel()
        for wait in done:
            wait.result()


async def _watch(
    count: int | None, client: MessageBrokerClient, subscribe: Callable[[Callable[[Any], Any]], Awaitable[None]]
) -> None:
    """Show each entry of what is subscribed to, up to a limit."""
    seen = _Counter(count)
    await subscribe(lambda entry: _show(entry) if seen.one_more() else None)
    await seen.wait(client)


async def _figures(client: MessageBrokerClient) -> list[tuple[str, ...]]:
    return [(name, str(value)) for name, value in sorted((await client.metrics()).items())]


def _show(value: Any) -> None:
    """Print what is JSON: for eyes on a terminal, else on a line of its own. Control characters are escaped."""
    console = _console()
    if console.is_terminal:
        console.print_json(json.dumps(value), ensure_ascii=False)
    else:
        print(json.dumps(value), flush=True)


def _print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table on a terminal, else fields with tabs between them."""
    console = _console()
    if console.is_terminal:
        console.print(_table(columns, rows))
    for row in () if console.is_terminal else rows:
        print("\t".join(_printable(cell) for cell in row))


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table(*columns, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*[Text(_printable(cell)) for cell in row])
    return table


def _printable(text: str) -> str:
    """Escape what would not show as itself, or steer the terminal."""
    return "".join([c if c.isprintable() else c.encode("unicode_escape").decode() for c in text])


def _console() -> Console:
    return Console(file=sys.stdout)
