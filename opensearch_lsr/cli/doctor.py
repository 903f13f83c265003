"""``opensearch-lsr doctor``."""

from __future__ import annotations

import sys

import click

from opensearch_lsr.cli.options import Connection, cluster_options, json_option
from opensearch_lsr.cli.output import CHECK_FAILED, emit_json, progress, table


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--alias", help="The alias that applications search [default: look at the cluster only].")
@click.option(
    "--sample", "size", default=1000, show_default=True, type=click.IntRange(min=1), help="Documents to look at."
)
@click.option("--all", "everything", is_flag=True, help="Look at all documents.")
@click.option(
    "--repair",
    is_flag=True,
    help="Deploy models that are not on their nodes, and restore the settings that a killed load left.",
)
@click.option("--bundle", help="The deployed bundle, for its tokenizer where the cluster has none (bi-encoders).")
@cluster_options
@json_option
def doctor(
    connection: Connection,
    alias: str | None,
    size: int,
    everything: bool,
    repair: bool,
    bundle: str | None,
    as_json: bool,
) -> None:
    """Judge the health of a cluster and of what stands behind an alias; exit code 3 when there is a finding.

    Versions, plugins, settings and breakers; models node by node; whether index, pipelines, models and token weights
    still belong together; documents without a vector, with a stale one, or too long for the encoder; tokens that nearly
    every document has. Nothing is changed, unless --repair asks for it.

    \b
    Example:
      opensearch-lsr doctor
      opensearch-lsr doctor --alias articles
      opensearch-lsr doctor --alias articles --all --repair --json
    """
    from opensearch_lsr.cluster.health.doctor import examine

    with connection.client() as client, progress() as report:
        checks = examine(
            client, alias, size=None if everything else size, repair=repair, bundle=bundle, on_progress=report
        )
    findings = [finding for check in checks for finding in check.findings]
    if as_json:
        emit_json({"alias": alias, "findings": len(findings), "checks": [check.as_dict() for check in checks]})
    else:
        table(["what", "state", "seen"], [(check.what, check.state, check.seen) for check in checks])
        for number, finding in enumerate(findings, start=1):
            click.echo(f"{number}. {finding.problem}\n   → {finding.remedy}")
        if not findings:
            click.echo("no findings")
    if findings:
        sys.exit(CHECK_FAILED)
