"""Measured times of one system: every query, every round."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from opensearch_lsr.errors import needs_extra
from opensearch_lsr.evaluation import blocks
from opensearch_lsr.evaluation.asking import Answer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PARTS = ("encode", "request", "total", "took")


@dataclass(eq=False)
class Samples:
    """Times in ms; NaN where a query failed: it would have taken longer than anything that was waited for.

    Attributes:
        encode: float64 [rounds, queries], the client's part.
        request: the same, request and answer.
        total: the same, both together; in an open loop from the scheduled start, waiting included.
        took: the same, what the cluster says.
        errors: why queries failed → how often.
        seconds: wall time in which they were all done, or in an open loop taken up, failures included; None where other
            systems had their turn in between.
    """

    encode: NDArray[np.float64]
    request: NDArray[np.float64]
    total: NDArray[np.float64]
    took: NDArray[np.float64]
    errors: Counter[str] = field(default_factory=Counter)
    seconds: float | None = None

    @classmethod
    def empty(cls, rounds: int, queries: int) -> Samples:
        """Nothing measured yet."""
        with needs_extra("eval", "measuring latency"):
            import numpy as np
        encode, request, total, took = (np.full((rounds, queries), np.nan) for _ in PARTS)
        return cls(encode, request, total, took)

    def put(self, round_: int, query: int, answer: Answer, total_ms: float | None = None) -> None:
        """Enter one answer."""
        self.encode[round_, query] = answer.encode_ms
        self.request[round_, query] = answer.request_ms
        self.total[round_, query] = answer.encode_ms + answer.request_ms if total_ms is None else total_ms
        self.took[round_, query] = answer.took_ms

    @property
    def answered(self) -> int:
        """How many queries were answered."""
        import numpy as np

        return int(np.isfinite(self.total).sum())

    @property
    def per_s(self) -> float | None:
        """Answers a second of wall time."""
        return self.answered / self.seconds if self.seconds else None


def save(path: Path, samples: Mapping[str, Samples]) -> None:
    """Write the times of several systems to one ``.npz``; errors and wall time stay in the results."""
    blocks.write(path, {f"{name}/{part}": getattr(one, part) for name, one in samples.items() for part in PARTS})


def load(path: Path) -> dict[str, Samples]:
    """Read what :func:`save` wrote."""
    import numpy as np

    with np.load(path) as stored:
        names: Sequence[str] = list(dict.fromkeys(key.rpartition("/")[0] for key in stored.files))
        return {name: Samples(**{part: stored[f"{name}/{part}"] for part in PARTS}) for name in names}
