"""Is one system better than another? Paired, query by query."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from opensearch_lsr.errors import needs_extra

with needs_extra("eval", "comparing systems"):
    import numpy as np
    from scipy import stats

DRAWS = 10_000
CONFIDENCE = 0.95
_EQUAL = 1e-9  # differences below are rounding


@dataclass(frozen=True)
class Comparison:
    """A system against another, by one measure over the same queries.

    Attributes:
        difference: of the means, system − other.
        low: lower end of the 95 % bootstrap interval of the difference; None with fewer than two queries.
        high: its upper end.
        p: how likely a difference at least this large in size is when the two systems are exchangeable, query by
            query.
        wins: queries on which the system is better.
        ties: queries on which they are equal.
        losses: queries on which the system is worse.
    """

    difference: float
    low: float | None
    high: float | None
    p: float | None
    wins: int
    ties: int
    losses: int


def compare(system: Mapping[str, float], other: Mapping[str, float], seed: int) -> Comparison:
    """Compare two systems' values of one measure.

    The interval is the percentile bootstrap over queries, p that of the paired randomisation test with random signs,
    two-sided (Smucker, Allan and Carterette, CIKM 2007, who find it, bootstrap and t-test to agree, and the sign and
    Wilcoxon tests not). 10,000 draws each: p is at least 0.0002.

    Args:
        system: query id → value.
        other: the same queries' values by the other system.
        seed: of the draws; equal arguments give equal results.

    Raises:
        ValueError: when the queries are not the same, or there are none.
    """
    if system.keys() != other.keys() or not system:
        raise ValueError(f"{len(system)} and {len(other)} queries; a paired comparison needs the same, one at least")
    differences = np.array([system[query] - other[query] for query in sorted(system)])
    differences[np.abs(differences) < _EQUAL] = 0.0
    low, high, p = _interval_and_p(differences, seed) if len(differences) > 1 else (None, None, None)
    return Comparison(
        difference=float(differences.mean()),
        low=low,
        high=high,
        p=p,
        wins=int((differences > 0).sum()),
        ties=int((differences == 0).sum()),
        losses=int((differences < 0).sum()),
    )


def holm(p: Mapping[str, float]) -> dict[str, float]:
    """p values of several comparisons, corrected so that one false find among them all stays as rare as p says.

    Holm (1979), step down: the smallest of m is multiplied by m, the next by m − 1, and none comes out below one that
    was smaller.

    Example: .01, .04 and .03 become .03, .06 and .06.
    """
    corrected: dict[str, float] = {}
    least = 0.0
    for done, name in enumerate(sorted(p, key=p.__getitem__)):
        least = max(least, min(1.0, (len(p) - done) * p[name]))
        corrected[name] = least
    return corrected


def _interval_and_p(differences: np.ndarray, seed: int) -> tuple[float, float, float]:
    draws = {"n_resamples": DRAWS, "batch": 1000, "vectorized": True}  # a batch: 8 kB a query
    interval = stats.bootstrap(
        (differences,),
        np.mean,
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng(seed),
        **draws,
    ).confidence_interval
    test = stats.permutation_test(
        (differences,), np.mean, permutation_type="samples", rng=np.random.default_rng(seed), **draws
    )
    return float(interval.low), float(interval.high), float(test.pvalue)
