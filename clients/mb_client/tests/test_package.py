"""What the package is: its public names, its texts, and imports that point down."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import mb_client
import pytest

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src/mb_client"
LAYERS = """
_cli
__init__
_client
_engine
_link _inbox
_outbox _tcp _websocket
_calls _transport _subscriptions
_system _message _framing _backoff
_header
_exceptions _version
"""
"""What imports stands above what it imports."""


def test_public_names_are_exactly_all() -> None:
    """What can be imported without an underscore is what is promised."""
    public = {name for name, value in vars(mb_client).items() if not name.startswith("_")}
    assert public == set(mb_client.__all__) - {"__version__"}
    assert not any(isinstance(getattr(mb_client, name), ModuleType) for name in public)


def test_imports_point_down() -> None:
    """No module knows one above it, or beside it unless that has its own line."""
    depth = {name: line for line, names in enumerate(LAYERS.split("\n")) for name in names.split()}
    assert depth.keys() == {path.stem for path in SOURCE.glob("*.py")}
    for path in SOURCE.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.level:
                assert node.module
                assert depth[node.module] > depth[path.stem], (path.stem, node.module)


def test_the_changelog_names_the_version() -> None:
    """Its first heading is this version's."""
    first = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert first
    assert first[1] == mb_client.__version__


def test_the_readme_names_what_exists() -> None:
    """Files that it links to are there, so that nobody is led astray."""
    text = (ROOT / "README.md").read_text()
    links = re.findall(r"\]\((?!http)([^)#]+)\)", text)
    assert links
    assert all((ROOT / link).exists() for link in links)


def test_exceptions_are_all_in_the_tree() -> None:
    """The tree in the docstring names each class once, and no other."""
    module = inspect.getmodule(mb_client.MessageBrokerError)
    assert module is not None
    named = re.findall(r"^[│├└─\s]*([A-Z]\w+)\s{2,}", module.__doc__ or "", re.MULTILINE)
    classes = [
        name for name, value in vars(module).items() if isinstance(value, type) and value.__module__ == module.__name__
    ]
    assert sorted(named) == sorted(classes)


@pytest.mark.parametrize(
    ("owner", "names"),
    [
        (mb_client.WebSocketClient, "connect send on_message on_connect on_disconnect on_error"),
        (
            mb_client.TCPSocketClient,
            "connect send on_message on_connect on_disconnect on_error _frame_message _process_incoming_data",
        ),
        (
            mb_client.MessageBrokerClient,
            "connect register_service subscribe unsubscribe request publish on_message run close respond serve",
        ),
    ],
)
def test_the_documented_interface_is_there(owner: type, names: str) -> None:
    """Every method of the broker's Python documentation, and those that it uses without declaring them."""
    assert all(callable(getattr(owner, name, None)) for name in names.split())


def test_the_documented_signatures_hold() -> None:
    """Arguments can be given by place as they are documented, whatever else there is."""
    documented: dict[Callable[..., object], str] = {
        mb_client.MessageBrokerClient.subscribe: "topic priority",
        mb_client.MessageBrokerClient.request: "topic payload response_handler timeout",
        mb_client.MessageBrokerClient.publish: "topic payload",
        mb_client.MessageBrokerClient.connect: "host port use_tls",
        mb_client.MessageHeader: "action topic version request_id parent_id timeout",
    }
    for method, wanted in documented.items():
        parameters = [name for name in inspect.signature(method).parameters if name != "self"]
        assert parameters[: len(wanted.split())] == wanted.split()
