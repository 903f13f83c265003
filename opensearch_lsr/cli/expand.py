"""``opensearch-lsr expand``."""

from __future__ import annotations

import click

from opensearch_lsr.cli.options import Connection, cluster_options, json_option
from opensearch_lsr.cli.output import emit_json, labelled, table


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("text")
@click.option("--bundle", default="default", show_default=True, help="The encoder: a folder, a Hub name, or default.")
@click.option("--alias", help="Look tokens up in what this alias serves, instead of a bundle.")
@click.option("--document", is_flag=True, help="Encode the text as a document (runs the model).")
@click.option("-n", "--size", default=20, show_default=True, type=click.IntRange(1), help="How many tokens.")
@cluster_options
@json_option
def expand(
    connection: Connection, text: str, bundle: str, alias: str | None, document: bool, size: int, as_json: bool
) -> None:
    """Show a text's tokens and weights, as a query or as a document.

    \b
    Example:
      opensearch-lsr expand "why do brakes squeak"
      opensearch-lsr expand "Worn pads make brakes squeak." --document
    """
    if document and alias:
        raise click.UsageError("--document runs a bundle's model: give --bundle, not --alias")
    from opensearch_lsr.query_encoder import QueryEncoder
    from opensearch_lsr.sparse_vector import strongest

    if document:
        from opensearch_lsr.document_encoder import DocumentEncoder

        documents = DocumentEncoder.from_pretrained(bundle)
        vector, readable = documents.encode([text])[0], documents.readable
    elif alias:
        with connection.client() as client:
            queries = QueryEncoder.from_cluster(client, alias)
            vector, readable = queries.encode(text), queries.readable
    else:
        queries = QueryEncoder.from_pretrained(bundle)
        vector, readable = queries.encode(text), queries.readable
    ranked = strongest(vector)
    if as_json:
        emit_json(dict(ranked))
        return
    table(["token", "weight"], [(labelled(token, readable(token)), weight) for token, weight in ranked[:size]])
    click.echo(f"{len(ranked)} active dims" + (f", the strongest {size} shown" if len(ranked) > size else ""))
