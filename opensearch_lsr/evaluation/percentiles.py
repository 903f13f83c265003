"""Measured times → figures: percentiles, ratios to the baseline with intervals, histograms, slopes by size.

Intervals are percentile bootstraps over queries, not over single times: the rounds of one query are alike. Each draw
takes the same queries of both systems, since a long query is slow for either. 2,000 draws, 95 %.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from opensearch_lsr.errors import needs_extra
from opensearch_lsr.evaluation.samples import PARTS, Samples

with needs_extra("eval", "measuring latency"):
    import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

PERCENTILES = {"p50": 50, "p90": 90, "p95": 95, "p99": 99}
RATIOS = ("p50", "p95", "p99", "mean")
DRAWS, CHUNK = 2000, 100
INTERVAL = (2.5, 97.5)  # percent
BINS = 40


def summary(samples: Mapping[str, Samples], baseline: str, seed: int) -> list[dict[str, Any]]:
    """The figures of each system.

    Args:
        samples: name → times.
        baseline: which system the ratios are to; without it, or for itself, they are None.
        seed: of the bootstrap.

    Returns:
        A dict a system: ``name``, ``queries`` (answered), ``errors``, ``error_reasons``, ``encode_ms``,
        ``request_ms``, ``total_ms``, ``took_ms`` (each p50, p90, p95, p99 and mean; None where nothing was answered),
        ``per_s``, ``ratio`` (p50, p95, p99, mean of ``total``: value, low, high) and ``histogram`` of ``total`` over
        bins that all systems share.
    """
    edges = _edges([one.total for one in samples.values()])
    against = samples.get(baseline)
    found = []
    for name, one in samples.items():
        times = one.total[np.isfinite(one.total)]
        found.append(
            {
                "name": name,
                "queries": one.answered,
                "errors": one.errors.total(),
                "error_reasons": dict(one.errors.most_common(3)),
                **{f"{part}_ms": percentiles(getattr(one, part)) for part in PARTS},
                "per_s": _per_second(one),
                "ratio": ratios(one.total, against.total, seed) if against and name != baseline else None,
                "histogram": {"edges_ms": edges, "counts": np.histogram(times, edges)[0].tolist()} if edges else None,
            }
        )
    return found


def percentiles(times: NDArray[np.float64]) -> dict[str, float] | None:
    """p50, p90, p95, p99 and mean of what is not NaN."""
    there = times[np.isfinite(times)]
    if not there.size:
        return None
    return {name: float(np.percentile(there, at)) for name, at in PERCENTILES.items()} | {"mean": float(there.mean())}


def ratios(times: NDArray[np.float64], baseline: NDArray[np.float64], seed: int) -> dict[str, dict[str, float]] | None:
    """System ÷ baseline, each with its interval; over the queries that both answered at least once.

    Args:
        times: [rounds, queries].
        baseline: [rounds, queries], the same queries.
        seed: of the draws.
    """
    both = np.isfinite(times).any(axis=0) & np.isfinite(baseline).any(axis=0)
    if not both.any():
        return None
    left, right = times[:, both], baseline[:, both]
    drawn: dict[str, list[NDArray[np.float64]]] = {name: [] for name in RATIOS}
    for chosen in _draws(left.shape[1], seed):
        for name in RATIOS:
            drawn[name].append(_statistic(left, chosen, name) / _statistic(right, chosen, name))
    everything = np.arange(left.shape[1])[None]
    values = {name: _statistic(left, everything, name) / _statistic(right, everything, name) for name in RATIOS}
    return {name: {"value": float(values[name][0]), **_interval(np.concatenate(drawn[name]))} for name in RATIOS}


def slopes(
    by_size: Mapping[str, Mapping[int, NDArray[np.float64]]], baseline: str, seed: int, statistic: str = "p50"
) -> dict[str, dict[str, float | None]]:
    """How latency grows: a least-squares line through (documents, latency) of each system.

    Args:
        by_size: name → documents → total times [rounds, queries], the same queries at every size.
        baseline: whose slope the others are compared with.
        seed: of the draws.
        statistic: which latency, ``p50``, ``p95``, ``p99`` or ``mean``.

    Returns:
        Name → ``ms_per_million`` documents with ``low`` and ``high``, and ``ratio_to_baseline`` (None where
        the baseline's interval is not above zero). Systems with fewer than two sizes are left out.
    """
    found: dict[str, dict[str, float | None]] = {}
    for name, times in by_size.items():
        sizes = sorted(size for size, one in times.items() if np.isfinite(one).any())
        if len(sizes) > 1:
            count = times[sizes[0]].shape[1]
            steep = partial(_slope, {size: times[size] for size in sizes}, statistic)
            drawn = np.concatenate([steep(chosen) for chosen in _draws(count, seed)])
            found[name] = {"ms_per_million": float(steep(np.arange(count)[None])[0]), **_interval(drawn)}
    against = found.get(baseline, {})
    rises = (against.get("low") or 0.0) > 0
    for values in found.values():
        slope, other = values["ms_per_million"], against.get("ms_per_million")
        values["ratio_to_baseline"] = slope / other if rises and slope is not None and other else None
    return found


def _slope(times: Mapping[int, NDArray[np.float64]], statistic: str, chosen: NDArray[np.int64]) -> NDArray[np.float64]:
    """Slopes in ms a million documents, one a draw of queries."""
    latencies = np.stack([_statistic(one, chosen, statistic) for one in times.values()])
    return np.asarray(np.polyfit(np.array(list(times)) / 1e6, latencies, 1)[0])


def _statistic(times: NDArray[np.float64], chosen: NDArray[np.int64], name: str) -> NDArray[np.float64]:
    """A statistic of the times of chosen queries: [rounds, queries], [draws, queries] → [draws]."""
    drawn = times[:, chosen].transpose(1, 0, 2).reshape(len(chosen), -1)
    whole = bool(np.isfinite(times).all())  # the NaN-aware functions are slow
    if name == "mean":
        return np.asarray(drawn.mean(axis=1) if whole else np.nanmean(drawn, axis=1))
    percentile = np.percentile if whole else np.nanpercentile
    return np.asarray(percentile(drawn, PERCENTILES[name], axis=1))


def _draws(queries: int, seed: int) -> list[NDArray[np.int64]]:
    """Queries drawn with replacement, in chunks of [draws, queries]."""
    chance = np.random.default_rng(seed)
    return [chance.integers(queries, size=(CHUNK, queries)) for _ in range(DRAWS // CHUNK)]


def _interval(drawn: NDArray[np.float64]) -> dict[str, float]:
    low, high = np.nanpercentile(drawn, INTERVAL)
    return {"low": float(low), "high": float(high)}


def _per_second(samples: Samples) -> float | None:
    """Answers per second of wall time, or of the time spent asking where systems were interleaved."""
    seconds = samples.seconds if samples.seconds is not None else float(np.nansum(samples.total)) / 1e3
    return samples.answered / seconds if seconds else None


def _edges(times: list[NDArray[np.float64]]) -> list[float]:
    """Logarithmic bins over the times of all systems, in ms."""
    there = np.concatenate([one[np.isfinite(one)] for one in times]) if times else np.zeros(0)
    if not there.size:
        return []
    low, high = float(there.min()), float(there.max())
    edges = np.geomspace(max(low, 1e-3), max(high, low * 1.01, 2e-3), BINS + 1)
    edges[0], edges[-1] = min(low, edges[0]), max(high, edges[-1])
    return [float(edge) for edge in edges]
