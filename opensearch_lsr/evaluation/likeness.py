"""What the maximum of parts' vectors has too much of, measured on documents that are encoded whole.

A transformer spends fewer entries and less weight on a text than on its parts alone. Both are measured as two factors
on a sample of grown documents::

    share = Σ entries of encoded / Σ entries of maxima        scale = Σ weights of encoded / Σ weights that are kept

and a grown document's vector is its maximum's strongest entries, that share of them, times the scale.

Example: a maximum {a: 4, b: 2} whose text is encoded as {a: 3} gives share 1/2 and scale 3/4; the maximum {a: 2, c: 1}
then becomes {a: 1.5}.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from opensearch_lsr.sparse_vector import SparseVector, strongest

SAMPLE = 400  # grown documents that are encoded whole: ten of each length and way of cutting


@dataclass(frozen=True)
class Likeness:
    """The two factors.

    Attributes:
        share: of a maximum's entries, those that are kept.
        scale: of the kept weights.
        documents: how many it was measured on.
    """

    share: float
    scale: float
    documents: int

    def __call__(self, maximum: Mapping[str, float]) -> SparseVector:
        """The vector of a grown document."""
        return {token: weight * self.scale for token, weight in _kept(maximum, self.share)}


def measure(maxima: Iterable[Mapping[str, float]], encoded: Iterable[Mapping[str, float]]) -> Likeness:
    """Compare grown documents' maxima with their encoded texts, in the same order; without any, nothing is changed."""
    pairs = list(zip(maxima, encoded, strict=True))
    entries = sum(len(maximum) for maximum, _ in pairs)
    share = sum(len(vector) for _, vector in pairs) / entries if entries else 1.0
    kept = sum(weight for maximum, _ in pairs for _, weight in _kept(maximum, share))
    scale = sum(weight for _, vector in pairs for weight in vector.values()) / kept if kept else 1.0
    return Likeness(share, scale, len(pairs))


def _kept(maximum: Mapping[str, float], share: float) -> list[tuple[str, float]]:
    return strongest(maximum)[: round(share * len(maximum))]
