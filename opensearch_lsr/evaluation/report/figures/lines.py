"""Panels of lines on logarithmic scales, each line named at its end."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from opensearch_lsr.evaluation.report.figures.canvas import Canvas, round_values, spread


@dataclass(frozen=True)
class Line:
    """A system's ``(x, y)``, x rising, all above zero."""

    system: str
    points: list[tuple[float, float]]


def line_panels(
    canvas: Canvas,
    panels: Sequence[tuple[str, str, list[Line]]],
    titles: dict[str, str],
    write_x: Callable[[float], str],
    write_y: Callable[[float], str],
) -> Any:
    """Panels beside each other; below each other where the screen is narrow.

    Args:
        canvas: what to draw for.
        panels: title, what the axes are, lines.
        titles: of systems.
        write_x: how values along are written.
        write_y: how values up are written.
    """
    columns = 1 if canvas.narrow else len(panels)
    left, names, height, above, below = 40, 156 if canvas.narrow else 170, 250, 40, 34
    width = canvas.width / columns - left - names
    figure = canvas.figure((above + height + below) * math.ceil(len(panels) / columns))
    for i, (title, about, lines) in enumerate(panels):
        across, down = i % columns, i // columns
        axes = canvas.axes(
            figure, across * canvas.width / columns + left, down * (above + height + below) + above, width, height
        )
        canvas.heading(axes, title, about)
        _draw(canvas, axes, lines, titles, write_x, write_y)
    return figure


def _draw(
    canvas: Canvas,
    axes: Any,
    lines: list[Line],
    titles: dict[str, str],
    write_x: Callable[[float], str],
    write_y: Callable[[float], str],
) -> None:
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter, NullLocator

    axes.set(xscale="log", yscale="log")
    xs = sorted({x for line in lines for x, _ in line.points})
    ys = [y for line in lines for _, y in line.points]
    low, high = min(ys) / 1.15, max(ys) * 1.15
    axes.set_xlim(xs[0] / (xs[-1] / xs[0]) ** 0.04, xs[-1] * (xs[-1] / xs[0]) ** 0.02)
    axes.set_ylim(low, high)
    axes.xaxis.set_major_locator(FixedLocator(xs))
    axes.yaxis.set_major_locator(FixedLocator(round_values(low, high)))
    for axis, write in ((axes.xaxis, write_x), (axes.yaxis, write_y)):
        axis.set_minor_locator(NullLocator())
        axis.set_minor_formatter(NullFormatter())
        axis.set_major_formatter(FuncFormatter(lambda value, _, write=write: write(value)))
    axes.grid(False, axis="x")
    for line in sorted(lines, key=lambda line: -canvas.place.get(line.system, 0)):
        axes.plot(
            *zip(*line.points, strict=True),
            color=canvas.colour(line.system),
            marker=canvas.marker(line.system),
            markersize=6,
            linewidth=2.6 if canvas.place.get(line.system) == 0 else 1.8,
        )
    _name(canvas, axes, lines, titles)


def _name(canvas: Canvas, axes: Any, lines: list[Line], titles: dict[str, str]) -> None:
    """Names at the right, apart from each other, with a thin line to where they belong."""
    from matplotlib.transforms import blended_transform_factory

    height = axes.get_window_extent().height
    ends = [axes.transData.transform(line.points[-1]) for line in lines]
    foot = axes.get_window_extent().y0
    size = 14.5
    places = spread([y - foot for _, y in ends], size, 4, height - 4)
    right = axes.get_window_extent().x1
    mixed = blended_transform_factory(axes.transAxes, axes.transAxes)
    width = axes.get_window_extent().width
    for line, (x, y), place in zip(lines, ends, places, strict=True):
        colour = canvas.colour(line.system)
        start, bend = (x - right + width) / width, 1 + 14 / width
        axes.plot(
            [start, 1 + 3 / width, bend],
            [(y - foot) / height, (y - foot) / height, place / height],
            transform=mixed,
            color=colour,
            linewidth=0.7,
            alpha=0.6,
            clip_on=False,
            zorder=1,
        )
        title = titles.get(line.system, line.system)
        short = title if len(title) <= 24 else title[:23] + "…"
        canvas.write(axes, 1 + 18 / width, place / height, short, transform=mixed, color=colour, fontsize=11)
