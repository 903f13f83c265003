"""``opensearch-lsr cleanup``."""

from __future__ import annotations

import click

from opensearch_lsr.cli.options import Connection, cluster_options, json_option
from opensearch_lsr.cli.removing import remove


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("alias")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Only show what would be removed.")
@cluster_options
@json_option
def cleanup(connection: Connection, alias: str, yes: bool, dry_run: bool, as_json: bool) -> None:
    """Remove what migrations of ALIAS left: replaced indices, and what only they used.

    After it there is nothing to roll back to. Models of this package that nothing uses, such as those of an upload that
    was broken off, go, too, once they are an hour old.

    \b
    Example:
      opensearch-lsr cleanup articles --dry-run
      opensearch-lsr cleanup articles
    """
    from opensearch_lsr.cluster.cleanup import unused

    with connection.client() as client:
        found = unused(client, alias)
        question = "Remove these, with all documents of these indices?"
        done = remove(found, question, yes=yes, dry_run=dry_run, as_json=as_json)
    if done and not as_json:
        click.echo(f"removed {len(found)} resources that nothing used" if found else "nothing to remove")
