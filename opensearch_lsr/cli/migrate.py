"""``opensearch-lsr migrate``."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from opensearch_lsr.cli.options import Connection, Limit, PruneRule, cluster_options, json_option, max_block_option
from opensearch_lsr.cli.output import CHECK_FAILED, emit_json, progress, table
from opensearch_lsr.errors import LSRError, needs_extra

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

    from opensearch_lsr.cluster.migrate import Migrated
    from opensearch_lsr.sparse_vector import Prune


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("alias")
@click.argument("bundle", required=False)
@click.option("--encode", type=click.Choice(["cluster", "client"]), help="Who encodes [default: as it is].")
@click.option(
    "--query-mode",
    type=click.Choice(["tokens", "analyzer", "model"]),
    help="What queries may send [default: as it is].",
)
@click.option("--two-phase/--no-two-phase", default=None, help="Strong query tokens first [default: as it is].")
@click.option("--prune", type=PruneRule(), help="Keep only strong document weights [default: as it is].")
@click.option("--documents", metavar="FILE", help="Read documents from here, where the index does not keep them whole.")
@click.option("--queries", type=click.Path(path_type=Path), help="Hold the new index against the old: queries.jsonl …")
@click.option("--qrels", type=click.Path(path_type=Path), help="… and their judgments, as BEIR writes them.")
@click.option(
    "--min-ndcg-ratio", type=Limit(), default=1.0, show_default=True, help="New nDCG@10 by the old, at least."
)
@max_block_option
@click.option("--change-settings", is_flag=True, help="Change the cluster settings that are in the way.")
@click.option("--dry-run", is_flag=True, help="Print the plan and change nothing.")
@click.option("--abort", is_flag=True, help="Give up a migration or rollback that was not completed.")
@cluster_options
@json_option
def migrate(
    connection: Connection,
    alias: str,
    bundle: str | None,
    encode: str | None,
    query_mode: str | None,
    two_phase: bool | None,
    prune: Prune | None,
    documents: str | None,
    queries: Path | None,
    qrels: Path | None,
    min_ndcg_ratio: float,
    max_block: float,
    change_settings: bool,
    dry_run: bool,
    abort: bool,
    as_json: bool,
) -> None:
    """Put the encoder BUNDLE behind ALIAS while it is searched and written to.

    A new index takes over the old one's documents, encoded anew, and what is written meanwhile; at the end writes are
    refused for a moment, and the alias moves in one step. The old index stays: rollback goes back to it, cleanup
    removes it. Killed at any moment, it goes on when it is run again. With --queries and --qrels, an index that is
    less relevant does not take over (exit code 3).

    With --documents FILE, texts come from FILE. Documents that the index does not have are left out; those that FILE
    lacks, or that change meanwhile, are taken from _source.

    \b
    Example:
      opensearch-lsr migrate articles my-bundle --dry-run
      opensearch-lsr migrate articles my-bundle --queries queries.jsonl --qrels qrels/test.tsv --min-ndcg-ratio 0.98
      opensearch-lsr rollback articles
    """
    from opensearch_lsr.cluster import migrate as migration

    if abort:
        with connection.client() as client:
            given_up = migration.abort(client, alias)
        emit_json({"aborted": given_up}) if as_json else click.echo(f"{given_up} will not take over {alias}")
        return
    if bundle is None:
        raise click.UsageError("name the BUNDLE, or --abort")
    changes = migration.Changes(encode, query_mode, two_phase, prune)
    with connection.client() as client, progress() as report:
        if dry_run:
            plan = migration.plan_migration(client, alias, bundle, changes)
            plan.preflight()
            steps = [(step.title, step.pending() or "keep") for step in plan.steps]
            emit_json({"dry_run": True, "steps": steps}) if as_json else table(["step", "what would be done"], steps)
            return
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # a cancelled job leaves no index refusing writes
        gate = _gate(client, queries, qrels, min_ndcg_ratio)
        try:
            done = migration.migrate(
                client,
                alias,
                bundle,
                changes=changes,
                documents=documents,
                before_swap=gate,
                max_block=max_block,
                change_settings=change_settings,
                on_step=lambda title, action: None if as_json else click.echo(f"{title}: {action}"),
                on_progress=report,
            )
        except _LessRelevantError as error:
            if as_json and gate:
                emit_json({"alias": alias, "migrated": False, **gate.found})
            click.echo(f"{error}; nothing was moved; give it up with: opensearch-lsr migrate {alias} --abort", err=True)
            sys.exit(CHECK_FAILED)
    show(done, alias, as_json, gate.found if gate else {})


def show(done: Migrated, alias: str, as_json: bool, more: dict[str, Any]) -> None:
    """What was done."""
    outcome, index = done.outcome, done.target.index
    if as_json:
        emit_json({"alias": alias, "index": index, "former": done.former, **vars(outcome), **more})
        return
    if done.former == index:
        click.echo(f"{alias} → {index}: no document needed another vector")
        return
    click.echo(
        f"{alias} → {index}: {outcome.documents:,} documents, {outcome.copied:,} encoded, "
        f"{outcome.deleted:,} deleted meanwhile; writes were refused for {outcome.block_seconds:.2f} s"
    )
    if outcome.unknown:
        click.echo(f"{outcome.unknown:,} documents of the file were not in {done.former}: index them", err=True)
    click.echo(f"{done.former} is kept: opensearch-lsr rollback {alias}, or cleanup {alias}")


class _LessRelevantError(LSRError):
    """The new index finds less than it must."""


class _Gate:
    """nDCG@10 of the old and of the new index, each with its own query side."""

    def __init__(self, ndcg: Callable[[str], float], least: float) -> None:
        self._ndcg, self._least = ndcg, least
        self.found: dict[str, Any] = {}

    def __call__(self, old: str, new: str) -> None:
        before, after = self._ndcg(old), self._ndcg(new)
        self.found = {"ndcg": {old: before, new: after}}
        if after < before * self._least:
            raise _LessRelevantError(
                f"nDCG@10 of {new} is {after:.4f}, of {old} {before:.4f}: less than {self._least:g} times that"
            )


def _gate(client: OpenSearch, queries: Path | None, qrels: Path | None, least: float) -> _Gate | None:
    if queries is None and qrels is None:
        return None
    if queries is None or qrels is None:
        raise click.UsageError("--queries and --qrels belong together")
    with needs_extra("eval", "the relevance gate"):  # now, not after hours
        import ir_measures  # noqa: F401
    from opensearch_lsr.data import beir
    from opensearch_lsr.evaluation.deployed_index import ndcg

    asked, judged = beir.read_queries(queries), beir.read_qrels(qrels)
    return _Gate(lambda index: ndcg(client, index, asked, judged), least)
