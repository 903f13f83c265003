"""The mine command: a file of hard negatives, whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from opensearch_lsr.bundle import Bundle
from opensearch_lsr.cli.mine import mine
from opensearch_lsr.cli.quickstart import SAMPLE
from opensearch_lsr.data.training_set import read
from opensearch_lsr.errors import BundleError, CheckpointError, InputError


def run(*arguments: object) -> Result:
    return CliRunner().invoke(mine, [str(argument) for argument in arguments])


def test_bm25_on_the_sample(tmp_path: Path) -> None:
    out = tmp_path / "mined.jsonl"
    arguments = [SAMPLE, "--split", "test", "--with", "bm25", "--depth", "1-20", "--negatives", 4, "-o", out]
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    assert "rows without" in result.output
    sample, mined = read(SAMPLE, "test"), read(out)
    answers: dict[str, set[str]] = {}
    for row in sample.rows:
        answers.setdefault(sample.queries[row.query], set()).add(sample.documents[row.documents[0]])
    assert len(mined.rows) == 70
    for row in mined.rows:
        negatives = {mined.documents[index] for index in row.documents[1:]}
        assert not negatives & answers[mined.queries[row.query]]
    first = out.read_bytes()
    summary = json.loads(run(*arguments, "--json").stdout)
    assert out.read_bytes() == first  # the same seed
    counts = [len(row.documents) - 1 for row in mined.rows]
    assert summary["negatives_a_row"] == round(sum(counts) / 70, 2)
    assert (summary["rows"], summary["documents"], summary["rows_without"]) == (70, 220, counts.count(0))
    run(*arguments, "--seed", 2)
    assert out.read_bytes() != first


def test_a_bundle_mines(tmp_path: Path, tiny: Bundle) -> None:
    out = tmp_path / "mined.jsonl.gz"
    data = tmp_path / "data.jsonl"
    data.write_text('{"query": "dog", "pos": "the dog", "negs": ["a dog and a cat", "bread"]}\n')
    result = run(data, "-o", out, "--with", tiny.path, "--depth", "1-1", "--json")
    assert result.exit_code == 0, result.output
    mined = read(out)
    assert [mined.documents[index] for index in mined.rows[0].documents] == ["the dog", "a dog and a cat"]


@pytest.mark.parametrize(
    ("line", "options", "error"),
    [
        ('{"query": "q"}', ["--with", "bm25"], InputError),
        ('{"query": "q", "pos": "the"}', ["--with", "bm25"], InputError),
        ('{"query": "q", "pos": "d"}', ["--with", "nowhere"], CheckpointError),
        ('{"query": "q", "pos": "d"}', ["--with", "{damaged}"], BundleError),
    ],
)
def test_a_failure_leaves_no_file(tmp_path: Path, line: str, options: list[str], error: type[Exception]) -> None:
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "lsr.json").write_text("{}")
    (tmp_path / "data.jsonl").write_text(line + "\n")
    options = [option.format(damaged=tmp_path / "damaged") for option in options]
    result = run(tmp_path / "data.jsonl", "-o", tmp_path / "out.jsonl", *options)
    assert isinstance(result.exception, error)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["damaged", "data.jsonl"]


def test_a_folder_that_is_not_there_is_said_first(tmp_path: Path) -> None:
    result = run("no-such-data", "-o", tmp_path / "no" / "out.jsonl", "--with", "bm25")
    assert isinstance(result.exception, InputError)
    assert "its folder does not exist" in str(result.exception)


@pytest.mark.parametrize("depth", ["10", "0-5", "20-10", "a-b", "-5"])
def test_ranks_are_first_and_last(depth: str) -> None:
    result = run("data", "-o", "out", "--with", "bm25", f"--depth={depth}")
    assert result.exit_code == 2
    assert "give the first and last rank, such as 10-200" in result.output
