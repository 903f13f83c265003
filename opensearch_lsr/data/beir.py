"""Queries and judgments as BEIR writes them: ``queries.jsonl`` and ``qrels/<split>.tsv``, each plain or ``.gz``."""

from __future__ import annotations

import gzip
import json
import zlib
from pathlib import Path

from opensearch_lsr.errors import InputError

Qrels = dict[str, dict[str, int]]


def read_queries(path: Path) -> dict[str, str]:
    """Query id → text, of a folder or of one file.

    Raises:
        InputError: naming the file and line that is not ``{"_id", "text"}``.
    """
    path = _plain_or_gz(path / "queries.jsonl") if path.is_dir() else path
    queries = {}
    for number, line in enumerate(_lines(path), start=1):
        try:
            record = json.loads(line)
            queries[str(record["_id"])] = str(record["text"])
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f'{path}:{number}: not a {{"_id", "text"}} object') from error
    return queries


def read_qrels(path: Path, split: str = "test") -> Qrels:
    """Query id → document id → grade, from a folder's ``qrels/<split>.tsv`` or one such file.

    Its first line is the header ``query-id corpus-id score``.

    Raises:
        InputError: naming the file and line that is not a judgment.
    """
    path = _plain_or_gz(path / "qrels" / f"{split}.tsv") if path.is_dir() else path
    qrels: Qrels = {}
    for number, line in enumerate(_lines(path)[1:], start=2):
        try:
            query, document, grade = line.split("\t")
            qrels.setdefault(query, {})[document] = int(grade)
        except ValueError as error:
            raise InputError(f"{path}:{number}: not 'query-id<TAB>corpus-id<TAB>score'") from error
    return qrels


def _plain_or_gz(path: Path) -> Path:
    packed = path.with_name(f"{path.name}.gz")
    return packed if packed.is_file() and not path.is_file() else path


def _lines(path: Path) -> list[str]:
    try:
        # not splitlines(): JSON may hold U+2028 as it is
        with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as file:
            return [line.rstrip("\n") for line in file if line.strip()]
    except (OSError, UnicodeDecodeError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: cannot be read ({error.__class__.__name__})") from error
