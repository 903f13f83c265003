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
EXAMPLES = "examples"
"""Key of a collection’s queries that gained and lost most."""
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
    """Whether the interval of a difference to the baseline leaves out zero, and on which side."""
    low, high = number(against, "low"), number(against, "high")
    if low is None or high is None:
        return "none"
    return "better" if low > 0 else "worse" if high < 0 else "even"


def titles(results: Part) -> dict[str, str]:
    """System name → title, the baseline first, then in the order of the run."""
    found: dict[str, str] = {}
    for collection in parts(results, "collections"):
        for system in parts(collection, "systems"):
            found.setdefault(text(system, "name"), text(system, "title") or text(system, "name"))
    for part in (*parts(results, "latency"), *parts(results, "scale")):
        for system in parts(part, "systems"):
            found.setdefault(text(system, "name"), text(system, "name"))
    first = baseline(results)
    return {name: found[name] for name in sorted(found, key=lambda name: name != first)}


def baseline(results: Part, collection: str | None = None) -> str:
    """The name of the system that others are compared with."""
    for part in parts(results, "collections"):
        if collection in (None, text(part, "name")):
            return text(part, "baseline", BASELINE)
    return BASELINE


def skipped(results: Part) -> dict[tuple[str, str], list[str]]:
    """``(what, reason)`` of all that was left out → the collections it was left out of."""
    found: dict[tuple[str, str], list[str]] = {}
    for collection in parts(results, "collections"):
        left_out = [(text(s, "title") or text(s, "name"), s) for s in parts(collection, "systems")]
        left_out += [(f"Ingest by the {text(mode, 'mode')}", mode) for mode in parts(collection, "ingest")]
        for title, part in left_out:
            if part.get("skipped"):
                found.setdefault((title, text(part, "skipped")), []).append(text(collection, "name"))
    return found


def measured(collection: Part) -> dict[str, Part]:
    """The systems of a collection that were not skipped, by name."""
    return {text(s, "name"): s for s in parts(collection, "systems") if not s.get("skipped")}


def with_relevance(results: Part) -> list[Part]:
    """Collections where the baseline or any system has a relevance figure."""
    return [
        collection
        for collection in parts(results, "collections")
        if any(number(s, "relevance", MEASURE) is not None for s in measured(collection).values())
    ]


def timings(results: Part) -> list[Part]:
    """Latency measurements that hold figures; the one to show first is first.

    That is closed loop, one client, as many hits counted as by default, and the largest collection.
    """
    found = [
        timing
        for timing in parts(results, "latency")
        if any(number(system, "total_ms", "p50") is not None for system in parts(timing, "systems"))
    ]
    return sorted(
        found,
        key=lambda timing: (
            timing.get("mode") == "open",
            number(timing, "clients") or 1.0,
            number(timing, "rate") or 0.0,
            not counts_hits(timing),
            -(number(timing, "documents") or 0.0),
        ),
    )


def counts_hits(timing: Part) -> bool:
    """Whether hits were counted as by default (``track_total_hits`` not off)."""
    return timing.get("track_total_hits") not in (False, "false")


def by_size(results: Part) -> dict[str, list[tuple[float, Part]]]:
    """System name → ``(documents, its part)`` by rising size, for grown corpora."""
    found: dict[str, list[tuple[float, Part]]] = {}
    for documents, part in _grown(results):
        for system in parts(part, "systems"):
            found.setdefault(text(system, "name"), []).append((documents, system))
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
