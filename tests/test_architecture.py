"""ARCHITECTURE.md tells the truth: what it names exists, and imports point down its layers."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "ARCHITECTURE.md").read_text()
GO = ROOT / "golang"
PYTHON = ROOT / "cycletls"
INTERNAL = "github.com/cycletls/cycletls/golang/internal/"


def layers(title: str) -> dict[str, int]:
    """The block below a title: how far down each name stands, counted in lines."""
    block = re.search(rf"^## {title}\n.*?^```\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    assert block, f"ARCHITECTURE.md has no layers of {title}"
    return {name: depth for depth, line in enumerate(block[1].splitlines()) for name in line.split()}


def go_imports() -> Iterator[tuple[str, str]]:
    """Each package of golang/ that is not a test's, and each of the internal packages that it imports."""
    for source in GO.rglob("*.go"):
        if source.is_relative_to(GO / "vendor") or source.name.endswith("_test.go"):
            continue
        package = source.parent.relative_to(GO).as_posix().removeprefix("internal/")
        for imported in re.findall(rf'^\s*(?:import )?"{INTERNAL}([\w/]+)"$', source.read_text(), re.MULTILINE):
            yield package if package != "." else "main", imported


def python_imports() -> Iterator[tuple[str, str]]:
    """Each module of cycletls, and each of its modules that it needs when it runs."""
    for source in PYTHON.glob("*.py"):
        for imported in running_imports(ast.parse(source.read_text())):
            if imported in modules():
                yield source.stem, imported


def running_imports(tree: ast.AST) -> Iterator[str]:
    """The relative imports of a module, but for those that only the type checker follows."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.ImportFrom) and node.level:
            yield from [node.module] if node.module else [alias.name for alias in node.names]
        yield from running_imports(node)


def packages() -> set[str]:
    """Every internal Go package."""
    sources = (GO / "internal").rglob("*.go")
    return {source.parent.relative_to(GO / "internal").as_posix() for source in sources}


def modules() -> set[str]:
    """Every module of cycletls."""
    return {source.stem for source in PYTHON.glob("*.py")}


def test_every_path_named_exists() -> None:
    """A path in backticks is one of this repository, or it would mislead."""
    named = set(re.findall(r"`([\w.*-]+/[\w./*-]*|[\w-]+\.\w+)`", TEXT))
    missing = {name for name in named if not any(ROOT.glob(name.rstrip("/")))}
    assert len(named) > 20
    assert not missing


PAGES = [page for folder in (".", "docs", "clients/*", "benchmarks") for page in sorted(ROOT.glob(f"{folder}/*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """A relative link of a page for readers is to a file or folder of this repository."""
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", re.sub(r"^```.*?^```", "", page.read_text(), flags=re.M | re.S))
    missing = {link for link in links if "://" not in link and not (page.parent / link).exists()}
    assert not missing


@pytest.mark.parametrize(("title", "existing"), [("Go", packages() | {"main"}), ("Python", modules())])
def test_layers_name_everything(title: str, existing: set[str]) -> None:
    """No package and no module is without a place, and none of the places is empty."""
    assert layers(title).keys() == existing


@pytest.mark.parametrize(("title", "imports"), [("Go", go_imports), ("Python", python_imports)])
def test_imports_point_down(title: str, imports: object) -> None:
    """What imports stands above what it imports."""
    assert callable(imports)
    depth = layers(title)
    found = set(imports())
    assert len(found) > 20
    assert not {f"{above} imports {below}" for above, below in found if depth[above] >= depth[below]}


def test_one_seam_on_each_side() -> None:
    """C is spoken by two files of Go and two of Python."""
    go = {path.name for path in GO.rglob("*.go") if "vendor" not in path.parts and 'import "C"' in path.read_text()}
    python = {path.name for path in PYTHON.glob("*.py") if re.search(r"import.*(FFI|_native)\b", path.read_text())}
    assert go == {"main.go", "exports.go"}
    assert python == {"_native_build.py", "_ffi.py"}
