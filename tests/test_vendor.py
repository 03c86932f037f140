"""golang/patches/vendor.py: patches fit exactly or stop the build."""

from pathlib import Path
from runpy import run_path
from types import SimpleNamespace

import pytest

SCRIPT = Path(__file__).parent.parent / "golang/patches/vendor.py"


@pytest.fixture
def vendor(tmp_path, monkeypatch):
    """The script's functions, working on a folder of the test's own."""
    names = run_path(str(SCRIPT), run_name="vendor")
    names["apply"].__globals__.update(VENDOR=tmp_path, STAMP=tmp_path / "patched")
    return SimpleNamespace(**names)


PATCH = """\
Say why.

--- a/module/poem.txt
+++ b/module/poem.txt
@@ -1,3 +1,3 @@
 one
-two
+TWO
 three
@@ -5 +5,2 @@
 five
+six
--- /dev/null
+++ b/module/new.txt
@@ -0,0 +1 @@
+new
"""


def test_hunks_replace_the_lines_they_expect(vendor, tmp_path):
    """Changed, added and new lines come where the patch says."""
    (tmp_path / "module").mkdir()
    (tmp_path / "module/poem.txt").write_text("one\ntwo\nthree\nfour\nfive\n")
    patch = tmp_path / "01-test.patch"
    patch.write_text(PATCH)
    vendor.apply(patch)
    assert (tmp_path / "module/poem.txt").read_text() == "one\nTWO\nthree\nfour\nfive\nsix\n"
    assert (tmp_path / "module/new.txt").read_text() == "new\n"


@pytest.mark.parametrize("text", ["one\n2\nthree\nfour\nfive\n", "zero\none\ntwo\nthree\n", ""])
def test_patch_that_does_not_fit_stops_the_build(vendor, tmp_path, text):
    """A dependency that has changed is not patched on a guess."""
    (tmp_path / "module").mkdir()
    (tmp_path / "module/poem.txt").write_text(text)
    patch = tmp_path / "01-test.patch"
    patch.write_text(PATCH)
    with pytest.raises(SystemExit, match=r"01-test\.patch does not fit golang/vendor/module/poem\.txt: line \d"):
        vendor.apply(patch)
    assert (tmp_path / "module/poem.txt").read_text() == text


def test_every_patch_says_why(vendor):
    """A patch without its reason cannot be judged when the dependency moves on."""
    for patch in vendor.patches():
        assert patch.read_text()[0].isupper(), patch.name


def test_folder_that_is_up_to_date_is_left_alone(vendor, tmp_path, monkeypatch):
    """The second run starts no go command."""
    (tmp_path / "patched").write_text(vendor.digest())
    monkeypatch.setenv("PATH", "")
    vendor.main()
