"""Quality against cost: nDCG@10 by the time of a query and by the size of the index."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from opensearch_lsr.evaluation.report import amounts, reading
from opensearch_lsr.evaluation.report.figures.canvas import COLOURS, Canvas, decimals, round_values
from opensearch_lsr.evaluation.report.reading import MEASURE, Part, number, text

_SMALLEST = 0.05  # nDCG from the bottom to the top, at least: what is the same must not look different
_ROW = 14  # pixels between names that stand below each other
_BESIDE = [(10, 0, "left"), (-10, 0, "right")]
_PLACES = _BESIDE + [
    (sign * (8 if row == 1 else 16), up * row * _ROW, side)
    for row in range(1, 9)
    for up in (1, -1)
    for sign, side in ((1, "left"), (-1, "right"))
]


@dataclass(frozen=True)
class _Point:
    system: str
    cost: float
    quality: float


def caption(results: Part) -> str:
    """What is seen; empty without two systems that have both figures."""
    panels = _panels(results)
    if not panels:
        return ""
    where = text(_collection(results), "name")
    return (
        f"Up and to the left is better. The line joins the systems that no other beats in both. {MEASURE} on {where}; "
        "each cost on a logarithmic scale."
    )


def _collection(results: Part) -> Part:
    """The collection whose timing is shown first, else the first with relevance."""
    found = reading.with_relevance(results)
    for timing in reading.timings(results):
        for collection in found:
            if collection.get("name") == timing.get("collection"):
                return collection
    return found[0] if found else {}


def _panels(results: Part) -> list[tuple[str, list[_Point]]]:
    collection = _collection(results)
    systems = reading.measured(collection)
    timings = (t for t in reading.timings(results) if t.get("collection") == collection.get("name"))
    timed = reading.timed(next(timings, {}))
    panels: list[tuple[str, list[_Point]]] = [("p95 at the client, ms", []), ("index, bytes a document", [])]
    for name, system in systems.items():
        quality = number(system, "relevance", MEASURE)
        costs = (number(timed.get(name, {}), "total_ms", "p95"), reading.bytes_per_document(collection, system))
        for (_, points), cost in zip(panels, costs, strict=True):
            if quality is not None and cost:
                points.append(_Point(name, cost, quality))
    return [(title, points) for title, points in panels if len(points) > 1]


def draw(canvas: Canvas, results: Part) -> Any:
    """A panel for each cost, qualities on one scale."""
    panels = _panels(results)
    columns = 1 if canvas.narrow else len(panels)
    left, height, above, below = 44, 290, 40, 54
    width = canvas.width / columns - left - 16
    figure = canvas.figure((above + height + below) * math.ceil(len(panels) / columns))
    qualities = [point.quality for _, points in panels for point in points]
    difference = max(qualities) - min(qualities)
    margin = max(0.12 * difference, (_SMALLEST - difference) / 2)
    titles = reading.titles(results)
    for i, (title, points) in enumerate(panels):
        across, down = i % columns, i // columns
        axes = canvas.axes(
            figure, across * canvas.width / columns + left, down * (above + height + below) + above, width, height
        )
        axes.set_ylim(min(qualities) - margin, max(qualities) + margin)
        canvas.heading(axes, MEASURE, f"on {text(_collection(results), 'name')}")
        _panel(canvas, axes, title, points, titles)
    return figure


def _panel(canvas: Canvas, axes: Any, title: str, points: list[_Point], titles: dict[str, str]) -> None:
    from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

    costs = [point.cost for point in points]
    axes.set_xscale("log")
    span = max(max(costs) / min(costs), 1.2)
    axes.set_xlim(min(costs) / span**0.12, max(costs) * span**0.28)
    low, high = axes.get_xlim()
    axes.xaxis.set_major_locator(FixedLocator(round_values(low, high)))
    axes.xaxis.set_minor_locator(NullLocator())
    write = amounts.short_size if "bytes" in title else amounts.tick
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: write(value)))
    axes.yaxis.set_major_locator(MaxNLocator(6))
    digits = decimals(axes.get_yticks())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.{digits}f}"))
    axes.set_xlabel(title, fontsize=11, color=COLOURS["muted"], labelpad=6)
    front = _front(points)
    axes.plot(
        [p.cost for p in front], [p.quality for p in front], color=COLOURS["muted"], linewidth=1, linestyle=(0, (4, 3))
    )
    for point in points:
        axes.plot([point.cost], [point.quality], canvas.marker(point.system), color=canvas.colour(point.system), ms=8)
    _name(canvas, axes, points, titles)


def _front(points: list[_Point]) -> list[_Point]:
    """Points that no other beats in both, cheapest first."""
    found: list[_Point] = []
    for point in sorted(points, key=lambda point: (point.cost, -point.quality)):
        if not found or point.quality > found[-1].quality:
            found.append(point)
    return found


def _name(canvas: Canvas, axes: Any, points: list[_Point], titles: dict[str, str]) -> None:
    """A name beside each point, or in the nearest row where it covers no other point or name, with a line to it."""
    from matplotlib.transforms import Bbox

    area = axes.get_window_extent()
    taken = [
        Bbox.from_bounds(x - 6, y - 6, 12, 12)
        for x, y in axes.transData.transform([(p.cost, p.quality) for p in points])
    ]
    for point in sorted(points, key=lambda point: -point.quality):
        place, colour = (point.cost, point.quality), canvas.colour(point.system)
        paper = {"facecolor": COLOURS["paper"], "linewidth": 0, "pad": 0.5}  # so that no line strikes the name through
        offset = {"textcoords": "offset points", "va": "center", "fontsize": 11, "color": colour, "bbox": paper}
        label = axes.annotate(titles.get(point.system, point.system), place, (0, 0), **offset)
        crowding = {}
        for x, y, side in _PLACES:
            label.set(position=(x, y), horizontalalignment=side)
            box = label.get_window_extent()
            outside = box.x0 < area.x0 or box.x1 > area.x1 + 14 or box.y0 < area.y0 or box.y1 > area.y1 + 4
            crowding[x, y, side] = sum(box.overlaps(other) for other in taken) + 3 * outside
            if not crowding[x, y, side]:
                break
        x, y, side = min(crowding, key=crowding.__getitem__)
        label.set(position=(x, y), horizontalalignment=side)
        taken.append(label.get_window_extent())
        if abs(y) > _ROW:
            line = {"arrowstyle": "-", "color": colour, "linewidth": 0.7, "alpha": 0.6, "shrinkA": 0, "shrinkB": 0}
            axes.annotate("", place, (x, y), textcoords="offset points", arrowprops=line)
