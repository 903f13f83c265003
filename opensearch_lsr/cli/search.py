"""``opensearch-lsr search``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from opensearch_lsr import strict_json
from opensearch_lsr.cli.options import Connection, PruneRule, alias_option, cluster_options, json_option
from opensearch_lsr.cli.output import emit_json, table, where_time_went

if TYPE_CHECKING:
    from opensearch_lsr.sparse_vector import Prune


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("text")
@alias_option
@click.option("-n", "--size", default=10, show_default=True, type=click.IntRange(1, 10_000), help="How many hits.")
@click.option(
    "--mode", type=click.Choice(["tokens", "analyzer", "model"]), help="What the query sends [default: tokens]."
)
@click.option("--prune", type=PruneRule(), help="Keep only strong query tokens, e.g. max_ratio=0.1.")
@click.option("--two-phase", is_flag=True, help="Score strong query tokens first.")
@click.option("--filter", "condition", help="FIELD=VALUE, or an OpenSearch filter clause as JSON.")
@click.option("--hybrid", is_flag=True, help="Combine with BM25: both normalised and averaged.")
@click.option("--exact", is_flag=True, help="All query tokens in one step, whatever preset is deployed.")
@click.option("--timings", "show_timings", is_flag=True, help="Print where the time went.")
@click.option("--body", "only_body", is_flag=True, help="Print the request instead of sending it.")
@cluster_options
@json_option
def search(
    connection: Connection,
    text: str,
    alias: str,
    size: int,
    mode: str | None,
    prune: Prune | None,
    two_phase: bool,
    condition: str | None,
    hybrid: bool,
    exact: bool,
    show_timings: bool,
    only_body: bool,
    as_json: bool,
) -> None:
    """Search an alias.

    \b
    Example:
      opensearch-lsr search "why do brakes squeak" --alias articles --filter lang=en
      opensearch-lsr search "why do brakes squeak" --alias articles --body
      opensearch-lsr search "why do brakes squeak" --alias articles --timings
    """
    from opensearch_lsr.timings import Timings

    timings = Timings()
    with timings.part("loading libraries"):
        from opensearch_lsr.cluster.deployed import deployed
        from opensearch_lsr.cluster.search import Options, ask, body
        from opensearch_lsr.query_encoder import QueryEncoder

    options, encoder = Options(mode, prune, two_phase, _filter(condition), hybrid, exact), None
    with connection.client() as client:
        with timings.part("reading the deployment"):
            target = deployed(client, alias)
        if mode in (None, "tokens") and target.meta["query"] == "table":
            with timings.part("token weights from the cluster"):
                encoder = QueryEncoder.from_cluster(client, target.index, check_every=None)
        with timings.part("text to request"):
            request = body(client, target, text, size=size, options=options, encoder=encoder)
        answer = None
        if not only_body:
            with timings.part("request"):
                answer = ask(client, alias, request)
    if show_timings:
        where_time_went(timings.shares())
        if answer:
            click.echo(f"the cluster says {answer.took} ms of the request", err=True)
    if answer is None:
        emit_json(request)
        return
    found = answer.hits
    if as_json:
        emit_json([{"id": hit.id, "score": hit.score, "source": hit.source} for hit in found])
        return
    if found:
        rows = [(i, hit.score, hit.id, _shown(hit.source, target.fields)) for i, hit in enumerate(found, start=1)]
        table(["#", "score", "id", "document"], rows)
    else:
        click.echo("no hits")


def _filter(condition: str | None) -> dict[str, Any] | None:
    from opensearch_lsr.errors import InputError

    if condition is None:
        return None
    if condition.lstrip().startswith("{"):
        try:
            clause: dict[str, Any] = strict_json.loads(condition)
        except ValueError as error:
            raise InputError(f"--filter: not JSON ({error})") from error
        return clause
    name, equals, value = condition.partition("=")
    if not equals or not name:
        raise InputError(f"--filter {condition!r}: give FIELD=VALUE or a filter clause as JSON")
    return {"term": {name: value}}


def _shown(source: dict[str, Any], fields: list[str]) -> str:
    """The start of what was encoded."""
    from opensearch_lsr.data.documents import text_of

    text = text_of(source, fields)
    return text if len(text) <= 80 else text[:79] + "…"
