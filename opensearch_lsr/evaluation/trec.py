"""Runs (query id → document id → score): their order, and TREC run files.

A line is ``query Q0 document rank score tag``: ranks from 1, scores in full precision. Equal scores are ranked by id,
so that a run is one ranking; trec_eval, which does not read the rank, puts the greatest id first where scores tie.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from opensearch_lsr.errors import InputError
from opensearch_lsr.whole_file import whole

Run = Mapping[str, Mapping[str, float]]


def ranking(scores: Mapping[str, float]) -> list[tuple[str, float]]:
    """Documents and scores, the best first; equal scores in order of id."""
    return sorted(scores.items(), key=lambda entry: (-entry[1], entry[0]))


def tied_queries(run: Run, cut: int = 10) -> int:
    """How many queries have equal scores at ranks ``cut`` and ``cut + 1``.

    There the order by id, not the system, decided which documents a measure at ``cut`` saw.
    """
    scores = [[score for _, score in ranking(found)[cut - 1 : cut + 1]] for found in run.values()]
    return sum(len(pair) == 2 and pair[0] == pair[1] for pair in scores)


def write(path: Path, run: Run, tag: str) -> None:
    """Write a run file (``.gz`` compresses); it appears when it is whole.

    Raises:
        InputError: for an id with white space, or an empty one, which such a file cannot hold.
    """
    with whole(path) as draft, gzip.open(draft, "wb") if path.suffix == ".gz" else draft.open("wb") as file:
        file.writelines(line.encode() for line in _lines(run, tag, path))


def read(path: Path) -> dict[str, dict[str, float]]:
    """Read a run file, plain or ``.gz``.

    Raises:
        InputError: naming the file and line that cannot be used.
    """
    run: dict[str, dict[str, float]] = {}
    try:
        with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, start=1):
                try:
                    query, _, document, _, score, _ = line.split()
                    run.setdefault(query, {})[document] = float(score)
                except ValueError as error:
                    raise InputError(f"{path}:{number}: not 'query Q0 document rank score tag'") from error
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        raise InputError(f"{path}: cannot be read ({type(error).__name__})") from error
    return run


def _lines(run: Run, tag: str, path: Path) -> Iterator[str]:
    for query, scores in run.items():
        for rank, (document, score) in enumerate(ranking(scores), start=1):
            fields = (query, "Q0", document, str(rank), repr(float(score)), tag)
            if odd := [field for field in fields if len(field.split()) != 1]:
                raise InputError(
                    f"{path}: {odd[0]!r} is no column of a TREC file, which white space parts; use ids without it"
                )
            yield f"{' '.join(fields)}\n"
