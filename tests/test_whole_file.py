"""A file is there as a whole, or as it was before."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from opensearch_lsr.whole_file import locked, whole

PIPES: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}


def test_it_appears_at_the_end(tmp_path: Path) -> None:
    file = tmp_path / "new" / "table.npz"
    with whole(file) as draft:
        draft.write_text("half")
        assert not file.exists()
        assert draft.suffix == ".npz"  # numpy and scipy add one that is missing
        draft.write_text("whole")
    assert file.read_text() == "whole"
    assert list(file.parent.iterdir()) == [file]


def test_what_was_there_stays_when_writing_fails(tmp_path: Path) -> None:
    file = tmp_path / "kept.json"
    file.write_text("before")
    with pytest.raises(RuntimeError), whole(file) as draft:
        draft.write_text("half")
        raise RuntimeError
    assert file.read_text() == "before"
    assert list(tmp_path.iterdir()) == [file]


def test_two_writers_do_not_meet(tmp_path: Path) -> None:
    file = tmp_path / "shared"
    with whole(file) as one, whole(file) as other:
        one.write_text("one")
        other.write_text("other")
    assert file.read_text() == "one"  # the outer ends last


def test_a_lock_is_held_by_one_process_and_freed_by_its_death(tmp_path: Path) -> None:
    lock = tmp_path / ".lock"
    code = f"from pathlib import Path; from opensearch_lsr.whole_file import locked\nwith locked(Path({str(lock)!r})): "
    with locked(lock):
        other = subprocess.Popen([sys.executable, "-c", code + "print('mine', flush=True); input()"], **PIPES)
        with pytest.raises(subprocess.TimeoutExpired):
            other.wait(1)
    assert other.stdout is not None
    assert other.stdout.readline() == "mine\n"
    other.kill()
    with locked(lock):
        assert other.wait() < 0
