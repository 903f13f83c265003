"""Is a run good enough? What falls short of given limits, for continuous integration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_NDCG = "nDCG@10"
Timed = tuple[Mapping[str, Any], Mapping[str, Any]]  # a latency measurement, and one system's part of it


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

    What was asked for and is not there is a failure, too, and so are a run that did not come to its end and queries
    that failed, those of the baseline included: a gate does not open because little was measured, nor because what
    others are compared with broke down.

    Args:
        results: as :func:`opensearch_lsr.evaluation.results.load` gives them.
        limits: what must hold for each system in each collection.
        systems: their names; by default all that were measured, but for the baseline.
        collections: their names; by default all.

    Returns:
        A line for each failure; empty when all holds.
    """
    found = list(_ended(results["run"]))
    held = [c for c in results["collections"] if not collections or c["name"] in collections]
    missing = [name for name in collections if name not in {c["name"] for c in held}]
    found += [f"{name}: no such collection in the results" for name in missing]
    found += [f"{c['name']}: was not measured to its end" for c in held if not c.get("complete")]
    checked = 0
    for collection in held:
        there = {system["name"]: system for system in collection.get("systems") or ()}
        baseline = collection.get("baseline")
        wanted = systems or [name for name, system in there.items() if not _left_out(system) and name != baseline]
        for name in dict.fromkeys([baseline, *wanted] if baseline in there else wanted):
            where = f"{collection['name']}, {name}"
            if reason := _left_out(there.get(name)):
                found.append(f"{where}: not measured ({reason})")
                continue
            timed = list(_timed(results["latency"], collection["name"], name))
            found += _errors(where, there[name], timed)
            if name in wanted:
                found += _relevance(where, there[name], limits)
                found += _latency(where, timed, limits)
        checked += len(wanted)
    return found if checked or found else ["nothing to check: the results have no system but the baseline"]


def _ended(run: Mapping[str, Any]) -> Iterator[str]:
    if run.get("error"):
        yield f"the run ended early: {run['error']}"
    elif not run.get("finished"):
        yield "the run has not finished"


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


def _timed(timings: Sequence[Mapping[str, Any]], collection: str, name: str) -> Iterator[Timed]:
    for timing in timings:
        if timing["collection"] == collection:
            yield from ((timing, system) for system in timing.get("systems") or () if system["name"] == name)


def _errors(where: str, system: Mapping[str, Any], timed: Sequence[Timed]) -> Iterator[str]:
    if unanswered := system.get("errors"):
        yield f"{where}: judged queries that failed: {len(unanswered):,}, the first: {next(iter(unanswered.values()))}"
    failed = sum(one.get("errors") or 0 for _, one in timed)
    if failed:
        why = next((reason for _, one in timed for reason in one.get("error_reasons") or ()), "no reason is kept")
        yield f"{where}: timed queries that failed: {failed:,}, most often: {why}"


def _latency(where: str, timed: Sequence[Timed], limits: Limits) -> Iterator[str]:
    alone = [(t, system) for t, system in timed if t["mode"] == "closed" and (t.get("clients") or 1) == 1]
    for key, most in (("p50", limits.max_p50_ratio), ("p95", limits.max_p95_ratio), ("p99", limits.max_p99_ratio)):
        if most is None:
            continue
        if not alone:
            yield f"{where}: {key} ratio (closed loop, one client) is not in the results"
        for timing, system in alone:
            ratio: Mapping[str, Any] = (system.get("ratio") or {}).get(key) or {}
            hits = f"track_total_hits {timing.get('track_total_hits', 'default')}"
            if ratio.get("value") is None:
                yield f"{where}: {key} ratio ({hits}) is not in the results"
            elif ratio["value"] > most:
                yield f"{where}: {key} ratio {ratio['value']:.2f}{_interval(ratio, '.2f')} ({hits}) is above {most:g}"


def _interval(part: Mapping[str, Any], form: str) -> str:
    low, high = part.get("low"), part.get("high")
    return "" if low is None or high is None else f" [{low:{form}}, {high:{form}}]"
