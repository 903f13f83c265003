"""Is a run good enough? What falls short of given limits, for continuous integration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_NDCG = "nDCG@10"


@dataclass(frozen=True)
class Limits:
    """What must hold; None asks for nothing.

    Attributes:
        min_ndcg: mean nDCG@10, at least.
        min_gain: mean nDCG@10 less the baseline's, at least.
        max_p50_ratio: latency by the baseline's, at most: closed loop, one client, every setting measured.
        max_p95_ratio: the same of p95.
        max_p99_ratio: the same of p99.
    """

    min_ndcg: float | None = None
    min_gain: float | None = None
    max_p50_ratio: float | None = None
    max_p95_ratio: float | None = None
    max_p99_ratio: float | None = None


def gate(
    results: Mapping[str, Any], limits: Limits, systems: Sequence[str] = (), collections: Sequence[str] = ()
) -> list[str]:
    """Hold a run against limits.

    What was asked for and is not there is a failure, too: a gate does not open because nothing was measured.

    Args:
        results: as :func:`opensearch_lsr.evaluation.results.load` gives them.
        limits: what must hold for each system in each collection.
        systems: their names; by default all that were measured, but for the baseline.
        collections: their names; by default all.

    Returns:
        A line for each failure; empty when all holds.
    """
    error = results["run"].get("error")
    found = [f"the run ended early: {error}"] if error else []
    held = [c for c in results["collections"] if not collections or c["name"] in collections]
    missing = [name for name in collections if name not in {c["name"] for c in held}]
    found += [f"{name}: no such collection in the results" for name in missing]
    checked = 0
    for collection in held:
        there = {system["name"]: system for system in collection.get("systems") or ()}
        for name in systems or [n for n, s in there.items() if not _left_out(s) and n != collection.get("baseline")]:
            checked += 1
            where = f"{collection['name']}, {name}"
            if reason := _left_out(there.get(name)):
                found.append(f"{where}: not measured ({reason})")
                continue
            found += _relevance(where, there[name], limits)
            found += _latency(where, results["latency"], collection["name"], name, limits)
    return found if checked or found else ["nothing to check: the results have no system but the baseline"]


def _left_out(system: Mapping[str, Any] | None) -> str | None:
    return "not in the results" if system is None else system.get("skipped")


def _relevance(where: str, system: Mapping[str, Any], limits: Limits) -> Iterator[str]:
    against = (system.get("against_baseline") or {}).get(_NDCG) or {}
    for what, value, least, more in (
        (_NDCG, (system.get("relevance") or {}).get(_NDCG), limits.min_ndcg, ""),
        (f"{_NDCG} gain", against.get("difference"), limits.min_gain, _interval(against, "+.4f")),
    ):
        if least is None:
            continue
        if value is None:
            yield f"{where}: {what} is not in the results"
        elif value < least:
            yield f"{where}: {what} {value:.4f}{more} is below {least:g}"


def _latency(
    where: str, timings: Sequence[Mapping[str, Any]], collection: str, name: str, limits: Limits
) -> Iterator[str]:
    measured = [
        (timing, system)
        for timing in timings
        if timing["collection"] == collection and timing["mode"] == "closed" and (timing.get("clients") or 1) == 1
        for system in timing.get("systems") or ()
        if system["name"] == name
    ]
    for key, most in (("p50", limits.max_p50_ratio), ("p95", limits.max_p95_ratio), ("p99", limits.max_p99_ratio)):
        if most is None:
            continue
        ratios = [(timing, ratio) for timing, system in measured if (ratio := _ratio(system, key))]
        if not ratios:
            yield f"{where}: {key} ratio (closed loop, one client) is not in the results"
        for timing, ratio in ratios:
            if ratio["value"] > most:
                hits = f"track_total_hits {timing.get('track_total_hits', 'default')}"
                yield f"{where}: {key} ratio {ratio['value']:.2f}{_interval(ratio, '.2f')} ({hits}) is above {most:g}"


def _ratio(system: Mapping[str, Any], key: str) -> Mapping[str, Any] | None:
    ratio: Mapping[str, Any] = (system.get("ratio") or {}).get(key) or {}
    return ratio if ratio.get("value") is not None else None


def _interval(part: Mapping[str, Any], form: str) -> str:
    low, high = part.get("low"), part.get("high")
    return "" if low is None or high is None else f" [{low:{form}}, {high:{form}}]"
