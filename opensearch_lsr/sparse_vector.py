"""Sparse vectors as token → weight mappings: dot product, pruning, JSONL.

Pruning follows the ``sparse_encoding`` processor of neural-search (its ``prune_type`` and ``prune_ratio``), so that
what a client prunes equals what the cluster would have pruned.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TextIO

from opensearch_lsr import strict_json
from opensearch_lsr.errors import InputError

SparseVector = dict[str, float]


def dot(query: Mapping[str, float], document: Mapping[str, float]) -> float:
    """Σ_j q_j · d_j over the shared tokens: the score of a ``neural_sparse`` query (before rank_features' rounding)."""
    if len(document) < len(query):
        query, document = document, query
    return sum(weight * document[token] for token, weight in query.items() if token in document)


def strongest(vector: Mapping[str, float]) -> list[tuple[str, float]]:
    """The entries by falling weight; equal weights in token order, so that the result is stable."""
    return sorted(vector.items(), key=lambda entry: (-entry[1], entry[0]))


def by_contribution(vector: Mapping[str, float], weights: Mapping[str, float]) -> list[tuple[str, float]]:
    """A document's tokens with what each can add to a score, ``w_d(t) · w_q(t)``, the most first.

    Args:
        vector: the document's.
        weights: the query side's table; a token that it lacks adds nothing.
    """
    return strongest({token: weight * weights.get(token, 0.0) for token, weight in vector.items()})


@dataclass(frozen=True)
class Prune:
    """One pruning rule, by the processor's own names.

    ``max_ratio`` keeps weights of at least ratio · max, ``abs_value`` weights of at least the ratio itself,
    ``alpha_mass`` the strongest weights as long as their sum is at most ratio · total, ``top_k`` the k strongest.
    """

    prune_type: str
    prune_ratio: float

    @classmethod
    def parse(cls, text: str) -> Prune:
        """Read ``TYPE=RATIO``, as in ``max_ratio=0.1`` or ``top_k=100``.

        Raises:
            InputError: for an unknown type or a ratio outside the processor's range.
        """
        prune_type, _, ratio = text.partition("=")
        inside = {
            "max_ratio": lambda r: 0 <= r < 1,
            "abs_value": lambda r: 0 < r < float("inf"),
            "alpha_mass": lambda r: 0 <= r < 1,
            "top_k": lambda r: r >= 1 and r == int(r),
        }.get(prune_type)
        try:
            valid = inside is not None and inside(float(ratio))
        except (ValueError, OverflowError):
            valid = False
        if not valid:
            raise InputError(
                f"prune rule {text!r}: use max_ratio=R (0 ≤ R < 1), abs_value=W (> 0), alpha_mass=R (0 ≤ R < 1) "
                "or top_k=K (a whole number ≥ 1)"
            )
        return cls(prune_type, float(ratio))

    def processor(self) -> dict[str, object]:
        """The rule as ``sparse_encoding`` and two-phase processors take it."""
        ratio = int(self.prune_ratio) if self.prune_type == "top_k" else self.prune_ratio
        return {"prune_type": self.prune_type, "prune_ratio": ratio}

    def __call__(self, vector: Mapping[str, float]) -> SparseVector:
        """Return the entries that the rule keeps."""
        if not vector:
            return {}
        if self.prune_type == "max_ratio":
            top = max(vector.values())
            return {token: weight for token, weight in vector.items() if weight / top >= self.prune_ratio}
        if self.prune_type == "abs_value":
            return {token: weight for token, weight in vector.items() if weight >= self.prune_ratio}
        ranked = strongest(vector)
        if self.prune_type == "top_k":
            return dict(ranked[: int(self.prune_ratio)])
        budget = self.prune_ratio * sum(vector.values())
        kept, mass = {}, 0.0
        for token, weight in ranked:
            mass += weight
            if mass > budget:
                break
            kept[token] = weight
        return kept


def write_jsonl(lines: TextIO, vectors: Iterable[tuple[str, Mapping[str, float]]]) -> int:
    """Write one ``{"id", "vector"}`` object a line, the form Anserini and SEISMIC read; return how many."""
    count = 0
    for identifier, vector in vectors:
        count += 1
        lines.write(json.dumps({"id": identifier, "vector": vector}, ensure_ascii=False) + "\n")
    return count


def read_jsonl(lines: TextIO) -> Iterator[tuple[str, SparseVector]]:
    """Read what :func:`write_jsonl` wrote.

    Raises:
        InputError: naming the file and line that is not such an object, or not in UTF-8.
    """
    read = 0
    try:
        for line in lines:
            read += 1
            record = strict_json.loads(line)
            yield str(record["id"]), {str(token): float(weight) for token, weight in record["vector"].items()}
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        name = getattr(lines, "name", "vectors")
        raise InputError(f'{name}:{read}: not a {{"id", "vector": {{token: weight}}}} object in UTF-8') from error
