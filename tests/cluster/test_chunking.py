"""Long documents in chunks: found by what is at their end, scored by their best chunk, kept up to date."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from opensearchpy import OpenSearch

from opensearch_lsr import QueryEncoder, deploy
from opensearch_lsr.bundle import Bundle
from opensearch_lsr.cluster import bulk, chunks, search
from opensearch_lsr.cluster.chunks import CHUNK_VECTOR, CHUNKS_FIELD
from opensearch_lsr.cluster.deployed import Deployed, deployed
from opensearch_lsr.cluster.deployment import MODEL_FIELD, VECTOR_FIELD, Deployment
from opensearch_lsr.cluster.explain import explain
from opensearch_lsr.cluster.plan import Plan
from opensearch_lsr.cluster.search import Options
from opensearch_lsr.cluster.status import undeploy
from opensearch_lsr.data.documents import Document
from opensearch_lsr.document_encoder import DocumentEncoder
from opensearch_lsr.errors import DeploymentError, InputError
from opensearch_lsr.rank_feature import short
from opensearch_lsr.sparse_vector import Prune, SparseVector, dot

pytestmark = pytest.mark.cluster
CHUNK = 60
FILLER = "water leak a.b tap ... " * 30
DOCUMENTS = {
    "end": f"{FILLER} The horse is at the end.",
    "start": f"Bread and milk come first. {FILLER}",
    "brief": "horse and cow",
    "no token": "[PAD]",
    "blank": "\u2003",
    "without": "",
}
ENCODED = {"end", "start", "brief"}


def rows(texts: dict[str, str] = DOCUMENTS) -> list[Document]:
    return [Document(identifier, {"text": text}, identifier) for identifier, text in texts.items()]


def vectors_of(bundle: Bundle, text: str) -> list[SparseVector]:
    return DocumentEncoder(bundle).encode(chunks.split(text, CHUNK))


def stored(client: OpenSearch, index: str, identifier: str) -> list[SparseVector]:
    source = client.get(index=index, id=identifier)["_source"]
    return [chunk[CHUNK_VECTOR] for chunk in source.get(CHUNKS_FIELD, [])]


def scores(client: OpenSearch, alias: str, text: str, **options: Any) -> dict[str, float]:
    return {hit.id: hit.score for hit in search.search(client, alias, text, options=Options(**options))}


@pytest.fixture(scope="module", params=["client", "cluster"])
def target(request: pytest.FixtureRequest, client: OpenSearch, tiny: Bundle) -> Iterator[Deployed]:
    made = deploy(client, tiny, alias=f"chunked-{request.param}", fields=["text"], encode=request.param, chunk=CHUNK)
    report = bulk.load(client, made, rows(), DocumentEncoder(tiny) if request.param == "client" else None)
    assert (report.indexed, report.rejected, report.truncated) == (len(DOCUMENTS), 0, 0)
    yield made
    undeploy(client, made.alias)


def test_the_end_of_a_long_document_is_found(client: OpenSearch, tiny: Bundle, target: Deployed, alias: str) -> None:
    truncated = deploy(client, tiny, alias=alias, fields=["text"], encode="client")
    assert bulk.load(client, truncated, rows(), DocumentEncoder(tiny)).truncated == 2
    assert scores(client, alias, "horse").keys() == {"brief"}
    assert scores(client, target.alias, "horse").keys() == {"brief", "end"}
    (hit, *_) = search.search(client, target.alias, "horse")
    assert hit.source.keys() == {"text"}


def test_a_score_is_the_best_chunks_dot_product(client: OpenSearch, tiny: Bundle, target: Deployed) -> None:
    encoder = QueryEncoder.from_cluster(client, target.alias)
    for query in ("horse", "water leak at the end", "bread", "cow a.b ..."):
        tokens = encoder.encode(query)
        own = {
            name: max(dot(tokens, one) for one in vectors_of(tiny, DOCUMENTS[name])) for name in (*ENCODED, "no token")
        }
        expected = {name: score for name, score in own.items() if score > 0}
        assert scores(client, target.alias, query) == pytest.approx(expected, rel=0.01)


def test_documents_are_of_one_shape_whoever_encodes(client: OpenSearch, tiny: Bundle, target: Deployed) -> None:
    for name in ENCODED:
        found, expected = stored(client, target.index, name), vectors_of(tiny, DOCUMENTS[name])
        assert len(found) == len(chunks.split(DOCUMENTS[name], CHUNK)) == len(expected)
        for vector, own in zip(found, expected, strict=True):
            assert vector == pytest.approx(own, abs=0.01)
        source = client.get(index=target.index, id=name)["_source"]
        assert source.keys() == {"text", CHUNKS_FIELD, MODEL_FIELD, "lsr_text_hash"}
    assert len(stored(client, target.index, "end")) > 10
    properties = client.indices.get_mapping(index=target.index)[target.index]["mappings"]["properties"]
    assert VECTOR_FIELD not in properties
    assert properties[CHUNKS_FIELD] == chunks.MAPPING[CHUNKS_FIELD]


def test_chunks_count_as_documents_of_lucene_only(client: OpenSearch, target: Deployed) -> None:
    assert client.count(index=target.index)["count"] == len(DOCUMENTS)
    nested = sum(len(stored(client, target.index, name)) for name in DOCUMENTS)
    within = {"nested": {"path": CHUNKS_FIELD, "query": {"match_all": {}}}}
    body = {"size": 0, "aggs": {"chunks": {"nested": {"path": CHUNKS_FIELD}}}, "query": within}
    assert client.search(index=target.index, body=body)["aggregations"]["chunks"]["doc_count"] == nested


def test_filters_and_hybrid(client: OpenSearch, target: Deployed) -> None:
    only = {"ids": {"values": ["end"]}}
    assert scores(client, target.alias, "horse", filter=only).keys() == {"end"}
    assert scores(client, target.alias, "horse", filter=only, hybrid=True).keys() == {"end"}
    assert scores(client, target.alias, "horse", hybrid=True).keys() == {"end", "brief"}
    assert scores(client, target.alias, "[PAD]") == {}
    with pytest.raises(InputError, match="which two-phase search does not see; leave it out"):
        scores(client, target.alias, "horse", two_phase=True)


def test_explain_shows_the_best_chunk(client: OpenSearch, target: Deployed) -> None:
    found = explain(client, target.alias, "horse end", "end")
    assert (found.chunk, found.chunks) == (len(stored(client, target.index, "end")),) * 2
    assert found.text is not None
    assert found.text.endswith("The horse is at the end.")
    expected = scores(client, target.alias, "horse end")["end"]
    assert sum(one.score for one in found.contributions) == pytest.approx(expected, rel=0.01)
    assert explain(client, target.alias, "horse", "without").contributions == []


@pytest.mark.parametrize("mode", ["client", "cluster"])
def test_weak_weights_are_left_out_of_every_chunk(client: OpenSearch, tiny: Bundle, alias: str, mode: str) -> None:
    target = deploy(client, tiny, alias=alias, fields=["text"], encode=mode, chunk=CHUNK, prune=Prune("top_k", 3))
    text = {"end": DOCUMENTS["end"]}
    bulk.load(client, target, rows(text), DocumentEncoder(tiny) if mode == "client" else None)
    for vector, whole in zip(stored(client, alias, "end"), vectors_of(tiny, text["end"]), strict=True):
        assert len(vector) == 3
        assert vector.items() <= (short(whole) if mode == "client" else vector).items()
        assert min(vector.values()) >= sorted(whole.values())[-3] * 0.99


def test_the_query_modes_rank_alike(client: OpenSearch, alias: str) -> None:
    deploy(client, alias=alias, fields=["text"], encode="client", query_mode="model", chunk=500)
    text = {"long": "Worn pads make noise. " * 60 + "A zebra eats marzipan.", "brief": "zebra crossing"}
    bulk.load(client, deployed(client, alias), rows(text), DocumentEncoder.from_pretrained())
    found = scores(client, alias, "zebra marzipan")
    assert list(found) == ["long", "brief"]
    for mode in ("analyzer", "model"):
        assert scores(client, alias, "zebra marzipan", mode=mode) == pytest.approx(found, rel=1e-3)
    assert scores(client, alias, "zebra marzipan", mode="model", hybrid=True).keys() == found.keys()


def test_a_bi_encoder_in_chunks(client: OpenSearch, exported: Any, alias: str) -> None:
    target = deploy(client, exported("siamese"), alias=alias, fields=["text"], chunk=CHUNK)
    assert bulk.load(client, target, rows(), None).rejected == 0
    assert next(iter(scores(client, alias, "bread and milk"))) == "start"


def test_a_document_of_many_words_written_through_the_alias(client: OpenSearch, tiny: Bundle, alias: str) -> None:
    """``text_chunking`` refuses more than 10,000 words there, and puts what is beyond 100 chunks into the last."""
    target = deploy(client, tiny, alias=alias, fields=["text"], chunk=CHUNK)
    text = "a " * 10_500 + "horse"
    client.index(index=alias, id="many", body={"text": text}, refresh=True)
    assert len(stored(client, target.index, "many")) == len(chunks.split(text, CHUNK)) > 100
    assert scores(client, alias, "horse").keys() == {"many"}


def test_an_update_replaces_every_chunk(client: OpenSearch, tiny: Bundle, target: Deployed) -> None:
    encoder = DocumentEncoder(tiny) if target.meta["encode"] == "client" else None
    load = {"changing": f"{FILLER} coffee"}
    bulk.load(client, target, rows(load), encoder)
    assert next(iter(scores(client, target.alias, "coffee"))) == "changing"
    if encoder:
        bulk.load(client, target, rows({"changing": "forest"}), encoder)
    else:  # the stored vectors pass the pipeline again, with token names such as a dot
        with pytest.warns(Warning, match="default ingest pipeline"):
            client.update(index=target.index, id="changing", body={"doc": {"text": "forest"}}, refresh=True)
    assert stored(client, target.index, "changing") == [pytest.approx(vectors_of(tiny, "forest")[0], abs=0.01)]
    assert "changing" not in scores(client, target.alias, "coffee")
    client.delete(index=target.index, id="changing", refresh=True)


def test_a_second_deploy_changes_nothing(client: OpenSearch, tiny: Bundle, target: Deployed) -> None:
    wish: dict[str, Any] = {"encode": target.meta["encode"], "chunk": CHUNK}
    plan = Plan(client, Deployment(tiny, target.alias, ("text",), **wish))
    plan.preflight()
    assert list(plan.pending()) == []
    for other, asked in ((None, "None"), (CHUNK - 1, str(CHUNK - 1))):
        with pytest.raises(DeploymentError, match=f"was deployed with chunk {CHUNK}, asked is {asked}; choose another"):
            deploy(client, tiny, alias=target.alias, fields=["text"], **wish | {"chunk": other})


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"chunk": 63}, r"chunks of 63 bytes: give 20 to 62; .* reads 64 tokens"),
        ({"chunk": 19}, "chunks of 19 bytes: give 20 to 62"),
        ({"chunk": 60, "two_phase": True}, "leave out --chunk, or --two-phase"),
        ({"chunk": 60, "two_step": True, "encode": "client"}, "chunks go with the presets exact and balanced"),
    ],
)
def test_what_does_not_go_together(tiny: Bundle, options: dict[str, Any], why: str) -> None:
    with pytest.raises(InputError, match=why):
        Deployment(tiny, "a", ("text",), **options)
