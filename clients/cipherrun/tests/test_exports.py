"""What the package shows, and what it uses of others."""

from __future__ import annotations

import ast
import inspect
import sys
from importlib.metadata import version
from pathlib import Path

import cipherrun
from cipherrun import AsyncCipherRunClient, CipherRunClient, exceptions, models

import cycletls

SOURCES = list(Path(cipherrun.__file__).parent.rglob("*.py"))
STANDARD = sys.stdlib_module_names
SUBMODULES = {"async_client", "client", "exceptions", "models", "websocket"}

METHODS = {
    "create_scan": "(target, options=None, webhook_url=None)",
    "get_scan_status": "(scan_id)",
    "get_scan_results": "(scan_id)",
    "cancel_scan": "(scan_id)",
    "wait_for_scan": "(scan_id, poll_interval=5, timeout=300)",
    "list_certificates": "(hostname=None, expiring_within_days=None, limit=50, offset=0, sort='expiry_asc')",
    "get_certificate": "(fingerprint)",
    "check_compliance": "(framework, target, detailed=False)",
    "create_policy": "(name, rules, description=None, enabled=True)",
    "get_policy": "(policy_id)",
    "evaluate_policy": "(policy_id, target, options=None)",
    "get_scan_history": "(hostname, port=443, limit=10)",
    "get_api_stats": "()",
    "health_check": "()",
}


def test_public_names_are_exactly_all() -> None:
    """What can be imported is what is listed."""
    public = {name for name in vars(cipherrun) if not name.startswith("_")} - SUBMODULES
    assert public | {"__version__"} == set(cipherrun.__all__)
    assert set(models.__all__) <= set(cipherrun.__all__)
    assert {name for name, value in vars(exceptions).items() if inspect.isclass(value) and name[0] != "_"} - {
        "Mapping",
        "ClassVar",
    } <= set(cipherrun.__all__)


def test_methods_have_the_agreed_parameters() -> None:
    """Both clients have every method with the names, order and defaults that users of the API know."""
    for client in (CipherRunClient("http://a"), AsyncCipherRunClient("http://a")):
        for name, agreed in METHODS.items():
            signature = inspect.signature(getattr(client, name))
            bare = [each.replace(annotation=inspect.Parameter.empty) for each in signature.parameters.values()]
            assert str(signature.replace(parameters=bare, return_annotation=inspect.Signature.empty)) == agreed
            assert getattr(client, name).__doc__


def test_both_clients_have_the_same_methods() -> None:
    """Nothing can be done in one colour only."""
    names = [
        {name for name in dir(client) if not name.startswith("_")} for client in (CipherRunClient, AsyncCipherRunClient)
    ]
    assert names[0] == names[1]


def test_only_public_names_of_cycletls_are_used() -> None:
    """Everything that is taken from cycletls is something that it promises to keep."""
    used = set()
    for source in SOURCES:
        for node in ast.walk(ast.parse(source.read_text())):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "cycletls":
                used.add(node.attr)
            if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "cycletls":
                assert node.module == "cycletls"
                used |= {alias.name for alias in node.names}
    assert len(used) > 10
    assert used <= set(cycletls.__all__)


def test_nothing_else_is_imported() -> None:
    """Beside the standard library there are cycletls and pydantic, and what the command line is made of."""
    allowed = {"cycletls", "pydantic"}
    for source in SOURCES:
        for node in ast.walk(ast.parse(source.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                names.append(node.module or "")
            others = {name.partition(".")[0] for name in names} - STANDARD
            assert others <= (allowed | {"click", "rich"} if source.name.startswith("_cli") else allowed)


def test_the_version_is_the_packages() -> None:
    """The version that the package tells heads its change log, and is what was installed."""
    changes = (Path(__file__).parent.parent / "CHANGELOG.md").read_text()
    assert f"\n## {cipherrun.__version__}\n" in changes
    assert version("cipherrun") == cipherrun.__version__
