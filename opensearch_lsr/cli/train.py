"""``opensearch-lsr train``: recipe → checkpoint."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import click

from opensearch_lsr.cli.options import json_option
from opensearch_lsr.cli.output import emit_json, progress, table

_QUIET = re.compile(r"grad_norm|learning_rate|epoch|total_flos|train_.*|eval_(?!.*(ndcg@10|active_dims)$).*")


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("recipe")
@click.option("-o", "--output", metavar="CHECKPOINT", help="Folder to write.")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="Replace a setting of the recipe: training.steps=200, data.train='[\"pairs.jsonl\"]'. Repeatable.",
)
@click.option("--resume", is_flag=True, help="Go on with the run in CHECKPOINT; the result is as if never interrupted.")
@click.option("--dry-run", is_flag=True, help="Check the recipe, print it whole, and stop.")
@json_option
def train(
    recipe: str, output: str | None, settings: tuple[str, ...], resume: bool, dry_run: bool, as_json: bool
) -> None:
    """Train a document encoder by RECIPE, a TOML file or the name of a shipped recipe.

    The checkpoint goes straight into opensearch-lsr export, and opens with sentence-transformers' SparseEncoder; with a
    lexical prior, three logarithms and more or a causal LM that needs trust_remote_code=True and this package.
    CHECKPOINT/run keeps the log (log.jsonl) and what --resume needs; delete it when you are done.

    \b
    Example:
      opensearch-lsr train inference-free -o my-checkpoint --set data.pseudo_queries='["corpus.jsonl"]'
      opensearch-lsr export my-checkpoint -o my-bundle --quantize int8
    """
    if output is None and not dry_run:
        raise click.UsageError("Missing option '-o' / '--output'.")
    from opensearch_lsr import settings_file
    from opensearch_lsr.training import recipe_file

    chosen = recipe_file.read(recipe, settings)
    if dry_run or output is None:
        click.echo(settings_file.text(chosen, whole_paths=True), nl=False)
        return
    from opensearch_lsr.training.train import train as run

    with progress() as report:

        def on_log(step: int, steps: int, figures: dict[str, float]) -> None:
            report("adaptation" if "adaptation_loss" in figures else "steps", step, steps)
            if shown := _shown(figures):
                click.echo(f"  {step:,}/{steps:,}  {shown}", err=True)

        def on_step(step: str) -> None:
            click.echo(f"{step} …", err=True)

        # Lines also where stderr is no terminal: a log of hours should say how far it is.
        trained = run(chosen, Path(output), resume=resume, on_step=on_step, on_progress=report, on_log=on_log)
    if as_json:
        emit_json({"path": str(trained.path), "dev": trained.figures})
        return
    click.echo(f"{trained.path}")
    figures = [(name, value) for name, value in sorted(trained.figures.items()) if "ndcg" in name or "active" in name]
    if figures:
        table(["dev split", ""], figures)
    click.echo(f"Next: opensearch-lsr export {output} -o {output}-bundle --quantize int8")


def _shown(figures: Mapping[str, float]) -> str:
    """Loss, its terms and the figures beside them; of the dev splits nDCG@10 and active dims."""
    shown = {name.removeprefix("eval_"): value for name, value in figures.items() if not _QUIET.fullmatch(name)}
    return "  ".join(f"{name} {value:.4g}" for name, value in shown.items())
