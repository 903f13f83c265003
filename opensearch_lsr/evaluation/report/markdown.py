"""The same figures as Markdown: a table for a README, and a page with all of them."""

from __future__ import annotations

import html
import re

from opensearch_lsr.evaluation.report import reading
from opensearch_lsr.evaluation.report.headline import headline
from opensearch_lsr.evaluation.report.reading import Part, mapping, text
from opensearch_lsr.evaluation.report.tables import costs, relevance, scale, speed
from opensearch_lsr.evaluation.report.tables.table import Cell, Table

_SPECIAL = re.compile(r"([\\`*_\[\]|#~])")
_TONES = {"better": "▴ ", "worse": "▾ "}


def summary(results: Part) -> str:
    """The table for a README: one row a system; empty without figures."""
    found = relevance.summary(results)
    return markdown(found) if found else ""


def page(results: Part) -> str:
    """All tables under the verdict."""
    run, answer = mapping(results, "run"), headline(results)
    cluster, machine = mapping(run, "cluster"), mapping(run, "machine")
    lines = [f"# {escaped(text(run, 'name', 'run'))}", escaped(answer.verdict)]
    lines += [escaped(" ".join(answer.sentences))] if answer.sentences else []
    if run.get("error"):
        lines.append(f"This run ended early: {escaped(text(run, 'error'))}")
    lines += map(escaped, answer.notices)
    tables = [relevance.summary(results)]
    tables += [relevance.relevance(results, collection) for collection in reading.with_relevance(results)]
    tables += [speed.latency(results, timing) for timing in reading.timings(results)]
    tables += [speed.ratios(results), scale.ratios(results), scale.slopes(results)]
    tables += [*scale.sizes(results), *scale.likeness(results)]
    tables += [costs.vectors(results), costs.ingest(results)]
    tables += [costs.space(results, collection) for collection in reading.parts(results, "collections")]
    lines += [f"## {escaped(table.title)}\n\n{markdown(table)}" for table in tables if table]
    lines += [scale.CAVEAT] if results.get("scale") else []
    lines += [
        f"Left out: {escaped(what)} on {escaped(', '.join(where))}: {escaped(reason)}"
        for (what, reason), where in reading.skipped(results).items()
    ]
    said = {
        "OpenSearch": text(cluster, "version"),
        "processor": text(machine, "cpu"),
        "cores": text(machine, "cores"),
        "started": text(run, "started"),
        "commit": text(run, "commit"),
        "seed": text(run, "seed"),
    }
    known = ", ".join(f"{name} {escaped(value)}" for name, value in said.items() if value)
    lines += [f"Measured: {known}."] if known else []
    return "\n\n".join(lines) + "\n"


def markdown(table: Table) -> str:
    """A table with its note; the best of a column is bold."""
    rules = [":--" if i < table.labels else "--:" for i in range(len(table.columns))]
    rows = [[escaped(column) for column in table.columns], rules]
    rows += [[_cell(cell) for cell in row.cells] for row in table.rows]
    drawn = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return f"{drawn}\n\n{escaped(table.note)}" if table.note else drawn


def escaped(value: str) -> str:
    """Text that Markdown shows as it is, on one line."""
    return _SPECIAL.sub(r"\\\1", html.escape(" ".join(value.split()), quote=False))


def _cell(cell: Cell) -> str:
    shown = f"**{escaped(cell.text)}**" if cell.strong else escaped(cell.text)
    detail = f" ({escaped(cell.detail)})" if cell.detail else ""
    return f"{_TONES.get(cell.tone, '')}{shown}{detail}"
