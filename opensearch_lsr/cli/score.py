"""``opensearch-lsr score``: training data → the same with a teacher's scores."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import click

from opensearch_lsr.cli.options import json_option
from opensearch_lsr.cli.output import emit_json, progress, table


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("data", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", required=True, metavar="OUT.jsonl", type=click.Path(path_type=Path), help="File to write (.gz)."
)
@click.option(
    "--with", "teacher", required=True, metavar="bm25|MODEL", help="bm25, a SparseEncoder or a SentenceTransformer."
)
@click.option("--max-length", default=256, show_default=True, type=click.IntRange(1), help="Tokens of a text read.")
@click.option(
    "--max-ratio",
    type=click.FloatRange(0, min_open=True),
    help="Leave out what scores above this part of the positive's score, such as 1 [default: leave nothing out].",
)
@click.option("--split", default="train", show_default=True, help="Which judgments of a BEIR folder.")
@json_option
def score(
    data: Path, output: Path, teacher: str, max_length: int, max_ratio: float | None, split: str, as_json: bool
) -> None:
    """Give each query's documents the scores of a teacher, once for any number of training runs.

    DATA is JSON Lines (query, pos, negs; or query, docs, scores; also .gz) or a BEIR folder. A recipe takes the scores
    with a teacher of kind scores; the document that scores best counts as the positive. What is encoded is kept in
    OUT.jsonl.vectors until the file is written: killed and run again, the command goes on where it was.

    \b
    Example:
      opensearch-lsr mine scifact -o mined.jsonl --with bm25
      opensearch-lsr score mined.jsonl -o scored.jsonl --with my-large-checkpoint
    """
    from opensearch_lsr.data import training_set
    from opensearch_lsr.errors import InputError

    if not output.resolve().parent.is_dir():
        raise InputError(f"{output}: its folder does not exist; make it first")
    started = time.monotonic()
    rows = training_set.read(data, split)  # a bad line is named before slow imports
    from opensearch_lsr.training import scoring

    cache = output.with_name(f"{output.name}.vectors")
    with progress() as report:
        scored = scoring.score(rows, teacher, cache, max_length, max_ratio, report)
    training_set.write(scored, output)
    shutil.rmtree(cache, ignore_errors=True)
    summary = {
        "path": str(output),
        "rows": len(scored.rows),
        "scores": sum(len(row.documents) for row in scored.rows),
        "positive_best": round(
            sum(max(row.scores or ()) == (row.scores or ())[0] for row in scored.rows) / len(rows.rows), 3
        ),
        "seconds": round(time.monotonic() - started, 1),
    }
    if as_json:
        emit_json(summary)
        return
    table(["scored", ""], [(name.replace("_", " "), value) for name, value in summary.items()])
