"""Training data: every form read alike, every bad line named."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opensearch_lsr.cli.quickstart import SAMPLE
from opensearch_lsr.data.beir import splits
from opensearch_lsr.data.training_set import Row, TrainingSet, read, read_hub, write
from opensearch_lsr.errors import InputError

GOOD = {"query": "q", "pos": "d"}


def lines(path: Path, *records: object) -> Path:
    content = "".join((r if isinstance(r, str) else json.dumps(r)) + "\n" for r in records).encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


@pytest.mark.parametrize("name", ["train.jsonl", "train.jsonl.gz"])
def test_pairs_and_scores_in_one_file(tmp_path: Path, name: str) -> None:
    path = lines(
        tmp_path / name,
        {"query": " tap ", "pos": ["a\n", "b"], "negs": ["c", "b"]},  # b answers: it is no negative
        "",
        {"query": "tap", "docs": ["c", "d", "a", "c"], "scores": [1, 7.5, 3, 2]},  # c comes twice
        {"query": "pipe", "pos": "d"},
    )
    found = read(path)
    assert found.queries == ["tap", "pipe"]
    assert found.documents == ["a", "c", "b", "d"]
    assert found.rows == [Row(0, (0, 1)), Row(0, (2, 1)), Row(0, (3, 1, 0), (7.5, 1.0, 3.0)), Row(1, (3,))]


def test_the_first_of_equal_scores_is_the_positive(tmp_path: Path) -> None:
    found = read(lines(tmp_path / "t.jsonl", {"query": "q", "docs": ["a", "b", "c"], "scores": [1, 2, 2]}))
    assert [found.documents[index] for index in found.rows[0].documents] == ["b", "a", "c"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"query": ', "not JSON"),
        ("[1]", "holds list, not an object"),
        ({"pos": "d"}, 'no "query"'),
        ({"query": "q"}, 'neither "pos" and "docs"; a line is {"query", "pos", "negs"}'),
        ({"query": "q", "pos": "d", "docs": ["d"]}, 'both "pos" and "docs"'),
        ({"query": " ", "pos": "d"}, "the query is empty"),
        ({"query": 3, "pos": "d"}, "the query is int, not a text"),
        ({"query": "q", "pos": []}, 'no documents in "pos"'),
        ({"query": "q", "pos": ["d", ""]}, "a document is empty"),
        ({"query": "q", "pos": "d", "negs": ["\t"]}, "a document is empty"),
        ({"query": "q", "pos": "d", "negs": {"a": 1}}, '"negs" holds dict'),
        ({"query": "q", "pos": "d", "neg": ["e"]}, 'has "neg"; negatives are read from "negs" only'),
        ({"query": "q", "pos": None}, '"pos" holds NoneType'),
        ('{"query": "q", "pos": "half \\ud83d"}', "a document is not UTF-8"),
        ({"query": "q", "docs": ["d"]}, 'no "scores" beside "docs"'),
        ({"query": "q", "docs": [], "scores": []}, 'no documents in "docs"'),
        ({"query": "q", "docs": ["d", "e"], "scores": [1]}, "1 scores for 2 documents"),
        ('{"query": "q", "docs": ["d"], "scores": [NaN]}', "score 1 is nan"),
        ('{"query": "q", "docs": ["d", "e"], "scores": [0, -Infinity]}', "score 2 is -inf"),
        ({"query": "q", "docs": ["d"], "scores": [10**400]}, "score 1 is 1000"),
        ({"query": "q", "docs": ["d"], "scores": [True]}, "score 1 is True"),
        ({"query": "q", "docs": ["d"], "scores": ["1"]}, "score 1 is 1; scores are finite numbers"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: object, message: str) -> None:
    path = lines(tmp_path / "t.jsonl", GOOD, "", line)
    with pytest.raises(InputError) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}:3: {message}")
    assert "\n" not in str(caught.value)


def test_bytes_that_are_no_text_and_archives_that_are_cut(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_bytes(b'{"query": "q", "pos": "\xff"}\n')
    with pytest.raises(InputError, match="t.jsonl:1: not UTF-8"):
        read(tmp_path / "t.jsonl")
    whole = gzip.compress(b"".join(json.dumps({"query": str(n), "pos": "d"}).encode() + b"\n" for n in range(5000)))
    (tmp_path / "t.jsonl.gz").write_bytes(whole[:-20])
    with pytest.raises(InputError, match="t.jsonl.gz: cannot be read to its end"):
        read(tmp_path / "t.jsonl.gz")


def test_empty_and_missing_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="t.jsonl: is empty; a line is"):
        read(lines(tmp_path / "t.jsonl", ""))
    with pytest.raises(InputError, match="nowhere: no such file or folder"):
        read(tmp_path / "nowhere")


def beir(folder: Path, corpus: list[Any], judgments: str, queries: list[Any] | None = None) -> Path:
    lines(folder / "corpus.jsonl", *corpus)
    lines(folder / "queries.jsonl", *(queries or [{"_id": "q", "text": "tap"}]))
    (folder / "qrels").mkdir()
    (folder / "qrels" / "train.tsv").write_text("query-id\tcorpus-id\tscore\n" + judgments)
    return folder


CORPUS = [
    {"_id": "1", "title": "A", "text": "b "},
    {"_id": "2", "text": "c"},
    {"_id": "3", "title": "", "text": ""},
    {"_id": "4", "title": "A b", "text": ""},
]


def test_a_beir_folder(tmp_path: Path) -> None:
    found = read(beir(tmp_path, CORPUS, "q\t2\t0\nq\t4\t1\n"))
    assert found.documents == ["A b", "c"]  # 4 says what 1 says; 3 says nothing, and nobody asks for it
    assert found.rows == [Row(0, (0,))]


def test_a_beir_folder_with_packed_judgments(tmp_path: Path) -> None:
    """Of two files of one split the plain one is read."""
    plain = beir(tmp_path, CORPUS, "q\t4\t1\n") / "qrels" / "train.tsv"
    packed = plain.with_name("train.tsv.gz")
    packed.write_bytes(gzip.compress(b"query-id\tcorpus-id\tscore\n\nq\t2\t1\nq\t9\t1\n"))
    plain.with_name("dev.tsv.gz").write_bytes(packed.read_bytes())
    assert splits(tmp_path) == {"dev": plain.with_name("dev.tsv.gz"), "train": plain}
    assert read(tmp_path).rows == [Row(0, (0,))]
    plain.unlink()
    with pytest.raises(InputError, match="train.tsv.gz:4: judges document '9', which is not in the corpus"):
        read(tmp_path)
    packed.write_bytes(gzip.compress(b"query-id\tcorpus-id\tscore\nq\t2\t1\n"))
    assert read(tmp_path).rows == [Row(0, (1,))]


@pytest.mark.parametrize(
    ("judgments", "message"),
    [
        ("q\t1\t1\n\nq\t9\t1\n", "train.tsv:4: judges document '9', which is not in the corpus"),
        ("q\t3\t1\n", "train.tsv:2: judges document '3', which has no text in the corpus"),
        ("p\t1\t1\n", "train.tsv:2: judges query 'p', which is not in queries.jsonl"),
        ("blank\t1\t1\n", "train.tsv:2: judges query 'blank', which is empty"),
        ("q\t1\t0\n", "train.tsv: no judgment with a grade above 0"),
    ],
)
def test_judgments_that_lead_nowhere(tmp_path: Path, judgments: str, message: str) -> None:
    beir(tmp_path, CORPUS, judgments, [{"_id": "q", "text": "tap"}, {"_id": "blank", "text": " "}])
    with pytest.raises(InputError, match=message):
        read(tmp_path)


def test_a_corpus_with_a_bad_line(tmp_path: Path) -> None:
    beir(tmp_path, [*CORPUS, {"_id": "2", "text": "again"}], "q\t1\t1\n")
    with pytest.raises(InputError, match="corpus.jsonl:5: duplicate id '2', first at line 2; correct the line"):
        read(tmp_path)
    with pytest.raises(InputError, match="dev.tsv: no such split; this folder has: train"):
        read(tmp_path, "dev")


def test_the_sample_and_back(tmp_path: Path) -> None:
    sample = read(SAMPLE, "test")
    assert (len(sample.queries), len(sample.documents), len(sample.rows)) == (64, 220, 70)
    first = sample.rows[0]
    assert sample.queries[first.query] == "how to stop my car making squeaky noises when slowing down"
    assert sample.documents[first.documents[0]].startswith("Worn brake pads A high-pitched squeal")
    write(sample, tmp_path / "sample.jsonl.gz")
    again = read(tmp_path / "sample.jsonl.gz")
    assert texts(again) == texts(sample)
    assert [file.name for file in tmp_path.iterdir()] == ["sample.jsonl.gz"]


def texts(rows: TrainingSet) -> list[Any]:
    return [(rows.queries[r.query], [rows.documents[d] for d in r.documents], r.scores) for r in rows.rows]


word = st.text("abc", min_size=1, max_size=2)
row = st.tuples(word, st.lists(st.tuples(word, st.floats(-9, 9)), min_size=1, max_size=4), st.booleans())


@settings(deadline=None)
@given(st.lists(row, min_size=1), st.lists(row, min_size=1))
def test_sets_joined_hold_what_both_held(
    tmp_path_factory: pytest.TempPathFactory, ours: list[Any], theirs: list[Any]
) -> None:
    sets = []
    for rows in (ours, theirs):
        sets.append(TrainingSet())
        for query, scored, with_scores in rows:
            best_first = sorted(scored, key=lambda pair: -pair[1])
            documents, scores = [d for d, _ in best_first], [s for _, s in best_first]
            sets[-1].add(query, documents, scores if with_scores else None)
    one, other = sets
    expected = texts(one) + texts(other)
    one.extend(other)
    assert texts(one) == expected
    assert len(set(one.documents)) == len(one.documents)
    assert len(set(one.queries)) == len(one.queries)
    path = tmp_path_factory.mktemp("rows") / "rows.jsonl"
    write(one, path)
    assert texts(read(path)) == expected


def test_what_cannot_be_added() -> None:
    rows = TrainingSet()
    for query, documents in [("q", []), (" ", ["d"]), ("q", [""])]:
        with pytest.raises(InputError):
            rows.add(query, documents)
    for scores in ([1.0, 2.0], [float("nan")]):
        with pytest.raises(InputError):
            rows.add("q", ["d"], scores)
    assert rows == TrainingSet()


def test_a_failed_write_leaves_what_was_there(tmp_path: Path) -> None:
    path = lines(tmp_path / "t.jsonl", GOOD)
    before = path.read_bytes()
    rows = TrainingSet(["q"], ["d"], [Row(0, (0,)), Row(0, (7,))])  # there is no document 7
    with pytest.raises(IndexError):
        write(rows, path)
    assert [file.name for file in tmp_path.iterdir()] == ["t.jsonl"]
    assert path.read_bytes() == before


Table = Callable[..., str]


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Table:
    """``table(column=[cells])``: a folder that ``datasets`` loads."""
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")

    def make(**columns: list[Any]) -> str:
        folder = tmp_path / "data"
        folder.mkdir()
        datasets.Dataset.from_dict(columns).to_parquet(folder / "train.parquet")
        return str(folder)

    return make


def test_a_data_set_of_the_hub(table: Table) -> None:
    """All its columns of negatives, however many; those of other names are not read."""
    negatives: dict[str, list[Any]] = {"negative_1": ["e", "c"], "negative": [["f", "e"], []], "negative_score": [1, 2]}
    found = read_hub(table(query=["a", "b"], positive=["c", "d"], **negatives))
    assert texts(found) == [("a", ["c", "e", "f"], None), ("b", ["d", "c"], None)]


def test_a_data_set_of_the_hub_without_negatives(table: Table) -> None:
    found = read_hub(table(query=["a", "b"], positive=[["c"], ["d", "e"]], source=["x", "y"]))
    assert texts(found) == [("a", ["c"], None), ("b", ["d"], None), ("b", ["e"], None)]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"query": ["a"], "answer": ["b"]}, "no column 'positive'; it has query, answer"),
        ({"query": ["a"], "positive": ["b"], "Negs": ["c"]}, "column 'Negs'; negatives are read from negative, nega"),
        ({"query": ["a", "b"], "positive": [["c"], []]}, "row 2 of train: no documents in"),
    ],
)
def test_a_data_set_of_the_hub_that_does_not_fit(table: Table, columns: dict[str, list[Any]], message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_hub(table(**columns))


def test_a_split_that_the_hub_does_not_have(table: Table) -> None:
    with pytest.raises(InputError, match="split nothing cannot be loaded"):
        read_hub(table(query=["a"], positive=["b"]), "nothing")
