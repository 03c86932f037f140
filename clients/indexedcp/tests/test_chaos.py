"""A part of the runs under faults, and the proof that their judge sees what is wrong."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest
from chaos.judge import Facts, judge_end, judge_history, judge_snapshot
from interrupted import Interrupted

RUNS = 12


@pytest.mark.timeout(120)  # twelve runs take 6 s, or ten times that on a busy machine
def test_nothing_is_lost_under_faults() -> None:
    """Seeded runs with kills, failing disks and a bad network break no promise."""
    command = [sys.executable, "-m", "chaos", "--runs", str(RUNS), "--jobs", "2"]
    done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, timeout=110)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{RUNS} runs in " in done.stdout


def test_interruptions_cost_little(tmp_path: Path) -> None:
    """A file that is cut off twenty times sends at most a twentieth more than it has."""
    run = Interrupted(tmp_path, 50 << 20, 20, "cut")
    assert run.run() <= 1.05
    assert run.interruptions == 20


@pytest.fixture
def facts(tmp_path: Path) -> Facts:
    """One file, which is in the folder as it should be."""
    source = tmp_path / "source"
    source.write_bytes(b"content")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "stored").write_bytes(b"content")
    (tmp_path / "out" / "planted").write_bytes(b"planted")
    return Facts([source], {"planted": b"planted"})


def results(facts: Facts, name: str = "stored") -> list[dict[str, object]]:
    """The history of an upload that succeeded."""
    return [{"what": "results", "results": {str(facts.sources[0]): name}}]


def test_judge_is_content(tmp_path: Path, facts: Facts) -> None:
    """Nothing is wrong where nothing is."""
    assert judge_snapshot(tmp_path / "out", facts, []) == []
    assert judge_end(tmp_path / "out", facts, results(facts)) == []


@pytest.mark.parametrize(
    ("name", "data"), [("stored", b"conten"), ("stored", b"contents"), ("planted", b"x"), ("foreign", b"x")]
)
def test_judge_sees_wrong_files(tmp_path: Path, facts: Facts, name: str, data: bytes) -> None:
    """Lost, changed, overwritten and foreign bytes are each seen."""
    (tmp_path / "out" / name).write_bytes(data)
    assert judge_snapshot(tmp_path / "out", facts, [])
    assert judge_end(tmp_path / "out", facts, results(facts)) or name == "planted"


def test_judge_sees_what_is_missing(tmp_path: Path, facts: Facts) -> None:
    """A file that is under another name than the client was told, or nowhere, is seen."""
    assert judge_end(tmp_path / "out", facts, results(facts, "elsewhere"))
    assert judge_end(tmp_path / "out", facts, [])


def test_judge_sees_lost_chunks() -> None:
    """A chunk that was acknowledged and is not there any more is seen."""
    stored = {"what": "answer", "id": "i", "index": 3, "status": 200}
    asked = {"what": "answer", "id": "i", "index": None, "status": 200, "received": [[0, 2]]}
    assert judge_history([stored, asked]) == ["chunks [3] of i were acknowledged, and are lost"]
    assert judge_history([stored, {**asked, "received": [[0, 3]]}]) == []
    assert judge_history([stored, {**asked, "status": 404}])


def test_judge_sees_acknowledged_bytes_that_are_lost(tmp_path: Path) -> None:
    """What a plain client was told is stored must be there."""
    source = tmp_path / "plain"
    source.write_bytes(b"abcdef")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "f").write_bytes(b"abc")
    events = [{"what": "plain", "name": "f", "size": size} for size in (3, 2)]
    assert judge_snapshot(tmp_path / "out", Facts([], {}, source), events[:1]) == []
    assert judge_snapshot(tmp_path / "out", Facts([], {}, source), events)
    assert hashlib.sha256(source.read_bytes()).hexdigest() not in Facts([], {}, source).contents()
