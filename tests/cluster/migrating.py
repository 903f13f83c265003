"""What the tests of migrations share: a served index of a few documents, what an index holds, writers and searchers."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from opensearchpy import OpenSearch
from opensearchpy.exceptions import AuthorizationException

from opensearch_lsr import QueryEncoder, deploy, rank_feature, token_weights
from opensearch_lsr.bundle import Bundle, query_fingerprint
from opensearch_lsr.cluster import bulk
from opensearch_lsr.cluster.deployed import Deployed, deployed
from opensearch_lsr.cluster.deployment import MODEL_FIELD, VECTOR_FIELD
from opensearch_lsr.cluster.search import search
from opensearch_lsr.data.documents import Document
from opensearch_lsr.document_encoder import DocumentEncoder

WORDS = ["water", "leak", "pipe", "tap", "dog", "cat", "tea", "coffee", "train", "road", ".", "a.b", "...", "3.5"]
Texts = dict[str, str]


def texts(count: int) -> Texts:
    """Documents that all speak of water, and of token names that have dots."""
    return {f"d{i}": f"water {WORDS[i % len(WORDS)]} {WORDS[i // 7 % len(WORDS)]} a.b {i}." for i in range(count)}


def serve(client: OpenSearch, bundle: Bundle, alias: str, documents: Texts, **options: Any) -> Deployed:
    """Deploy and load."""
    target = deploy(client, bundle, alias=alias, fields=["text"], **{"encode": "client", **options})
    encoder = DocumentEncoder(bundle) if target.meta["encode"] == "client" else None
    rows = [Document(identifier, {"text": text, "n": 1}, "") for identifier, text in documents.items()]
    assert bulk.load(client, target, rows, encoder).indexed == len(rows)
    return target


def write(client: OpenSearch, bundle: Bundle, index: str, identifier: str, text: str, **options: Any) -> None:
    """One document with its vector, as an application that encodes writes it."""
    (vector,) = DocumentEncoder(bundle).encode([text])
    body = {"text": text, "n": 1, VECTOR_FIELD: rank_feature.short(vector), MODEL_FIELD: bundle.document_key}
    client.index(index=index, id=identifier, body=body, **options)


def with_weights(bundle: Bundle, folder: Path, changes: dict[str, float]) -> Bundle:
    """The same encoder with another query side."""
    shutil.copytree(bundle.path, folder)
    table = bundle.weights | changes
    token_weights.save(table, folder / "idf.json")
    config = json.loads((folder / "lsr.json").read_text())
    config["query_fingerprint"] = query_fingerprint((bundle.path / "tokenizer.json").read_text(), table)
    (folder / "lsr.json").write_text(json.dumps(config))
    return Bundle.open(folder)


def holds(client: OpenSearch, index: str, bundle: Bundle, expected: Texts) -> None:
    """The index must have exactly these documents, each with the vector that a fresh encoding gives."""
    client.indices.refresh(index=index)
    hits = client.search(index=index, body={"size": 5000, "query": {"match_all": {}}})["hits"]["hits"]
    found = {hit["_id"]: hit["_source"] for hit in hits}
    assert len(hits) == len(found)
    assert {identifier: source["text"] for identifier, source in found.items()} == expected
    assert all(source["n"] == 1 for source in found.values())
    vectors = DocumentEncoder(bundle).encode([source["text"] for source in found.values()])
    for (identifier, source), vector in zip(found.items(), vectors, strict=True):
        assert source[MODEL_FIELD] == bundle.document_key
        assert source[VECTOR_FIELD] == pytest.approx(vector, rel=1 / 128, abs=2e-3), identifier


class Traffic:
    """A writer that remembers what was acknowledged, and a searcher that must always find something.

    Applications whose cluster encodes write to the alias. Those that encode themselves write to the index that their
    vectors are for: where that refuses writes for good, another one has its place.
    """

    def __init__(self, client: OpenSearch, alias: str, truth: Texts, bundles: Iterable[Bundle] = ()) -> None:
        self._client, self._alias, self.truth = client, alias, dict(truth)
        self._encoders = {bundle.config.document_fingerprint: (bundle, DocumentEncoder(bundle)) for bundle in bundles}
        self._stop = threading.Event()
        self.errors: list[BaseException] = []
        self.writes = self.refused = self.searches = 0
        self._threads = [threading.Thread(target=self._guarded, args=(one,)) for one in (self._write, self._search)]

    def __enter__(self) -> Traffic:
        for thread in self._threads:
            thread.start()
        self.wait()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def wait(self) -> None:
        """Until some more was written and searched."""
        writes, searches, deadline = self.writes + 10, self.searches + 10, time.monotonic() + 60
        while not self.errors and (self.writes < writes or self.searches < searches) and time.monotonic() < deadline:
            time.sleep(0.02)

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            self.errors.append(error)

    def _write(self) -> None:
        random, fresh = Random(7), 0
        while not self._stop.is_set():
            known = sorted(self.truth)
            if random.random() < 0.3 and len(known) > 20:
                identifier = random.choice(known)
                self._attempt(lambda i=identifier: self._client.delete(index=self._alias, id=i))  # type: ignore[misc]
                del self.truth[identifier]
            else:
                fresh += 1
                identifier = f"new{fresh}" if random.random() < 0.5 else random.choice(known)
                text = f"water {random.choice(WORDS)} {random.choice(WORDS)} {fresh}"
                self._attempt(lambda i=identifier, t=text: self._put(i, t))  # type: ignore[misc]
                self.truth[identifier] = text
            self.writes += 1

    def _attempt(self, operation: Callable[[], Any]) -> None:
        while True:
            try:
                operation()
                return
            except AuthorizationException:
                self.refused += 1
                time.sleep(0.01)

    def _put(self, identifier: str, text: str) -> None:
        if not self._encoders:
            self._client.index(index=self._alias, id=identifier, body={"text": text, "n": 1})
            return
        target = deployed(self._client, self._alias)
        bundle, encoder = self._encoders[target.meta["document_fingerprint"]]
        (vector,) = encoder.encode([text])
        body = {"text": text, "n": 1, VECTOR_FIELD: vector, MODEL_FIELD: bundle.document_key}
        self._client.index(index=target.index, id=identifier, body=body)

    def _search(self) -> None:
        encoder = QueryEncoder.from_cluster(self._client, self._alias, check_every=0.05)
        while not self._stop.is_set():
            assert search(self._client, self._alias, "water"), "an empty result"
            clause = encoder.neural_sparse("water", VECTOR_FIELD)
            answer = self._client.search(index=self._alias, body={"query": clause})
            assert answer["hits"]["hits"], "an empty result"
            assert not answer["_shards"]["failed"]
            self.searches += 1
