"""Queries and judgments as BEIR writes them: ``queries.jsonl`` and ``qrels/<split>.tsv``, each plain or ``.gz``."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Mapping
from pathlib import Path

from opensearch_lsr import strict_json
from opensearch_lsr.errors import InputError

Qrels = dict[str, dict[str, int]]
_MAX_GRADE = 1_000_000  # of TREC's tools, whose grades are C's integers, with room for what adds them up


def read_queries(path: Path) -> dict[str, str]:
    """Query id → text, of a folder or of one file.

    Raises:
        InputError: naming the file and line that is not ``{"_id", "text"}``.
    """
    path = _plain_or_gz(path / "queries.jsonl") if path.is_dir() else path
    queries = {}
    for number, line in _lines(path):
        try:
            record = strict_json.loads(line)
            identifier, text = record["_id"], record["text"]
            if type(identifier) not in (str, int) or identifier == "" or not isinstance(text, str):
                raise TypeError
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f'{path}:{number}: not a {{"_id", "text"}} object in UTF-8') from error
        queries[str(identifier)] = text
    return queries


def read_qrels(path: Path, split: str = "test") -> Qrels:
    """Query id → document id → grade, from a folder's ``qrels/<split>.tsv`` or one such file.

    Its first line is the header ``query-id corpus-id score``.

    Raises:
        InputError: naming the file and line that is not a judgment.
    """
    path = _plain_or_gz(path / "qrels" / f"{split}.tsv") if path.is_dir() else path
    qrels: Qrels = {}
    for number, line in _lines(path)[1:]:
        try:
            query, document, grade = line.split("\t")
            if not -_MAX_GRADE <= int(grade) <= _MAX_GRADE:
                raise ValueError(grade)
            qrels.setdefault(query, {})[document] = int(grade)
        except ValueError as error:
            raise InputError(f"{path}:{number}: not 'query-id<TAB>corpus-id<TAB>score'") from error
    return qrels


def splits(folder: Path) -> dict[str, Path]:
    """Split → its file in ``qrels``, by name; the plain one where there are both."""
    found: dict[str, Path] = {}
    for ending in (".tsv.gz", ".tsv"):
        found |= {file.name.removesuffix(ending): file for file in (folder / "qrels").glob(f"*{ending}")}
    return dict(sorted(found.items()))


def split_file(folder: Path, split: str) -> Path:
    """The judgments of a split.

    Raises:
        InputError: naming the folder's splits when it is none of them.
    """
    there = splits(folder)
    if split not in there:
        missing = folder / "qrels" / f"{split}.tsv"
        raise InputError(f"{missing}: no such split; this folder has: {', '.join(there) or 'none'}")
    return there[split]


def read_relevant(file: Path, queries: Mapping[str, str], texts: Mapping[str, str]) -> Qrels:
    """The grades above 0 of a file of judgments, as :func:`read_qrels` has them.

    Args:
        file: a :func:`split_file`.
        queries: query id → text.
        texts: document id → text.

    Raises:
        InputError: when nothing is relevant, or naming the file and line that judges a query or document which is not
            there or has no text.
    """
    relevant: Qrels = {}
    for query, judgments in read_qrels(file).items():
        for document, grade in judgments.items():
            if grade > 0:
                if problem := _problem(query, document, queries, texts):
                    raise InputError(f"{_judgment(file, query, document)}: {problem}")
                relevant.setdefault(query, {})[document] = grade
    if not relevant:
        raise InputError(f"{file}: no judgment with a grade above 0; name another split")
    return relevant


def _problem(query: str, document: str, queries: Mapping[str, str], texts: Mapping[str, str]) -> str | None:
    if query not in queries:
        return f"judges query {query!r}, which is not in queries.jsonl; add it or remove the line"
    if not queries[query].strip():
        return f"judges query {query!r}, which is empty in queries.jsonl; give it text or remove the line"
    if document not in texts:
        return f"judges document {document!r}, which is not in the corpus; add it or remove the line"
    if not texts[document].strip():
        return f"judges document {document!r}, which has no text in the corpus; give it text or remove the line"
    return None


def _judgment(path: Path, query: str, document: str) -> str:
    """Where a judgment stands, as ``file:line``."""
    lines = (number for number, line in _lines(path) if line.split("\t")[:2] == [query, document])
    return f"{path}:{next(lines)}"


def _plain_or_gz(path: Path) -> Path:
    packed = path.with_name(f"{path.name}.gz")
    return packed if packed.is_file() and not path.is_file() else path


def _lines(path: Path) -> list[tuple[int, str]]:
    """The lines that are not blank, with their numbers."""
    try:
        # not splitlines(): JSON may hold U+2028 as it is
        with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as file:
            return [(number, line.rstrip("\n")) for number, line in enumerate(file, start=1) if line.strip()]
    except (OSError, UnicodeDecodeError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: cannot be read ({error.__class__.__name__})") from error
