"""A test collection: documents, judged queries, judgments.

==========================  ==========================================================================================
given as                    what is read
==========================  ==========================================================================================
a folder                    BEIR: ``corpus.jsonl``, ``queries.jsonl``, ``qrels/<split>.tsv``, each plain or ``.gz``
``ir_datasets:ID``          the `ir_datasets <https://ir-datasets.com>`_ catalogue, such as ``beir/scifact/test``
``hub:owner/name``          a BEIR data set of the Hub: subsets ``corpus`` and ``queries``; judgments in its subset
                            ``default`` or ``qrels``, or in a data set beside it, ``owner/name-qrels``
==========================  ==========================================================================================
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from opensearch_lsr.data import beir, documents
from opensearch_lsr.errors import InputError, needs_extra
from opensearch_lsr.given_path import given_path


class Document(NamedTuple):
    """A document as systems index it; the title may be empty."""

    id: str
    title: str
    text: str

    @property
    def whole(self) -> str:
        """What is encoded: title and text, as :func:`opensearch_lsr.data.documents.text_of` joins them."""
        return documents.text_of({"title": self.title, "text": self.text}, documents.TITLED)


@dataclass(frozen=True)
class Collection:
    """Documents, and the queries that have judgments.

    Attributes:
        name: of the folder or data set; fit for file and index names.
        split: whose judgments these are.
        documents: all of the corpus, in its order.
        queries: query id → text; those without judgments are left out.
        qrels: query id → document id → grade, in the order of ``queries``.
    """

    name: str
    split: str
    documents: list[Document]
    queries: dict[str, str]
    qrels: dict[str, dict[str, int]]

    @property
    def judgments(self) -> int:
        return sum(map(len, self.qrels.values()))

    @cached_property
    def judged(self) -> frozenset[str]:
        """Ids of the documents that any query has a judgment for, whatever its grade."""
        return frozenset(document for grades in self.qrels.values() for document in grades)


def read(given: str | Path, split: str = "test") -> Collection:
    """Read a collection from where the table above says.

    Args:
        given: a BEIR folder, ``ir_datasets:ID`` or ``hub:owner/name``.
        split: which judgments; an ``ir_datasets`` id may already name it.

    Raises:
        InputError: naming the file and line, or the data set, that cannot be used.
        MissingExtraError: when ``ir_datasets`` or ``datasets`` is asked for and not installed.
    """
    source, colon, name = str(given).partition(":")
    if colon and source == "ir_datasets":
        return _from_ir_datasets(name, split)
    if colon and source == "hub":
        return _from_hub(name, split)
    return _from_folder(given_path(given), split)


def _from_folder(folder: Path, split: str) -> Collection:
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; give a BEIR folder, ir_datasets:ID or hub:owner/name")
    judged = beir.split_file(folder, split)  # before a corpus that may be large
    found = [Document(*fields) for fields in documents.read_titled(folder)]
    return _checked(folder.absolute().name, split, found, beir.read_queries(folder), beir.read_qrels(judged))


def _from_ir_datasets(name: str, split: str) -> Collection:
    with needs_extra("collections", "reading ir_datasets"):
        import ir_datasets
    try:
        dataset = ir_datasets.load(name)
        if not dataset.has_qrels():
            name = f"{name}/{split}"
            dataset = ir_datasets.load(name)
    except KeyError as error:
        raise InputError(
            f"ir_datasets:{name}: not in the catalogue, or without judgments; see https://ir-datasets.com"
        ) from error
    try:
        found = [_document(item.doc_id, _fields(item)) for item in dataset.docs_iter()]
        queries = {item.query_id: item.default_text() for item in dataset.queries_iter()}
        qrels: dict[str, dict[str, int]] = {}
        for judgment in dataset.qrels_iter():
            qrels.setdefault(judgment.query_id, {})[judgment.doc_id] = int(judgment.relevance)
    except (OSError, RuntimeError) as error:  # what ir_datasets raises when it cannot download
        raise InputError(f"ir_datasets:{name}: cannot be read ({_reason(error)})") from error
    return _checked(name, name.rsplit("/", 1)[-1], found, queries, qrels)


def _from_hub(name: str, split: str) -> Collection:
    with needs_extra("collections", "reading collections of the Hub"):
        import datasets
    try:
        subsets = datasets.get_dataset_config_names(name)
        where = next(((name, subset) for subset in ("qrels", "default") if subset in subsets), (f"{name}-qrels", None))
        found = [_document(_id(row), row) for row in _rows(datasets.load_dataset(name, "corpus"))]
        queries = {str(_id(row)): str(row["text"]) for row in _rows(datasets.load_dataset(name, "queries"))}
        qrels: dict[str, dict[str, int]] = {}
        for row in datasets.load_dataset(*where, split=split):
            qrels.setdefault(str(row["query-id"]), {})[str(row["corpus-id"])] = int(row["score"])
    except (OSError, ValueError, KeyError, datasets.exceptions.DatasetsError) as error:
        raise InputError(f"hub:{name}: cannot be read as a BEIR data set, split {split} ({_reason(error)})") from error
    return _checked(name, split, found, queries, qrels)


def _rows(splits: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """All rows: a corpus is one whole, whatever its splits are called."""
    for split in splits.values():
        yield from split


def _id(row: Mapping[str, Any]) -> object:
    return row["_id"] if "_id" in row else row["id"]


def _fields(item: Any) -> dict[str, str]:
    """Title and text where an ir_datasets document has both, else all of its text."""
    if hasattr(item, "title") and hasattr(item, "text"):
        return {"title": item.title, "text": item.text}
    return {"text": item.default_text()}


def _document(identifier: object, source: Mapping[str, Any]) -> Document:
    return Document(str(identifier), *(documents.text_of(source, (name,)) for name in documents.TITLED))


def _checked(
    name: str, split: str, found: list[Document], queries: Mapping[str, str], qrels: dict[str, dict[str, int]]
) -> Collection:
    if lost := [query for query in qrels if query not in queries]:
        raise InputError(
            f"{name}: split {split} judges query {lost[0]!r}, which is not among its queries "
            f"({len(lost):,} such); add it or remove its judgments"
        )
    judged = {query: text for query, text in queries.items() if query in qrels}
    collection = Collection(name.replace("/", "-"), split, found, judged, {query: qrels[query] for query in judged})
    if not any(document.id in collection.judged for document in found):
        raise InputError(f"{name}: no document that split {split} judges is in the corpus ({len(found):,} documents)")
    return collection


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
