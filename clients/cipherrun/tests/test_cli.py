"""The command line, over real HTTP and WebSockets."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cipherrun import ScanResults
from cipherrun._cli import main
from click.testing import CliRunner, Result
from serving import Running


class Shell:
    """Runs commands against a server."""

    def __init__(self, server: Running) -> None:
        self._environment = {"CIPHERRUN_URL": server.url, "CIPHERRUN_API_KEY": "user", "COLUMNS": "140"}

    def __call__(self, command: str, code: int = 0, **environment: str) -> Result:
        """Run a command, which must end with an exit status."""
        outcome = CliRunner(env={**self._environment, **environment}).invoke(main, command.split())
        assert outcome.exit_code == code, outcome.output
        return outcome


@pytest.fixture
def shell(server: Running) -> Shell:
    """Runs commands against the stand-in."""
    return Shell(server)


def test_scan_shows_progress_and_tables(shell: Shell) -> None:
    """A scan is followed on standard error, and its results are tables on standard output."""
    done = shell("scan example.com --full")
    for part in ("example.com:443: A+ (95)", "TLS 1.3", "TLS_AES_256_GCM_SHA384", "BREACH", "Firefox 150"):
        assert part in done.stdout
    assert "100%" in done.stderr
    assert "100%" not in done.stdout


def test_scan_as_json(shell: Shell) -> None:
    """With --json, standard output is the results and nothing else."""
    results = ScanResults.model_validate_json(shell("scan example.com --json").stdout)
    assert results.rating is not None
    assert results.rating.grade == "A+"


def test_scan_options_arrive(shell: Shell, server: Running) -> None:
    """Flags choose what is looked at; none of them is none, which the server takes for everything."""
    shell("scan a.test --detach")
    shell("scan a.test --quick --detach")
    shell("scan a.test --only ciphers --starttls smtp --detach")
    assert [scan.target for scan in server.standin.created] == ["a.test:443", "a.test:443", "a.test:25"]
    assert [scan.phases for scan in server.standin.created] == [
        None,
        ["test_protocols", "analyze_certificates"],
        ["test_ciphers"],
    ]


def test_scan_that_does_not_complete(shell: Shell) -> None:
    """A scan that fails is exit status 1, with the reason."""
    assert "the scan failed: connection refused" in shell("scan fail.test", 1).stderr


def test_scan_in_steps(shell: Shell, server: Running) -> None:
    """A scan can be left to itself, looked at, watched, cancelled and read by its id."""
    held = shell("scan hold.test --detach").stdout.strip()
    assert "running" in shell(f"status {held}").stdout
    assert "cancelled" in shell(f"cancel {held}").stdout
    done = shell("scan a.test --detach").stdout.strip()
    shell(f"watch {done}")
    assert "A+" in shell(f"results {done}").stdout
    assert json.loads(shell(f"status {done} --json").stdout)["progress"] == 100


@pytest.mark.parametrize(
    ("command", "code", "parts"),
    [
        ("compliance pci a.test", 1, ["1 of 2 requirements of PCI DSS 4.0 are met"]),
        ("compliance pci a.test --detailed", 1, ["4.2.1", "TLS 1.0 is on"]),
        ("history a.test --limit 2", 0, ["a.test:443, 2 of 3 scans", "A+", "4200"]),
        ("stats", 0, ["total scans", "example.com"]),
        ("health", 0, ["healthy", "0.3.1"]),
        ("certificates --limit 1 --sort expiry_desc", 0, ["1 of 3 certificates", "c.test", f"{3:064x}"]),
        (f"certificate {1:064x}", 0, ["a.test", "Example CA"]),
    ],
)
def test_answers_are_shown(shell: Shell, command: str, code: int, parts: list[str]) -> None:
    """Each command shows its answer for people, and with --json as the server gave it."""
    shown = shell(command, code).stdout
    for part in parts:
        assert part in shown
    assert json.loads(shell(f"{command} --json", code).stdout)


def test_policies(shell: Shell, tmp_path: Path) -> None:
    """A policy is made of a file, shown, and broken: exit status 1."""
    rules = tmp_path / "strict.yaml"
    rules.write_text("protocols: none")
    assert "strict" in shell(f"policy create strict {rules} --description x").stdout
    assert "protocols: none" in shell("policy show strict").stdout
    assert "TLS 1.0 is on" in shell("policy evaluate strict a.test", 1).stdout


def test_errors_are_told_in_a_line(shell: Shell) -> None:
    """What goes wrong is exit status 2 and one line that says what, without a traceback."""
    failed = shell("status none", 2)
    assert failed.stderr == "Error: [404] Not found: Scan none not found\n"
    assert "API key" in shell("stats", 2, CIPHERRUN_API_KEY="wrong").stderr
    assert "base_url" in shell("--url localhost stats", 2).stderr


def test_what_a_server_says_is_no_markup(shell: Shell, server: Running, tmp_path: Path) -> None:
    """Names that look like the markup of a terminal are shown as they are."""
    rules = tmp_path / "rules.yaml"
    rules.write_text("note: '[red]a[/red] \x1b[31m'")
    shown = shell(f"policy create x {rules}").stdout
    assert "[red]a[/red]" in shown
    assert "\x1b" not in shown
