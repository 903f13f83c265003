"""Training rows, scored by a teacher beforehand: once, where the model is, for any number of runs.

A teacher of a recipe scores every pair of a batch; one that costs hours (a causal LM of a billion parameters) can score
the rows it will be asked about instead. What it encodes is kept in blocks of 4,096 texts
(:mod:`opensearch_lsr.training.teachers.kept`), so a killed preparation goes on with the block that it was at.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

from opensearch_lsr.data.training_set import Row, TrainingSet
from opensearch_lsr.errors import InputError
from opensearch_lsr.training import checkpoint, model
from opensearch_lsr.training.teachers.bm25 import BM25Teacher
from opensearch_lsr.training.teachers.dense import DenseTeacher
from opensearch_lsr.training.teachers.sparse import SparseTeacher
from opensearch_lsr.training.teachers.teacher import Teacher

OnProgress = Callable[[str, int, int], None]


def score(
    rows: TrainingSet,
    teacher: str,
    cache: Path,
    max_length: int = 256,
    max_ratio: float | None = None,
    on_progress: OnProgress = lambda what, done, total: None,
) -> TrainingSet:
    """Give each row its documents' scores, in place of those it has.

    Args:
        rows: what is scored; documents that are in no row are left out.
        teacher: ``bm25``, or the folder or Hub name of a ``SparseEncoder`` or a dense ``SentenceTransformer``.
        cache: folder for the vectors.
        max_length: cut texts to so many tokens.
        max_ratio: leave out documents that score above ``max_ratio`` times the row's positive, as in
            :func:`opensearch_lsr.training.negatives.mine`. With 1 the positive stays the one that was labelled: in a
            file of scores it is the document with the best.
        on_progress: called with (what, texts done, texts).

    Returns:
        The same rows with scores, their documents in the same order, the positive first.

    Raises:
        CheckpointError: when the model is missing, cannot be opened, or cannot be distilled.
        InputError: for a ratio that makes no sense, or when the cache cannot be written.
    """
    if max_ratio is not None and not 0 < max_ratio < math.inf:
        raise InputError(f"max ratio {max_ratio}: give a number above 0, such as 1")
    used = TrainingSet()
    for row in rows.rows:
        used.add(rows.queries[row.query], [rows.documents[index] for index in row.documents])
    judge = _teacher(teacher, used, cache, max_length, on_progress)
    for place, row in enumerate(used.rows):
        (scores,) = judge.scores([row.query], row.documents).tolist()
        limit = math.inf if max_ratio is None else max_ratio * scores[0]
        pairs = [pair for pair in zip(row.documents[1:], scores[1:], strict=True) if pair[1] <= limit]
        kept, theirs = zip((row.documents[0], scores[0]), *pairs, strict=True)
        used.rows[place] = Row(row.query, kept, theirs)
    return used


def _teacher(name: str, rows: TrainingSet, cache: Path, max_length: int, on_progress: OnProgress) -> Teacher:
    if name == "bm25":
        return BM25Teacher(rows.queries, rows.documents)
    kind = SparseTeacher if model.is_encoder(checkpoint.find(name)) else DenseTeacher
    return kind.prepare(name, rows.queries, rows.documents, cache, max_length=max_length, on_progress=on_progress)
