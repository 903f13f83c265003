"""The score command: a teacher's scores of each row; killed and run again it encodes the rest."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sentence_transformers import SparseEncoder

from opensearch_lsr.cli.quickstart import SAMPLE
from opensearch_lsr.cli.score import score
from opensearch_lsr.data.training_set import read
from opensearch_lsr.errors import CheckpointError, InputError
from opensearch_lsr.training.teachers import kept

LINES = [
    {"query": "dog", "pos": "a dog and a cat", "negs": ["the dog", "bread"]},
    {"query": "kitchen tap", "pos": "bread", "negs": ["the kitchen tap has a leak", "the dog", "water"]},
]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    file = tmp_path / "data.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in LINES), encoding="utf-8")
    return file


def run(*arguments: object) -> Result:
    return CliRunner().invoke(score, [str(argument) for argument in arguments])


def test_scores_are_the_models(data: Path, tmp_path: Path, checkpoint_folder: Callable[..., Path]) -> None:
    folder, out = checkpoint_folder("router"), tmp_path / "scored.jsonl"
    result = run(data, "-o", out, "--with", folder, "--json")
    assert result.exit_code == 0, result.output
    summary = json.loads(result.stdout)
    assert (summary["rows"], summary["scores"], summary["positive_best"]) == (2, 7, 0.5)
    model = SparseEncoder(str(folder), device="cpu")
    for line, written in zip(LINES, map(json.loads, out.read_text().splitlines()), strict=True):
        texts = [line["pos"], *line["negs"]]
        assert (written["query"], written["docs"]) == (line["query"], texts)
        expected = model.encode_query([line["query"]]).to_dense() @ model.encode_document(texts).to_dense().T
        assert written["scores"] == pytest.approx(expected[0].tolist(), rel=0.03, abs=0.3)  # bfloat16 on the way
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data.jsonl", "scored.jsonl"]
    run(data, "-o", out, "--with", folder, "--max-ratio", 1)
    first, second = map(json.loads, out.read_text().splitlines())
    assert first["docs"] == ["a dog and a cat", "the dog", "bread"]
    assert second["docs"][0] == "bread"
    assert "the kitchen tap has a leak" not in second["docs"]


def test_killed_and_run_again(
    data: Path, tmp_path: Path, checkpoint_folder: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In blocks of two texts: what is kept is not encoded again, and the file is that of a run that was not killed."""
    monkeypatch.setattr(kept, "BLOCK", 2)
    arguments = [data, "--with", checkpoint_folder("router")]
    assert run(*arguments, "-o", tmp_path / "whole.jsonl").exit_code == 0
    encoded: list[str] = []
    encode, stop = SparseEncoder.encode, 4

    def counted(self: SparseEncoder, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        if len(encoded) + len(inputs) > stop:
            raise KeyboardInterrupt
        encoded.extend(inputs)
        return encode(self, inputs, *args, **kwargs)

    monkeypatch.setattr(SparseEncoder, "encode", counted)
    out = tmp_path / "killed.jsonl"
    run(*arguments, "-o", out)
    assert sorted(encoded) == ["a dog and a cat", "dog", "kitchen tap", "the dog"]
    assert not out.exists()
    encoded.clear()
    assert run(*arguments, "-o", out).exit_code == 0
    assert sorted(encoded) == ["bread", "the kitchen tap has a leak", "water"]
    assert out.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


def test_bm25_on_the_sample(tmp_path: Path) -> None:
    out = tmp_path / "scored.jsonl.gz"
    result = run(SAMPLE, "--split", "test", "--with", "bm25", "-o", out)
    assert result.exit_code == 0, result.output
    assert "positive best" in result.output
    scored = read(out)
    assert len(scored.rows) == 70
    assert all(row.scores and row.scores[0] >= 0 for row in scored.rows)


def test_what_cannot_be_used(data: Path, tmp_path: Path) -> None:
    for arguments, error, message in (
        ([data, "-o", tmp_path / "no" / "out.jsonl", "--with", "bm25"], InputError, "make it first"),
        ([tmp_path / "none.jsonl", "-o", tmp_path / "out.jsonl", "--with", "bm25"], InputError, "no such file"),
        ([data, "-o", tmp_path / "out.jsonl", "--with", tmp_path / "none"], CheckpointError, "no such folder"),
        ([data, "-o", tmp_path / "out.jsonl", "--with", "bm25", "--max-ratio", "nan"], InputError, "max ratio nan"),
    ):
        result = run(*arguments)
        assert isinstance(result.exception, error)
        assert message in str(result.exception)
    assert not (tmp_path / "out.jsonl").exists()
