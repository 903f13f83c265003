"""What people see: tables on stdout, progress on stderr when it is a terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click

CHECK_FAILED = 3  # exit code of a gate that does not open, and of a doctor that found something


def emit_json(value: Any) -> None:
    """Print a value as JSON."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))


def table(
    columns: Sequence[str], rows: Sequence[Sequence[object]], title: str | None = None, aside: bool = False
) -> None:
    """Print a table; columns of numbers stand right. ``aside``: on stderr, so that stdout stays what was asked for."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(title=title, box=SIMPLE_HEAD, title_justify="left", pad_edge=False)
    for position, column in enumerate(columns):
        numeric = bool(rows) and all(isinstance(row[position], int | float) for row in rows)
        drawn.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        drawn.add_row(*(Text(f"{cell:.3f}" if isinstance(cell, float) else str(cell)) for cell in row))
    terminal = (sys.stderr if aside else sys.stdout).isatty()
    console = Console(width=None if terminal else 120, highlight=False, stderr=aside)
    console.print(drawn)


def labelled(token: str, text: str) -> str:
    """A token in a vector and, where that is an id, what it stands for."""
    return token if token == text else f"{token} {text!r}"


def where_time_went(shares: Sequence[tuple[str, float, float]]) -> None:
    """A table of (part, seconds, share), on stderr."""
    rows = [(name, seconds * 1000, f"{share:.0%}") for name, seconds, share in shares]
    table(["where the time went", "ms", "share"], rows, aside=True)


@contextmanager
def progress(in_bytes: bool = True) -> Iterator[Callable[[str, int, int], None]]:
    """A progress bar; yields ``report(what, done, total)``. Silent when stderr is no terminal.

    Args:
        in_bytes: amounts above a million are bytes, unless they are ``documents``, and shown as MB.
    """
    if not sys.stderr.isatty():
        yield lambda what, done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[amount]}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        tasks: dict[str, Any] = {}

        def report(what: str, done: int, total: int) -> None:
            scale, unit = (1e6, " MB") if in_bytes and total >= 1e6 and what != "documents" else (1, "")
            amount = f"{done / scale:,.0f}" + (f"/{total / scale:,.0f}{unit}" if total else "")
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=total or None, amount="")
            bar.update(tasks[what], completed=done, total=total or None, amount=amount)

        yield report
