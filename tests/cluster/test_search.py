"""Searching real documents: the query modes, the query side in the cluster, plain HTTP."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opensearchpy import OpenSearch

from opensearch_lsr import QueryEncoder, deploy
from opensearch_lsr.bundle import Bundle
from opensearch_lsr.cluster import bulk, query_side, search
from opensearch_lsr.cluster.deployed import Deployed
from opensearch_lsr.cluster.deployment import VECTOR_FIELD
from opensearch_lsr.cluster.explain import explain
from opensearch_lsr.cluster.search import Options
from opensearch_lsr.cluster.status import undeploy
from opensearch_lsr.data import beir, documents
from opensearch_lsr.document_encoder import DocumentEncoder
from opensearch_lsr.errors import DeploymentError, InputError
from opensearch_lsr.query_encoder import TOKEN_WEIGHTS_INDEX
from opensearch_lsr.sparse_vector import Prune, dot

pytestmark = pytest.mark.cluster
SAMPLE = Path(bulk.__file__).parents[1] / "samples" / "handbook"
ALIAS, FIELDS = "search-tests", ["title", "text"]


@pytest.fixture(scope="module")
def target(client: OpenSearch) -> Iterator[Deployed]:
    """The default encoder over the sample corpus, able to serve every query mode."""
    deployed = deploy(client, "default", alias=ALIAS, fields=FIELDS, encode="client", query_mode="model")
    bulk.load(client, deployed, documents.read(str(SAMPLE), FIELDS), DocumentEncoder.from_pretrained())
    yield deployed
    undeploy(client, ALIAS)


@pytest.fixture(scope="module")
def texts() -> list[str]:
    return list(beir.read_queries(SAMPLE).values())


def ranking(client: OpenSearch, text: str, **options: Any) -> dict[str, float]:
    return {hit.id: hit.score for hit in search.search(client, ALIAS, text, size=20, options=Options(**options))}


def test_the_three_query_modes_rank_alike(client: OpenSearch, target: Deployed, texts: list[str]) -> None:
    for text in texts:
        tokens = ranking(client, text)
        assert tokens
        for mode in ("analyzer", "model"):
            assert ranking(client, text, mode=mode) == pytest.approx(tokens, rel=1e-4)


def test_scores_are_the_offline_dot_products(client: OpenSearch, target: Deployed, texts: list[str]) -> None:
    encoder, documents_by_id = QueryEncoder.from_cluster(client, ALIAS), {}
    for hit in client.search(index=ALIAS, body={"size": 1000, "query": {"match_all": {}}})["hits"]["hits"]:
        documents_by_id[hit["_id"]] = hit["_source"][VECTOR_FIELD]
    for text in texts[:20]:
        query = encoder.encode(text)
        for identifier, score in ranking(client, text).items():
            assert score == pytest.approx(dot(query, documents_by_id[identifier]), rel=0.005)  # 9 significant bits


def test_two_phase_keeps_the_ranking_where_its_window_covers_all(
    client: OpenSearch, target: Deployed, texts: list[str]
) -> None:
    for text in texts[:20]:
        plain, two_phase = ranking(client, text), ranking(client, text, two_phase=True)
        assert two_phase.keys() <= plain.keys() | two_phase.keys()
        assert next(iter(two_phase)) in plain
    with pytest.raises(InputError, match="two-phase works on plain"):
        ranking(client, texts[0], two_phase=True, hybrid=True)


def test_hybrid_filter_and_prune(client: OpenSearch, target: Deployed) -> None:
    text = "car makes squeaky noises when slowing down"
    assert max(ranking(client, text, hybrid=True).values()) <= 1.0 + 1e-6
    first = next(iter(ranking(client, text)))
    only = {"ids": {"values": [first]}}
    assert list(ranking(client, text, filter=only)) == [first]
    assert set(ranking(client, text, filter=only, hybrid=True)) == {first}
    pruned = ranking(client, text, prune=Prune.parse("top_k=1"))
    assert 0 < len(pruned) <= len(ranking(client, text))
    with pytest.raises(InputError, match="pruning needs the query's tokens"):
        ranking(client, text, prune=Prune.parse("top_k=1"), mode="analyzer")


def test_explain_adds_up_to_the_score(client: OpenSearch, target: Deployed) -> None:
    text = "car makes squeaky noises when slowing down"
    identifier, score = next(iter(ranking(client, text).items()))
    found = explain(client, ALIAS, text, identifier).contributions
    assert sum(c.score for c in found) == pytest.approx(score, rel=0.005)
    assert found == sorted(found, key=lambda c: -c.score)
    with pytest.raises(DeploymentError, match="has no document 'none'"):
        explain(client, ALIAS, text, "none")


def test_a_weight_changed_in_the_cluster_changes_the_ranking(client: OpenSearch, target: Deployed) -> None:
    fingerprint = target.meta["query_fingerprint"]
    encoder = QueryEncoder.from_cluster(client, ALIAS)
    assert encoder.encode("guitar tides") == QueryEncoder.from_pretrained().encode("guitar tides")
    first = next(iter(ranking(client, "guitar tides")))
    other = "tides" if "guitar" in explain(client, ALIAS, "guitar tides", first).contributions[0].token else "guitar"
    old = encoder.encode(other)[other]
    for weight, same in ((60.0, False), (old, True)):
        body = {"script": {"source": "ctx._source.weights[params.t] = params.w", "params": {"t": other, "w": weight}}}
        client.update(index=TOKEN_WEIGHTS_INDEX, id=fingerprint, body=body, refresh=True)
        assert QueryEncoder.from_cluster(client, ALIAS).encode(other)[other] == weight
        assert (next(iter(ranking(client, "guitar tides"))) == first) is same
        assert query_side.state(client, fingerprint) == ("stored" if same else "edited")


def test_from_cluster_in_an_empty_folder_with_a_bare_client(target: Deployed, url: str, tmp_path: Path) -> None:
    code = (
        "import sys; from opensearchpy import OpenSearch; from opensearch_lsr import QueryEncoder\n"
        f"print(QueryEncoder.from_cluster(OpenSearch([{url!r}]), {ALIAS!r}).encode('brake noise'))\n"
        "assert not {'numpy', 'torch', 'onnxruntime', 'transformers'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(QueryEncoder.from_pretrained().encode("brake noise"))


def test_the_printed_body_works_over_plain_http(client: OpenSearch, target: Deployed, url: str) -> None:
    text = "how much savings for a rainy day"
    command = [sys.executable, "-m", "opensearch_lsr.cli", "search", text, "--alias", ALIAS, "--body"]
    printed = subprocess.run(
        command, env={**os.environ, "OPENSEARCH_URL": url}, capture_output=True, text=True, check=True
    )
    assert "neural_sparse" in printed.stdout
    request = urllib.request.Request(
        f"{url}/{ALIAS}/_search", printed.stdout.encode(), {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request) as answer:
        found = [hit["_id"] for hit in json.load(answer)["hits"]["hits"]]
    assert found == list(ranking(client, text))[:10]


def test_what_an_alias_cannot_do_is_said(client: OpenSearch, tiny: Bundle, alias: str) -> None:
    deploy(client, tiny, alias=alias, fields=FIELDS, encode="client")
    with pytest.raises(DeploymentError, match="differ from the built-in analyzers"):
        search.search(client, alias, "water", options=Options(mode="analyzer"))
    with pytest.raises(DeploymentError, match="deployed without a query model"):
        search.search(client, alias, "water", options=Options(mode="model"))
    with pytest.raises(InputError, match="the query is empty"):
        search.search(client, alias, "  ")
    with pytest.raises(InputError, match="the query has 1,000,000 characters"):
        search.search(client, alias, "x" * 1_000_000)
    with pytest.raises(InputError, match="differ from the analyzers built into OpenSearch"):
        deploy(client, tiny, alias=alias, fields=FIELDS, encode="client", query_mode="analyzer")


def test_where_the_time_went(url: str, target: Deployed) -> None:
    command = [sys.executable, "-m", "opensearch_lsr.cli", "search", "squeaking brakes", "--alias", ALIAS, "--timings"]
    done = subprocess.run([*command, "--json", "--url", url], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)
    parts = (
        "loading libraries",
        "reading the deployment",
        "token weights from the cluster",
        "text to request",
        "request",
    )
    for part in (*parts, "the rest", "total", "the cluster says"):
        assert part in done.stderr
