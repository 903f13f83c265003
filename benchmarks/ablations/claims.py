"""Whether a claim is seen: differences over the same queries, paired tests, corrected for their number."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from plan import Claim, Plan
from scipy.stats import ttest_rel

Array = NDArray[np.float64]
Results = Mapping[str, Mapping[int, Mapping[str, Any]]]  # variant → seed → what run.py wrote
POSITIONS = 9  # where two curves are compared, evenly spaced in log FLOPS
ALPHA = 0.05
SAME_LENGTH = 1.02  # documents count as equally long up to this ratio: one encoder may give fewer than is pruned to


@dataclass(frozen=True)
class Side:
    """One side of a claim on one test set.

    Attributes:
        values: float64 [seeds, units]: nDCG@10 of each query, or one number a seed.
        active_dims: mean tokens a document.
    """

    values: Array
    active_dims: float

    @property
    def mean(self) -> float:
        return float(self.values.mean())

    @property
    def deviation(self) -> float:
        """Over seeds; NaN for one."""
        each = self.values.mean(axis=1)
        return float(each.std(ddof=1)) if len(each) > 1 else math.nan


@dataclass(frozen=True)
class Verdict:
    """A claim on a test set.

    Attributes:
        claim: which.
        better: its first side.
        than: its second.
        seeds: that both sides have.
        p: two-sided, of the paired t-test, as it is.
        corrected: by Holm, over all claims of the test set.
    """

    claim: Claim
    better: Side
    than: Side
    seeds: int
    p: float
    corrected: float = math.nan

    @property
    def difference(self) -> float:
        """Positive where the claim is seen."""
        sign = 1 if self.claim.measure == "nDCG@10" else -1
        return sign * (self.better.mean - self.than.mean)

    @property
    def equal_length(self) -> bool:
        pair = sorted((self.better.active_dims, self.than.active_dims))
        return pair[1] <= SAME_LENGTH * pair[0]

    @property
    def word(self) -> str:
        """``seen``, ``the opposite``, or ``not shown`` where the difference may be chance, or ``lengths differ``."""
        if self.claim.at == "length" and not self.equal_length:
            return "lengths differ"
        if not self.corrected < ALPHA:  # NaN, too
            return "not shown"
        return "seen" if self.difference > 0 else "the opposite"


def judge(plan: Plan, results: Results, test: str) -> list[Verdict]:
    """All claims whose runs are there, Holm-corrected together."""
    found = [verdict for claim in plan.claims if (verdict := _verdict(claim, plan, results, test))]
    corrected = holm([verdict.p for verdict in found])
    return [replace(verdict, corrected=p) for verdict, p in zip(found, corrected, strict=True)]


def holm(p: Sequence[float]) -> list[float]:
    """Holm's step-down correction; NaN stays NaN and counts for nothing.

    Example:
        >>> holm([0.01, 0.04, 0.03])
        [0.03, 0.06, 0.06]
    """
    order = sorted((value, index) for index, value in enumerate(p) if not math.isnan(value))
    corrected = [math.nan] * len(p)
    highest = 0.0
    for rank, (value, index) in enumerate(order):
        highest = max(highest, min(1.0, (len(order) - rank) * value))
        corrected[index] = highest
    return corrected


def _verdict(claim: Claim, plan: Plan, results: Results, test: str) -> Verdict | None:
    if claim.at == "flops":
        sides = curves(claim, plan, results, test)
    else:
        seeds = sorted(results.get(claim.better, {}).keys() & results.get(claim.than, {}).keys())
        sides = (
            (side(results[claim.better], seeds, test, claim), side(results[claim.than], seeds, test, claim))
            if seeds
            else None
        )
    if sides is None:
        return None
    better, than = sides
    # The seeds of a query are no independent draws, so they are averaged first: a query is the unit.
    per_query = claim.measure == "nDCG@10"
    one, other = (found.values.mean(axis=0) if per_query else found.values[:, 0] for found in sides)
    differs = len(one) > 1 and bool(np.ptp(one - other) > 0)
    p = float(ttest_rel(one, other).pvalue) if differs else math.nan
    return Verdict(claim, better, than, len(better.values), p)


def side(runs: Mapping[int, Mapping[str, Any]], seeds: Sequence[int], test: str, claim: Claim) -> Side:
    """Of one variant."""
    tests = [runs[seed]["tests"][test] for seed in seeds]
    if claim.at == "length":
        tests = [found["at_length"] for found in tests]
    if claim.measure == "nDCG@10":
        queries = sorted(tests[0]["ndcg"])
        values = np.array([[found["ndcg"][query] for query in queries] for found in tests])
    else:
        values = np.array([[found[claim.measure]] for found in tests], dtype=np.float64)
    return Side(values, float(np.mean([found["active_dims"] for found in tests])))


def curves(claim: Claim, plan: Plan, results: Results, test: str) -> tuple[Side, Side] | None:
    """Both sides of a claim about sweeps, read off their curves at the same FLOPS; None where they do not overlap.

    A query's nDCG@10 is interpolated between the points of a curve, linearly in log FLOPS, at nine positions over the
    range that all curves of all seeds cover, and averaged.
    """
    points: dict[str, list[tuple[Array, Array, Array]]] = {}
    names = {
        end: [name for name, one in plan.variants.items() if one.sweep == end] for end in (claim.better, claim.than)
    }
    every = [set(results.get(name, {})) for found in names.values() for name in found]
    seeds = sorted(set.intersection(*every)) if every else []
    if not seeds:
        return None
    for end, found in names.items():
        points[end] = [_points([results[name][seed]["tests"][test] for name in found]) for seed in seeds]
    low = max(flops[0] for curve in points.values() for flops, _, _ in curve)
    high = min(flops[-1] for curve in points.values() for flops, _, _ in curve)
    if low >= high:
        return None
    positions = np.linspace(low, high, POSITIONS)
    sides = []
    for end in (claim.better, claim.than):
        rows, lengths = [], []
        for flops, ndcg, dims in points[end]:
            rows.append(np.mean([_at(position, flops, ndcg) for position in positions], axis=0))
            lengths.append(np.interp(positions, flops, dims).mean())
        sides.append(Side(np.array(rows), float(np.mean(lengths))))
    return sides[0], sides[1]


def _points(tests: Sequence[Mapping[str, Any]]) -> tuple[Array, Array, Array]:
    """A curve by rising FLOPS: log FLOPS [points], nDCG@10 [points, queries], active dims [points]."""
    tests = sorted(tests, key=lambda found: float(found["flops"]))
    queries = sorted(tests[0]["ndcg"])
    return (
        np.log([max(found["flops"], 1e-9) for found in tests]),
        np.array([[found["ndcg"][query] for query in queries] for found in tests]),
        np.array([found["active_dims"] for found in tests]),
    )


def _at(position: float, flops: Array, ndcg: Array) -> Array:
    place = int(np.clip(np.searchsorted(flops, position), 1, len(flops) - 1))
    share = (position - flops[place - 1]) / (flops[place] - flops[place - 1])
    between: Array = (1 - share) * ndcg[place - 1] + share * ndcg[place]
    return between
