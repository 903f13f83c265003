"""``opensearch-lsr status``."""

from __future__ import annotations

import click

from opensearch_lsr.cli.options import Connection, alias_option, cluster_options, json_option
from opensearch_lsr.cli.output import emit_json, table


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@alias_option
@cluster_options
@json_option
def status(connection: Connection, alias: str, as_json: bool) -> None:
    """Show what stands behind an alias, and its state.

    \b
    Example:
      opensearch-lsr status --alias articles
    """
    from opensearch_lsr.cluster.status import resources

    with connection.client() as client:
        found = resources(client, alias)
    if as_json:
        emit_json([resource.as_dict() for resource in found])
    else:
        table(["what", "name", "state"], [(r.kind, r.name, r.state) for r in found])
