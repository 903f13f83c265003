"""What is trained on: queries, documents, and rows that say which document answers which query.

=====================  ==========================================================  ==============================
form                   what it holds                                               rows
=====================  ==========================================================  ==============================
JSON Lines             ``{"query": text, "pos": text or texts, "negs": texts}``    one for each positive
JSON Lines             ``{"query": text, "docs": texts, "scores": numbers}``       one; the best score is positive
BEIR folder            ``corpus.jsonl``, ``queries.jsonl``, ``qrels/<split>.tsv``  one for each grade above 0
Hub data set           columns query, positive; negative, negative_1 … if any      one for each positive
=====================  ==========================================================  ==============================

Files may be compressed (``.gz``). Equal texts are one query or one document.
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from opensearch_lsr.data import beir, documents, training_records
from opensearch_lsr.errors import InputError, needs_extra
from opensearch_lsr.whole_file import whole

_NEGATIVES = re.compile(r"negative(_\d+)?")  # columns of a Hub data set


@dataclass(frozen=True)
class Row:
    """One training example: indices into :class:`TrainingSet`.

    Attributes:
        query: the query.
        documents: the positive first, then the others, each once.
        scores: a teacher's scores, aligned with ``documents``.
    """

    query: int
    documents: tuple[int, ...]
    scores: tuple[float, ...] | None = None


@dataclass
class TrainingSet:
    """Distinct queries, distinct documents, and the rows over them; a document need not be in any row."""

    queries: list[str] = field(default_factory=list)
    documents: list[str] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    _query_ids: dict[str, int] = field(init=False, repr=False, compare=False)
    _document_ids: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self._query_ids = {text: index for index, text in enumerate(self.queries)}
        self._document_ids = {text: index for index, text in enumerate(self.documents)}

    def add(self, query: str, documents: Sequence[str], scores: Sequence[float] | None = None) -> None:
        """Add a row.

        Args:
            query: its text.
            documents: their texts, the positive first; a text that comes again within the row is left out.
            scores: a teacher's scores, one a document.

        Raises:
            InputError: for an empty text, no documents, or scores that are not as many finite numbers.
        """
        query, texts, kept = training_records.checked(query, documents, scores)
        self._append(query, texts, kept)

    def add_document(self, text: str) -> int:
        """Add a document without a row, such as the rest of a corpus, and return its index.

        Raises:
            InputError: when it is empty.
        """
        return _index(self.documents, self._document_ids, training_records.document(text))

    def extend(self, other: TrainingSet) -> None:
        """Add another set's documents and rows; equal texts become one."""
        for text in other.documents:
            _index(self.documents, self._document_ids, text)
        for row in list(other.rows):
            self._append(other.queries[row.query], [other.documents[index] for index in row.documents], row.scores)

    def _append(self, query: str, documents: Sequence[str], scores: Sequence[float] | None) -> None:
        self.rows.append(
            Row(
                _index(self.queries, self._query_ids, query),
                tuple(_index(self.documents, self._document_ids, text) for text in documents),
                None if scores is None else tuple(scores),
            )
        )


def read(path: Path, split: str = "train") -> TrainingSet:
    """Read a file or a BEIR folder; what it is, its content says.

    Args:
        path: JSON Lines (also ``.gz``), or a BEIR folder. Its whole corpus is in the set's ``documents``, in order,
            title and text joined as :func:`opensearch_lsr.data.documents.text_of` does; empty ones are left out.
        split: which ``qrels/<split>.tsv`` of a BEIR folder.

    Raises:
        InputError: naming the file and line that cannot be used, why, and the remedy.
    """
    path = Path(path)
    if path.is_dir():
        return _read_beir(path, split)
    if not path.is_file():
        raise InputError(f"{path}: no such file or folder; give JSON Lines or a BEIR folder")
    found = TrainingSet()
    for origin, line in _lines(path):
        try:
            for row in training_records.parse(line):
                found._append(*row)
        except InputError as error:
            raise InputError(f"{origin}: {error}") from error
    if not found.rows:
        raise InputError(f"{path}: is empty; {training_records.FORMS}")
    return found


def read_hub(name: str, split: str = "train") -> TrainingSet:
    """Read a data set of the Hub with the ``datasets`` package.

    Its columns are ``query`` and ``positive``, and for negatives any of ``negative``, ``negative_1``, ``negative_2`` …;
    others are not read. A positive or negative is a text or a list of texts.

    Args:
        name: ``owner/name``, ``owner/name:subset``, or a local folder that ``datasets`` loads.
        split: as ``datasets`` names it; a slice such as ``train[:1000]`` works, too.

    Raises:
        MissingExtraError: when ``datasets`` is not installed.
        InputError: when the data set cannot be loaded, lacks a column, has negatives in columns of other names only, or
            has a row that cannot be used.
    """
    with needs_extra("train", "reading data sets of the Hub"):
        import datasets
    path, _, subset = name.partition(":")
    try:
        table = datasets.load_dataset(path, subset or None, split=split)
    except (OSError, ValueError, datasets.exceptions.DatasetsError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{name}: split {split} cannot be loaded ({type(error).__name__}: {reason})") from error
    if missing := [column for column in ("query", "positive") if column not in table.column_names]:
        raise InputError(f"{name}: no column {missing[0]!r}; it has {', '.join(table.column_names)}")
    negatives = [column for column in table.column_names if _NEGATIVES.fullmatch(column)]
    unread = [column for column in table.column_names if column.lower().startswith("neg")]
    if unread and not negatives:  # they would not be missed until the model is bad
        raise InputError(f"{name}: column {unread[0]!r}; negatives are read from negative, negative_1 …: rename it")
    found = TrainingSet()
    for number, cells in enumerate(table, start=1):
        others = [cells[column] for column in negatives]
        try:
            for row in training_records.pairs(cells["query"], cells["positive"], others):
                found._append(*row)
        except InputError as error:
            raise InputError(f"{name}: row {number} of {split}: {error}") from error
    if not found.rows:
        raise InputError(f"{name}: split {split} is empty; name another")
    return found


def write(rows: TrainingSet, path: Path) -> None:
    """Write the rows as JSON Lines that :func:`read` reads (``.gz`` compresses); the file appears when it is whole."""
    with whole(path) as draft, gzip.open(draft, "wb") if path.suffix == ".gz" else draft.open("wb") as file:
        for row in rows.rows:
            query, texts = rows.queries[row.query], [rows.documents[index] for index in row.documents]
            record: dict[str, Any] = {"query": query, "pos": texts[:1], "negs": texts[1:]}
            if row.scores is not None:
                record = {"query": query, "docs": texts, "scores": row.scores}
            file.write(json.dumps(record, ensure_ascii=False).encode() + b"\n")


def _read_beir(folder: Path, split: str) -> TrainingSet:
    judged = beir.split_file(folder, split)  # before a corpus that may be large
    found = TrainingSet()
    texts: dict[str, str] = {}  # by id
    for item in documents.read_all(str(folder), documents.TITLED):
        texts[item.id] = text = documents.text_of(item.source, documents.TITLED)
        if text.strip():
            found.add_document(text)
    queries = beir.read_queries(folder)
    for query, relevant in beir.read_relevant(judged, queries, texts).items():
        for document in relevant:
            found.add(queries[query], [texts[document]])
    return found


def _lines(path: Path) -> Iterator[tuple[str, bytes]]:
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield f"{path}:{number}", line
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"{path}: cannot be read to its end ({error}); the compressed file is not whole") from error


def _index(texts: list[str], ids: dict[str, int], text: str) -> int:
    index = ids.setdefault(text, len(texts))
    if index == len(texts):
        texts.append(text)
    return index
