"""A migration that changes the query side: applications go on, whichever way they encode queries."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from migrating import serve, texts, with_weights
from opensearchpy import OpenSearch

from opensearch_lsr import QueryEncoder, migrate, rollback
from opensearch_lsr.bundle import Bundle
from opensearch_lsr.cluster.deployed import deployed
from opensearch_lsr.cluster.deployment import VECTOR_FIELD
from opensearch_lsr.cluster.search import search
from opensearch_lsr.document_encoder import DocumentEncoder
from opensearch_lsr.errors import DeploymentError
from opensearch_lsr.sparse_vector import dot

pytestmark = pytest.mark.cluster


@pytest.fixture
def new(exported: Callable[..., Bundle], tmp_path: Path) -> Bundle:
    """Another document encoder, and other weights for queries."""
    return with_weights(exported("router", "relu"), tmp_path / "new", {"water": 0.25, "tea": 9.0})


def test_encoders_follow_the_alias(client: OpenSearch, old: Bundle, new: Bundle, alias: str) -> None:
    documents = texts(30)
    serve(client, old, alias, documents)
    follows, never = (QueryEncoder.from_cluster(client, alias, check_every=every) for every in (0.0, None))
    given = QueryEncoder.from_pretrained(str(old.path))
    before, after = (QueryEncoder.from_pretrained(str(bundle.path)).encode("water tea") for bundle in (old, new))
    assert before != after
    assert follows.encode("water tea") == never.encode("water tea") == before
    migrate(client, alias, new)
    assert never.encode("water tea") == before
    expected = dict(zip(documents, DocumentEncoder(new).encode(list(documents.values())), strict=True))
    for encoder in (None, never, given):  # a query is of the index that answers it, whatever encoder is given
        hits = search(client, alias, "water tea", size=30, encoder=encoder)
        assert {hit.id: hit.score for hit in hits} == pytest.approx(
            {hit.id: dot(after, expected[hit.id]) for hit in hits}, rel=0.01
        )
    assert never.encode("water tea") == after  # refreshed by the search
    assert given.encode("water tea") == before
    assert follows.encode("water tea") == after
    assert follows.encode_batch(["water tea"]) == [after]
    assert follows.fingerprint == new.config.query_fingerprint
    assert (follows.refresh(), given.refresh()) == (False, False)
    rollback(client, alias, old.path)
    assert follows.encode("water tea") == before


def test_a_check_that_fails_keeps_what_was_loaded(client: OpenSearch, old: Bundle, alias: str) -> None:
    """A cluster that goes away cannot be had to order: the client that is given does not answer."""
    serve(client, old, alias, texts(3))
    asked: list[float] = []

    class Indices:
        def get_mapping(self, **options: Any) -> Any:
            asked.append(time.monotonic())
            if len(asked) > 1:
                raise ConnectionError("gone")
            return client.indices.get_mapping(**options)

    class Client:
        indices = Indices()
        get = client.get

    encoder = QueryEncoder.from_cluster(Client(), alias, check_every=0.2)
    known = encoder.encode("water tea")
    assert len(asked) == 1
    deadline = time.monotonic() + 10
    while len(asked) < 4 and time.monotonic() < deadline:
        assert encoder.encode("water tea") == known
    gaps = [later - earlier for earlier, later in pairwise(asked)]
    assert min(gaps) > 0.15  # nothing is sent in between
    with pytest.raises(ConnectionError):
        encoder.refresh()
    assert encoder.encode("water tea") == known


def test_one_thread_asks_while_the_others_encode(client: OpenSearch, old: Bundle, alias: str) -> None:
    serve(client, old, alias, texts(3))
    waiting, go_on = threading.Event(), threading.Event()

    class Indices:
        def get_mapping(self, **options: Any) -> Any:
            if encoder_made:
                waiting.set()
                assert go_on.wait(10)
            return client.indices.get_mapping(**options)

    class Client:
        indices = Indices()
        get = client.get

    encoder_made: list[QueryEncoder] = []
    encoder_made.append(QueryEncoder.from_cluster(Client(), alias, check_every=0.0))
    asking = threading.Thread(target=encoder_made[0].encode, args=("water",))
    asking.start()
    assert waiting.wait(10)
    assert encoder_made[0].encode("tea")  # while the other still waits for an answer
    go_on.set()
    asking.join()


def test_one_http_body_before_and_after(client: OpenSearch, url: str, old: Bundle, new: Bundle, alias: str) -> None:
    """With the query mode ``model`` an application sends text, and the index names the query side."""
    documents = texts(30)
    serve(client, old, alias, documents, query_mode="model")
    body = json.dumps({"size": 30, "query": {"neural_sparse": {VECTOR_FIELD: {"query_text": "water tea"}}}}).encode()

    def scores() -> dict[str, float]:
        request = urllib.request.Request(f"{url}/{alias}/_search", body, {"content-type": "application/json"})
        with urllib.request.urlopen(request) as answer:
            return {hit["_id"]: hit["_score"] for hit in json.load(answer)["hits"]["hits"]}

    stop, empty, asked = threading.Event(), [], [0]

    def ask() -> None:
        while not stop.is_set():
            asked[0] += 1
            if not scores():
                empty.append(asked[0])

    asking = threading.Thread(target=ask)
    asking.start()
    found = [scores()]
    migrate(client, alias, new)
    found.append(scores())
    stop.set()
    asking.join()
    assert asked[0] > 10
    assert empty == []
    for bundle, one in zip((old, new), found, strict=True):
        query = QueryEncoder.from_pretrained(str(bundle.path)).encode("water tea")
        vectors = DocumentEncoder(bundle).encode(list(documents.values()))
        own = {identifier: dot(query, vector) for identifier, vector in zip(documents, vectors, strict=True)}
        assert one == pytest.approx({identifier: own[identifier] for identifier in one}, rel=0.01)


def test_an_index_that_is_less_relevant_does_not_take_over(
    client: OpenSearch, url: str, old: Bundle, new: Bundle, alias: str, tmp_path: Path
) -> None:
    documents = {
        f"d{i}": text for i, text in enumerate(["water leak", "tea water", "dog cat", "coffee road water"] * 5)
    }
    former = serve(client, old, alias, documents).index
    (tmp_path / "queries.jsonl").write_text('{"_id": "q1", "text": "dog cat"}\n{"_id": "unjudged", "text": "road"}\n')
    (tmp_path / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\nq1\td2\t1\nq1\td6\t1\n")

    def run(ratio: str) -> subprocess.CompletedProcess[str]:
        gate = ["--queries", "queries.jsonl", "--qrels", "qrels.tsv", "--min-ndcg-ratio", ratio]
        command = [sys.executable, "-m", "opensearch_lsr.cli", "migrate", alias, str(new.path), *gate, "--json"]
        env = {**os.environ, "OPENSEARCH_URL": url}
        return subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)

    refused = run("1.5")
    assert refused.returncode == 3, refused.stderr
    assert "less than 1.5 times that; nothing was moved; give it up with: opensearch-lsr migrate" in refused.stderr
    assert deployed(client, alias).index == former
    client.index(index=alias, id="written", body={"text": "water"})  # accepted
    passed = run("0.5")
    assert passed.returncode == 0, passed.stderr
    outcome = json.loads(passed.stdout)
    assert outcome["former"] == former
    assert outcome["documents"] == 21
    assert set(outcome["ndcg"]) == {former, outcome["index"]}
    assert all(0 < value <= 1 for value in outcome["ndcg"].values())
    with pytest.raises(DeploymentError, match="no migration is under way"):
        from opensearch_lsr.cluster.migrate import abort

        abort(client, alias)
