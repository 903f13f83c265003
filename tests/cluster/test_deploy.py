"""Deploying: what is made, made once, and taken away again."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from opensearchpy import OpenSearch
from opensearchpy.exceptions import AuthorizationException
from state import snapshot

from opensearch_lsr import QueryEncoder, deploy, token_weights
from opensearch_lsr.bundle import Bundle, query_fingerprint
from opensearch_lsr.cluster import bulk, models, preflight, search, status
from opensearch_lsr.cluster.deployed import deployed
from opensearch_lsr.cluster.deployment import Deployment
from opensearch_lsr.cluster.explain import explain
from opensearch_lsr.cluster.features import Feature
from opensearch_lsr.cluster.plan import Plan
from opensearch_lsr.data.documents import Document
from opensearch_lsr.document_encoder import DocumentEncoder
from opensearch_lsr.errors import DeploymentError, InputError, PreflightError
from opensearch_lsr.query_encoder import TOKEN_WEIGHTS_INDEX
from opensearch_lsr.sparse_vector import Prune

pytestmark = pytest.mark.cluster
FIELDS = ["title", "text"]


def test_a_second_deploy_changes_nothing(client: OpenSearch, tiny: Bundle, alias: str) -> None:
    steps: list[str] = []
    deploy(client, tiny, alias=alias, fields=FIELDS, on_step=lambda title, action: steps.append(title))
    assert [step.split()[0] for step in steps] == [
        "model",
        "model",
        "probe",
        "token",
        "ingest",
        "search",
        "index",
        "alias",
    ]
    before = snapshot(client)
    deploy(client, tiny, alias=alias, fields=FIELDS, on_step=lambda title, action: steps.append(title))
    assert len(steps) == 8
    assert snapshot(client) == before


def test_a_dry_run_makes_nothing(client: OpenSearch, tiny: Bundle, alias: str) -> None:
    before = snapshot(client)
    plan = Plan(client, Deployment(tiny, alias, tuple(FIELDS)))
    plan.preflight()
    assert [step.title for step in plan.steps if step.pending() is None] == []
    assert snapshot(client) == before


def test_undeploy_removes_exactly_what_was_made(client: OpenSearch, tiny: Bundle, alias: str) -> None:
    client.indices.create(index=f"{alias}-other", body={"mappings": {"properties": {"title": {"type": "text"}}}})
    before = snapshot(client)
    deploy(client, tiny, alias=alias, fields=FIELDS)
    status.undeploy(client, alias)
    assert snapshot(client) == before


def test_what_another_deployment_uses_stays(client: OpenSearch, tiny: Bundle, alias: str) -> None:
    deploy(client, tiny, alias=f"{alias}-a", fields=FIELDS)
    deploy(client, tiny, alias=f"{alias}-b", fields=["text"])
    kinds = [removal.kind for removal in status.undeploy(client, f"{alias}-a")]
    assert kinds == ["alias", "ingest pipeline", "search pipeline", "index"]
    states = {resource.kind: resource.state for resource in status.resources(client, f"{alias}-b")}
    assert states["model"] == "DEPLOYED"
    assert states["token weights"] == "stored"


def test_client_mode_needs_no_model_in_the_cluster(client: OpenSearch, tiny: Bundle, alias: str) -> None:
    steps: list[str] = []
    deploy(client, tiny, alias=alias, fields=FIELDS, encode="client", on_step=lambda title, action: steps.append(title))
    assert [step.split()[0] for step in steps] == ["token", "search", "index", "alias"]


def test_another_encoder_moves_the_alias_and_keeps_the_old_index(
    client: OpenSearch, exported: Callable[..., Bundle], alias: str
) -> None:
    first = deploy(client, exported("router"), alias=alias, fields=FIELDS, encode="client")
    second = deploy(client, exported("router", "relu"), alias=alias, fields=FIELDS, encode="client")
    assert second.index != first.index
    assert list(client.indices.get_alias(name=alias)) == [second.index]
    assert client.indices.exists(index=first.index)


def test_an_alias_is_not_moved_from_documents_to_an_empty_index(
    client: OpenSearch, exported: Callable[..., Bundle], alias: str
) -> None:
    first = deploy(client, exported("router"), alias=alias, fields=["text"], encode="client")
    bulk.load(client, first, [Document("d", {"text": "water leak"}, "")], DocumentEncoder(exported("router")))
    with pytest.raises(DeploymentError, match=f"take them over with --from {first.index}"):
        deploy(client, exported("router", "relu"), alias=alias, fields=["text"], encode="client")
    second = deploy(
        client, exported("router", "relu"), alias=alias, fields=["text"], encode="client", source_index=alias
    )
    assert list(client.indices.get_alias(name=alias)) == [second.index]
    vector = client.get(index=second.index, id="d")["_source"]["lsr_vector"]
    expected = DocumentEncoder(exported("router", "relu")).encode(["water leak"])[0]
    assert vector == pytest.approx(expected, rel=1 / 256)
    steps: list[str] = []
    deploy(
        client,
        exported("router", "relu"),
        alias=alias,
        fields=["text"],
        encode="client",
        on_step=lambda t, a: steps.append(t),
    )
    assert steps == []


def test_undeploy_removes_a_query_model_that_is_no_longer_needed(client: OpenSearch, tiny: Bundle, alias: str) -> None:
    before = snapshot(client)
    deploy(client, tiny, alias=alias, fields=FIELDS, encode="client", query_mode="model")
    deploy(client, tiny, alias=alias, fields=FIELDS, encode="client")
    status.undeploy(client, alias)
    assert snapshot(client) == before


def test_other_fields_on_the_same_index_are_refused(client: OpenSearch, tiny: Bundle, alias: str) -> None:
    deploy(client, tiny, alias=alias, fields=FIELDS, encode="client")
    before = snapshot(client)
    with pytest.raises(DeploymentError, match=r"was deployed with fields \['title', 'text'\], asked is \['text'\]"):
        deploy(client, tiny, alias=alias, fields=["text"], encode="client")
    assert snapshot(client) == before


def test_an_alias_with_an_indexs_name_is_refused(client: OpenSearch, tiny: Bundle, alias: str) -> None:
    client.indices.create(index=alias)
    with pytest.raises(DeploymentError, match="an alias cannot have its name"):
        deploy(client, tiny, alias=alias, fields=FIELDS)


def test_a_mapping_gives_filters(client: OpenSearch, tiny: Bundle, alias: str) -> None:
    mapping = {"properties": {"lang": {"type": "keyword"}}, "settings": {"number_of_shards": 2}}
    target = deploy(client, tiny, alias=alias, fields=["text"], encode="client", mapping=mapping)
    rows = [Document(str(i), {"text": "water leak", "lang": lang}, "") for i, lang in enumerate(["en", "fr"])]
    bulk.load(client, target, rows, DocumentEncoder(tiny))
    found = search.search(client, alias, "water", options=search.Options(filter={"term": {"lang": "fr"}}))
    assert [hit.id for hit in found] == ["1"]
    assert client.indices.get_settings(index=target.index)[target.index]["settings"]["index"]["number_of_shards"] == "2"


def test_a_text_field_mapped_otherwise_is_refused_before_anything_is_made(
    client: OpenSearch, tiny: Bundle, alias: str
) -> None:
    before = snapshot(client)
    with pytest.raises(InputError, match="'text' is mapped as keyword"):
        deploy(client, tiny, alias=alias, fields=["text"], mapping={"properties": {"text": {"type": "keyword"}}})
    assert snapshot(client) == before


def test_from_an_existing_index(client: OpenSearch, tiny: Bundle, alias: str) -> None:
    source = f"{alias}-bm25"
    analysis = {"analyzer": {"mine": {"type": "custom", "tokenizer": "whitespace", "filter": ["lowercase"]}}}
    properties = {"text": {"type": "text", "analyzer": "mine"}, "lang": {"type": "keyword"}}
    client.indices.create(
        index=source, body={"settings": {"analysis": analysis}, "mappings": {"properties": properties}}
    )
    for i in range(30):
        client.index(index=source, id=f"d{i}", body={"text": f"water leak {i}", "lang": "en"}, routing="r")
    client.indices.put_alias(index=source, name=alias)
    client.indices.refresh(index=source)
    target = deploy(client, tiny, alias=alias, fields=["text"], source_index=source)
    body = client.indices.get(index=target.index)[target.index]
    assert body["mappings"]["properties"]["text"] == {"type": "text", "analyzer": "mine"}
    assert body["settings"]["index"]["analysis"]["analyzer"]["mine"]["tokenizer"] == "whitespace"
    assert client.count(index=alias)["count"] == 30
    assert list(client.indices.get_alias(name=alias)) == [target.index]
    assert client.count(index=source)["count"] == 30
    with pytest.raises(AuthorizationException):  # its place is taken: who still writes to it is told
        client.index(index=source, id="late", body={"text": "water"})
    assert client.get(index=target.index, id="d7", routing="r")["_source"]["lsr_vector"]
    steps: list[str] = []
    deploy(client, tiny, alias=alias, fields=["text"], source_index=source, on_step=lambda t, a: steps.append(t))
    assert steps == []


def test_int8_arithmetic_in_the_cluster(client: OpenSearch, exported: Callable[..., Bundle], alias: str) -> None:
    bundle = exported(quantize="int8-dynamic")
    target = deploy(client, bundle, alias=alias, fields=["text"])
    text = "Fix the leak in the kitchen tap."
    bulk.load(client, target, [Document("d", {"text": text}, "")], None)
    vector = client.get(index=target.index, id="d")["_source"]["lsr_vector"]
    assert vector == pytest.approx(DocumentEncoder(bundle).encode([text])[0], abs=0.05)


def test_pruning_is_the_same_in_both_modes(client: OpenSearch, tiny: Bundle, alias: str) -> None:
    rows = [Document("d", {"text": "Fix the leak in the kitchen tap, then clean the sink."}, "")]
    vectors = []
    for mode in ("cluster", "client"):
        target = deploy(
            client, tiny, alias=f"{alias}-{mode}", fields=["text"], encode=mode, prune=Prune("max_ratio", 0.5)
        )
        bulk.load(client, target, rows, DocumentEncoder(tiny) if mode == "client" else None)
        vectors.append(client.get(index=target.index, id="d")["_source"]["lsr_vector"])
    assert vectors[0] == pytest.approx(vectors[1], rel=1 / 256)
    assert 0 < len(vectors[0]) < len(DocumentEncoder(tiny).encode([rows[0].source["text"]])[0])


def test_a_model_that_fails_its_probe_is_removed_again(
    client: OpenSearch, tiny: Bundle, alias: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cluster whose runtime computes something else cannot be made to order: its answer is changed on the way."""
    before = snapshot(client)
    predict = models.predict
    with monkeypatch.context() as other:
        other.setattr(models, "predict", lambda *a: [{t: w * 2 for t, w in v.items()} for v in predict(*a)])
        with pytest.raises(DeploymentError, match=r"weighs .* in the cluster and .* here"):
            deploy(client, tiny, alias=alias, fields=FIELDS)
    assert snapshot(client)["models"] == before["models"]
    deploy(client, tiny, alias=alias, fields=FIELDS)


def test_a_new_table_replaces_the_old_one(
    client: OpenSearch, exported: Callable[..., Bundle], alias: str, tmp_path: Path
) -> None:
    old = exported("router")
    deploy(client, old, alias=alias, fields=FIELDS, encode="client")
    shutil.copytree(old.path, tmp_path / "new")
    table = old.weights | {"water": 1.25}
    token_weights.save(table, tmp_path / "new" / "idf.json")
    config = json.loads((tmp_path / "new" / "lsr.json").read_text())
    config["query_fingerprint"] = query_fingerprint((old.path / "tokenizer.json").read_text(), table)
    (tmp_path / "new" / "lsr.json").write_text(json.dumps(config))
    steps: list[str] = []
    deploy(client, tmp_path / "new", alias=alias, fields=FIELDS, encode="client", on_step=lambda t, a: steps.append(t))
    assert [step.split()[0] for step in steps] == ["token", "index"]
    assert QueryEncoder.from_cluster(client, alias).encode("water") == {"water": 1.25}
    assert not client.exists(index=TOKEN_WEIGHTS_INDEX, id=old.config.query_fingerprint)


def test_a_bi_encoder_searches_through_its_model(
    client: OpenSearch, exported: Callable[..., Bundle], alias: str
) -> None:
    bundle = exported("siamese")
    target = deploy(client, bundle, alias=alias, fields=["text"])
    rows = [Document("a", {"text": "dog and cat"}, ""), Document("b", {"text": "tea and coffee"}, "")]
    assert bulk.load(client, target, rows, None).indexed == 2
    assert search.search(client, alias, "coffee")[0].id == "b"
    plain = search.search(client, alias, "coffee")
    two_phase = search.search(client, alias, "coffee", options=search.Options(two_phase=True))
    assert [hit.id for hit in two_phase] == [hit.id for hit in plain]
    assert two_phase[0].score == pytest.approx(plain[0].score, rel=0.01)
    with pytest.raises(DeploymentError, match="bi-encoder"):
        explain(client, alias, "coffee", "b")
    assert not client.exists(index=TOKEN_WEIGHTS_INDEX, id=bundle.config.query_fingerprint)


def test_preflight_names_setting_and_remedy_and_changes_it_only_when_allowed(client: OpenSearch) -> None:
    needs = set(Feature)
    assert preflight.check(client, needs) == []
    client.cluster.put_settings(body={"persistent": {preflight.UPLOAD: False, preflight.ML_NODES_ONLY: True}})
    try:
        with pytest.raises(
            PreflightError, match=r"allow_registering_model_via_local_file is false: set it, or deploy with"
        ):
            preflight.require(client, needs, change_settings=False)
        with pytest.raises(PreflightError, match="only_run_on_ml_node is true and there is no ml node"):
            preflight.require(client, needs, change_settings=False)
        changed = preflight.require(client, needs, change_settings=True)
        assert changed == [f"{preflight.UPLOAD} = True", f"{preflight.ML_NODES_ONLY} = False"]
        assert preflight.check(client, needs) == []
    finally:
        client.cluster.put_settings(body={"persistent": {preflight.UPLOAD: None, preflight.ML_NODES_ONLY: None}})


def test_a_damaged_bundle_is_refused_before_anything_is_made(
    client: OpenSearch, tiny: Bundle, alias: str, tmp_path: Path
) -> None:
    copy = tmp_path / "bundle"
    shutil.copytree(tiny.path, copy)
    with (copy / "onnx" / "model.onnx").open("ab") as file:
        file.write(b"\0")
    before = snapshot(client)
    with pytest.raises(Exception, match="is not what was exported"):
        deploy(client, copy, alias=alias, fields=FIELDS)
    assert snapshot(client) == before
    with pytest.raises(DeploymentError, match="no such alias"):
        deployed(client, alias)
