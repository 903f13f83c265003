"""The long form: every fault so many times, as a table, and kept as JSON for docs/reliability.md.

::

    python tests/faults/run.py --times 20 --json benchmarks/results/faults.json
    python tests/faults/run.py --only storm --times 3
    python tests/faults/run.py --page benchmarks/results/faults.json     # writes the page's table anew
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import click
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1]))  # tiny_checkpoint
from every_fault import FAULTS
from fault import Fault, World
from nodes import started
from tiny_checkpoint import make_checkpoint

from opensearch_lsr.bundle import Bundle
from opensearch_lsr.export.export import export

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
BEGIN, END = "<!-- faults: tests/faults/run.py --page -->", "<!-- /faults -->"
COLUMNS = ("fault", "tried", "what the user saw", "documents", "lost", "twice", "wrong", "seconds until all was right")


@click.command()
@click.option("--times", default=5, show_default=True, help="How often each fault happens.")
@click.option("--only", multiple=True, type=click.Choice(list(FAULTS)), help="These faults only.")
@click.option("--seed", default=1, show_default=True, help="Of when and what happens.")
@click.option("--json", "kept", type=click.Path(path_type=Path), help="Keep the figures, beside those it has.")
@click.option("--page", type=click.Path(path_type=Path), help="Only write docs/reliability.md's table from these.")
def run(times: int, only: tuple[str, ...], seed: int, kept: Path | None, page: Path | None) -> None:
    """Bring about faults, and count what was lost."""
    if page:
        write_page(json.loads(page.read_text()))
        return
    chosen = [FAULTS[name] for name in only or FAULTS]
    figures: dict[str, Any] = json.loads(kept.read_text()) if kept and kept.exists() else {}
    with tempfile.TemporaryDirectory() as folder:
        bundles = [_bundle(Path(folder), activation) for activation in ("log1p_relu", "relu")]
        for nodes in sorted({one.nodes for one in chosen}):
            with started([f"fault-{number}" for number in range(nodes)]) as running:
                world = World(running, *bundles, Random(seed))
                for fault in (one for one in chosen if one.nodes == nodes):
                    figures[fault.name] = tried(fault, world, times)
                    if kept:
                        kept.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n")
    _show(figures)
    if any(_bad(row) for row in figures.values()):
        sys.exit(1)


def tried(fault: Fault, world: World, times: int) -> dict[str, Any]:
    """What became of a fault that happened so many times."""
    row: dict[str, Any] = {"title": fault.title, "tried": 0, "seen": {}, "seconds": [], "failures": []}
    row |= dict.fromkeys(("documents", "lost", "twice", "wrong"), 0)
    for _ in range(times):
        row["tried"] += 1
        try:
            outcome = fault.happen(world)
        except Exception as error:
            row["failures"].append(f"{type(error).__name__}: {error}")
            click.echo(f"{fault.name}: {row['failures'][-1]}", err=True)
            continue
        row["seen"][outcome.seen] = row["seen"].get(outcome.seen, 0) + 1
        row["seconds"].append(round(outcome.seconds, 1))
        for name in ("documents", "lost", "twice", "wrong"):
            row[name] += getattr(outcome.content, name)
        row["failures"] += outcome.content.findings
        click.echo(f"{time.strftime('%H:%M:%S')} {fault.name}: {outcome}", err=True)
    return row


def rows(figures: dict[str, Any]) -> Iterator[list[str]]:
    """The table's cells."""
    for row in figures.values():
        seen = "; ".join(f"{times} × {what}" if len(row["seen"]) > 1 else what for what, times in row["seen"].items())
        seconds = sorted(row["seconds"]) or [0.0]
        span = f"{seconds[0]:g} to {seconds[-1]:g}"
        counts = (row[name] for name in ("documents", "lost", "twice", "wrong"))
        yield [row["title"], str(row["tried"]), seen, *(f"{count:,}" for count in counts), span]


def write_page(figures: dict[str, Any]) -> None:
    """Replace the table between the page's markers."""
    lines = [list(COLUMNS), [":--", "--:", ":--", *["--:"] * 5], *rows(figures)]
    table = "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)
    text = PAGE.read_text(encoding="utf-8")
    before, after = text.index(BEGIN) + len(BEGIN), text.index(END)
    PAGE.write_text(f"{text[:before]}\n{table}\n{text[after:]}", encoding="utf-8")


def _bundle(folder: Path, activation: str) -> Bundle:
    checkpoint = make_checkpoint(folder / f"checkpoint-{activation}", "router", activation)
    return export(checkpoint, folder / activation)


def _bad(row: dict[str, Any]) -> bool:
    return bool(row["failures"] or row["lost"] or row["twice"] or row["wrong"])


def _show(figures: dict[str, Any]) -> None:
    table = Table(*COLUMNS, show_lines=True)
    for cells in rows(figures):
        table.add_row(*cells)
    Console(width=max(160, Console().width)).print(table)


if __name__ == "__main__":
    run()
