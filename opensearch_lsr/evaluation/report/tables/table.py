"""What a table is: cells already written, columns that hold nothing left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from opensearch_lsr.evaluation.report import amounts
from opensearch_lsr.evaluation.report.reading import Part, Tone, number, tone


@dataclass(frozen=True)
class Cell:
    """A cell.

    Attributes:
        text: what it says.
        detail: what stands behind it in smaller letters.
        strong: the best of its column.
        tone: whether a difference is clear, and which way.
        counts: wins, ties and losses, drawn as a bar.
    """

    text: str
    detail: str = ""
    strong: bool = False
    tone: Tone = "none"
    counts: tuple[int, int, int] | None = None


@dataclass(frozen=True)
class Row:
    """A row; its first cell names it."""

    cells: list[Cell]
    kind: Literal["baseline", "system"] = "system"


@dataclass(frozen=True)
class Table:
    """A table; all columns but the first ``labels`` hold figures."""

    title: str
    columns: list[str]
    rows: list[Row]
    note: str = ""
    labels: int = 1


def table(
    title: str,
    columns: Sequence[str],
    rows: Sequence[tuple[bool, Sequence[Cell | str]]],
    note: str = "",
    labels: int = 1,
) -> Table | None:
    """A table without the columns that hold nothing; None where nothing is left.

    Args:
        title: what it shows, and of what.
        columns: their headings.
        rows: whether it is the baseline's, and the cells.
        note: below it.
        labels: how many columns on the left are text.
    """
    cells = [[Cell(cell) if isinstance(cell, str) else cell for cell in row] for _, row in rows]
    kept = [
        i for i in range(len(columns)) if i < labels or any(row[i].text not in ("", amounts.MISSING) for row in cells)
    ]
    if len(kept) <= labels or not cells:
        return None
    return Table(
        title,
        [columns[i] for i in kept],
        [
            Row([row[i] for i in kept], "baseline" if is_baseline else "system")
            for (is_baseline, _), row in zip(rows, cells, strict=True)
        ],
        note,
        labels,
    )


def best(values: Sequence[float | None], lower: bool = False) -> list[bool]:
    """Which values are the best of a column, as they are written (three decimals); none where all are equal."""
    known = {round(value, 3) for value in values if value is not None}
    if len(known) < 2:
        return [False] * len(values)
    wanted = min(known) if lower else max(known)
    return [value is not None and round(value, 3) == wanted for value in values]


def difference(against: Part) -> Cell:
    """A difference to the baseline, with its interval and whether that leaves out zero."""
    low, high = number(against, "low"), number(against, "high")
    return Cell(amounts.signed(number(against, "difference")), amounts.interval(low, high), tone=tone(against))


def counts(against: Part) -> Cell:
    """Wins, ties and losses."""
    found = [number(against, key) for key in ("wins", "ties", "losses")]
    known = [int(value) for value in found if value is not None]
    if len(known) < 3:
        return Cell(amounts.MISSING)
    won, tied, lost = known
    return Cell(f"{won:,} · {tied:,} · {lost:,}", counts=(won, tied, lost))


def ratio(system: Part, quantile: str, is_baseline: bool) -> Cell:
    """A quantile's ratio to the baseline, with its interval."""
    value, low, high = (number(system, "ratio", quantile, key) for key in ("value", "low", "high"))
    if is_baseline:
        return Cell(amounts.MISSING if number(system, "total_ms", quantile) is None else "1×")
    return factor(value, low, high)


def factor(value: float | None, low: float | None, high: float | None) -> Cell:
    """A ratio with its interval."""
    return Cell(amounts.times(value), "" if low is None or high is None else f"{low:.2f}–{high:.2f}")
