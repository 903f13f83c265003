"""How the time of a query is distributed, a ridge for each system."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from opensearch_lsr.evaluation.report import amounts, reading
from opensearch_lsr.evaluation.report.figures.canvas import COLOURS, Canvas, round_values
from opensearch_lsr.evaluation.report.reading import Part, number, text
from opensearch_lsr.evaluation.report.tables.speed import conditions

QUANTILES = ("p50", "p95", "p99")


def caption(results: Part) -> str:
    """What is seen; empty without timings."""
    timing = _timing(results)
    if timing is None:
        return ""
    return (
        "Time of a query as the client sees it, encoding and request together; the higher, the more queries took that "
        f"long. Dot: p50, long mark: p95, short mark: p99. {conditions(results, timing)}."
    )


def _timing(results: Part) -> Part | None:
    return next((timing for timing in reading.timings(results) if reading.timed(timing)), None)


def draw(canvas: Canvas, results: Part) -> Any:
    """One row a system on one scale of milliseconds."""
    from matplotlib.ticker import FuncFormatter, NullFormatter

    timing = _timing(results) or {}
    titles, systems = reading.titles(results, text(timing, "collection")), reading.timed(timing)
    names = [name for name in titles if name in systems]
    row, above, below = (58, 4, 48) if canvas.narrow else (46, 24, 48)
    label, value = (0, 0) if canvas.narrow else (160, 168)
    figure = canvas.figure(above + row * len(names) + below)
    axes = canvas.axes(figure, label, above, canvas.width - label - value, row * len(names))
    low, high = _limits([systems[name] for name in names])
    if high / low > 5:
        axes.set_xscale("log")
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_xticks(round_values(low, high))
    axes.set_xlim(low, high)
    axes.set_ylim(len(names), 0)
    axes.set_yticks([])
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    axes.set_xlabel("milliseconds at the client", fontsize=11, color=COLOURS["muted"], labelpad=6)
    base = reading.baseline_of(results, timing)
    if not canvas.narrow:
        _columns(canvas, axes, -0.3, ("p50", "p95 ms", "p95 ratio"))
    for i, name in enumerate(names):
        _ridge(canvas, axes, i + 0.86, systems[name], canvas.colour(name))
        _label(canvas, axes, i, titles[name], _figures(systems[name], name == base))
    return figure


def _limits(systems: list[Part]) -> tuple[float, float]:
    """From below the fastest median to beyond the slowest p99, histograms included as far as that."""
    quantiles = [number(s, "total_ms", q) for s in systems for q in QUANTILES]
    known = [value for value in quantiles if value is not None and value > 0] or [1.0]
    starts = [edge for s in systems for edge, _, count in _bars(s) if count > 0 and edge > 0]
    low = min([*known, *starts])
    return max(low, min(known) / 4) * 0.9, max(known) * 1.15


def _bars(system: Part) -> list[tuple[float, float, float]]:
    """``(from, to, queries)`` of the histogram without its empty ends; empty where it is not whole."""
    histogram = reading.mapping(system, "histogram")
    edges, counts = histogram.get("edges_ms"), histogram.get("counts")
    if not isinstance(edges, list) or not isinstance(counts, list) or len(edges) != len(counts) + 1:
        return []
    bars = [(float(a), float(b), float(count)) for (a, b), count in zip(pairwise(edges), counts, strict=True) if b > a]
    filled = [i for i, (_, _, count) in enumerate(bars) if count]
    return bars[filled[0] : filled[-1] + 1] if filled else []


def _ridge(canvas: Canvas, axes: Any, foot: float, system: Part, colour: str) -> None:
    """A system's density over its base line, and its quantiles."""
    import math

    logarithmic = axes.get_xscale() == "log"
    bars = [bar for bar in _bars(system) if bar[0] > 0 or not logarithmic]
    heights = [count / (math.log(b / a) if logarithmic else b - a) for a, b, count in bars]
    axes.plot(axes.get_xlim(), [foot, foot], color=COLOURS["rule"], linewidth=0.8, zorder=1)
    tallest = max(heights, default=0.0)
    if tallest > 0:
        room = 0.44 if canvas.narrow else 0.74
        xs = [bars[0][0], *(x for a, b, _ in bars for x in (a, b)), bars[-1][1]]
        ys = [foot, *(foot - room * height / tallest for height in heights for _ in (0, 1)), foot]
        axes.fill_between(xs, ys, foot, color=colour, alpha=0.22, linewidth=0, zorder=2)
        axes.plot(xs, ys, color=colour, linewidth=1.2, zorder=3)
    marks = [number(system, "total_ms", quantile) for quantile in QUANTILES]
    for mark, height in zip(marks[1:], (0.30, 0.18), strict=True):
        if mark is not None:
            axes.plot([mark, mark], [foot, foot - height], color=colour, linewidth=2.2, zorder=4)
    axes.plot([marks[0]], [foot], "o", color=colour, markersize=7, zorder=5, clip_on=False)


def _figures(system: Part, is_baseline: bool) -> tuple[str, str, str]:
    p50, p95 = (number(system, "total_ms", quantile) for quantile in QUANTILES[:2])
    ratio = "" if is_baseline else amounts.times(number(system, "ratio", "p95", "value"))
    return amounts.plain(p50), amounts.plain(p95), ratio


def _label(canvas: Canvas, axes: Any, row: int, title: str, figures: tuple[str, str, str]) -> None:
    """Name on the left and figures on the right; above the ridge where the screen is narrow."""
    if not canvas.narrow:
        left = -axes.get_window_extent().x0 / axes.get_window_extent().width
        canvas.write(axes, left, row + 0.7, canvas.wrapped(title, 23), transform=axes.get_yaxis_transform())
        _columns(canvas, axes, row + 0.7, figures)
        return
    fraction, behind = axes.get_yaxis_transform(), {"facecolor": COLOURS["paper"], "linewidth": 0, "pad": 1}
    said = f"{figures[0]} · {figures[1]} ms" + (f" · {figures[2]}" if figures[2] else "")
    canvas.write(axes, 0, row + 0.2, title, transform=fraction, bbox=behind)
    grey = {"color": COLOURS["muted"], "fontsize": 11}
    canvas.write(axes, 1, row + 0.2, said, transform=fraction, ha="right", bbox=behind, **grey)


def _columns(canvas: Canvas, axes: Any, row: float, figures: tuple[str, str, str]) -> None:
    """Figures on the right, one below the other."""
    width = axes.get_window_extent().width
    for figure, pixels in zip(figures, (42, 96, 160), strict=True):
        place = {"transform": axes.get_yaxis_transform(), "ha": "right"}
        canvas.write(axes, 1 + pixels / width, row, figure, color=COLOURS["muted"], fontsize=11, **place)
