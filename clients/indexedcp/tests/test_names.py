"""What files are called on the server, and that none leaves the folder."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest
from conftest import KEY, Post, files_in, request
from hypothesis import given
from hypothesis import strategies as st
from indexedcp import IndexCPServer
from indexedcp._names import LONGEST, InvalidName, another, server_name, twin_key

REFUSED = [
    "",
    ".",
    "..",
    "a/",
    "a/..",
    "..\\",
    "...",
    "a\0b",
    "a\nb",
    "a\x7f",
    "a\x85b",
    "x.",
    "x ",
    " x",
    "CON",
    "con.txt",
    "Lpt1.log",
    "COM¹",
    "evil\u202etxt.exe",
    "a\u2028b",
    "n" * 300,
    "n" * 400,
    "ü" * 150,
]

ACCEPTED = {
    "a.bin": "a.bin",
    "./big.bin": "big.bin",
    "../x": "x",
    "/etc/x": "x",
    "a/../../x": "x",
    "C:\\x": "x",
    "C:x": "x",
    "\\\\srv\\x": "x",
    "%2e%2e%2fx": "%2e%2e%2fx",
    "%252e%252e%252fx": "%252e%252e%252fx",
    "e\u0301.txt": "é.txt",
    ".hidden": ".hidden",
    "10:30.log": "10_30.log",
    'a<b>|?*".txt': "a_b_____.txt",
    "console.txt": "console.txt",
    "两.txt": "两.txt",
    "n" * 200: "n" * 200,
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    """What names no file, or another one on some system, is no name."""
    with pytest.raises(InvalidName):
        server_name(name)


@pytest.mark.parametrize("name", ACCEPTED)
def test_accepted(name: str) -> None:
    """A path's last part is the name, with what is special elsewhere replaced."""
    assert server_name(name) == ACCEPTED[name]


@given(st.text())
def test_any_text(text: str) -> None:
    """Whatever a client says, the name is one component that can be made a file, and is accepted as it is again."""
    try:
        name = server_name(text)
    except InvalidName:
        return
    assert not {"/", "\\", "\0"} & set(name)
    assert name not in (".", "..")
    assert len(another(name, 0).encode()) <= LONGEST
    assert server_name(name) == name
    assert twin_key(name) == twin_key(unicodedata.normalize("NFD", name).upper().lower()) or not name.isascii()


def snapshot(folder: Path) -> dict[str, bytes | None]:
    """Everything below a folder, with the contents of files."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() and not path.is_symlink() else None
        for path in folder.rglob("*")
    }


def test_no_write_outside_of_the_folder(tmp_path: Path) -> None:
    """Every name of the lists is sent, plainly and encoded, and all that changes is in the output folder."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_bytes(b"precious")
    out = tmp_path / "deep" / "er" / "out"
    out.mkdir(parents=True)
    for name in ("link.txt", "dangling.txt"):
        target = outside / ("precious" if name == "link.txt" else "made")
        (out / name).symlink_to(target)
    (out / "folder").symlink_to(outside)
    (out / "real-folder").mkdir()
    before = {path: data for path, data in snapshot(tmp_path).items() if not path.startswith("deep/er/out")}
    tried = [*REFUSED, *ACCEPTED, "link.txt", "dangling.txt", "folder", "folder/x", "real-folder", ".indexcp"]
    statuses = set()
    with IndexCPServer(out, 0, KEY) as server:
        server.start()
        for name in tried:
            encoded = "".join(f"%{byte:02x}" for byte in name.encode())
            headers = {"X-File-Name-Encoding": "percent"}
            statuses.add(request(server.port, b"attack", 0, encoded, headers=headers).status)
            if name.isascii() and name.isprintable():
                statuses.add(request(server.port, b"attack", 0, name).status)
    after = {path: data for path, data in snapshot(tmp_path).items() if not path.startswith("deep/er/out")}
    assert after == before
    assert statuses == {200, 400}
    assert all(path.is_symlink() for path in (out / "link.txt", out / "dangling.txt", out / "folder"))


def test_twins_get_names_of_their_own(post: Post, out: Path) -> None:
    """Names that differ in case, in composition or in what is not seen do not meet in one file."""
    names = ["é.txt", "E\u0301.TXT", "e\u0301.txt", "\u200bé.txt", "ﬁ.txt", "fi.txt"]
    for number, name in enumerate(names):
        encoded = "".join(f"%{byte:02x}" for byte in name.encode())
        assert post(b"%d" % number, 0, encoded, headers={"X-File-Name-Encoding": "percent"}).status == 200
    contents = files_in(out)
    assert len(contents) == len({twin_key(name) for name in contents}) == 6
    assert set(contents.values()) == {b"%d" % number for number in range(6)}


def test_existing_file_is_not_touched(out: Path, server: IndexCPServer, post: Post) -> None:
    """A file that somebody puts there while the server runs keeps its content."""
    (out / "f.bin").write_bytes(b"mine")
    name = post(b"theirs").document["actualFilename"]
    assert files_in(out) == {"f.bin": b"mine", name: b"theirs"}


def test_folder_that_is_moved_away(tmp_path: Path, out: Path, post: Post) -> None:
    """A running server goes on in the folder that it has opened, and follows no link that takes its place."""
    moved = tmp_path / "moved"
    os.rename(out, moved)
    outside = tmp_path / "outside"
    outside.mkdir()
    out.symlink_to(outside)
    assert post(b"data").status == 200
    assert files_in(moved) == {"f.bin": b"data"}
    assert list(outside.iterdir()) == []
