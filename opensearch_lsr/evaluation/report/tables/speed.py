"""Time: what the client waits, how long that is compared with the baseline, and how much a cluster takes at once."""

from __future__ import annotations

from opensearch_lsr.evaluation.report import amounts, reading
from opensearch_lsr.evaluation.report.reading import Part, number, text
from opensearch_lsr.evaluation.report.tables.table import Cell, Table, best, ratio, table

QUANTILES = ("p50", "p95", "p99")


def latency(results: Part, timing: Part) -> Table | None:
    """One row a system: quantiles of the whole, its parts, ratios to the baseline, queries a second."""
    titles, base = reading.titles(results, text(timing, "collection")), reading.baseline_of(results, timing)
    systems, timed = {text(s, "name"): s for s in reading.parts(timing, "systems")}, reading.timed(timing)
    names = [name for name in titles if name in timed or _failed(systems.get(name, {}))]
    marks = {q: best([number(timed.get(name), "total_ms", q) for name in names], lower=True) for q in QUANTILES}
    rows = []
    for i, name in enumerate(names):
        system, own = systems[name], timed.get(name, {})
        cells = [Cell(titles[name])]
        cells += [Cell(amounts.plain(number(own, "total_ms", q)), strong=marks[q][i]) for q in QUANTILES]
        if reading.fell_behind(system):
            cells[1] = Cell("not sustained")
        cells += [ratio(own, q, name == base) for q in QUANTILES]
        cells += [Cell(_brief(number(own, part, "p50"))) for part in ("encode_ms", "request_ms", "took_ms")]
        cells += [Cell(amounts.plain(number(system, "per_s")))]
        errors = number(system, "errors")
        cells += [Cell(amounts.count(errors) if errors else amounts.MISSING)]
        rows.append((name == base, cells))
    columns = ["system", "p50 ms", "p95 ms", "p99 ms", "p50 ratio", "p95 ratio", "p99 ratio"]
    columns += ["encode", "request", "took", "queries/s", "errors"]
    note = "encode, request: p50 of the client’s two parts; took: p50 of what the server says; all in ms."
    return table(conditions(results, timing), columns, rows, note)


def ratios(results: Part) -> Table | None:
    """p95 against the baseline by collection, measured as the first timing was; None for a single collection.

    Grown ones are in :func:`opensearch_lsr.evaluation.report.tables.scale.ratios`.
    """
    found: dict[str, Part] = {}
    sizes = reading.grown(results)
    for timing in (timing for timing in reading.timings(results) if text(timing, "collection") not in sizes):
        if not found or _alike(timing, next(iter(found.values()))):
            found.setdefault(text(timing, "collection"), timing)
    if len(found) < 2:
        return None
    measured = [(reading.timed(timing), reading.baseline_of(results, timing)) for timing in found.values()]
    base = reading.baseline(results)
    rows = [
        (name == base, [Cell(title), *(ratio(timed.get(name, {}), "p95", name == own) for timed, own in measured)])
        for name, title in reading.titles(results).items()
        if any(name in timed for timed, _ in measured)
    ]
    return table("p95 against the baseline, by collection", ["system", *found], rows)


def conditions(results: Part, timing: Part) -> str:
    """How a timing was taken, in a line."""
    name = text(timing, "collection")
    documents, rate, clients = (number(timing, key) for key in ("documents", "rate", "clients"))
    said = [f"{amounts.count(documents)} documents"] if documents is not None else []
    if name in (sizes := reading.grown(results)):
        said = [f"{sizes[name]} grown to {' '.join(said)}"]
    elif name:
        said.insert(0, name)
    if timing.get("mode") == "open":
        said.append("open loop" + (f", {amounts.plain(rate)} queries/s" if rate is not None else ""))
    elif clients is not None:
        said.append(f"{clients:.0f} client{'s' if clients != 1 else ''}, closed loop")
    said.append("hits counted" if reading.counts_hits(timing) else "hits not counted")
    if timing.get("merged") is not None:
        said.append("merged" if timing["merged"] else "not merged")
    return ", ".join(said)


def _brief(milliseconds: float | None) -> str:
    """A part of the whole: what it is exactly does not matter where it is next to nothing."""
    return "< 0.01" if milliseconds is not None and milliseconds < 0.01 else amounts.plain(milliseconds)


def _failed(system: Part) -> bool:
    """Whether there is something to say of it though it has no times."""
    return reading.fell_behind(system) or bool(number(system, "errors"))


def _alike(timing: Part, other: Part) -> bool:
    return all(timing.get(key) == other.get(key) for key in ("mode", "clients", "rate", "track_total_hits"))
