"""Two runs side by side: every figure that either has, and in what else they differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

Key = tuple[str, str, str]
_LATENCIES = ("p50", "p95", "p99")
_CIRCUMSTANCES = (
    ("cluster", "version"),
    ("cluster", "nodes"),
    ("cluster", "heap_bytes"),
    ("machine", "cpu"),
    ("machine", "cores"),
    ("fingerprints", "document"),
    ("fingerprints", "query"),
)


class Row(NamedTuple):
    """A figure of both runs.

    Attributes:
        collection: with its size where it is a grown one; empty for slopes.
        system: its name.
        measure: as ir_measures names it, or what was measured, with its unit and setting.
        a: the first run's; None where it has none.
        b: the second run's.
        difference: b − a, where both are there.
    """

    collection: str
    system: str
    measure: str
    a: float | None
    b: float | None
    difference: float | None


def compare(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[Row]:
    """Every figure of either run, in the order of the first: relevance, costs, latencies, their ratios, slopes."""
    one, other = dict(_figures(a)), dict(_figures(b))
    rows = []
    for key in one | other:
        left, right = one.get(key), other.get(key)
        rows.append(Row(*key, left, right, None if left is None or right is None else right - left))
    return rows


def circumstances(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[str]:
    """What makes the runs' figures hard to compare: another cluster, machine or encoder, other collections.

    Returns:
        A line for each, such as ``cluster version: 3.6.0 / 2.19.1``.
    """
    found = []
    for part, name in _CIRCUMSTANCES:
        found.append((f"{part} {name}", *((run["run"].get(part) or {}).get(name) for run in (a, b))))
    others = {collection["name"]: collection for collection in b["collections"]}
    for collection in a["collections"]:
        other = others.get(collection["name"], collection)
        for name in ("split", "documents", "queries", "judgments", "baseline"):
            found.append((f"{collection['name']} {name}", collection.get(name), other.get(name)))
    return [f"{what}: {one} / {other}" for what, one, other in found if one != other]


def _figures(results: Mapping[str, Any]) -> Iterator[tuple[Key, float]]:
    """Every figure by its key, those that are null left out."""
    for source in (_relevance_and_costs, _latencies, _sizes, _slopes):
        yield from ((key, value) for key, value in source(results) if value is not None)


def _relevance_and_costs(results: Mapping[str, Any]) -> Iterator[tuple[Key, float | None]]:
    for collection in results["collections"]:
        name, documents = collection["name"], collection.get("documents")
        for system in collection.get("systems") or ():
            for measure, value in (system.get("relevance") or {}).items():
                yield (name, system["name"], measure), value
            size = system.get("index_bytes")
            yield (name, system["name"], "bytes/document"), size / documents if size and documents else None
            yield (name, system["name"], "documents/s"), system.get("ingest_documents_per_s")


def _latencies(results: Mapping[str, Any]) -> Iterator[tuple[Key, float | None]]:
    for timing in results["latency"]:
        for system in timing.get("systems") or ():
            for measure, value in _timed(system):
                yield (timing["collection"], system["name"], f"{measure}, {_setting(timing)}"), value


def _sizes(results: Mapping[str, Any]) -> Iterator[tuple[Key, float | None]]:
    for grown in results["scale"]:
        name = f"{grown['collection']} at {grown['size']:,}"
        for system in grown.get("systems") or ():
            for measure in ("nDCG@10", "overlap@10"):
                yield (name, system["name"], measure), system.get(measure)
            for measure, value in _timed(system):
                yield (name, system["name"], measure), value


def _slopes(results: Mapping[str, Any]) -> Iterator[tuple[Key, float | None]]:
    for system, slope in results["slopes"].items():
        yield ("", system, "ms/million documents"), slope.get("ms_per_million")
        yield ("", system, "slope ratio"), slope.get("ratio_to_baseline")


def _timed(system: Mapping[str, Any]) -> Iterator[tuple[str, float | None]]:
    for name in _LATENCIES:
        yield f"{name} ms", (system.get("total_ms") or {}).get(name)
        yield f"{name} ratio", ((system.get("ratio") or {}).get(name) or {}).get("value")


def _setting(timing: Mapping[str, Any]) -> str:
    """``1 client``, ``50/s``, and whether hits were left uncounted."""
    clients = timing.get("clients") or 1
    load = f"{timing['rate']:g}/s" if timing["mode"] == "open" else f"{clients} client{'s' * (clients != 1)}"
    return load if timing.get("track_total_hits") not in (False, "false") else f"{load}, hits not counted"
