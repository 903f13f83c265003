"""Arrays kept in blocks: what is done is not done again, what is damaged is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from opensearch_lsr.errors import InputError
from opensearch_lsr.evaluation.blocks import BLOCK, Blocks, blocks, digest

TEXTS = [f"text {number}" for number in range(2 * BLOCK + 3)]


class Lengths:
    """Encodes a text to its length; remembers what it was asked, and may be killed."""

    def __init__(self, dies_after: int | None = None) -> None:
        self.asked: list[int] = []
        self._left = dies_after

    def __call__(self, texts: Sequence[str]) -> Blocks:
        if self._left == len(self.asked):
            raise KeyboardInterrupt
        self.asked.append(len(texts))
        return {"lengths": np.array([len(text) for text in texts])}


def test_a_killed_run_goes_on_and_another_finds_all_done(tmp_path: Path) -> None:
    killed = Lengths(dies_after=1)
    with pytest.raises(KeyboardInterrupt):
        blocks(tmp_path, TEXTS, killed)
    second, third = Lengths(), Lengths()
    progress: list[tuple[int, int]] = []
    parts, seconds = blocks(tmp_path, TEXTS, second, lambda done, total: progress.append((done, total)))
    assert second.asked == [BLOCK, 3]
    assert progress == [(BLOCK, len(TEXTS)), (2 * BLOCK, len(TEXTS)), (len(TEXTS), len(TEXTS))]
    again, seconds_again = blocks(tmp_path, TEXTS, third)
    assert third.asked == []
    assert (seconds, seconds_again) == (None, None)  # not all were computed here and now
    assert blocks(tmp_path / "new", TEXTS, Lengths())[1]
    for found in (parts, again):
        assert np.concatenate([part["lengths"] for part in found]).tolist() == [len(text) for text in TEXTS]


def test_a_damaged_block_is_made_again(tmp_path: Path) -> None:
    blocks(tmp_path, TEXTS, Lengths())
    file = sorted(tmp_path.rglob("*.npz"))[1]
    file.write_bytes(file.read_bytes()[:40])
    again = Lengths()
    parts, _ = blocks(tmp_path, TEXTS, again)
    assert again.asked == [BLOCK]
    assert len(parts[1]["lengths"]) == BLOCK


def test_two_runs_compute_the_same_block(tmp_path: Path) -> None:
    class Overtaken(Lengths):
        def __call__(self, texts: Sequence[str]) -> Blocks:
            blocks(tmp_path, TEXTS, Lengths())  # another run, which is done with all of them meanwhile
            return super().__call__(texts)

    parts, seconds = blocks(tmp_path, TEXTS, Overtaken())
    assert np.concatenate([part["lengths"] for part in parts]).tolist() == [len(text) for text in TEXTS]
    assert seconds is None
    assert {file.suffix for file in tmp_path.rglob("*") if file.is_file()} == {".npz"}


def test_two_runs_write_the_same_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save = np.savez_compressed

    def overtaken(*arguments: Any, **arrays: Any) -> None:
        monkeypatch.setattr(np, "savez_compressed", save)
        blocks(tmp_path, TEXTS, Lengths())  # another run, while this one's first draft is open
        save(*arguments, **arrays)

    monkeypatch.setattr(np, "savez_compressed", overtaken)
    parts, _ = blocks(tmp_path, TEXTS, Lengths())
    assert np.concatenate([part["lengths"] for part in parts]).tolist() == [len(text) for text in TEXTS]
    assert {file.suffix for file in tmp_path.rglob("*") if file.is_file()} == {".npz"}


def test_a_block_that_cannot_be_written_leaves_no_draft(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_arguments: object, **_arrays: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez_compressed", full)
    with pytest.raises(InputError, match="No space left on device"):
        blocks(tmp_path, TEXTS, Lengths())
    assert not [file for file in tmp_path.rglob("*") if file.is_file()]


def test_a_file_has_the_arrays_alone(tmp_path: Path) -> None:
    """NumPy 1 keeps a keyword argument that it does not know as one more."""
    blocks(tmp_path, TEXTS, Lengths())
    with np.load(next(tmp_path.rglob("*.npz"))) as stored:
        assert stored.files == ["lengths"]


def test_other_texts_are_other_blocks(tmp_path: Path) -> None:
    blocks(tmp_path, TEXTS, Lengths())
    other = Lengths()
    blocks(tmp_path, [*TEXTS[:-1], "another"], other)
    assert other.asked == [BLOCK, BLOCK, 3]
    assert digest(["ab", "c"]) != digest(["a", "bc"])


def test_a_folder_that_is_a_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="vectors cannot be kept there"):
        blocks(tmp_path / "file", TEXTS, Lengths())
