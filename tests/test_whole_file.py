"""A file is there as a whole, or as it was before."""

from __future__ import annotations

from pathlib import Path

import pytest

from opensearch_lsr.whole_file import whole


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
