"""``opensearch-lsr undeploy``."""

from __future__ import annotations

import click

from opensearch_lsr.cli.options import Connection, alias_option, cluster_options, json_option
from opensearch_lsr.cli.removing import remove


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@alias_option
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Only show what would be removed.")
@cluster_options
@json_option
def undeploy(connection: Connection, alias: str, yes: bool, dry_run: bool, as_json: bool) -> None:
    """Remove exactly what deploy made for an alias, its documents included.

    What another deployment still uses stays. After an interrupted undeploy, name the index instead of the alias.

    \b
    Example:
      opensearch-lsr undeploy --alias articles --dry-run
    """
    from opensearch_lsr.cluster.status import removals

    with connection.client() as client:
        found = list(removals(client, alias))
        question = "Remove these, with all documents of the index?"
        done = remove(found, question, yes=yes, dry_run=dry_run, as_json=as_json)
    if done and not as_json:
        click.echo(f"removed {len(found)} resources of {alias}")
