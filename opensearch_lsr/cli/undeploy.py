"""``opensearch-lsr undeploy``."""

from __future__ import annotations

import click

from opensearch_lsr.cli.options import Connection, alias_option, cluster_options, json_option
from opensearch_lsr.cli.output import emit_json, table


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
        if as_json:
            emit_json({"dry_run": dry_run, "removed": [{"kind": r.kind, "name": r.name} for r in found]})
        else:
            table(["what", "name"], [(removal.kind, removal.name) for removal in found])
        if dry_run:
            return
        if not yes:
            click.confirm("Remove these, with all documents of the index?", abort=True, err=True)
        for removal in found:
            removal.apply()
    if not as_json:
        click.echo(f"removed {len(found)} resources of {alias}")
