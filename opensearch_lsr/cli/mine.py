"""``opensearch-lsr mine``: training data → the same with hard negatives."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from opensearch_lsr.cli.options import json_option
from opensearch_lsr.cli.output import emit_json, progress, table

if TYPE_CHECKING:
    from opensearch_lsr.data.training_set import TrainingSet


class Ranks(click.ParamType[tuple[int, int]]):
    """``FIRST-LAST``, counted from 1."""

    name = "first-last"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        found = re.fullmatch(r"(\d{1,9})-(\d{1,9})", str(value))
        first, last = map(int, found.groups()) if found else (0, 0)
        if not 1 <= first <= last:
            self.fail(f"{value!r}: give the first and last rank, such as 10-200", param, ctx)
        return first, last


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("data", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", required=True, metavar="OUT.jsonl", type=click.Path(path_type=Path), help="File to write (.gz)."
)
@click.option(
    "--with", "searcher", required=True, metavar="bm25|ENCODER", help="bm25, a bundle or a checkpoint (folder, Hub)."
)
@click.option("--depth", type=Ranks(), default="10-200", show_default=True, help="Ranks to draw from.")
@click.option("--negatives", default=8, show_default=True, type=click.IntRange(1), help="How many for each row.")
@click.option(
    "--max-ratio",
    type=click.FloatRange(0, min_open=True),
    help="Leave out what scores above this part of the positive's score, such as 0.95 [default: leave nothing out].",
)
@click.option("--seed", default=1, show_default=True, help="Of the draw.")
@click.option("--split", default="train", show_default=True, help="Which judgments of a BEIR folder.")
@json_option
def mine(
    data: Path,
    output: Path,
    searcher: str,
    depth: tuple[int, int],
    negatives: int,
    max_ratio: float | None,
    seed: int,
    split: str,
    as_json: bool,
) -> None:
    """Give each query and its positive documents that rank high and do not answer it.

    DATA is JSON Lines (query, pos, negs; or query, docs, scores; also .gz) or a BEIR folder. The documents searched are
    all those in it; no positive of a query is ever its negative. Negatives that DATA has are replaced.

    \b
    Example:
      opensearch-lsr mine scifact -o mined.jsonl --with bm25
      opensearch-lsr mine scifact -o harder.jsonl --with my-checkpoint --max-ratio 0.95
    """
    from opensearch_lsr.data import training_set
    from opensearch_lsr.errors import InputError

    if not output.resolve().parent.is_dir():  # said before an hour of mining, not after
        raise InputError(f"{output}: its folder does not exist; make it first")
    started = time.monotonic()
    rows = training_set.read(data, split)  # a bad line is named before slow imports
    from opensearch_lsr.training import negatives as mining

    with progress() as report:
        found: mining.Searcher
        if searcher == "bm25":
            found = mining.BM25Searcher(rows.documents)
        else:
            found = mining.EncoderSearcher(searcher, rows.documents, report)
        mined = mining.mine(rows, found, depth, negatives, seed, max_ratio, report)
    training_set.write(mined, output)
    summary = {"path": str(output), **_figures(mined), "seconds": round(time.monotonic() - started, 1)}
    if as_json:
        emit_json(summary)
        return
    table(["mined", ""], [(name.replace("_", " "), value) for name, value in summary.items()])


def _figures(mined: TrainingSet) -> dict[str, Any]:
    counts = [len(row.documents) - 1 for row in mined.rows]
    return {
        "rows": len(mined.rows),
        "queries": len(mined.queries),
        "documents": len(mined.documents),
        "negatives_a_row": round(sum(counts) / len(counts), 2),
        "rows_without": counts.count(0),
    }
