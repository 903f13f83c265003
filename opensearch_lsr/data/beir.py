"""Queries and judgments as BEIR writes them: ``queries.jsonl`` and ``qrels/<split>.tsv``, each plain or ``.gz``."""

from __future__ import annotations

import gzip
import zlib
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
