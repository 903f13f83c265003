"""Tables and curves of the runs that are there: Markdown, SVG and one HTML page.

    python benchmarks/ablations/report.py -o results

Writes results/ablations.md, results/curves.svg and results/ablations.html. Needs matplotlib (the extra report).
"""

from __future__ import annotations

import argparse
import html
import json
import math
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import claims
import curves
import plan
import run

from opensearch_lsr.errors import LSRError

NOTE = (
    "Mean ± standard deviation over seeds. p: two-sided paired t-test over queries, each query averaged over seeds "
    "first (over seeds for posting lists), then Holm's correction over all claims of the test set. “Seen” and “the "
    "opposite” are differences with corrected p < 0.05; “not shown” is no proof of equality."
)


@dataclass(frozen=True)
class Table:
    """A title, column names, rows of text."""

    title: str
    header: tuple[str, ...]
    rows: list[tuple[str, ...]]


def main() -> None:
    """Write the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--steps", type=int, help="report a trial of so many steps")
    arguments = parser.parse_args()
    try:
        asked, work = plan.read(), run.open_work(arguments.steps)
    except LSRError as error:
        sys.exit(f"error: {error}")
    results = read(asked, work)
    if not results:
        sys.exit(f"error: {work.runs}: holds no finished run; start run.py")
    arguments.output.mkdir(parents=True, exist_ok=True)
    tables = [table for test in asked.tests for table in claim_tables(claims.judge(asked, results, test), test)]
    tables += [variant_table(results, test) for test in asked.tests]
    svg = curves.draw(asked, results)
    summary = about(asked, results)
    (arguments.output / "curves.svg").write_text(svg, encoding="utf-8")
    (arguments.output / "ablations.md").write_text(markdown(summary, tables), encoding="utf-8")
    (arguments.output / "ablations.html").write_text(page(summary, tables, svg), encoding="utf-8")
    print(f"{arguments.output}/ablations.md, curves.svg, ablations.html: {summary}")


def read(asked: plan.Plan, work: run.Work) -> claims.Results:
    """Finished runs by variant and seed."""
    found: dict[str, dict[int, dict[str, Any]]] = {}
    for name in asked.variants:
        for file in sorted((work.results / name).glob("seed-*.json")):
            result = json.loads(file.read_text(encoding="utf-8"))
            found.setdefault(name, {})[result["seed"]] = result
    return found


def about(asked: plan.Plan, results: claims.Results) -> str:
    """What was run, in a line."""
    runs = [one for seeds in results.values() for one in seeds.values()]
    steps = sorted({one["steps"] for one in runs})
    hours = sum((one["training_seconds"] or 0) + one["measuring_seconds"] for one in runs) / 3600
    return (
        f"{len(runs)} runs of {len(results)} of {len(asked.variants)} variants, "
        f"{' or '.join(f'{number:,}' for number in steps)} steps, {hours:.1f} hours"
    )


def claim_tables(verdicts: Sequence[claims.Verdict], test: str) -> list[Table]:
    """A table for each group of claims."""
    header = ("better", "than", "better's", "than's", "difference", "p", "p, Holm", "dims", "seeds", "")
    tables = []
    for (group, source), members in groupby(verdicts, key=lambda found: (found.claim.group, found.claim.source)):
        paper = f"arXiv {source}" if source[0].isdigit() else source
        tables.append(Table(f"{group} ({paper}), {test}", header, [claim_row(found) for found in members]))
    return tables


def claim_row(found: claims.Verdict) -> tuple[str, ...]:
    digits = 4 if found.claim.measure == "nDCG@10" else 0
    dims = f"{found.better.active_dims:.0f} / {found.than.active_dims:.0f}"
    return (
        found.claim.better,
        found.claim.than,
        spread(found.better.mean, found.better.deviation, digits),
        spread(found.than.mean, found.than.deviation, digits),
        f"{found.better.mean - found.than.mean:+.{digits}f}",
        probability(found.p),
        probability(found.corrected),
        dims,
        str(found.seeds),
        found.word,
    )


def variant_table(results: claims.Results, test: str) -> Table:
    """Every figure of every variant."""
    header = (
        "variant",
        "seeds",
        "nDCG@10",
        "RR@10",
        "R@100",
        "dims",
        "query dims",
        "FLOPS",
        "longest list",
        "index MB",
    )
    rows = []
    for name, seeds in results.items():
        tests = [one["tests"][test] for one in seeds.values()]
        rows.append(
            (
                name,
                str(len(tests)),
                *(figure([one["measures"][measure] for one in tests], 4) for measure in ("nDCG@10", "RR@10", "R@100")),
                figure([one["active_dims"] for one in tests], 1),
                figure([one["query_active_dims"] for one in tests], 1),
                figure([one["flops"] for one in tests], 2),
                figure([one["longest_posting_list"] / one["documents"] * 100 for one in tests], 1) + " %",
                figure([one["index_bytes"] / 1e6 for one in tests], 2),
            )
        )
    return Table(f"All variants, {test}", header, rows)


def figure(values: Sequence[float], digits: int) -> str:
    return spread(statistics.mean(values), statistics.stdev(values) if len(values) > 1 else math.nan, digits)


def spread(mean: float, deviation: float, digits: int) -> str:
    return f"{mean:.{digits}f}" + ("" if math.isnan(deviation) else f" ± {deviation:.{digits}f}")


def probability(p: float) -> str:
    if math.isnan(p):
        return "–"
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def markdown(summary: str, tables: Sequence[Table]) -> str:
    lines = ["# Ablations", "", f"{summary}. {NOTE}", "", "![nDCG@10 over FLOPS](curves.svg)"]
    for table in tables:
        lines += ["", f"## {table.title}", "", *(f"| {' | '.join(row)} |" for row in (table.header,))]
        lines += ["|" + "---|" * len(table.header), *(f"| {' | '.join(row)} |" for row in table.rows)]
    return "\n".join(lines) + "\n"


STYLE = """body{font:15px/1.5 system-ui,sans-serif;max-width:75rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse;font-variant-numeric:tabular-nums}td,th{padding:.2rem .7rem;text-align:left;
border-bottom:1px solid #ddd}svg{max-width:100%;height:auto}"""


def page(summary: str, tables: Sequence[Table], svg: str) -> str:
    def row(cells: Sequence[str], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells) + "</tr>"

    parts = [
        f"<h2>{html.escape(table.title)}</h2><table>{row(table.header, 'th')}"
        + "".join(row(cells, "td") for cells in table.rows)
        + "</table>"
        for table in tables
    ]
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Ablations</title><style>{STYLE}</style>'
        f"<h1>Ablations</h1><p>{html.escape(summary)}. {html.escape(NOTE)}</p>{svg[svg.index('<svg') :]}"
        f"{''.join(parts)}</html>\n"
    )


if __name__ == "__main__":
    main()
