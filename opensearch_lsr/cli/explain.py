"""``opensearch-lsr explain``."""

from __future__ import annotations

from dataclasses import asdict

import click

from opensearch_lsr.cli.options import Connection, alias_option, cluster_options, json_option
from opensearch_lsr.cli.output import emit_json, labelled, table


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("text")
@click.argument("document_id")
@alias_option
@cluster_options
@json_option
def explain(connection: Connection, text: str, document_id: str, alias: str, as_json: bool) -> None:
    """Show which tokens of a query a document matches, and what each contributes.

    \b
    Example:
      opensearch-lsr explain "why do brakes squeak" doc-17 --alias articles
    """
    from opensearch_lsr.cluster.explain import explain as explain_match

    with connection.client() as client:
        found = explain_match(client, alias, text, document_id)
    if as_json:
        emit_json(asdict(found))
        return
    shared = found.contributions
    rows = [(labelled(c.token, c.text), c.query_weight, c.document_weight, c.score) for c in shared]
    table(["token", "query weight", "document weight", "contribution"], rows)
    where = f", in chunk {found.chunk} of {found.chunks}" if found.chunks > 1 else ""
    click.echo(f"score {sum(c.score for c in shared):.3f} from {len(shared)} shared tokens{where}")
    if where and found.text:
        click.echo(found.text)
