"""``opensearch-lsr explain``."""

from __future__ import annotations

import click

from opensearch_lsr.cli.options import Connection, alias_option, cluster_options, json_option
from opensearch_lsr.cli.output import emit_json, table


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
    from opensearch_lsr.cluster.search import explain as explain_match

    with connection.client() as client:
        found = explain_match(client, alias, text, document_id)
    if as_json:
        emit_json([vars(contribution) for contribution in found])
        return
    rows = [(c.token, c.query_weight, c.document_weight, c.score) for c in found]
    table(["token", "query weight", "document weight", "contribution"], rows)
    click.echo(f"score {sum(c.score for c in found):.3f} from {len(found)} shared tokens")
