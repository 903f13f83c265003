"""``opensearch-lsr quickstart``: embedded cluster, default encoder, sample corpus, searches, BM25 beside."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from opensearch_lsr.cli.output import progress, table

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

ALIAS, FIELDS = "handbook", ("title", "text")
SAMPLE = Path(__file__).parents[1] / "samples" / "handbook"
# the baseline gets its best foot: stemming, as the tokens of the encoder know word forms, too
MAPPING = {"properties": {name: {"type": "text", "analyzer": "english"} for name in FIELDS}}
SEARCHES = ("q03", "q41", "q29")


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--name", default="default", show_default=True, help="Which embedded node to use.")
def quickstart(name: str) -> None:
    """From nothing to a measured semantic search on this machine.

    Starts the embedded OpenSearch (fetched once, 700 MB), deploys the default encoder, indexes a sample corpus,
    searches it, and compares with BM25. The node keeps running; everything can be done again.

    \b
    Example:
      opensearch-lsr quickstart
    """
    from opensearch_lsr.bundle import Bundle
    from opensearch_lsr.cluster import bulk
    from opensearch_lsr.cluster.connect import connect, readable_errors
    from opensearch_lsr.cluster.deploy import deploy
    from opensearch_lsr.cluster.deployed import deployed
    from opensearch_lsr.data import documents
    from opensearch_lsr.local.node import Node

    _say(1, "a real OpenSearch on this machine")
    with progress() as report:
        node = Node(name).start(on_progress=report)
    click.echo(f"   OpenSearch {node.version} at {node.url}")
    with readable_errors(node.url):
        client = connect(node.url)
        _say(2, "the default encoder, deployed")
        _remove_another_encoders_sample(client)
        deploy(
            client,
            Bundle.open("default"),
            alias=ALIAS,
            fields=FIELDS,
            mapping=MAPPING,
            on_step=lambda title, action: click.echo(f"   {title}: {action}"),
        )
        _say(3, "a sample corpus, encoded by the cluster and indexed")
        target = deployed(client, ALIAS)
        loaded = bulk.load(client, target, documents.read(str(SAMPLE), FIELDS), None)
        click.echo(f"   {loaded.indexed} of {loaded.read} documents in {loaded.seconds:.1f} s")
        _say(4, "three searches: each query costs a tokenizer lookup, no inference")
        rows = _compare(client)
    _say(5, "BM25 beside learned sparse retrieval, on the sample's judged queries")
    table(["system", "nDCG@10", "RR@10", "R@100"], rows)
    click.echo("   a demonstration, not evidence: the sample was written to show vocabulary mismatch")
    click.echo(
        "\nWhat next:\n"
        f'  opensearch-lsr search "brakes squeak" --alias {ALIAS}\n'
        f'  opensearch-lsr explain "time off for a new baby" d172 --alias {ALIAS}\n'
        '  opensearch-lsr expand "Worn pads make brakes squeak." --document\n'
        "  opensearch-lsr deploy default --alias articles --field title --field text\n"
        f"  opensearch-lsr index YOUR.jsonl --alias articles      (export OPENSEARCH_URL={node.url})\n"
        "  opensearch-lsr cluster down"
    )


def _remove_another_encoders_sample(client: OpenSearch) -> None:
    """A sample of an earlier version, whose vectors this version's queries do not fit."""
    from opensearch_lsr.bundle import Bundle
    from opensearch_lsr.cluster.deployed import deployed
    from opensearch_lsr.cluster.status import undeploy

    wanted = Bundle.open("default").config.document_fingerprint
    if client.indices.exists_alias(name=ALIAS) and deployed(client, ALIAS).meta["document_fingerprint"] != wanted:
        undeploy(client, ALIAS)


def _compare(client: OpenSearch) -> list[list[Any]]:
    """Run every judged query through the systems; shows some on the way."""
    from opensearch_lsr.cluster.deployed import deployed
    from opensearch_lsr.cluster.search import Options, ask, bm25_clause, body
    from opensearch_lsr.data import beir
    from opensearch_lsr.evaluation.measures import evaluate
    from opensearch_lsr.query_encoder import QueryEncoder

    queries, qrels = beir.read_queries(SAMPLE), beir.read_qrels(SAMPLE)
    target, encoder = deployed(client, ALIAS), QueryEncoder.from_cluster(client, ALIAS)
    runs: dict[str, dict[str, dict[str, float]]] = {"BM25 (english analyzer)": {}, "LSR": {}, "hybrid": {}}
    for query, text in queries.items():
        requests = [{"size": 100, "query": bm25_clause(text, target.fields)}]
        for options in (Options(), Options(hybrid=True)):
            requests.append(body(client, target, text, size=100, options=options, encoder=encoder))
        found = [ask(client, ALIAS, request).hits for request in requests]
        for run, ranked in zip(runs.values(), found, strict=True):
            run[query] = {hit.id: hit.score for hit in ranked}
        if query in SEARCHES:
            best = [
                (i, a.source["title"], b.source["title"])
                for i, (a, b) in enumerate(zip(found[1], found[0], strict=False), 1)
            ]
            table(["#", "LSR", "BM25"], best[:3], title=f"   “{text}”")
    scores = {system: evaluate(qrels, run) for system, run in runs.items()}
    return [[system, *measured.values()] for system, measured in scores.items()]


def _say(step: int, what: str) -> None:
    click.secho(f"\n{step}. {what}", bold=True)
