"""``opensearch-lsr export``: checkpoint → bundle."""

from __future__ import annotations

import sys
from dataclasses import asdict

import click

from opensearch_lsr.cli.options import json_option
from opensearch_lsr.cli.output import emit_json, table


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("checkpoint")
@click.option("-o", "--output", required=True, metavar="BUNDLE", help="Folder to write.")
@click.option(
    "--quantize",
    type=click.Choice(["none", "fp16", "int8", "int8-dynamic", "int4"]),
    default="none",
    show_default=True,
    help="fp16, int8, int4: weights of so many bits; int8-dynamic: arithmetic, too, for speed on CPUs.",
)
@click.option("--name", help="What the bundle is called where it is deployed [default: the checkpoint's folder name].")
@click.option("--version", default="1.0.0", show_default=True, help="Version of the encoder.")
@click.option(
    "--activation",
    type=click.Choice(["relu", "log1p_relu"]),
    help="For a masked LM + idf.json folder, which does not say it [default: relu].",
)
@click.option("--max-length", type=click.IntRange(min=8), help="Cut documents to this many tokens.")
@click.option(
    "--vocabulary",
    metavar="FILE",
    help="Only tokens that these lines give (tokens, words or texts) have weights: shorter postings.",
)
@click.option(
    "--top-k",
    type=click.IntRange(min=1),
    help="Keep so many tokens of a document, those that can add most to a score: shorter postings.",
)
@click.option("--overwrite", is_flag=True, help="Replace a bundle that is already there.")
@json_option
def export(
    checkpoint: str,
    output: str,
    quantize: str,
    name: str | None,
    version: str,
    activation: str | None,
    max_length: int | None,
    vocabulary: str | None,
    top_k: int | None,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Turn a trained CHECKPOINT into a bundle that OpenSearch and onnxruntime run.

    CHECKPOINT is a sentence-transformers SparseEncoder folder, a masked LM with its idf.json, or the Hub name
    (owner/name) of either. The result is compared with the checkpoint on real text.

    \b
    Example:
      opensearch-lsr export my-checkpoint -o my-bundle --quantize int8
    """
    from opensearch_lsr.export.card import parity_figures
    from opensearch_lsr.export.export import export as run
    from opensearch_lsr.export.export import size_of

    def on_step(step: str) -> None:
        if sys.stderr.isatty():
            click.echo(f"{step} …", err=True)

    bundle = run(
        checkpoint,
        output,
        quantize=quantize,
        name=name,
        version=version,
        activation=activation,
        max_length=max_length,
        vocabulary=vocabulary,
        top_k=top_k,
        overwrite=overwrite,
        on_step=on_step,
    )
    if as_json:
        emit_json({"path": str(bundle.path), **asdict(bundle.config)})
        return
    click.echo(f"{bundle.path}  {size_of(bundle.path) / 1e6:.1f} MB")
    table(["compared with the checkpoint", ""], parity_figures(bundle.config))
    click.echo(f"Next: opensearch-lsr deploy {output} --alias docs --field text")
