"""Reading documents: every line accepted or named."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path

import pytest

from opensearch_lsr.data import beir
from opensearch_lsr.data.documents import Document, Reject, read, read_all, read_titled, text_of
from opensearch_lsr.errors import InputError

FIELDS = ["title", "text"]


def write(path: Path, *lines: object) -> str:
    text = "".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines)
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text)
    return str(path)


@pytest.mark.parametrize("name", ["corpus.jsonl", "corpus.jsonl.gz"])
def test_plain_and_compressed(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, {"_id": "1", "title": "a", "text": "b", "n": 3}, "", {"id": 2, "text": "c"})
    found = list(read(path, FIELDS))
    assert found == [
        Document("1", {"title": "a", "text": "b", "n": 3}, f"{path}:1"),
        Document("2", {"id": 2, "text": "c"}, f"{path}:3"),
    ]
    assert list(read(str(tmp_path), FIELDS)) == found  # a BEIR folder


def test_a_corpus_of_which_no_line_may_be_left_out(tmp_path: Path) -> None:
    path = write(tmp_path / "corpus.jsonl", {"_id": 1, "title": " a ", "text": "b", "n": 3}, {"_id": "2", "text": ""})
    assert list(read_titled(tmp_path)) == list(read_titled(Path(path))) == [("1", "a", "b"), ("2", "", "")]
    assert [document.source.get("n") for document in read_all(path, FIELDS)] == [3, None]
    write(tmp_path / "corpus.jsonl", {"_id": "1", "text": "a"}, "[]")
    with pytest.raises(InputError, match="corpus.jsonl:2: holds list, not an object; correct the line or leave it out"):
        list(read_titled(tmp_path))


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b'{"_id": "1", "text": "b"}\n')))
    assert [d.origin for d in read("-", FIELDS)] == ["stdin:1"]


def test_a_document_without_an_id_gets_the_same_one_each_time(tmp_path: Path) -> None:
    path = write(tmp_path / "c.jsonl", {"text": "a"}, {"text": "b"}, {"text": "a"})
    first, second, third = read(path, FIELDS)
    assert isinstance(first, Document)
    assert isinstance(second, Document)
    assert isinstance(third, Reject)
    assert first.id != second.id
    assert next(iter(read(path, FIELDS))) == first


def test_bytes_that_are_no_text_cost_one_line_only(tmp_path: Path) -> None:
    (tmp_path / "c.jsonl").write_bytes(
        b'{"_id": "1", "text": "\xff"}\n{"_id": "2", "text": "a \\ud83d b"}\n{"_id": "3", "text": "a"}\n'
    )
    first, second, third = read(str(tmp_path / "c.jsonl"), FIELDS)
    assert isinstance(first, Reject)
    assert first.reason.startswith("not UTF-8")
    assert isinstance(second, Reject)
    assert second.reason == "not UTF-8 (surrogates not allowed)"
    assert isinstance(third, Document)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"_id": "1", "text": ', "not JSON"),
        ("[1]", "holds list, not an object"),
        ("[" * 100_000, "not JSON"),
        ({"_id": None, "text": "a"}, "_id is null"),
        ({"_id": {"a": 1}, "text": "a"}, "_id is"),
        ({"_id": "", "text": "a"}, "_id is"),
        ({"_id": "x" * 600, "text": "a"}, "_id is longer than 512 bytes"),
        ({"_id": "0", "text": "a"}, "duplicate id '0', first at line 1"),
        ({"_id": "1", "text": " \t"}, "no text in title, text"),
        ({"_id": "1", "text": 7}, "no text in title, text"),
        ({"_id": "1", "text": "a", "lsr_vector": {"a": 1}}, "has fields beginning with lsr_"),
    ],
)
def test_a_bad_line_is_named_and_kept(tmp_path: Path, line: object, reason: str) -> None:
    path = write(tmp_path / "c.jsonl", {"_id": "0", "text": "first"}, line, {"_id": "last", "text": "b"})
    first, bad, last = read(path, FIELDS)
    assert isinstance(bad, Reject)
    assert bad.origin == f"{path}:2"
    assert bad.reason.startswith(reason)
    assert bad.raw == (line if isinstance(line, str) else json.dumps(line))
    assert (first.id, last.id) == ("0", "last")  # type: ignore[union-attr]


def test_empty_text_is_accepted_when_asked(tmp_path: Path) -> None:
    assert isinstance(
        next(read(write(tmp_path / "c.jsonl", {"_id": "1", "text": ""}), FIELDS, allow_empty=True)), Document
    )


def test_a_missing_file() -> None:
    with pytest.raises(InputError, match="nowhere.jsonl: no such file"):
        list(read("nowhere.jsonl", FIELDS))


@pytest.mark.parametrize("content", [gzip.compress(b'{"_id": "1", "text": "a"}\n' * 1000)[:-20], b"not gzip at all"])
def test_a_broken_archive_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "c.jsonl.gz"
    path.write_bytes(content)
    with pytest.raises(InputError, match="cannot be read to its end"):
        list(read(str(path), FIELDS))


def test_text_is_joined_in_order_and_trimmed_as_java_does() -> None:
    source = {"title": " A \n", "body": {"text": ["b", " ", 3, "c\u00a0"]}, "other": "x"}
    assert text_of(source, ["title", "body.text", "missing", "title.deep"]) == "A b c\u00a0"


def test_beir_queries_and_qrels(tmp_path: Path) -> None:
    write(tmp_path / "queries.jsonl", {"_id": "q", "text": "t"})
    (tmp_path / "qrels").mkdir()
    (tmp_path / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq\td\t2\n")
    assert beir.read_queries(tmp_path) == {"q": "t"}
    assert beir.read_qrels(tmp_path) == {"q": {"d": 2}}
    (tmp_path / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq d 2\n")
    with pytest.raises(InputError, match="test.tsv:2"):
        beir.read_qrels(tmp_path)
    with pytest.raises(InputError, match="dev.tsv: cannot be read"):
        beir.read_qrels(tmp_path, "dev")
