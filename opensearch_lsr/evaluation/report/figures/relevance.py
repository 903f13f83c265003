"""Differences to the baseline with their intervals, one panel a collection."""

from __future__ import annotations

from typing import Any

from opensearch_lsr.evaluation.report import amounts, reading
from opensearch_lsr.evaluation.report.figures.canvas import COLOURS, Canvas, decimals
from opensearch_lsr.evaluation.report.reading import MEASURE, Part, mapping, number, text


def caption(results: Part) -> str:
    """What is seen; empty without a difference to draw."""
    if not _rows(results):
        return ""
    base = reading.titles(results)[reading.baseline(results)]
    p = f"p, corrected for the systems compared (Holm), is below {reading.CLEAR}"
    clear = p if reading.corrected(results) else "its interval leaves out zero"
    return (
        f"{MEASURE} of each system less that of {base} on the same queries, with 95 % bootstrap intervals. A filled "
        f"dot is a clear difference: {clear}. On the right the system’s own value."
        + (f" {reading.SAID_IN_DOMAIN}" if reading.in_domain(results) else "")
    )


def _rows(results: Part) -> list[str]:
    """Systems with a difference anywhere, in order."""
    collections = reading.with_relevance(results)
    return [name for name in reading.titles(results) if any(_difference(c, name) is not None for c in collections)]


def _difference(collection: Part, name: str) -> float | None:
    return number(_against(collection, name), "difference")


def _against(collection: Part, name: str) -> Part:
    return mapping(reading.measured(collection).get(name, {}), "against_baseline", MEASURE)


def draw(canvas: Canvas, results: Part) -> Any:
    """Small panels with one scale; systems in the same rows of all."""
    names = _rows(results)
    collections = [c for c in reading.with_relevance(results) if any(_difference(c, n) is not None for n in names)]
    columns = 1 if canvas.narrow else {1: 1, 2: 2, 4: 2}.get(len(collections), 3)
    rows = -(-len(collections) // columns)
    label, value, gap = (124, 40, 0) if canvas.narrow else (160, 44, 24)
    width = (canvas.width - label - columns * value - (columns - 1) * gap) / columns
    height, above, below = len(names) * (27 if canvas.narrow else 25), 44, 34
    figure = canvas.figure(rows * (above + height + below))
    low, high = _limits(collections, names)
    for i, collection in enumerate(collections):
        left = label + (i % columns) * (width + value + gap)
        axes = canvas.axes(figure, left, (i // columns) * (above + height + below) + above, width, height)
        axes.set_xlim(low, high)
        axes.set_ylim(len(names) - 0.5, -0.5)
        _panel(canvas, axes, collection, names, results, labelled=i % columns == 0)
    return figure


def _limits(collections: list[Part], names: list[str]) -> tuple[float, float]:
    """All intervals and zero, with a margin."""
    found = [0.0]
    for collection in collections:
        for name in names:
            ends = (number(_against(collection, name), key) for key in ("difference", "low", "high"))
            found += [end for end in ends if end is not None]
    margin = 0.06 * (max(found) - min(found)) or 0.01
    return min(found) - margin, max(found) + margin


def _panel(canvas: Canvas, axes: Any, collection: Part, names: list[str], results: Part, labelled: bool) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    titles, base = reading.titles(results), text(collection, "baseline", reading.BASELINE)
    left = -axes.get_window_extent().x0
    measured = reading.measured(collection)
    own = number(measured.get(base, {}), "relevance", MEASURE)
    name = text(collection, "name")
    name = (name if len(name) <= 22 else name[:21] + "…") + (reading.IN_DOMAIN if collection.get("in_domain") else "")
    canvas.heading(axes, name, f"{titles.get(base, base)} {amounts.score(own)}")
    axes.grid(False, axis="y")
    axes.axvline(0, color=COLOURS["base"], linewidth=1.2)
    axes.xaxis.set_major_locator(MaxNLocator(5 if axes.get_window_extent().width < 300 else 8, steps=[1, 2, 5, 10]))
    digits = decimals(axes.get_xticks())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: "0" if abs(x) < 1e-9 else amounts.signed(x, digits)))
    axes.set_yticks([])
    axes.hlines(range(len(names)), 0, 1, transform=axes.get_yaxis_transform(), color=COLOURS["rule"], lw=0.6, zorder=0)
    for row, system in enumerate(names):
        against, colour = _against(collection, system), canvas.colour(system)
        difference, low, high = (number(against, key) for key in ("difference", "low", "high"))
        shown = number(measured.get(system, {}), "relevance", MEASURE)
        if labelled:
            title = canvas.wrapped(titles[system], 20 if canvas.narrow else 23)
            size = 11 if canvas.narrow else 12
            canvas.write(axes, 0, row, title, transform=_shifted(axes, left), fontsize=size, linespacing=1.0)
        canvas.write(
            axes, 1, row, amounts.score(shown), transform=_shifted(axes, 8), color=COLOURS["muted"], fontsize=11
        )
        if difference is None:
            continue
        if low is not None and high is not None:
            axes.plot([low, high], [row, row], color=colour, linewidth=2.4, solid_capstyle="round")
        face = colour if reading.tone(against) in ("better", "worse") else COLOURS["paper"]
        axes.plot([difference], [row], "o", color=colour, markerfacecolor=face, markersize=7.5, markeredgewidth=1.8)


def _shifted(axes: Any, pixels: float) -> Any:
    """Axes fraction in x, moved by so many pixels; data in y."""
    from matplotlib.transforms import ScaledTranslation

    figure = axes.get_figure()
    return axes.get_yaxis_transform() + ScaledTranslation(pixels / 72, 0, figure.dpi_scale_trans)
