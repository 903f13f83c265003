"""Time of a query by corpus size."""

from __future__ import annotations

from typing import Any

from opensearch_lsr.evaluation.report import amounts, reading
from opensearch_lsr.evaluation.report.figures.canvas import Canvas
from opensearch_lsr.evaluation.report.figures.lines import Line, line_panels
from opensearch_lsr.evaluation.report.reading import Part, number


def caption(results: Part) -> str:
    """What is seen; empty unless there are two sizes."""
    if not _lines(results, "p50") and not _lines(results, "p95"):
        return ""
    return "Time of a query at the client by the number of documents, both on logarithmic scales."


def draw(canvas: Canvas, results: Part) -> Any:
    """p50 and p95."""
    panels = [(quantile, "ms by documents", _lines(results, quantile)) for quantile in ("p50", "p95")]
    drawn = [panel for panel in panels if panel[2]]
    return line_panels(canvas, drawn, reading.titles(results), amounts.short_count, amounts.tick)


def _lines(results: Part, quantile: str) -> list[Line]:
    lines = []
    for name, systems in reading.by_size(results).items():
        points = [(documents, number(system, "total_ms", quantile)) for documents, system in systems]
        lines.append(Line(name, [(x, y) for x, y in points if y]))
    return [line for line in lines if line.points] if any(len(line.points) > 1 for line in lines) else []
