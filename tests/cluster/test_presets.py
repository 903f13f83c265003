"""The presets: what is deployed, loaded and searched, and that exactness is only given up where it was asked for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from opensearchpy import OpenSearch

from opensearch_lsr import deploy
from opensearch_lsr.bundle import Bundle
from opensearch_lsr.cluster import bulk, search, two_step
from opensearch_lsr.cluster.deployed import Deployed
from opensearch_lsr.cluster.deployment import SHORT_FIELD, VECTOR_FIELD, Deployment
from opensearch_lsr.cluster.explain import explain
from opensearch_lsr.cluster.health.check import deploy_again
from opensearch_lsr.cluster.search import Options
from opensearch_lsr.cluster.status import undeploy
from opensearch_lsr.data import beir, documents
from opensearch_lsr.document_encoder import DocumentEncoder
from opensearch_lsr.errors import DeploymentError, InputError
from opensearch_lsr.query_encoder import QueryEncoder
from opensearch_lsr.rank_feature import short
from opensearch_lsr.sparse_vector import Prune

pytestmark = pytest.mark.cluster
SAMPLE = Path(bulk.__file__).parents[1] / "samples" / "handbook"
ALIAS, FIELDS = "preset-tests", ["title", "text"]


@pytest.fixture(scope="module")
def fast(client: OpenSearch) -> Iterator[Deployed]:
    """The default encoder with short vectors, able to take queries by analyzer."""
    target = deploy(client, alias=ALIAS, fields=FIELDS, encode="client", query_mode="analyzer", preset="fast")
    bulk.load(client, target, documents.read(str(SAMPLE), FIELDS), DocumentEncoder.from_pretrained())
    yield target
    undeploy(client, ALIAS)


@pytest.fixture(scope="module")
def texts() -> list[str]:
    return list(beir.read_queries(SAMPLE).values())


def ranking(client: OpenSearch, text: str, size: int = 10, options: Options | None = None) -> dict[str, float]:
    return {hit.id: hit.score for hit in search.search(client, ALIAS, text, size=size, options=options)}


def test_documents_have_the_entries_that_can_add_most(client: OpenSearch, fast: Deployed) -> None:
    weights = Bundle.open("default").weights
    found = client.search(index=ALIAS, body={"size": 300, "query": {"match_all": {}}})["hits"]["hits"]
    assert len(found) == 220
    for hit in found:
        whole, kept = hit["_source"][VECTOR_FIELD], hit["_source"][SHORT_FIELD]
        assert len(kept) <= two_step.TOKENS
        assert kept.items() <= whole.items()
        left_out = [whole[token] * weights[token] for token in whole.keys() - kept.keys()]
        assert max(left_out, default=0.0) <= min(weight * weights[token] for token, weight in kept.items()) * 1.01
    assert any(len(hit["_source"][VECTOR_FIELD]) > two_step.TOKENS for hit in found)


def test_scores_are_those_of_exact_search(client: OpenSearch, fast: Deployed, texts: list[str]) -> None:
    same = of = 0
    for text in texts:
        exact = ranking(client, text, 220, Options(exact=True))
        found = ranking(client, text)
        assert found == pytest.approx({document: exact[document] for document in found}, rel=1e-5)
        assert ranking(client, text, options=Options(mode="analyzer")) == pytest.approx(found, rel=1e-4)
        same, of = same + len(found.keys() & list(exact)[:10]), of + len(list(exact)[:10])
    assert same >= 0.9 * of


def test_filters_hybrid_and_hidden_fields(client: OpenSearch, fast: Deployed, texts: list[str]) -> None:
    wanted = list(ranking(client, texts[0]))[3:6]
    only = Options(filter={"ids": {"values": wanted}})
    assert list(ranking(client, texts[0], options=only)) == wanted
    assert ranking(client, texts[0], options=Options(hybrid=True))
    assert ranking(client, "[SEP]") == {}
    (hit, *_) = search.search(client, ALIAS, texts[0])
    assert hit.source.keys() == {"title", "text"}


def test_as_many_are_ranked_as_are_asked_for(
    client: OpenSearch, fast: Deployed, texts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(two_step, "WINDOW", 5)
    exact = ranking(client, texts[0], 220, Options(exact=True))
    found = ranking(client, texts[0], 20)
    assert found == pytest.approx({document: exact[document] for document in found}, rel=1e-5)
    assert len(found) == 20


def test_balanced_documents_have_no_weak_tokens(client: OpenSearch, tiny: Bundle, alias: str) -> None:
    target = deploy(client, tiny, alias=alias, fields=["text"], encode="client", preset="balanced")
    bulk.load(client, target, [documents.Document("d", {"text": "water leak in the bath"}, "")], DocumentEncoder(tiny))
    whole = DocumentEncoder(tiny).encode(["water leak in the bath"])[0]
    strong = {token: weight for token, weight in whole.items() if weight >= 0.1 * max(whole.values())}
    assert client.get(index=target.index, id="d")["_source"][VECTOR_FIELD] == short(strong)
    assert SHORT_FIELD not in client.get(index=target.index, id="d")["_source"]


def test_balanced_queries_have_no_weak_tokens(client: OpenSearch, alias: str) -> None:
    target = deploy(client, alias=alias, fields=["text"], encode="client", preset="balanced")
    text = "the brakes of a bicycle squeak"
    bulk.load(client, target, [documents.Document("d", {"text": text}, "")], DocumentEncoder.from_pretrained())
    whole = QueryEncoder.from_cluster(client, alias).encode(text)
    strong = {token: weight for token, weight in whole.items() if weight >= 0.3 * max(whole.values())}
    assert strong.keys() < whole.keys()

    def sent(options: Options) -> dict[str, float]:
        request = search.body(client, target, text, size=1, options=options)
        tokens: dict[str, float] = request["query"]["neural_sparse"][VECTOR_FIELD]["query_tokens"]
        return tokens

    assert sent(Options()) == strong
    assert sent(Options(exact=True)) == whole
    assert len(sent(Options(prune=Prune("top_k", 1)))) == 1
    (hit,) = search.search(client, alias, text)
    parts = explain(client, alias, text, "d").contributions
    assert {part.token for part in parts} <= strong.keys()
    assert sum(part.score for part in parts) == pytest.approx(hit.score, rel=0.01)
    assert "--preset balanced" in deploy_again(target)


def test_a_preset_cannot_change_under_documents(client: OpenSearch, tiny: Bundle, alias: str) -> None:
    deploy(client, tiny, alias=alias, fields=["text"], encode="client")
    with pytest.raises(DeploymentError, match="was deployed with two_step False, asked is True; choose another alias"):
        deploy(client, tiny, alias=alias, fields=["text"], encode="client", preset="fast")


def test_what_does_not_go_together(tiny: Bundle, client: OpenSearch, fast: Deployed) -> None:
    with pytest.raises(InputError, match="preset 'quick': it is one of exact, balanced, fast"):
        deploy(client, tiny, alias="a", fields=["text"], preset="quick")
    with pytest.raises(InputError, match="add --encode client"):
        Deployment(tiny, "a", ("text",), two_step=True)
    for options in ({"two_phase": True}, {"query_mode": "model"}):
        with pytest.raises(InputError, match="not with --two-phase"):
            Deployment(tiny, "a", ("text",), encode="client", two_step=True, **options)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="leave out --two-phase, or add --exact"):
        ranking(client, "water", options=Options(two_phase=True))
    assert ranking(client, "water", options=Options(two_phase=True, exact=True))
