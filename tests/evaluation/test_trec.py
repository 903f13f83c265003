"""Run files: what is written is one ranking, in the form every scorer reads."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from opensearch_lsr.errors import InputError
from opensearch_lsr.evaluation.trec import ranking, read, tied_queries, write

RUN = {"q2": {"b": 0.1 + 0.2, "a": 1e-7, "c": 12.5}, "q1": {"é": 1.0, "b": 1.0, "a": 1.0}}


def test_equal_scores_are_ranked_by_id() -> None:
    assert ranking({"10": 1.0, "9": 1.0, "z": 2.0, "a": 0.5}) == [("z", 2.0), ("10", 1.0), ("9", 1.0), ("a", 0.5)]


def test_the_lines(tmp_path: Path) -> None:
    write(tmp_path / "runs" / "run.trec", RUN, "bm25")
    assert (tmp_path / "runs" / "run.trec").read_text(encoding="utf-8").splitlines() == [
        "q2 Q0 c 1 12.5 bm25",
        "q2 Q0 b 2 0.30000000000000004 bm25",
        "q2 Q0 a 3 1e-07 bm25",
        "q1 Q0 a 1 1.0 bm25",
        "q1 Q0 b 2 1.0 bm25",
        "q1 Q0 é 3 1.0 bm25",
    ]


@pytest.mark.parametrize("name", ["run.trec", "run.trec.gz"])
def test_read_gives_what_was_written(tmp_path: Path, name: str) -> None:
    write(tmp_path / name, RUN, "bm25")
    assert read(tmp_path / name) == RUN
    assert [file.name for file in tmp_path.iterdir()] == [name]


def test_the_scorers_command_line_reads_it(tmp_path: Path) -> None:
    ir_measures = pytest.importorskip("ir_measures")
    write(tmp_path / "run.trec", RUN, "bm25")
    found = ir_measures.read_trec_run(str(tmp_path / "run.trec"))
    assert {(line.query_id, line.doc_id): line.score for line in found} == {
        (query, document): score for query, scores in RUN.items() for document, score in scores.items()
    }


@pytest.mark.parametrize(
    ("run", "tag"), [({"q": {"a b": 1.0}}, "t"), ({"q q": {"a": 1.0}}, "t"), (RUN, ""), (RUN, " ")]
)
def test_what_the_columns_cannot_hold_is_refused(tmp_path: Path, run: dict[str, dict[str, float]], tag: str) -> None:
    with pytest.raises(InputError, match="is no column of a TREC file"):
        write(tmp_path / "run.trec", run, tag)
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    path = tmp_path / "run.trec"
    path.write_text("q Q0 a 1 1.0 t\nq Q0 b two\n")
    with pytest.raises(InputError, match=r"run.trec:2: not 'query Q0 document rank score tag'"):
        read(path)
    path.write_text("q Q0 a 1 high t\n")
    with pytest.raises(InputError, match="run.trec:1"):
        read(path)
    with pytest.raises(InputError, match="nowhere.trec: cannot be read"):
        read(tmp_path / "nowhere.trec")
    packed = tmp_path / "run.trec.gz"
    packed.write_bytes(gzip.compress(b"q Q0 a 1 1.0 t\n" * 1000)[:-20])
    with pytest.raises(InputError, match="run.trec.gz: cannot be read"):
        read(packed)


def test_queries_with_a_tie_across_the_cut() -> None:
    falling = {str(n): float(-n) for n in range(20)}
    at_the_cut = {**falling, "10": -9.0}  # ranks 10 and 11
    below = {**falling, "11": -10.0}  # ranks 11 and 12
    above = {**falling, "9": -8.0}  # ranks 9 and 10: either order has the same ten
    run = {"none": falling, "cut": at_the_cut, "below": below, "above": above, "few": {"a": 1.0, "b": 1.0}, "no": {}}
    assert tied_queries(run) == 1
    assert tied_queries(run, cut=11) == 1
    assert tied_queries(run, cut=1) == 1
