"""How figures are written: the same on the page, in Markdown and in the terminal."""

from __future__ import annotations

MISSING = "–"


def score(value: float | None) -> str:
    """A relevance value: 0.694."""
    return MISSING if value is None else f"{value:.3f}"


def signed(value: float | None, digits: int = 3) -> str:
    """A difference with its sign, a real minus: +0.022, −0.004."""
    if value is None:
        return MISSING
    written = f"{value:+.{digits}f}"
    return f"±{written[1:]}" if float(written) == 0 else written.replace("-", "−")


def times(value: float | None) -> str:
    """A ratio: 1.31×."""
    return MISSING if value is None else f"{plain(value)}×"


def plain(value: float | None) -> str:
    """A figure with three significant digits, two below 0.1, thousands grouped: 0.012, 0.82, 12.4, 1,310."""
    if value is None:
        return MISSING
    if 0 < abs(value) < 0.1:
        return f"{value:.2g}".replace("-", "−")
    size = float(f"{abs(value):.3g}")  # rounded first: 9.999 is 10.0
    digits = 0 if size >= 100 else 1 if size >= 10 else 2
    return f"{value:,.{digits}f}".replace("-", "−")


def count(value: float | None) -> str:
    """12,345."""
    return MISSING if value is None else f"{value:,.0f}"


def tick(value: float) -> str:
    """A round figure at an axis: 0.5, 20, 5,000."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def short_size(value: float) -> str:
    """A round number of bytes at an axis: 2 kB."""
    for unit, name in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if value >= unit:
            return f"{value / unit:.3g} {name}"
    return f"{value:.3g} B"


def short_count(value: float) -> str:
    """10k, 1M: for axes."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g}{unit}"
    return f"{value:.3g}"


def size(value: float | None) -> str:
    """Bytes in decimal units: 1.23 GB."""
    if value is None:
        return MISSING
    for unit, name in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if abs(value) >= 0.9995 * unit:  # 999.6 is written as 1.00 of the next
            return f"{plain(value / unit)} {name}"
    return f"{value:.0f} bytes"


def interval(low: float | None, high: float | None, digits: int = 3) -> str:
    """A 95 % interval of a difference: +0.003 to +0.041."""
    return "" if low is None or high is None else f"{signed(low, digits)} to {signed(high, digits)}"


def probability(value: float | None) -> str:
    """A p value: 0.031, < 0.001."""
    return MISSING if value is None else "< 0.001" if value < 0.001 else f"{value:.3f}"
