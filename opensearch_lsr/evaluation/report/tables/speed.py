"""Time: what the client waits, how long that is compared with the baseline, and how much a cluster takes at once."""

from __future__ import annotations

from opensearch_lsr.evaluation.report import amounts, reading
from opensearch_lsr.evaluation.report.reading import Part, number, text
from opensearch_lsr.evaluation.report.tables.table import Cell, Table, best, ratio, table

QUANTILES = ("p50", "p95", "p99")


def latency(results: Part, timing: Part) -> Table | None:
    """One row a system: quantiles of the whole, its parts, ratios to the baseline, queries a second."""
    titles = reading.titles(results)
    base = reading.baseline(results, text(timing, "collection"))
    systems = [s for s in reading.parts(timing, "systems") if number(s, "total_ms", "p50") is not None]
    systems.sort(key=lambda system: list(titles).index(text(system, "name")))
    marks = {q: best([number(s, "total_ms", q) for s in systems], lower=True) for q in QUANTILES}
    rows = []
    for i, system in enumerate(systems):
        name = text(system, "name")
        cells = [Cell(titles[name])]
        cells += [Cell(amounts.plain(number(system, "total_ms", q)), strong=marks[q][i]) for q in QUANTILES]
        cells += [ratio(system, q, name == base) for q in QUANTILES]
        cells += [Cell(amounts.plain(number(system, part, "p50"))) for part in ("encode_ms", "request_ms", "took_ms")]
        cells += [Cell(amounts.plain(number(system, "per_s")))]
        errors = number(system, "errors")
        cells += [Cell(amounts.count(errors) if errors else amounts.MISSING)]
        rows.append((name == base, cells))
    columns = ["system", "p50 ms", "p95 ms", "p99 ms", "p50 ratio", "p95 ratio", "p99 ratio"]
    columns += ["encode", "request", "took", "queries/s", "errors"]
    note = "encode, request: p50 of the client’s two parts; took: p50 of what the server says; all in ms."
    return table(conditions(timing), columns, rows, note)


def ratios(results: Part) -> Table | None:
    """p95 against the baseline by collection, measured as the first timing was; None for a single collection."""
    found: dict[str, Part] = {}
    for timing in reading.timings(results):
        if not found or _alike(timing, next(iter(found.values()))):
            found.setdefault(text(timing, "collection"), timing)
    if len(found) < 2:
        return None
    by_name = {c: {text(s, "name"): s for s in reading.parts(t, "systems")} for c, t in found.items()}
    base, titles = reading.baseline(results), reading.titles(results)
    rows = [
        (
            name == base,
            [Cell(title), *(ratio(systems.get(name, {}), "p95", name == base) for systems in by_name.values())],
        )
        for name, title in titles.items()
        if any(name in systems for systems in by_name.values())
    ]
    return table("p95 against the baseline, by collection", ["system", *found], rows)


def conditions(timing: Part) -> str:
    """How a timing was taken, in a line."""
    said = [text(timing, "collection")] if timing.get("collection") is not None else []
    documents, rate, clients = (number(timing, key) for key in ("documents", "rate", "clients"))
    if documents is not None:
        said.append(f"{amounts.count(documents)} documents")
    if timing.get("mode") == "open":
        said.append("open loop" + (f", {amounts.plain(rate)} queries/s" if rate is not None else ""))
    elif clients is not None:
        said.append(f"{clients:.0f} client{'s' if clients != 1 else ''}, closed loop")
    said.append("hits counted" if reading.counts_hits(timing) else "hits not counted")
    if timing.get("merged") is not None:
        said.append("merged" if timing["merged"] else "not merged")
    return ", ".join(said)


def _alike(timing: Part, other: Part) -> bool:
    return all(timing.get(key) == other.get(key) for key in ("mode", "clients", "rate", "track_total_hits"))
