"""Documents, queries, judgments and training data: each line is read, or named with the reason."""

from __future__ import annotations

import json
from pathlib import Path

from damage import damaged, packed
from fuzzing import answer, fuzz, refused, untouched
from hypothesis import strategies as st
from nasty import json_lines, texts

from opensearch_lsr.data import beir, documents, training_set
from opensearch_lsr.data.documents import Document

CORPUS = b"".join(
    b'{"_id": "%d", "title": "tap %d", "text": "a kitchen tap leaks", "tags": [1, {"a": null}]}\n' % (i, i)
    for i in range(9)
)
QUERIES = b"".join(b'{"_id": "q%d", "text": "why does tap %d leak"}\n' % (i, i) for i in range(5))
QRELS = b"query-id\tcorpus-id\tscore\n" + b"".join(b"q%d\t%d\t1\n" % (i, i) for i in range(5))
ROWS = b'{"query": "tap leaks", "pos": ["fix it"], "negs": ["bread", "salt"]}\n' * 3
SCORED = b'{"query": "tap leaks", "docs": ["fix it", "bread"], "scores": [2.5, -1]}\n' * 3

corpora = st.one_of(json_lines("_id", "id", "title", "text"), damaged(CORPUS))
queries = st.one_of(json_lines("_id", "text"), damaged(QUERIES))
qrels = st.one_of(
    damaged(QRELS),
    st.lists(st.lists(texts(5), min_size=2, max_size=4).map("\t".join), max_size=4).map(
        lambda lines: "\n".join(["query-id\tcorpus-id\tscore", *lines]).encode("utf-8", "surrogatepass")
    ),
)
rows = st.one_of(json_lines("query", "pos", "negs", "docs", "scores"), damaged(ROWS), damaged(SCORED))


def check_documents(file: Path, allow_empty: bool) -> None:
    ids = set()
    for item in documents.read(str(file), ("title", "text"), allow_empty):
        assert item.origin.startswith(f"{file}:")
        if isinstance(item, Document):
            assert item.id and len(item.id.encode()) <= documents.MAX_ID_BYTES and item.id not in ids
            ids.add(item.id)
            json.dumps(item.source, ensure_ascii=False, allow_nan=False).encode()  # as a request carries it
            text = documents.text_of(item.source, ("title", "text"))
            assert text or allow_empty
            documents.text_hash(text)
        else:
            refused(str(item), item.origin)


@fuzz("documents", 2.5, content=corpora, allow_empty=st.booleans())
def test_documents_are_read_or_refused_line_by_line(place: Path, content: bytes, allow_empty: bool) -> None:
    file = place / "corpus.jsonl"
    file.write_bytes(content)
    with untouched(place):
        answer(lambda: check_documents(file, allow_empty), file)


@fuzz("documents (gz)", 0.5, content=packed(corpora))
def test_damaged_archives_of_documents(place: Path, content: bytes) -> None:
    file = place / "corpus.jsonl.gz"
    file.write_bytes(content)
    with untouched(place):
        answer(lambda: check_documents(file, True), file)


@fuzz("BEIR queries", content=queries)
def test_queries_are_texts_that_a_request_can_carry(place: Path, content: bytes) -> None:
    file = place / "queries.jsonl"
    file.write_bytes(content)
    with untouched(place):
        for identifier, text in (answer(lambda: beir.read_queries(file), file) or {}).items():
            assert identifier
            text.encode()


@fuzz("BEIR queries", 0.3, content=packed(st.one_of(queries, qrels)), judgments=st.booleans())
def test_damaged_archives_of_queries(place: Path, content: bytes, judgments: bool) -> None:
    file = place / "packed.gz"
    file.write_bytes(content)
    with untouched(place):
        answer(lambda: (beir.read_qrels if judgments else beir.read_queries)(file), file)


@fuzz("BEIR qrels", content=qrels)
def test_judgments(place: Path, content: bytes) -> None:
    file = place / "test.tsv"
    file.write_bytes(content)
    with untouched(place):
        for grades in (answer(lambda: beir.read_qrels(file), file) or {}).values():
            assert all(abs(grade) < 2**31 for grade in grades.values())


@fuzz("training data", 1.5, content=rows)
def test_training_rows(place: Path, content: bytes) -> None:
    file = place / "pairs.jsonl"
    file.write_bytes(content)
    with untouched(place):
        found = answer(lambda: training_set.read(file), file)
    if found:
        again = place.parent / "again.jsonl"
        training_set.write(found, again)
        assert training_set.read(again) == found
        again.unlink()


@fuzz("training data", 0.3, content=packed(rows))
def test_damaged_archives_of_training_rows(place: Path, content: bytes) -> None:
    file = place / "pairs.jsonl.gz"
    file.write_bytes(content)
    with untouched(place):
        answer(lambda: training_set.read(file), file)


@fuzz("training data", 0.5, corpus=corpora, asked=queries, judged=qrels)
def test_a_beir_folder_to_train_on(place: Path, corpus: bytes, asked: bytes, judged: bytes) -> None:
    folder = place / "beir"
    (folder / "qrels").mkdir(parents=True, exist_ok=True)
    (folder / "corpus.jsonl").write_bytes(corpus)
    (folder / "queries.jsonl").write_bytes(asked)
    (folder / "qrels" / "train.tsv").write_bytes(judged)
    with untouched(place):
        answer(lambda: training_set.read(folder), folder)
