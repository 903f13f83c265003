"""A byte-level vocabulary, whose tokens come out alike as words, is deployed by token id and searched."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from opensearchpy import OpenSearch
from opensearchpy.exceptions import TransportError
from tiny_checkpoint import make_checkpoint
from tokenizers import AddedToken, Tokenizer, decoders, pre_tokenizers, processors, trainers
from tokenizers.models import BPE
from transformers import PreTrainedTokenizerFast

from opensearch_lsr import DocumentEncoder, QueryEncoder
from opensearch_lsr.bundle import Bundle
from opensearch_lsr.cli.expand import expand
from opensearch_lsr.cli.explain import explain as explain_command
from opensearch_lsr.cluster import bulk, models, register
from opensearch_lsr.cluster.deploy import deploy
from opensearch_lsr.cluster.deployed import deployed
from opensearch_lsr.cluster.deployment import Deployment
from opensearch_lsr.cluster.explain import explain
from opensearch_lsr.cluster.search import search
from opensearch_lsr.data.documents import Document
from opensearch_lsr.errors import InputError
from opensearch_lsr.export.export import export
from opensearch_lsr.sparse_vector import dot

TEXTS = {
    "tap": "a leaking tap: replace the washer",
    "euro": "100 € or ¥ or 東京, each a token per byte",
    "cafe": "a café with tea & cake",
    "snow": "snow in winter",
    "empty": "",
}
QUERIES = ["leaking tap", "€", "¥ 東", "café tea", "snow"]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory, checkpoint_folder: Callable[..., Path]) -> Bundle:
    """The tiny encoder with a byte-level BPE tokenizer of as many tokens."""
    folder = make_checkpoint(tmp_path_factory.mktemp("byte-level") / "checkpoint", "mlm")
    size = json.loads((folder / "config.json").read_text())["vocab_size"]
    specials = ["<pad>", "<begin>", "<end>"]
    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=[AddedToken(token, special=True) for token in specials],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([*TEXTS.values(), *QUERIES] * 3, trainer)
    assert tokenizer.get_vocab_size() <= size
    tokenizer.add_tokens([f"filler{number}" for number in range(size - tokenizer.get_vocab_size())])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<begin> $A <end>", special_tokens=[("<begin>", 1), ("<end>", 2)]
    )
    for file in folder.glob("tokenizer*"):
        file.unlink()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", cls_token="<begin>", sep_token="<end>", model_max_length=64
    )
    fast.save_pretrained(folder)
    table = {token: 0.0 if token in specials else 1 + index % 7 / 10 for token, index in fast.get_vocab().items()}
    (folder / "idf.json").write_text(json.dumps(table))
    return export(folder, folder.parent / "bundle", name="byte-level")


def test_its_words_collide_and_its_vectors_have_ids(bundle: Bundle) -> None:
    assert not bundle.config.word_form and bundle.config.token_form == "id"
    tokenizer = bundle.tokenizer
    decoded = [tokenizer.decode([index]) for index in tokenizer.get_vocab().values()]
    assert decoded.count("�") > 100
    (vector,) = DocumentEncoder(bundle).encode([TEXTS["euro"]])
    query = QueryEncoder.from_pretrained(str(bundle.path)).encode("€")
    assert query and all(name.isdecimal() for name in [*vector, *query])
    ids = tokenizer.get_vocab()
    assert bundle.named_weights == {str(ids[token]): weight for token, weight in bundle.weights.items()}
    assert {bundle.names[int(name)] for name in vector} == set(vector)


@pytest.mark.cluster
@pytest.mark.parametrize("preset", ["exact", "fast"])
def test_rankings_are_those_of_dot_products(client: OpenSearch, bundle: Bundle, alias: str, preset: str) -> None:
    deploy(client, str(bundle.path), alias=alias, fields=["text"], encode="client", preset=preset)
    target = deployed(client, alias)
    assert target.meta["token_form"] == "id"
    documents = [Document(name, {"text": text}, f"line {name}") for name, text in TEXTS.items()]
    encoder = DocumentEncoder(bundle)
    report = bulk.load(client, target, documents, encoder)
    assert (report.indexed, report.without_vector) == (len(TEXTS), 1)
    vectors = dict(zip(TEXTS, encoder.encode(list(TEXTS.values())), strict=True)) | {"empty": {}}
    local, remote = QueryEncoder.from_pretrained(str(bundle.path)), QueryEncoder.from_cluster(client, alias)
    for text in QUERIES:
        query = remote.encode(text)
        assert query == local.encode(text)
        scores = {name: dot(query, vector) for name, vector in vectors.items() if dot(query, vector)}
        hits = search(client, alias, text)
        assert [hit.id for hit in hits] == sorted(scores, key=lambda name: -scores[name])
        assert {hit.id: hit.score for hit in hits} == pytest.approx(scores, rel=0.004)


@pytest.mark.cluster
def test_a_token_id_is_shown_with_its_text(client: OpenSearch, url: str, bundle: Bundle, alias: str) -> None:
    deploy(client, str(bundle.path), alias=alias, fields=["text"], encode="client")
    bulk.load(client, deployed(client, alias), [Document("snow", {"text": "snow"}, "1")], DocumentEncoder(bundle))
    shared = explain(client, alias, "snow", "snow").contributions
    assert " snow" in [one.text for one in shared] and all(one.token.isdecimal() for one in shared)
    for command, asked in ((explain_command, ["snow", "snow"]), (expand, ["snow"])):
        shown = CliRunner().invoke(command, [*asked, "--alias", alias, "--url", url], catch_exceptions=False)
        assert "' snow'" in shown.output
    # a weight that is edited in the cluster, by the token
    fingerprint = bundle.config.query_fingerprint
    client.update(index="lsr-token-weights", id=fingerprint, refresh=True, body={"doc": {"weights": {"Ġsnow": 9.0}}})
    try:
        assert max(QueryEncoder.from_cluster(client, alias).encode("snow").values()) == 9
    finally:
        client.delete(index="lsr-token-weights", id=fingerprint, refresh=True)


def test_it_is_not_for_the_clusters_words(bundle: Bundle) -> None:
    with pytest.raises(InputError, match="do not decode one by one .* deploy with --encode client"):
        Deployment(bundle, "docs", ("text",))
    with pytest.raises(InputError, match="its vectors have token ids; use --query-mode tokens"):
        Deployment(bundle, "docs", ("text",), encode="client", query_mode="model")


@pytest.mark.cluster
def test_seismic_has_no_room_for_large_ids(client: OpenSearch, url: str) -> None:
    """Why the benchmark counts the tokens of a large vocabulary anew: an id is 16 bits with a sign."""
    method = {"name": "seismic", "parameters": {"approximate_threshold": 1}}
    vector = {"type": "sparse_vector", "method": method}
    settings = {"index": {"sparse": True, "number_of_shards": 1, "number_of_replicas": 0}}
    body = {"settings": settings, "mappings": {"properties": {"vector": vector}}}
    client.indices.create(index="large-ids", body=body)
    try:
        client.index(index="large-ids", id="both", body={"vector": {"5": 0.5, str(5 + 32_768): 2.0}}, refresh=True)
        once = OpenSearch(url, max_retries=0, retry_on_status=())
        for token, why in ((5, "Index -32763 out of bounds"), (5 + 32_768, "-32762")):
            parameters = {"top_n": 3, "k": 10, "heap_factor": 1.0}
            query = {"vector": {"query_tokens": {str(token): 1.0}, "method_parameters": parameters}}
            with pytest.raises(TransportError) as failure:
                once.search(index="large-ids", body={"query": {"neural_sparse": query}})
            assert why in str(failure.value.info)
    finally:
        client.indices.delete(index="large-ids")


@pytest.mark.cluster
def test_the_cluster_encodes_ids_into_a_sparse_vector(client: OpenSearch, bundle: Bundle) -> None:
    """Which asks the model for ids by itself (3.2+); ``rank_features`` would get words."""
    name = "lsr-test-byte-level"
    with register.pack({"model.onnx": bundle.onnx, "tokenizer.json": bundle.path / "tokenizer.json"}) as archive:
        register.register(client, name, "1.0.0", "SPARSE_ENCODING", archive, lambda done, total: None)
    (model,) = models.find(client, name)
    try:
        models.deploy(client, model)
        encoding = {"model_id": model.model_id, "field_map": {"text": "vector"}}
        client.ingest.put_pipeline(id=name, body={"processors": [{"sparse_encoding": encoding}]})
        vector = {"type": "sparse_vector", "method": {"name": "seismic", "parameters": {"approximate_threshold": 100}}}
        settings = {"index": {"sparse": True, "number_of_shards": 1, "default_pipeline": name}}
        client.indices.create(index=name, body={"settings": settings, "mappings": {"properties": {"vector": vector}}})
        for document in ("euro", "cafe", "snow"):
            client.index(index=name, id=document, body={"text": TEXTS[document]}, refresh=True)
        encoded = DocumentEncoder(bundle).encode([TEXTS["euro"]])[0]
        assert client.get(index=name, id="euro")["_source"]["vector"] == pytest.approx(encoded, abs=1e-3)
        tokens = QueryEncoder.from_pretrained(str(bundle.path)).encode("€")
        query = {"neural_sparse": {"vector": {"query_tokens": tokens}}}
        assert client.search(index=name, body={"query": query})["hits"]["hits"][0]["_id"] == "euro"
    finally:
        client.indices.delete(index=name, ignore=404)
        client.ingest.delete_pipeline(id=name, ignore=404)
        models.remove(client, model)
