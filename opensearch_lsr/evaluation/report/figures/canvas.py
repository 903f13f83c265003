"""What all plots share: a width in pixels, colours of systems, axes, and labels that do not cover each other."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

WIDE, NARROW = 860, 350
"""Widths in pixels of 1/72 inch; a plot is drawn for one of them, never shrunk."""

COLOURS = {
    "paper": "#fdfcfa",
    "ink": "#1f1e1c",
    "muted": "#6a675f",
    "rule": "#dedad1",
    "base": "#55534d",
    "s1": "#0a7570",
    "s2": "#c24a15",
    "s3": "#4453b8",
    "s4": "#a82f7b",
    "s5": "#8c6a06",
    "s6": "#3c7c2a",
    "s7": "#1a74b0",
    "s8": "#7c5130",
    "s9": "#7a42b0",
}
"""CSS variable → colour on light paper; the page's style sheet has those for dark mode. No two are alike."""
_MARKERS = "osD^vPX"
_DIGITS = [(1.0,), (1.0, 2.0, 5.0), (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8), tuple(i / 10 for i in range(10, 100))]
_SERIES = [name for name in COLOURS if name[0] == "s" and name[1:].isdigit()]


class Canvas:
    """A figure to be, so wide; colours go to systems in their order, the baseline's is grey.

    Args:
        width: in pixels.
        systems: names, the baseline first.
    """

    def __init__(self, width: int, systems: Sequence[str]) -> None:
        self.width = width
        self.narrow = width < 500
        self.place = {name: i for i, name in enumerate(systems)}

    def colour(self, system: str) -> str:
        """The system's colour, as ``#rrggbb``."""
        place = self.place.get(system, len(self.place))
        return COLOURS["base"] if place == 0 else COLOURS[_SERIES[(place - 1) % len(_SERIES)]]

    def marker(self, system: str) -> str:
        """The system's marker: where colours come round again, the shape differs."""
        place = self.place.get(system, len(self.place))
        return _MARKERS[0 if place == 0 else (place - 1) % len(_MARKERS)]

    def figure(self, height: float) -> Any:
        """An empty figure, ``height`` pixels high."""
        from matplotlib.figure import Figure

        return Figure(figsize=(self.width / 72, height / 72), dpi=72)

    def axes(self, figure: Any, left: float, top: float, width: float, height: float) -> Any:
        """Axes at a place in pixels from the top left corner: only a bottom line, faint grid."""
        whole = figure.get_figheight() * 72
        axes = figure.add_axes(
            (left / self.width, 1 - (top + height) / whole, width / self.width, height / whole), facecolor="none"
        )
        axes.spines[["left", "right", "top"]].set_visible(False)
        axes.spines["bottom"].set_color(COLOURS["rule"])
        axes.tick_params(
            which="both", length=0, labelsize=11, labelcolor=COLOURS["muted"], color=COLOURS["rule"], pad=5
        )
        axes.set_axisbelow(True)
        axes.grid(True, color=COLOURS["rule"], linewidth=0.8)
        return axes

    def write(self, axes: Any, x: float, y: float, said: str, **settings: Any) -> Any:
        """Text at a place of the axes (``x`` and ``y`` in data units unless ``transform`` says otherwise)."""
        settings = {"fontsize": 12, "color": COLOURS["ink"], "va": "center", **settings}
        return axes.text(x, y, said, **settings)

    def heading(self, axes: Any, title: str, after: str = "") -> None:
        """A panel's title above its left edge, and what follows it in grey."""
        written = axes.annotate(
            title,
            (0, 1),
            (0, 10),
            "axes fraction",
            "offset points",
            fontsize=13,
            fontweight="bold",
            color=COLOURS["ink"],
        )
        if after:
            axes.annotate(
                after,
                (1, 0),
                (8, 0),
                written,
                "offset points",
                fontsize=11,
                color=COLOURS["muted"],
                va="bottom",
            )

    @staticmethod
    def wrapped(title: str, characters: int) -> str:
        """A title on at most two lines."""
        return "\n".join(textwrap.wrap(title, characters, max_lines=2, placeholder="…", break_on_hyphens=False))


def decimals(ticks: Sequence[float]) -> int:
    """How many decimals keep neighbouring ticks apart, two at least."""
    step = min((abs(b - a) for a, b in pairwise(ticks) if a != b), default=0.01)
    return max(2, -math.floor(math.log10(step) + 1e-9))


def round_values(low: float, high: float) -> list[float]:
    """1, 2, 5, 10 … within limits on a logarithmic scale; closer ones where there are fewer than three."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for digits in _DIGITS:
        found = [digit * 10.0**power for power in powers for digit in digits if low <= digit * 10.0**power <= high]
        if len(found) >= 3:
            return _apart(found, (high / low) ** (1 / 6))
    return [low, high]


def _apart(values: Sequence[float], ratio: float) -> list[float]:
    """Those at least so many times their predecessor."""
    kept = [values[0]]
    for value in values:
        if value >= kept[-1] * ratio:
            kept.append(value)
    return kept


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Places as near as may be to those wanted, at least ``gap`` apart, within ``low`` and ``high``.

    Neighbours that are too near become a block around their mean; blocks that touch are joined (the pool-adjacent-
    violators algorithm of isotonic regression, on places less their rank × gap).
    """
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    blocks: list[tuple[float, int]] = []  # mean of (place − rank × gap), members
    for rank, i in enumerate(order):
        mean, members = wanted[i] - rank * gap, 1
        while blocks and blocks[-1][0] > mean:
            other, number = blocks.pop()
            mean, members = (mean * members + other * number) / (members + number), members + number
        blocks.append((mean, members))
    top = high - (len(wanted) - 1) * gap
    free = [max(low, min(mean, top)) for mean, members in blocks for _ in range(members)]
    found = [0.0] * len(wanted)
    for rank, i in enumerate(order):
        found[i] = free[rank] + rank * gap
    return found
