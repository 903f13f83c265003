"""Relevance: one table a collection, and one over all of them beside time and space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from opensearch_lsr.evaluation.report import amounts, reading
from opensearch_lsr.evaluation.report.reading import MEASURE, Part, number, text
from opensearch_lsr.evaluation.report.tables.speed import conditions
from opensearch_lsr.evaluation.report.tables.table import Cell, Table, best, counts, difference, ratio, table


def relevance(results: Part, collection: Part) -> Table | None:
    """All measures of a collection, with the difference to the baseline, its interval, and queries won and lost."""
    titles = reading.titles(results, text(collection, "name"))
    base, p = text(collection, "baseline", reading.BASELINE), "p_holm" if reading.corrected(results) else "p"
    found = reading.measured(collection)
    systems = [found[name] for name in titles if name in found]
    measures = _measures(systems)
    if not measures:
        return None
    marks = {measure: best([number(s, "relevance", measure) for s in systems]) for measure in measures}
    rows = []
    for i, system in enumerate(systems):
        values = [Cell(amounts.score(number(system, "relevance", m)), strong=marks[m][i]) for m in measures]
        against = reading.mapping(system, "against_baseline", MEASURE)
        compared = [difference(against), Cell(amounts.probability(number(against, p))), counts(against)]
        rest = [Cell(amounts.count(number(system, key))) for key in ("unanswered", "ties")]
        name = text(system, "name")
        rows.append((name == base, [Cell(titles[name]), values[0], *compared, *values[1:], *rest]))
    compared_titles = [f"to {titles.get(base, base)}", "p (Holm)" if p == "p_holm" else "p", "won · tied · lost"]
    measure, *others = (reading.clean(name) for name in measures)
    columns = ["system", measure, *compared_titles, *others, "no hits", "tied at cut"]
    return table(about(collection), columns, rows, _refused(systems, titles))


def summary(results: Part) -> Table | None:
    """One row a system: nDCG@10 of each collection and their mean, the time of a query, the size of the index."""
    titles, base = reading.titles(results), reading.baseline(results)
    collections = reading.with_relevance(results)
    timing = next(iter(reading.timings(results)), None)
    timed, timing_base = reading.timed(timing or {}), reading.baseline_of(results, timing or {})
    values = [[_value(c, name) for name in titles] for c in collections]
    columns = ["system", *map(reading.named, collections)]
    if len(collections) > 1:
        columns.append("mean")
        values.append([_mean(column) for column in zip(*values, strict=True)])
    rows = []
    for i, name in enumerate(titles):
        cells = [Cell(titles[name])]
        for j, column in enumerate(values):
            tone = reading.tone(_against(collections[j], name)) if j < len(collections) else "none"
            cells.append(Cell(amounts.score(column[i]), strong=best(column)[i], tone=tone))
        system = timed.get(name, {})
        cells += [Cell(amounts.plain(number(system, "total_ms", key))) for key in ("p50", "p95")]
        cells += [
            Cell(ratio(system, "p95", name == timing_base).text),
            Cell(amounts.size(_bytes(results, name))),
        ]
        if any(cell.text != amounts.MISSING for cell in cells[1:]):
            rows.append((name == base, cells))
    columns += ["p50 ms", "p95 ms", "p95 ratio", "index a document"]
    note = f"{MEASURE} by collection; ▴ clearly above the baseline, ▾ clearly below." if collections else ""
    note += f" {reading.SAID_IN_DOMAIN}" if reading.in_domain(results) else ""
    note += f" Time at the client: {conditions(results, timing)}." if timing else ""
    return table("All systems", columns, rows, note.strip())


def about(collection: Part) -> str:
    """A collection's name and size."""
    sizes = [
        f"{amounts.count(number(collection, key))} {key}"
        for key in ("queries", "documents", "judgments")
        if number(collection, key) is not None
    ]
    return " · ".join([reading.named(collection), *sizes])


def _measures(systems: Sequence[Part]) -> list[str]:
    names = dict.fromkeys(name for system in systems for name in reading.mapping(system, "relevance"))
    found = [name for name in names if any(number(s, "relevance", name) is not None for s in systems)]
    return sorted(found, key=lambda name: name != MEASURE)


def _refused(systems: Sequence[Part], titles: Mapping[str, str]) -> str:
    """Queries that a system refuses count zero, which is not what it would find."""
    said = []
    for system in systems:
        if errors := reading.mapping(system, "errors"):
            said.append(f"{titles[text(system, 'name')]}: {len(errors)} refused ({next(iter(errors.values()))})")
    return f"Queries that a system refuses count zero. {'; '.join(said)}." if said else ""


def _value(collection: Part, name: str) -> float | None:
    return number(reading.measured(collection).get(name, {}), "relevance", MEASURE)


def _against(collection: Part, name: str) -> Part:
    return reading.mapping(reading.measured(collection).get(name, {}), "against_baseline", MEASURE)


def _mean(values: Sequence[float | None]) -> float | None:
    """None unless all are there: means over different collections cannot be compared."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known and len(known) == len(values) else None


def _bytes(results: Part, name: str) -> float | None:
    collections = reading.parts(results, "collections")
    found = [reading.bytes_per_document(c, reading.measured(c).get(name, {})) for c in collections]
    return _mean(found)
