"""The verdict and the tables in the terminal."""

from __future__ import annotations

from opensearch_lsr.evaluation.report.headline import headline
from opensearch_lsr.evaluation.report.reading import Part
from opensearch_lsr.evaluation.report.tables import relevance
from opensearch_lsr.evaluation.report.tables.table import Table

WIDTH = 118
"""Characters; wider tables go on below, with their first column again."""
_BETWEEN = 3
_TONES = {"better": "▴ ", "worse": "▾ "}


def verdict(results: Part) -> str:
    """The answer in a few lines."""
    found = headline(results)
    figures = (f"{tile.label}: {tile.value} ({tile.detail})" for tile in found.tiles)
    return "\n".join([found.verdict, *found.sentences, *figures, *found.notices])


def summary(results: Part, width: int = WIDTH) -> list[tuple[list[str], list[list[str]]]]:
    """``(columns, rows)`` for ``cli.output.table``: all systems, in as many tables as the width asks for."""
    found = relevance.summary(results)
    return fitted(found, width) if found else []


def fitted(table: Table, width: int = WIDTH) -> list[tuple[list[str], list[list[str]]]]:
    """A table as text, cut between columns into such as fit; figures are set to the right."""
    cells = [[_TONES.get(cell.tone, "") + cell.text for cell in row.cells] for row in table.rows]
    columns = [list(column) for column in zip(table.columns, *cells, strict=True)]
    widths = [max(map(len, column)) for column in columns]
    labels = columns[: table.labels]
    used = first = sum(widths[: table.labels]) + _BETWEEN * table.labels
    groups: list[list[list[str]]] = [[]]
    for column, wide in zip(columns[table.labels :], widths[table.labels :], strict=True):
        if groups[-1] and used + wide > width:
            groups.append([])
            used = first
        groups[-1].append([text.rjust(wide) for text in column])
        used += wide + _BETWEEN
    return [_turned([*labels, *group]) for group in groups]


def _turned(columns: list[list[str]]) -> tuple[list[str], list[list[str]]]:
    titles, *rows = (list(row) for row in zip(*columns, strict=True))
    return titles, rows
