"""Measured times → figures: percentiles, ratios to the baseline with intervals, histograms, slopes by size.

A query that failed took longer than any that was answered: percentiles count it above all of them, and one that falls
among failures is None, as is a mean over any. Left out instead, they would make a system look the faster the more it
fails.

Intervals are percentile bootstraps over queries, not over single times: the rounds of one query are alike. Each draw
takes the same queries of both systems, since a long query is slow for either. 2,000 draws, 95 %. Where fewer than five
queries lie above a percentile there is no interval: draws of those few tell nothing of the next query.
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
UPPER = 97.5  # percent, of a 95 % interval
LEAST_ABOVE = 5  # queries above a percentile that has an interval
KEEPS_UP = 0.95  # of an offered rate: below it queues grow, and latencies tell how long one measured
BINS = 40


def summary(
    samples: Mapping[str, Samples], baseline: str, seed: int, offered: float | None = None
) -> list[dict[str, Any]]:
    """The figures of each system.

    Args:
        samples: name → times.
        baseline: which system the ratios are to; without it, or for itself, they are None.
        seed: of the bootstrap.
        offered: queries a second that were sent, in an open loop.

    Returns:
        A dict a system: ``name``, ``queries`` (answered), ``errors``, ``error_reasons``, ``per_s``, ``encode_ms``,
        ``request_ms``, ``total_ms``, ``took_ms`` (each p50, p90, p95, p99 and mean), ``ratio`` (p50, p95, p99, mean of
        ``total``: value, low, high) and ``histogram`` of ``total`` over bins that all systems share. In an open loop
        also ``offered_per_s``, ``achieved_per_s`` and ``sustained``. None stands for what cannot be told: see above;
        and times and ratio where a rate was not sustained.
    """
    steady = {name: one for name, one in samples.items() if not offered or (one.per_s or 0.0) >= KEEPS_UP * offered}
    edges = _edges([one.total for one in steady.values()])
    found = []
    for name, one in samples.items():
        row: dict[str, Any] = {
            "name": name,
            "queries": one.answered,
            "errors": one.errors.total(),
            "error_reasons": dict(one.errors.most_common(3)),
            "per_s": one.per_s,
        }
        told = name in steady
        if offered:
            row |= {"offered_per_s": offered, "achieved_per_s": one.per_s, "sustained": told}
        against = steady.get(baseline) if name != baseline else None
        counts = np.histogram(one.total[np.isfinite(one.total)], edges)[0].tolist() if told and edges else None
        row |= {f"{part}_ms": percentiles(getattr(one, part)) if told else None for part in PARTS}
        row["ratio"] = ratios(one.total, against.total, seed) if told and against else None
        row["histogram"] = {"edges_ms": edges, "counts": counts} if counts else None
        found.append(row)
    return found


def percentiles(times: NDArray[np.float64]) -> dict[str, float | None] | None:
    """p50, p90, p95, p99 and mean, each None among failures; None where all failed."""
    if not np.isfinite(times).any():
        return None
    everything = np.arange(times.shape[1])[None]
    return {name: _told(_statistic(times, everything, name)[0]) for name in (*PERCENTILES, "mean")}


def ratios(
    times: NDArray[np.float64], baseline: NDArray[np.float64], seed: int
) -> dict[str, dict[str, float | None]] | None:
    """System ÷ baseline, each with its interval; None where either never answered.

    Args:
        times: [rounds, queries].
        baseline: [rounds, queries], the same queries.
        seed: of the draws.
    """
    if not (np.isfinite(times).any() and np.isfinite(baseline).any()):
        return None
    queries = times.shape[1]
    drawn: dict[str, list[NDArray[np.float64]]] = {name: [] for name in RATIOS}
    for chosen in _draws(queries, seed):
        for name in RATIOS:
            drawn[name].append(_statistic(times, chosen, name) / _statistic(baseline, chosen, name))
    found: dict[str, dict[str, float | None]] = {}
    everything = np.arange(queries)[None]
    for name in RATIOS:
        value = _told((_statistic(times, everything, name) / _statistic(baseline, everything, name))[0])
        known = value is not None and _enough(queries, name)
        low, high = _interval(np.concatenate(drawn[name])) if known else (None, None)
        found[name] = {"value": value, "low": low, "high": high}
    return found


def slopes(
    by_size: Mapping[str, Mapping[int, NDArray[np.float64]]], baseline: str, seed: int, statistic: str = "p50"
) -> dict[str, dict[str, float | None]]:
    """How latency grows: a least-squares line through (documents, latency) of each system.

    Args:
        by_size: name → documents → total times [rounds, queries], the same queries at every size and of every system.
        baseline: whose slope the others are compared with.
        seed: of the draws.
        statistic: which latency, ``p50``, ``p95``, ``p99`` or ``mean``.

    Returns:
        Name → ``ms_per_million`` documents with ``low`` and ``high``, and ``ratio_to_baseline`` with ``ratio_low`` and
        ``ratio_high``: draw by draw, as both slopes are of the same queries (None where the baseline's interval is not
        above zero). Systems with fewer than two sizes are left out.
    """
    found: dict[str, dict[str, float | None]] = {}
    drawn: dict[str, NDArray[np.float64]] = {}
    for name, times in by_size.items():
        if len(times) > 1:
            count = next(iter(times.values())).shape[1]
            steep = partial(_slope, times, statistic)
            drawn[name] = np.concatenate([steep(chosen) for chosen in _draws(count, seed)])
            low, high = _interval(drawn[name]) if _enough(count, statistic) else (None, None)
            found[name] = {"ms_per_million": _told(steep(np.arange(count)[None])[0]), "low": low, "high": high}
    against = found.get(baseline, {})
    other = against.get("ms_per_million") if (against.get("low") or 0.0) > 0 else None
    for name, values in found.items():
        slope, low, high = values["ms_per_million"], None, None
        if other and slope is not None:
            base = np.where(drawn[baseline] > 0, drawn[baseline], np.nan)
            low, high = _interval(drawn[name] / base)
        values |= {"ratio_to_baseline": slope / other if other and slope is not None else None}
        values |= {"ratio_low": low, "ratio_high": high}
    return found


def _slope(times: Mapping[int, NDArray[np.float64]], statistic: str, chosen: NDArray[np.int64]) -> NDArray[np.float64]:
    """Slopes in ms a million documents, one a draw of queries; NaN where a latency is not known."""
    latencies = np.stack([_statistic(one, chosen, statistic) for one in times.values()])
    millions = np.array(list(times)) / 1e6
    millions -= millions.mean()
    return np.asarray(millions @ latencies / (millions @ millions))


def _statistic(times: NDArray[np.float64], chosen: NDArray[np.int64], name: str) -> NDArray[np.float64]:
    """A statistic of the times of chosen queries: [rounds, queries], [draws, queries] → [draws]; NaN among failures."""
    drawn = times[:, chosen].transpose(1, 0, 2).reshape(len(chosen), -1)
    return np.asarray(drawn.mean(axis=1)) if name == "mean" else _percentile(drawn, PERCENTILES[name])


def _percentile(values: NDArray[np.float64], at: float) -> NDArray[np.float64]:
    """Along the last axis; what is not finite counts above all that is, and a percentile among that is NaN."""
    there = np.isfinite(values)
    if there.all():
        return np.asarray(np.percentile(values, at, axis=-1))
    stand_in = values[there].max() if there.any() else 0.0
    found = np.percentile(np.where(there, values, stand_in), at, axis=-1)
    needed = 1 + np.ceil((values.shape[-1] - 1) * at / 100 - 1e-9)  # values up to the one above the percentile
    return np.asarray(np.where(there.sum(axis=-1) >= needed, found, np.nan))


def _enough(queries: int, name: str) -> bool:
    """Whether so many lie above a percentile that draws of them tell anything; all count for a mean."""
    return queries * (100 - PERCENTILES.get(name, 0)) >= 100 * LEAST_ABOVE


def _interval(drawn: NDArray[np.float64]) -> tuple[float | None, float | None]:
    """Of draws; those that are NaN might lie anywhere, and count as the worst at either end."""
    return _told(-_percentile(-drawn, UPPER)), _told(_percentile(drawn, UPPER))


def _told(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None


def _draws(queries: int, seed: int) -> list[NDArray[np.int64]]:
    """Queries drawn with replacement, in chunks of [draws, queries]."""
    chance = np.random.default_rng(seed)
    return [chance.integers(queries, size=(CHUNK, queries)) for _ in range(DRAWS // CHUNK)]


def _edges(times: list[NDArray[np.float64]]) -> list[float]:
    """Logarithmic bins over the times of all systems, in ms."""
    there = np.concatenate([one[np.isfinite(one)] for one in times]) if times else np.zeros(0)
    if not there.size:
        return []
    low, high = float(there.min()), float(there.max())
    edges = np.geomspace(max(low, 1e-3), max(high, low * 1.01, 2e-3), BINS + 1)
    edges[0], edges[-1] = min(low, edges[0]), max(high, edges[-1])
    return [float(edge) for edge in edges]
