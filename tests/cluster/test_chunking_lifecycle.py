"""Deployments in chunks over time: taken over, migrated, rolled back, examined, and on OpenSearch 2.19.1."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from doctoring import page, problems
from opensearchpy import OpenSearch

from opensearch_lsr import deploy, migrate, rollback
from opensearch_lsr.bundle import Bundle
from opensearch_lsr.cli.main import cli
from opensearch_lsr.cluster import bulk, chunks
from opensearch_lsr.cluster.chunks import CHUNK_VECTOR, CHUNKS_FIELD
from opensearch_lsr.cluster.deployed import Deployed, deployed
from opensearch_lsr.cluster.deployment import MODEL_FIELD, VECTOR_FIELD
from opensearch_lsr.cluster.migrate import plan_migration
from opensearch_lsr.cluster.search import search
from opensearch_lsr.cluster.status import undeploy
from opensearch_lsr.data.documents import Document
from opensearch_lsr.document_encoder import DocumentEncoder

pytestmark = pytest.mark.cluster
CHUNK = 60
Texts = dict[str, str]


@pytest.fixture
def texts() -> Texts:
    return {f"d{i}": f"water a.b ... number {i} " * (1 + i % 3 * 9) + ("horse" if i % 2 else "cow") for i in range(12)}


def load(client: OpenSearch, target: Deployed, bundle: Bundle, texts: Texts) -> None:
    encoder = DocumentEncoder(bundle) if target.meta["encode"] == "client" else None
    rows = [Document(identifier, {"text": text}, "") for identifier, text in texts.items()]
    assert bulk.load(client, target, rows, encoder).rejected == 0


def holds(client: OpenSearch, alias: str, bundle: Bundle, texts: Texts) -> None:
    """These documents, each with the vectors of its chunks as a fresh encoding gives them."""
    client.indices.refresh(index=alias)
    hits = client.search(index=alias, body={"size": 100, "query": {"match_all": {}}})["hits"]["hits"]
    assert {hit["_id"]: hit["_source"]["text"] for hit in hits} == texts
    encoder = DocumentEncoder(bundle)
    for hit in hits:
        vectors = [chunk[CHUNK_VECTOR] for chunk in hit["_source"][CHUNKS_FIELD]]
        expected = encoder.encode(chunks.split(hit["_source"]["text"], CHUNK))
        assert [pytest.approx(own, rel=0.01, abs=2e-3) for own in expected] == vectors
        assert hit["_source"][MODEL_FIELD] == bundle.document_key


@pytest.mark.parametrize("mode", ["client", "cluster"])
def test_a_migration_and_the_way_back_keep_the_chunks(
    client: OpenSearch, old: Bundle, new: Bundle, alias: str, texts: Texts, mode: str
) -> None:
    target = deploy(client, old, alias=alias, fields=["text"], encode=mode, chunk=CHUNK)
    load(client, target, old, texts)

    def meanwhile(one: str, other: str) -> None:
        del texts["d3"], texts["d4"]
        for gone in ("d3", "d4"):
            client.delete(index=alias, id=gone)
        texts["d5"] = "tea " * 60 + "coffee"
        load(client, target, old, {"d5": texts["d5"]})

    migrate(client, alias, new, before_swap=meanwhile)
    migrated = deployed(client, alias)
    assert (migrated.chunk, migrated.index == target.index) == (CHUNK, False)
    holds(client, alias, new, texts)
    assert search(client, alias, "coffee")[0].id == "d5"
    texts["d6"] = "water " * 60 + "since"
    load(client, migrated, new, {"d6": texts["d6"]})
    rollback(client, alias, old.path)
    holds(client, alias, old, texts)


def test_an_encoder_that_reads_less_gets_shorter_chunks(
    client: OpenSearch, old: Bundle, new: Bundle, alias: str, tmp_path: Path
) -> None:
    deploy(client, old, alias=alias, fields=["text"], encode="client", chunk=CHUNK)
    folder = Path(shutil.copytree(new.path, tmp_path / "shorter"))
    config = json.loads((folder / "lsr.json").read_text())
    (folder / "lsr.json").write_text(json.dumps(config | {"max_length": 34}))
    assert plan_migration(client, alias, Bundle.open(folder)).wish.chunk == 32
    assert plan_migration(client, alias, new).wish.chunk == CHUNK


def test_an_index_without_chunks_is_taken_over_and_one_with_them(
    client: OpenSearch, tiny: Bundle, alias: str, texts: Texts
) -> None:
    whole = deploy(client, tiny, alias=alias, fields=["text"], encode="client")
    load(client, whole, tiny, texts)
    chunked = deploy(
        client, tiny, alias=f"{alias}-in", fields=["text"], encode="client", chunk=CHUNK, source_index=whole.index
    )
    holds(client, chunked.alias, tiny, texts)
    back = deploy(client, tiny, alias=f"{alias}-out", fields=["text"], encode="client", source_index=chunked.index)
    for target, has, lacks in ((chunked, CHUNKS_FIELD, VECTOR_FIELD), (back, VECTOR_FIELD, CHUNKS_FIELD)):
        client.indices.refresh(index=target.index)
        properties = client.indices.get_mapping(index=target.index)[target.index]["mappings"]["properties"]
        assert (has in properties, lacks in properties) == (True, False)
        assert all(has in hit for hit in _sources(client, target))
        assert not any(lacks in hit for hit in _sources(client, target))


def _sources(client: OpenSearch, target: Deployed) -> list[dict[str, object]]:
    hits = client.search(index=target.index, body={"size": 100, "query": {"match_all": {}}})["hits"]["hits"]
    return [hit["_source"] for hit in hits]


def test_the_doctor_looks_at_chunks(client: OpenSearch, tiny: Bundle, alias: str, texts: Texts) -> None:
    target = deploy(client, tiny, alias=alias, fields=["text"], chunk=CHUNK)
    load(client, target, tiny, texts)
    assert problems(client, alias) == {}
    found = page(client, alias)
    assert found["long documents"].numbers["truncated"] == 0
    assert 20 < found["long documents"].numbers["longest"] <= 64
    assert "documents have chunks of 60 bytes longer than 64 tokens" in found["long documents"].seen
    assert found["vectors"].numbers["without"] == 0
    change = [{"update": {"_index": alias, "_id": "d1"}}, {"doc": {"text": "snow " * 40}}]
    client.bulk(body=change, refresh=True)
    assert problems(client, alias) == {
        "stale vectors": "1 document has a vector of an earlier text (d1), of 12 documents"
    }
    client.ingest.delete_pipeline(id=f"lsr-{target.index}-gone", ignore=404)
    client.indices.put_settings(index=target.index, body={"index.default_pipeline": "_none"})
    client.ingest.delete_pipeline(id=f"lsr-{target.index}")
    (_, missing) = page(client, alias)["ingest pipeline"].findings
    assert missing.remedy == f"opensearch-lsr deploy BUNDLE --alias {alias} --field text --chunk 60"


def test_truncated_documents_are_told_of_chunks(client: OpenSearch, tiny: Bundle, alias: str, texts: Texts) -> None:
    target = deploy(client, tiny, alias=alias, fields=["text"], encode="client")
    load(client, target, tiny, texts)
    (finding,) = page(client, alias)["long documents"].findings
    assert f"opensearch-lsr deploy BUNDLE --alias NAME --from {target.index} --chunk BYTES" in finding.remedy


def test_the_command_line(client: OpenSearch, url: str, tiny: Bundle, alias: str, tmp_path: Path) -> None:
    file = tmp_path / "documents.jsonl"
    file.write_text(json.dumps({"_id": "long", "text": "water " * 100 + "horse"}) + "\n")

    def run(command: str, *arguments: str) -> str:
        done = CliRunner().invoke(cli, [command, *arguments, "--alias", alias, "--url", url], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.output

    options = [str(tiny.path), "--field", "text", "--encode", "client", "--chunk", str(CHUNK)]
    assert '"nested"' in run("deploy", *options)
    assert "1 of 1 documents indexed" in run("index", str(file), "--bundle", str(tiny.path))
    body = json.loads(run("search", "horse", "--body"))
    assert list(body["query"]["nested"]["query"]["neural_sparse"]) == [f"{CHUNKS_FIELD}.{CHUNK_VECTOR}"]
    hits = client.search(index=alias, body=body)["hits"]["hits"]
    assert [hit["_id"] for hit in hits] == ["long"]
    assert "from 1 shared tokens, in chunk 11 of 11\n" in run("explain", "horse", "long")
    assert json.loads(run("explain", "horse", "long", "--json"))["chunk"] == 11


@pytest.mark.parametrize("mode", ["client", "cluster"])
def test_what_is_truncated_is_counted_whoever_encodes(
    client: OpenSearch, url: str, tiny: Bundle, alias: str, tmp_path: Path, mode: str
) -> None:
    file = tmp_path / "documents.jsonl"
    texts = ["water " * 63, "water " * 62, "leak", "horse " * 500]
    file.write_text("".join(json.dumps({"_id": str(i), "text": text}) + "\n" for i, text in enumerate(texts)))
    for chunk, truncated in ((None, 2), (CHUNK, 0)):
        name = f"{alias}-{chunk}".lower()
        deploy(client, tiny, alias=name, fields=["text"], encode=mode, chunk=chunk)
        options = ["--alias", name, "--url", url, "--bundle", str(tiny.path)]
        done = CliRunner().invoke(cli, ["index", str(file), *options], catch_exceptions=False)
        said = "2 longer than 64 tokens: what is beyond was not encoded (deploy --chunk encodes all)"
        assert (done.exit_code, said in done.stderr) == (0, truncated > 0)
        done = CliRunner().invoke(cli, ["index", str(file), *options, "--json"], catch_exceptions=False)
        assert json.loads(done.stdout)["truncated"] == truncated


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["client", "cluster"])
def test_on_opensearch_2_19(client_2_19: OpenSearch, exported: Callable[..., Bundle], texts: Texts, mode: str) -> None:
    old, new, alias = exported("router"), exported("router", "relu"), f"older-chunks-{mode}"
    try:
        target = deploy(client_2_19, old, alias=alias, fields=["text"], encode=mode, chunk=CHUNK)
        load(client_2_19, target, old, texts)
        holds(client_2_19, alias, old, texts)
        assert {hit.id for hit in search(client_2_19, alias, "horse")} == {f"d{i}" for i in range(1, 12, 2)}
        assert problems(client_2_19, alias) == {}
        migrate(client_2_19, alias, new)
        holds(client_2_19, alias, new, texts)
    finally:
        for index in client_2_19.indices.get(index=f"{alias}*"):
            undeploy(client_2_19, index)
