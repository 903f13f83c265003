"""Grown corpora: quality and time by size, slopes, and how like the real corpus the grown one is."""

from __future__ import annotations

from opensearch_lsr.evaluation.report import amounts, reading
from opensearch_lsr.evaluation.report.reading import MEASURE, Part, number, text
from opensearch_lsr.evaluation.report.tables.table import Cell, Table, factor, ratio, table

CAVEAT = (
    "The vector of a grown document is the maximum of its parts’, with as many entries and as much weight as a sample "
    "of grown documents has that was encoded whole. Parts come back in many documents, so that scores lie closer "
    "together than in a real corpus: overlap@10 is a hard measure here."
)

_WHAT = {
    "length": "words a document",
    "active_dims": "tokens a vector",
    "document_frequency": "document frequency of tokens",
    "word_document_frequency": "document frequency of words",
}
_POSTINGS = "Document frequency: the share of documents a token is in, weighted by postings."


def slopes(results: Part) -> Table | None:
    """What a further million documents costs a query."""
    titles = reading.titles(results)
    base = reading.baseline_of(results, next(iter(reading.parts(results, "scale")), {}))
    found = reading.mapping(results, "slopes")
    rows = []
    for name in sorted(found, key=lambda name: list(titles).index(name) if name in titles else len(titles)):
        low, high = number(found, name, "low"), number(found, name, "high")
        bounds = "" if low is None or high is None else f"{amounts.plain(low)} to {amounts.plain(high)}"
        slope = Cell(amounts.plain(number(found, name, "ms_per_million")), bounds)
        to_base = factor(*(number(found, name, key) for key in ("ratio_to_baseline", "ratio_low", "ratio_high")))
        title = Cell(reading.clean(titles.get(name, name)))
        rows.append((name == base, [title, slope, Cell("1×") if name == base else to_base]))
    return table(
        "Slope: time added by a million documents", ["system", "ms a million", f"to {titles.get(base, base)}"], rows
    )


def ratios(results: Part) -> Table | None:
    """p95 against the baseline at each size."""
    found = _rising(results)
    measured = [(reading.measured(part), reading.baseline_of(results, part)) for part in found]
    rows = []
    for name, title in reading.titles(results).items():
        if any(name in systems for systems, _ in measured):
            cells = [_beside_overlap(systems.get(name, {}), name == base) for systems, base in measured]
            rows.append((name == measured[0][1], [Cell(title), *cells]))
    columns = ["system", *(amounts.count(number(part, "documents")) for part in found)]
    return table("p95 against the baseline, by documents", columns, rows)


def _beside_overlap(system: Part, is_baseline: bool) -> Cell:
    """p95's ratio, and the overlap where search is approximate: being fast at finding something else is no merit."""
    cell, overlap = ratio(system, "p95", is_baseline), number(system, "overlap@10")
    if not reading.mapping(system, "ann") or overlap is None:
        return cell
    return Cell(cell.text, ", ".join(filter(None, [cell.detail, f"overlap@10 {amounts.score(overlap)}"])))


def sizes(results: Part) -> list[Table]:
    """One table a size: quality, agreement with exact scoring, time, space."""
    tables = []
    for part in _rising(results):
        titles, base = reading.titles(results, reading.grown_name(part)), reading.baseline_of(results, part)
        rows = []
        for name, system in reading.measured(part).items():
            cells = [
                Cell(titles.get(name, name)),
                Cell(amounts.score(number(system, MEASURE))),
                Cell(amounts.score(number(system, "overlap@10"))),
                *(Cell(amounts.plain(number(system, "total_ms", q))) for q in ("p50", "p95", "p99")),
                ratio(system, "p95", name == base),
                Cell(amounts.size(number(system, "index_bytes"))),
                Cell(amounts.plain(number(system, "ingest_documents_per_s"))),
                Cell(amounts.count(number(system, "clipped_weights"))),
                Cell(_ann(system)),
            ]
            rows.append((name == base, cells))
        columns = ["system", MEASURE, "overlap@10", "p50 ms", "p95 ms", "p99 ms", "p95 ratio"]
        columns += ["index", "indexed documents/s", "clipped weights", "approximate search"]
        title = f"{amounts.count(number(part, 'documents'))} documents grown from {text(part, 'collection')}"
        tables.append(table(title, columns, rows))
    return [found for found in tables if found]


def _rising(results: Part) -> list[Part]:
    return sorted(reading.parts(results, "scale"), key=lambda part: number(part, "documents") or 0.0)


def _ann(system: Part) -> str:
    """Whether approximate search really ran."""
    ann = reading.mapping(system, "ann")
    if not ann:
        return amounts.MISSING
    return "ran" if ann.get("proven") else "not proven to have run"


def likeness(results: Part) -> list[Table]:
    """Quantiles of the grown corpora beside the real one's."""
    tables = []
    for part in reading.parts(results, "scale"):
        found = reading.mapping(part, "distribution")
        quantiles = found.get("quantiles")
        columns = ["", "corpus", *(_quantile(q) for q in quantiles)] if isinstance(quantiles, list) else []
        rows = []
        for key in found:
            for corpus in ("real", "grown"):
                values = reading.mapping(found, key).get(corpus)
                if isinstance(values, list) and values and len(values) == len(columns) - 2:
                    figures = [amounts.plain(number({"value": value}, "value")) for value in values]
                    rows.append((corpus == "real", [reading.clean(_WHAT.get(key, key)), corpus, *figures]))
        title = f"{amounts.count(number(part, 'documents'))} documents grown from {text(part, 'collection')}, quantiles"
        tables.append(table(title, columns, rows, _POSTINGS, labels=2))
    return [found for found in tables if found]


def _quantile(value: object) -> str:
    return f"{value:.0%}" if isinstance(value, int | float) else str(value)
