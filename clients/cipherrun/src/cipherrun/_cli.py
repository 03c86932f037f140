"""The command line: ``cipherrun``.

The exit status is 0, or 1 where a target does not pass what it was held
against or a scan did not complete, or 2 where something went wrong.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from . import _cli_tables as tables
from ._settings import BASE_URL, TIMEOUT
from ._version import __version__
from .client import CipherRunClient
from .exceptions import CipherRunError
from .models import ProgressMessage, ScanOptions, ScanStatus
from .models._base import Model

as_json = click.option("--json", "as_json", is_flag=True, help="Print the server's answer as JSON.")


class Session:
    """The client of a command, and where it prints."""

    def __init__(self, client: CipherRunClient) -> None:
        self.client = client
        # Nothing that a server says is markup.
        self.out = Console(markup=False, highlight=False)
        self.err = Console(stderr=True, markup=False, highlight=False)

    def show(self, answer: Model, as_json: bool) -> None:
        """Print an answer, as JSON or for people."""
        if as_json:
            click.echo(answer.model_dump_json(indent=2))
        else:
            self.out.print(tables.rendered(answer))


session = click.make_pass_decorator(Session)


class Failure(click.ClickException):
    """Something went wrong."""

    exit_code = 2


class Commands(click.Group):
    """Commands whose exceptions are told in a line."""

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except CipherRunError as error:
            raise Failure(str(error)) from error


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--url", envvar="CIPHERRUN_URL", default=BASE_URL, show_default=True, help="The server.")
@click.option("--api-key", envvar="CIPHERRUN_API_KEY", help="Better said in the environment, CIPHERRUN_API_KEY.")
@click.option("--timeout", default=TIMEOUT, show_default=True, help="Seconds for a call.")
@click.option("--ca-file", type=click.Path(exists=True), help="Certificates to trust instead of the system's.")
@click.version_option(__version__, prog_name="cipherrun")
@click.pass_context
def main(context: click.Context, url: str, api_key: str | None, timeout: float, ca_file: str | None) -> None:
    """Scan TLS servers with a CipherRun server."""
    client = CipherRunClient(url, api_key, timeout, verify=ca_file or True)
    context.call_on_close(client.close)
    context.obj = Session(client)


PHASES = {
    "protocols": "test_protocols",
    "ciphers": "test_ciphers",
    "vulnerabilities": "test_vulnerabilities",
    "certificates": "analyze_certificates",
    "headers": "test_http_headers",
    "clients": "client_simulation",
}


@main.command()
@click.argument("target")
@click.option("--full", "preset", flag_value="full", help="Look at everything, which is the default.")
@click.option("--quick", "preset", flag_value="quick", help="Look at protocols and certificates.")
@click.option("--only", multiple=True, type=click.Choice(list(PHASES)), help="Look at this; may be repeated.")
@click.option("--starttls", metavar="PROTOCOL", help="E.g. smtp.")
@click.option("--webhook", metavar="URL", help="A public address that is told of the end.")
@click.option("--wait", default=300.0, show_default=True, help="Seconds to wait for the end.")
@click.option("--detach", is_flag=True, help="Do not wait: print the id of the scan.")
@as_json
@session
def scan(
    session: Session,
    target: str,
    preset: str | None,
    only: tuple[str, ...],
    starttls: str | None,
    webhook: str | None,
    wait: float,
    detach: bool,
    as_json: bool,
) -> None:
    """Scan TARGET, host or host:port, and print what was found."""
    made = session.client.create_scan(target, _options(preset, only, starttls), webhook)
    if detach:
        click.echo(made.scan_id)
        return
    _watch(session, made.scan_id, made.target, wait)
    session.show(session.client.get_scan_results(made.scan_id), as_json)


def _options(preset: str | None, only: tuple[str, ...], starttls: str | None) -> ScanOptions | None:
    """Return what the flags say, or None where they say nothing: the server then looks at everything."""
    if preset and only:
        raise click.UsageError("--only says what to look at, and so does --full or --quick")
    if not (preset or only or starttls):
        return None
    options = ScanOptions.quick() if preset == "quick" else ScanOptions() if only else ScanOptions.full()
    chosen = dict.fromkeys((PHASES[phase] for phase in only), True)
    return options.model_copy(update={**chosen, "starttls_protocol": starttls})


@main.command()
@click.argument("scan_id")
@click.option("--wait", default=300.0, show_default=True, help="Seconds to wait for the end.")
@session
def watch(session: Session, scan_id: str, wait: float) -> None:
    """Show the progress of a scan until it has ended."""
    _watch(session, scan_id, scan_id, wait)


def _watch(session: Session, scan_id: str, title: str, wait: float) -> None:
    """Follow a scan; leave with exit status 1 where it does not complete."""
    last: ProgressMessage | None = None
    with _bar(session.err, title) as advance:
        try:
            for last in session.client.stream_progress(scan_id, wait):
                advance(last)
        except KeyboardInterrupt:
            session.err.print(f"the scan goes on: cipherrun watch {scan_id}")
            raise
    if last and last.msg_type != ScanStatus.COMPLETED:
        session.err.print(tables.printable(f"the scan {last.msg_type}" + (f": {last.details}" if last.details else "")))
        sys.exit(1)


@contextmanager
def _bar(console: Console, title: str) -> Iterator[Any]:
    """Show a bar for as long as the block lasts; give what moves it."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[stage]}", markup=False),
    )
    with Progress(*columns, console=console, transient=console.is_terminal) as progress:
        task = progress.add_task(title, total=100, stage="")
        yield lambda message: progress.update(task, completed=message.progress, stage=tables.printable(message.stage))


@main.command()
@click.argument("scan_id")
@as_json
@session
def status(session: Session, scan_id: str, as_json: bool) -> None:
    """Print how far a scan is."""
    session.show(session.client.get_scan_status(scan_id), as_json)


@main.command()
@click.argument("scan_id")
@as_json
@session
def results(session: Session, scan_id: str, as_json: bool) -> None:
    """Print what a scan found."""
    session.show(session.client.get_scan_results(scan_id), as_json)


@main.command()
@click.argument("scan_id")
@session
def cancel(session: Session, scan_id: str) -> None:
    """Cancel a scan."""
    session.client.cancel_scan(scan_id)
    click.echo("cancelled")


@main.command()
@click.argument("framework")
@click.argument("target")
@click.option("--detailed", is_flag=True, help="Print each requirement.")
@as_json
@session
def compliance(session: Session, framework: str, target: str, detailed: bool, as_json: bool) -> None:
    """Scan TARGET and hold it against FRAMEWORK, e.g. pci-dss-v4, nist-sp800-52r2, hipaa, mozilla-modern."""
    with session.err.status(f"scanning {target}"):
        report = session.client.check_compliance(framework, target, detailed)
    session.show(report, as_json)
    sys.exit(int(report.status == "fail"))


@main.group()
def policy() -> None:
    """Policies of your own."""


@policy.command("create")
@click.argument("name")
@click.argument("rules", type=click.File(encoding="utf-8"))
@click.option("--description", help="For people.")
@click.option("--disabled", is_flag=True, help="Keep it, but not in force.")
@as_json
@session
def create_policy(
    session: Session, name: str, rules: TextIO, description: str | None, disabled: bool, as_json: bool
) -> None:
    """Make a policy of the YAML in the file RULES (- is standard input), or replace the one called NAME."""
    session.show(session.client.create_policy(name, rules.read(), description, not disabled), as_json)


@policy.command("show")
@click.argument("policy_id")
@as_json
@session
def show_policy(session: Session, policy_id: str, as_json: bool) -> None:
    """Print a policy."""
    session.show(session.client.get_policy(policy_id), as_json)


@policy.command("evaluate")
@click.argument("policy_id")
@click.argument("target")
@as_json
@session
def evaluate_policy(session: Session, policy_id: str, target: str, as_json: bool) -> None:
    """Scan TARGET and hold it against a policy."""
    with session.err.status(f"scanning {target}"):
        evaluation = session.client.evaluate_policy(policy_id, target)
    session.show(evaluation, as_json)
    sys.exit(int(not evaluation.compliant))


@main.command()
@click.option("--hostname", help="Only those met there.")
@click.option("--expiring-within", type=int, metavar="DAYS", help="Only those.")
@click.option("--limit", default=50, show_default=True)
@click.option("--offset", default=0, show_default=True)
@click.option(
    "--sort",
    type=click.Choice(["expiry_asc", "expiry_desc", "issued_asc", "issued_desc"]),
    default="expiry_asc",
    show_default=True,
)
@as_json
@session
def certificates(
    session: Session,
    hostname: str | None,
    expiring_within: int | None,
    limit: int,
    offset: int,
    sort: str,
    as_json: bool,
) -> None:
    """List the certificates that stored scans have met."""
    session.show(session.client.list_certificates(hostname, expiring_within, limit, offset, sort), as_json)


@main.command()
@click.argument("fingerprint")
@as_json
@session
def certificate(session: Session, fingerprint: str, as_json: bool) -> None:
    """Print a certificate by its SHA-256 fingerprint."""
    session.show(session.client.get_certificate(fingerprint), as_json)


@main.command()
@click.argument("hostname")
@click.option("--port", default=443, show_default=True)
@click.option("--limit", default=10, show_default=True)
@as_json
@session
def history(session: Session, hostname: str, port: int, limit: int, as_json: bool) -> None:
    """List the latest stored scans of a host."""
    session.show(session.client.get_scan_history(hostname, port, limit), as_json)


@main.command()
@as_json
@session
def stats(session: Session, as_json: bool) -> None:
    """Print what the server did."""
    session.show(session.client.get_api_stats(), as_json)


@main.command()
@as_json
@session
def health(session: Session, as_json: bool) -> None:
    """Print how the server is; exit status 1 if not healthy."""
    answer = session.client.health_check()
    session.show(answer, as_json)
    sys.exit(int(answer.status != "healthy"))
