"""What a run was begun with, kept in its folder, so that a resumed one sees the same texts in the same order.

::

    run/
    ├── batches.npy   the plan that :mod:`opensearch_lsr.training.batches` drew
    └── data.json     how much is learned from, and a SHA-256 over all of it
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from opensearch_lsr.data.training_set import TrainingSet
from opensearch_lsr.errors import InputError, needs_extra
from opensearch_lsr.whole_file import whole

with needs_extra("train", "training"):
    import numpy as np

PLAN, DATA = "batches.npy", "data.json"
_SIZES = "{queries:,} queries, {documents:,} documents and {rows:,} rows"


class KeptPlan:
    """The plan in a run's folder, and what it belongs to.

    Args:
        run: the folder, in the checkpoint's.
        data: what is learned from.
        processes: how many share the plan's batches.
    """

    def __init__(self, run: Path, data: TrainingSet, processes: int) -> None:
        self._run = run
        self._now: dict[str, Any] = {
            "processes": processes,
            "queries": len(data.queries),
            "documents": len(data.documents),
            "rows": len(data.rows),
            "sha256": fingerprint(data),
        }

    def load(self) -> np.ndarray | None:
        """The plan; None where the run was stopped before it was kept.

        Raises:
            InputError: when the data or the number of processes is not what the run began with.
        """
        if not (self._run / DATA).is_file():
            return None
        begun, output = json.loads((self._run / DATA).read_text(encoding="utf-8")), self._run.parent
        if begun["processes"] != self._now["processes"]:
            raise InputError(
                f"{output}: the run began with {begun['processes']} processes, not {self._now['processes']}; "
                "resume it with as many (torchrun --nproc-per-node), or choose another output"
            )
        if begun != self._now:
            raise InputError(
                f"{output}: the data is not what the run began with ({_SIZES.format(**begun)}; now "
                f"{_SIZES.format(**self._now)}); restore it, or choose another output"
            )
        plan: np.ndarray = np.load(self._run / PLAN)
        return plan

    def save(self, plan: np.ndarray) -> None:
        """Keep a plan; ``data.json`` comes last and says that it is whole."""
        with whole(self._run / PLAN) as draft:
            np.save(draft, plan)
        with whole(self._run / DATA) as draft:
            draft.write_text(json.dumps(self._now, indent=2), encoding="utf-8")


def fingerprint(data: TrainingSet) -> str:
    """SHA-256 in hex over queries, documents and rows, scores included, in their order."""
    digest = hashlib.sha256()
    for part in _parts(data):
        digest.update(json.dumps(part).encode() + b"\n")
    return digest.hexdigest()


def _parts(data: TrainingSet) -> Iterator[Any]:
    yield len(data.queries)  # so that a query is not taken for a document
    yield from data.queries
    yield from data.documents
    for row in data.rows:
        yield row.query, row.documents, row.scores
