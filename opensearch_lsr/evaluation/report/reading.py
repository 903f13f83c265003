"""What a results.json holds, asked so that a run which stopped halfway can be reported, too."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

Part = Mapping[str, Any]
Tone = Literal["better", "worse", "even", "none"]
"""Whether a difference is clear, and which way; none: no interval was taken."""
MEASURE = "nDCG@10"
BASELINE = "bm25"
NOT_PROVEN, IN_DOMAIN = " (not proven)", " †"
SAID_IN_DOMAIN = "†: in-domain, the encoder was trained on that collection’s train split."
EXAMPLES = "examples"
"""Key of a collection’s queries that gained and lost most."""
CLEAR = 0.05
"""Below this p, corrected for the systems compared, a difference is clear."""
_NOT_XML = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def number(part: Any, *path: str) -> float | None:
    """The finite number at a path of keys, or None."""
    for key in path:
        part = part.get(key) if isinstance(part, Mapping) else None
    if isinstance(part, bool) or not isinstance(part, int | float) or not math.isfinite(part):
        return None
    return float(part)


def parts(part: Part, *path: str) -> list[Part]:
    """The list of objects at a path of keys; empty when it is not there."""
    found: Any = part
    for key in path:
        found = found.get(key) if isinstance(found, Mapping) else None
    return [item for item in found if isinstance(item, Mapping)] if isinstance(found, Sequence) else []


def mapping(part: Part, *path: str) -> Part:
    """The object at a path of keys; empty when it is not there."""
    found: Any = part
    for key in path:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def text(part: Part, key: str, instead: str = "") -> str:
    """The value as text, cleaned."""
    value = part.get(key)
    return clean(str(value)) if value is not None else instead


def clean(value: str) -> str:
    """Text without the characters that XML has no place for."""
    return _NOT_XML.sub(" ", value)


def tone(against: Part) -> Tone:
    """Whether a difference to the baseline is clear, and which way.

    By p after Holm's correction for the systems compared; where there is none, by whether the interval leaves out zero.
    """
    p, difference = number(against, "p_holm"), number(against, "difference")
    if p is not None and difference is not None:
        return "even" if p >= CLEAR else "better" if difference > 0 else "worse"
    low, high = number(against, "low"), number(against, "high")
    if low is None or high is None:
        return "none"
    return "better" if low > 0 else "worse" if high < 0 else "even"


def corrected(results: Part) -> bool:
    """Whether the p of differences are corrected for the systems compared."""
    against = (
        mapping(s, "against_baseline", MEASURE) for c in parts(results, "collections") for s in parts(c, "systems")
    )
    return any(number(one, "p_holm") is not None for one in against)


def titles(results: Part, where: str | None = None) -> dict[str, str]:
    """System name → title, the baseline first, then in the order of the run.

    Behind the title of a system whose approximate search was not proven to run stands so.

    Args:
        results: of a run.
        where: the collection, or size of it, that the titles are for; by default a proof missing anywhere counts.
    """
    found: dict[str, str] = {}
    for part in (*parts(results, "collections"), *parts(results, "scale"), *parts(results, "latency")):
        for system in parts(part, "systems"):
            found.setdefault(text(system, "name"), text(system, "title") or text(system, "name"))
    for name, place, _ in unproven(results):
        if where in (None, place) and not found[name].endswith(NOT_PROVEN):
            found[name] += NOT_PROVEN
    first = baseline(results)
    return {name: found[name] for name in sorted(found, key=lambda name: name != first)}


def unproven(results: Part) -> list[tuple[str, str, str]]:
    """``(system, collection or size of it, how that was found)`` where approximate search was not proven to run."""
    rows = [(text(c, "name"), system) for c in parts(results, "collections") for system in parts(c, "systems")]
    rows += [(grown_name(part), system) for part in parts(results, "scale") for system in parts(part, "systems")]
    return [
        (text(system, "name"), where, text(mapping(system, "ann"), "how"))
        for where, system in rows
        if mapping(system, "ann").get("proven") is False
    ]


def grown_name(part: Part) -> str:
    """A grown size's name where its latency is."""
    return f"{text(part, 'collection')}-{number(part, 'size') or 0:.0f}"


def grown(results: Part) -> dict[str, str]:
    """What latencies call a grown size → the collection that was grown to it."""
    return {grown_name(part): text(part, "collection") for part in parts(results, "scale")}


def named(collection: Part) -> str:
    """A collection's name, marked where the encoder was trained on its train split."""
    return text(collection, "name") + (IN_DOMAIN if collection.get("in_domain") else "")


def in_domain(results: Part) -> list[str]:
    """Names of the collections with relevance whose train split the encoder was trained on."""
    return [text(collection, "name") for collection in with_relevance(results) if collection.get("in_domain")]


def baseline(results: Part, collection: str | None = None) -> str:
    """The name of the system that others are compared with."""
    for part in parts(results, "collections"):
        if collection in (None, text(part, "name")):
            return text(part, "baseline", BASELINE)
    return BASELINE


def baseline_of(results: Part, part: Part) -> str:
    """The same for a latency measurement or a grown size; those of older files do not say it themselves."""
    return text(part, "baseline") or baseline(results, text(part, "collection"))


def skipped(results: Part) -> dict[tuple[str, str], list[str]]:
    """``(what, reason)`` of all that was left out → the collections, and sizes of them, it was left out of."""
    known, found = titles(results), dict[tuple[str, str], list[str]]()
    for part in (*parts(results, "collections"), *parts(results, "scale")):
        where = text(part, "name") or f"{text(part, 'collection')} at {number(part, 'size') or 0:,.0f}"
        left_out = [(known[text(system, "name")], system) for system in parts(part, "systems")]
        left_out += [(f"Ingest by the {text(mode, 'mode')}", mode) for mode in parts(part, "ingest")]
        for title, one in left_out:
            if one.get("skipped"):
                found.setdefault((title, text(one, "skipped")), []).append(where)
    return found


def measured(collection: Part) -> dict[str, Part]:
    """The systems of a collection, or of a size, that were not skipped, by name."""
    return {text(s, "name"): s for s in parts(collection, "systems") if not s.get("skipped")}


def with_relevance(results: Part) -> list[Part]:
    """Collections where the baseline or any system has a relevance figure."""
    return [
        collection
        for collection in parts(results, "collections")
        if any(number(s, "relevance", MEASURE) is not None for s in measured(collection).values())
    ]


def timings(results: Part) -> list[Part]:
    """Latency measurements that found something; the one to show first is first.

    That is of a collection as it is, not of one that was grown; closed loop, one client, as many hits counted as by
    default, and the largest collection.
    """
    sizes = grown(results)
    found = [
        timing
        for timing in parts(results, "latency")
        if timed(timing) or any(fell_behind(system) for system in parts(timing, "systems"))
    ]
    return sorted(
        found,
        key=lambda timing: (
            text(timing, "collection") in sizes,
            timing.get("mode") == "open",
            number(timing, "clients") or 1.0,
            number(timing, "rate") or 0.0,
            not counts_hits(timing),
            -(number(timing, "documents") or 0.0),
        ),
    )


def timed(timing: Part) -> dict[str, Part]:
    """The systems of a latency measurement that have percentiles, by name."""
    systems = {text(system, "name"): system for system in parts(timing, "systems") if not fell_behind(system)}
    return {name: system for name, system in systems.items() if number(system, "total_ms", "p50") is not None}


def fell_behind(system: Part) -> bool:
    """Whether it could not keep up with an open loop's rate: its percentiles then are of how long it was asked."""
    return system.get("sustained") is False


def counts_hits(timing: Part) -> bool:
    """Whether hits were counted as by default (``track_total_hits`` not off)."""
    return timing.get("track_total_hits") not in (False, "false")


def by_size(results: Part) -> dict[str, list[tuple[float, Part]]]:
    """System name → ``(documents, its part)`` by rising size, for grown corpora."""
    found: dict[str, list[tuple[float, Part]]] = {}
    for documents, part in _grown(results):
        for name, system in measured(part).items():
            found.setdefault(name, []).append((documents, system))
    return {name: sorted(points, key=lambda point: point[0]) for name, points in found.items()}


def _grown(results: Part) -> Iterator[tuple[float, Part]]:
    for part in parts(results, "scale"):
        documents = number(part, "documents") or number(part, "size")
        if documents:
            yield documents, part


def bytes_per_document(collection: Part, system: Part) -> float | None:
    """Index bytes a document (primaries, vectors included)."""
    size, documents = number(system, "index_bytes"), number(collection, "documents")
    return size / documents if size is not None and documents else None


def ratio(part: float | None, whole: float | None) -> float | None:
    """``part / whole`` where both are there and ``whole`` is above zero."""
    return part / whole if part is not None and whole else None
