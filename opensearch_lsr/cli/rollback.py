"""``opensearch-lsr rollback``."""

from __future__ import annotations

import signal

import click

from opensearch_lsr.cli.migrate import show
from opensearch_lsr.cli.options import Connection, cluster_options, json_option, max_block_option
from opensearch_lsr.cli.output import progress


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("alias")
@click.option("--bundle", default="default", show_default=True, help="The former bundle, where clients encode.")
@max_block_option
@cluster_options
@json_option
def rollback(connection: Connection, alias: str, bundle: str, max_block: float, as_json: bool) -> None:
    """Let ALIAS serve the index again that a migration replaced, with what was written since.

    Run again, it goes forward again; killed, it goes on; `migrate ALIAS --abort` gives it up.

    \b
    Example:
      opensearch-lsr rollback articles
    """
    from opensearch_lsr.cluster.rollback import rollback as roll_back

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a cancelled job leaves no index refusing writes
    with connection.client() as client, progress() as report:
        done = roll_back(client, alias, bundle, max_block=max_block, on_progress=report)
    show(done, alias, as_json, {})
