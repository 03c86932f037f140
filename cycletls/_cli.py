"""The command line: profiles shown, captured, compared, and checked against what is sent.

Results go to stdout, all else to stderr. Exit status: 0, 1 for a difference or
a failure, 2 for what cannot be asked so.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any, Final, NoReturn

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ._browsers import LAST_PAGE, capture_browser
from ._capture import CaptureServer
from ._exceptions import InvalidOption, RequestException
from ._facets import Difference, Facet, differences, facets
from ._launch import become_sidecar
from ._models import Profile, profile_schema
from ._node import CAVEAT, PORT, NodeSidecar
from ._node import write_executable as write_node_executable
from ._profiles import users_folder
from ._registry import profiles
from ._replay import replay, was_shown
from ._version import __version__

WIDE: Final = 10_000
"""Columns where there is no terminal: lines are for programs then, and are not broken."""

YEAR: Final = 365 * 86400.0
"""Seconds; nobody waits longer for a first request."""

NOTATIONS: Final = ("ja3", "ja4", "ja4_r", "akamai", "json", "peetprint")

EXECUTABLE: Final = "Write a program for executablePath of npm's client, and serve nobody."

IDLE_EXIT: Final = 600.0
"""Seconds after which a sidecar ends that nobody uses."""

LISTEN: Final = re.compile(r"(?:(?P<host>.*):)?(?P<port>\d+)")


class _Group(click.Group):
    """Commands whose errors are one line."""

    def main(self, *args: Any, **extra: Any) -> NoReturn:
        """Run a command and end the process with its status."""
        try:
            status = super().main(*args, **{**extra, "standalone_mode": False})
            sys.stdout.flush()
        except click.ClickException as exc:
            status = exc.exit_code
            click.echo(f"cycletls: {exc.format_message()}", err=True)
        except click.Abort:
            status = 130  # as shells say it of SIGINT
            click.echo("cycletls: interrupted", err=True)
        except BrokenPipeError:  # such as of head
            status = 1
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(status)

    def invoke(self, context: click.Context) -> Any:
        """Run a command, and say of its errors whether the question or the answer was wrong."""
        try:
            return super().invoke(context)
        except KeyboardInterrupt as exc:
            raise click.Abort from exc
        except BrokenPipeError:
            raise
        except InvalidOption as exc:
            raise click.UsageError(_line(exc)) from exc
        except (RequestException, OSError) as exc:
            raise click.ClickException(_line(exc)) from exc


@click.group(cls=_Group, no_args_is_help=False, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="cycletls")
def main() -> None:
    """Fingerprints of browsers: show, capture, compare and check them."""


@main.group("profiles", invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@click.pass_context
def list_profiles(context: click.Context, as_json: bool) -> None:
    """List all profiles, or add one."""
    if context.invoked_subcommand:
        return
    rows = [_row(profile) for profile in profiles.list()]
    if as_json:
        click.echo(json.dumps(rows, indent=1, ensure_ascii=False))
    else:
        _print_table(list(rows[0]), [list(row.values()) for row in rows])


@list_profiles.command("add")
@click.argument("file", type=click.Path(dir_okay=False))
@click.option("--force", is_flag=True, help="Replace a file that is there.")
def add_profile(file: str, force: bool) -> None:
    """Copy a profile into your folder of profiles, where its name is found from now on.

    The folder is the one that CYCLETLS_PROFILES_DIR names, else cycletls/profiles among your data (XDG_DATA_HOME).
    """
    folder = users_folder()
    profile = Profile.from_file(file)
    facets(profile)  # the core finds what the model does not
    Path(folder).mkdir(parents=True, exist_ok=True)
    target = Path(folder, f"{profiles.register(profile)}.json")
    if target.exists() and not force:
        raise click.UsageError(f"{target} is there already; --force replaces it")
    profile.save(target)


@main.command()
def schema() -> None:
    """Write the JSON Schema of profiles."""
    click.echo(json.dumps(profile_schema(), indent=1, ensure_ascii=False))


@main.command()
@click.argument("name")
@click.option("--as", "notation", type=click.Choice(NOTATIONS), default="json", show_default=True, help="The notation.")
def show(name: str, notation: str) -> None:
    """Show a profile, by its NAME or path.

    Where a browser draws the order of its extensions, JA3 is that of one order of many.
    """
    profile = Profile.load(name)
    click.echo(profile.document() if notation == "json" else getattr(profile, notation))


@main.command()
@click.option("--browser", metavar="NAME", help="chromium, firefox or a path: run it, headless, against the server.")
@click.option("--listen", metavar="[HOST:]PORT", help="Wait for any client instead; on loopback without a host.")
@click.option("-o", "--output", required=True, type=click.Path(dir_okay=False, allow_dash=True), help="The profile.")
@click.option("--idle", default=5.0, show_default=True, help="With --listen: end so many seconds after a request.")
@click.option("--timeout", default=60.0, show_default=True, help="With --browser: seconds that each visit may take.")
def capture(browser: str | None, listen: str | None, output: str, idle: float, timeout: float) -> None:
    """Write the profile of a browser, or of any client, as it connects to a server here."""
    if (browser is None) == (listen is None):
        raise click.UsageError("either --browser or --listen")
    if browser is not None:
        with _progress(f"{browser} sends every kind of request"):
            profile = capture_browser(browser, timeout=timeout)
    else:
        profile = _capture_any(_address(listen or ""), output, idle)
    with click.open_file(output, "w", encoding="utf-8") as file:
        file.write(profile.document() + "\n")


@main.command()
@click.argument("a")
@click.argument("b")
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
def compare(a: str, b: str, as_json: bool) -> None:
    """Compare two profiles facet by facet; exit status 1 if any differs."""
    one, other = facets(Profile.load(a)), facets(Profile.load(b))
    _report(one, differences(one, other), ("facet", a, b), as_json)


@main.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
def check(name: str, as_json: bool) -> None:
    """Compare what this client sends with the profile; exit status 1 if a facet differs.

    Every kind of request but a WebSocket goes to a server here, over HTTP/2
    and HTTP/1.1, on first connections and on resumed ones.
    """
    profile = Profile.load(name)
    with _progress(f"sending as {profile.name}"):
        sent = replay(profile)
    stated = [facet for facet in facets(profile) if was_shown(profile, facet.name)]
    seen = [facet for facet in facets(sent) if was_shown(profile, facet.name)]
    _report(stated, differences(stated, seen), ("facet", "profile", "sent"), as_json)


@main.command()
@click.option("--node", is_flag=True, help="Serve the npm package cycletls, which has no token.")
@click.option("--port", type=click.IntRange(0, 65535), help=f"0, the default, is a free one; with --node {PORT} is.")
@click.option("--token-file", metavar="FILE", type=click.Path(dir_okay=False), help="Where clients find the token.")
@click.option("--stay", is_flag=True, help="Do not end with the process that has started this one.")
@click.option(
    "--idle-exit",
    metavar="SECONDS",
    type=click.FloatRange(0, min_open=True),
    help=f"End after so long without a client; {IDLE_EXIT:.0f} unless --node.",
)
@click.option("--write-executable", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path), help=EXECUTABLE)
def sidecar(
    node: bool,
    port: int | None,
    token_file: str | None,
    stay: bool,
    idle_exit: float | None,
    write_executable: Path | None,
) -> None:
    """Serve other processes on this machine, and say where as one line of JSON.

    Clients are cycletls.CycleTLS(sidecar="ws://…", sidecar_token_file="…"): those who can read the file.
    """
    if not node:
        if write_executable is not None:
            raise click.UsageError("--write-executable is for --node")
        become_sidecar(port or 0, token_file, IDLE_EXIT if idle_exit is None else idle_exit, stay, _announce)
    if token_file is not None or stay:
        raise click.UsageError("--token-file and --stay are not for --node: npm's client has no token")
    if write_executable is not None:
        write_node_executable(write_executable)
        return
    server = NodeSidecar(PORT if port is None else port, idle_exit)
    click.echo(CAVEAT, err=True)
    _announce(server.address, None)
    server.wait()


def _announce(address: str, token_file: str | None) -> None:
    click.echo(json.dumps({"address": f"ws://{address}", "token_file": token_file, "pid": os.getpid()}))
    sys.stdout.flush()


def _row(profile: Profile) -> dict[str, str]:
    """Return what the list tells of a profile."""
    source = profile.source
    return {
        "name": profile.name,
        "browser": source.browser,
        "version": source.version,
        "os": source.os,
        "ja4": profile.ja4,
        "source": re.split(r":|,| \(|\.(?: |$)", source.notes[0])[0] if source.notes else "",
        "age": _age(source.captured),
    }


def _age(captured: str) -> str:
    """Return how long ago a date was, which may be of a month only; "" where it is unknown."""
    try:
        then = date.fromisoformat(captured if captured.count("-") == 2 else f"{captured}-01")
    except ValueError:
        return ""
    days = max((date.today() - then).days, 0)
    if days < 60 and captured.count("-") == 2:
        return f"{days} days"
    return f"{days // 30 or '< 1'} months" if days < 730 else f"{days // 365} years"


def _address(listen: str) -> str:
    found = LISTEN.fullmatch(listen)
    if not found or int(found["port"]) > 65535:
        raise click.UsageError(f"--listen {listen!r} is no port, nor a host and a port")
    return f"{found['host'] or 'localhost'}:{found['port']}"


def _capture_any(address: str, output: str, idle: float) -> Profile:
    """Wait for clients until they have sent everything, are silent, or Ctrl-C; then return what they imply."""
    name = "captured" if output == "-" else Path(output).stem
    with CaptureServer(address) as server:
        with _ending_with_enough(server):
            click.echo(f"listening on {server.url}; {server.start_page} makes a browser send everything", err=True)
            with _progress("waiting for requests; Ctrl-C ends it"):
                server.document(requests=1, timeout=YEAR)
                while not _is_done(server, idle):
                    pass
        return server.profile(name)


@contextmanager
def _ending_with_enough(server: CaptureServer) -> Iterator[None]:
    """Take Ctrl-C as the end of a capture that has something to show."""
    try:
        yield
    except KeyboardInterrupt:
        if not server.requests:
            raise


def _is_done(server: CaptureServer, idle: float) -> bool:
    """Wait for another request; return whether none came, or the last one of all pages has come."""
    before = len(server.requests)
    server.document(requests=before + 1, timeout=idle)
    requests = server.requests
    return len(requests) == before or any(request.target == LAST_PAGE for request in requests)


def _report(all_of: Sequence[Facet], differing: Sequence[Difference], titles: Sequence[str], as_json: bool) -> None:
    """Print what differs and how much is equal, and exit with 1 if anything does."""
    if as_json:
        found = [difference._asdict() for difference in differing]
        click.echo(json.dumps({"facets": len(all_of), "differences": found}, indent=1, ensure_ascii=False))
    else:
        if differing:
            _print_table(titles, [["-" if cell is None else cell for cell in row] for row in differing])
        click.echo(f"{len(all_of)} facets, {len(differing)} differ")
    if differing:
        click.get_current_context().exit(1)


def _print_table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    table = Table(*titles, box=None, pad_edge=False, header_style="bold")
    for column in table.columns:
        column.overflow = "fold"
    for row in rows:
        table.add_row(*map(Text, row))
    Console(width=None if sys.stdout.isatty() else WIDE).print(table)


@contextmanager
def _progress(text: str) -> Iterator[None]:
    """Show on a terminal that something goes on."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield
        return
    with console.status(text):
        yield


def _line(exc: BaseException) -> str:
    """Return an error's text as one line."""
    return " ".join(str(exc).split())
