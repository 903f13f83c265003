"""What a cluster takes at once: queries a second by clients, and waiting by arrival rate."""

from __future__ import annotations

from typing import Any

from opensearch_lsr.evaluation.report import amounts, reading
from opensearch_lsr.evaluation.report.figures.canvas import Canvas
from opensearch_lsr.evaluation.report.figures.lines import Line, line_panels
from opensearch_lsr.evaluation.report.reading import Part, number, text


def caption(results: Part) -> str:
    """What is seen; empty unless there are two numbers of clients, or two rates."""
    closed, open_loop = _closed(results), _open(results)
    said = []
    if closed:
        said.append("Queries a second when so many clients each send the next query as soon as the last is answered.")
    if open_loop:
        said.append(
            "p95 when queries arrive at a fixed rate, whether the last is answered or not; counted from when each was "
            "due, so that queueing shows."
            + (" Where a line ends, queries came faster than they were answered." if _behind(results) else "")
        )
    return " ".join(said)


def draw(canvas: Canvas, results: Part) -> Any:
    """A panel for each loop that was run."""
    panels = []
    if _closed(results):
        panels.append(("Closed loop", "queries/s by clients", _closed(results)))
    if _open(results):
        panels.append(("Open loop", "p95, ms, by queries/s", _open(results)))
    return line_panels(canvas, panels, reading.titles(results), amounts.tick, amounts.tick)


def _behind(results: Part) -> bool:
    """Whether some system fell behind a rate that is drawn; its times there are none."""
    timings = _shown(results, "open")
    return any(system.get("sustained") is False for timing in timings for system in reading.parts(timing, "systems"))


def _closed(results: Part) -> list[Line]:
    return _lines(results, "closed", "clients", ("per_s",))


def _open(results: Part) -> list[Line]:
    return _lines(results, "open", "rate", ("total_ms", "p95"))


def _lines(results: Part, mode: str, across: str, path: tuple[str, ...]) -> list[Line]:
    """Points by system."""
    points: dict[str, dict[float, float]] = {}
    for timing in _shown(results, mode):
        for system in reading.parts(timing, "systems"):
            x, y = number(timing, across), number(system, *path)
            if x and y:
                points.setdefault(text(system, "name"), {})[x] = y
    lines = [Line(name, sorted(found.items())) for name, found in points.items()]
    return lines if any(len(line.points) > 1 for line in lines) else []


def _shown(results: Part, mode: str) -> list[Part]:
    """Timings of the collection shown first and its way of counting hits."""
    timings = [t for t in reading.timings(results) if (t.get("mode") or "closed") == mode]
    alike = ("collection", "track_total_hits", "documents")
    return [t for t in timings if all(t.get(key) == timings[0].get(key) for key in alike)]
