"""Two runs side by side: every figure that either has, and in what else they differ."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from opensearch_lsr.evaluation.measures import Values

Key = tuple[str, str, str]
ValuesBySystem = Mapping[tuple[str, str], Values]  # (collection, system) → query id → measure → value
_LATENCIES = ("p50", "p95", "p99")
_OF_RUNS: dict[str, tuple[str, ...]] = {  # empty: all there is
    "cluster": ("version", "nodes", "heap_bytes", "java", "settings"),
    "index_settings": (),
    "machine": ("cpu", "cores"),
    "versions": (),
    "fingerprints": (),
    "settings": ("seed", "drop_self", "latency"),
}
_OF_COLLECTIONS = ("fingerprint", "split", "documents", "queries", "judgments", "baseline", "in_domain")
_OF_TIMINGS = ("documents", "size", "merged", "segments", "rounds", "baseline")


class Row(NamedTuple):
    """A figure of both runs.

    Attributes:
        collection: with its size where it is a grown one; empty for slopes.
        system: its name.
        measure: as ir_measures names it, or what was measured, with its unit and setting.
        a: the first run's; None where it has none.
        b: the second run's.
        difference: b − a, where both are there.
        low: lower end of the difference's 95 % interval, where both runs have the measure of the same queries.
        high: its upper end.
        p: how likely such a difference is by chance, paired by query.
    """

    collection: str
    system: str
    measure: str
    a: float | None
    b: float | None
    difference: float | None
    low: float | None = None
    high: float | None = None
    p: float | None = None


def compare(
    a: Mapping[str, Any], b: Mapping[str, Any], values: tuple[ValuesBySystem, ValuesBySystem] = ({}, {}), seed: int = 1
) -> list[Row]:
    """Every figure of either run, in the order of the first: relevance, costs, latencies, their ratios, slopes.

    Args:
        a: the first run's results.
        b: the second's.
        values: of each query, theirs, as :func:`opensearch_lsr.evaluation.results.load_values` gives them.
        seed: of the draws behind intervals and p.
    """
    one, other = dict(_figures(a)), dict(_figures(b))
    rows = []
    for key in one | other:
        left, right = one.get(key), other.get(key)
        if left is None or right is None:
            rows.append(Row(*key, left, right, None))
        else:
            chance = _chance(_of(values[0], key), _of(values[1], key), seed)
            rows.append(Row(*key, left, right, right - left, *chance))
    return rows


def _of(values: ValuesBySystem, key: Key) -> dict[str, float]:
    """Query id → value of one measure; empty where it has no values by query."""
    collection, system, measure = key
    queries = values.get((collection, system), {})
    return {query: found[measure] for query, found in queries.items() if measure in found}


def _chance(
    a: Mapping[str, float], b: Mapping[str, float], seed: int
) -> tuple[float | None, float | None, float | None]:
    if not a or a.keys() != b.keys():
        return None, None, None
    from opensearch_lsr.evaluation import significance  # needs scipy, which the other figures do without

    found = significance.compare(b, a, seed)
    return found.low, found.high, found.p


def circumstances(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[str]:
    """What makes the runs' figures hard to compare: another cluster, machine, version, encoder or setting, other texts.

    Returns:
        A line for each, such as ``cluster version: 3.6.0 / 2.19.1``.
    """
    found: list[str] = []
    for part, names in _OF_RUNS.items():
        one, other = (run["run"].get(part) or {} for run in (a, b))
        found += _unlike(part, one, other, names or tuple(one | other))
    for one, other in _pairs(a["collections"], b["collections"], ("name",)):
        found += _unlike(one["name"], one, other, _OF_COLLECTIONS)
    for one, other in _pairs(a["latency"], b["latency"], ("collection", "mode", "clients", "rate", "track_total_hits")):
        found += _unlike(f"{one['collection']}, {_setting(one)}:", one, other, _OF_TIMINGS)
    return found


def _unlike(what: str, a: Mapping[str, Any], b: Mapping[str, Any], names: Iterable[str]) -> Iterator[str]:
    for name in names:
        one, other = a.get(name), b.get(name)
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            yield from _unlike(f"{what} {name}", one, other, tuple({**one, **other}))
        elif one != other:
            yield f"{what} {name}: {one} / {other}"


def _pairs(
    a: Iterable[Mapping[str, Any]], b: Iterable[Mapping[str, Any]], key: Sequence[str]
) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """Entries of either with the same key."""
    others = {tuple(entry.get(name) for name in key): entry for entry in b}
    for entry in a:
        if other := others.get(tuple(entry.get(name) for name in key)):
            yield entry, other


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
