"""A real cluster takes the request of any query text; of any documents each is there afterwards, or was refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import small_bundle
from damage import damaged
from fuzzing import answer, fuzz, refused
from hypothesis import strategies as st
from nasty import json_lines, texts
from opensearchpy import OpenSearch

from opensearch_lsr import deploy
from opensearch_lsr.bundle import Bundle
from opensearch_lsr.cluster import bulk
from opensearch_lsr.cluster.deployed import Deployed, deployed
from opensearch_lsr.cluster.search import Options, body
from opensearch_lsr.cluster.status import undeploy
from opensearch_lsr.data import documents
from opensearch_lsr.data.documents import Reject
from opensearch_lsr.document_encoder import DocumentEncoder
from opensearch_lsr.query_encoder import QueryEncoder

pytestmark = pytest.mark.cluster

MODES = [Options("tokens"), Options("analyzer"), Options("tokens", hybrid=True)]
ORDERS = b"".join(b'{"_id": "%d", "text": "water tap", "n": %d, "more": {"a": [1, "x"]}}\n' % (i, i) for i in range(9))


@pytest.fixture(scope="module")
def words(client: OpenSearch) -> Iterator[QueryEncoder]:
    """The default encoder's queries, of an alias that has a document."""
    deploy(client, Bundle.open("default"), alias="fuzz-words", fields=["text"], encode="client")
    source = {"text": "water tap", "lsr_vector": {"water": 1.0, "tap": 2.0}}
    client.index(index="fuzz-words", id="1", body=source, refresh=True)
    yield QueryEncoder.from_cluster(client, "fuzz-words")
    undeploy(client, "fuzz-words")


@pytest.fixture(scope="module")
def small(client: OpenSearch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Deployed, DocumentEncoder]]:
    folder = tmp_path_factory.mktemp("small")
    small_bundle.write(folder)
    bundle = Bundle.open(folder)
    deploy(client, bundle, alias="fuzz-small", fields=["text"], encode="client")
    yield deployed(client, "fuzz-small"), DocumentEncoder(bundle)
    undeploy(client, "fuzz-small")


@fuzz(
    "cluster: queries (5 each)",
    0.6,
    asked=st.lists(st.lists(texts(100), min_size=1, max_size=3).map(" ".join), min_size=5, max_size=5),
    how=st.sampled_from(MODES),
)
def test_any_text_is_searched(client: OpenSearch, words: QueryEncoder, asked: list[str], how: Options) -> None:
    target = deployed(client, "fuzz-words")
    requests: list[Any] = []
    for text in asked:
        found = answer(partial(body, client, target, text, size=5, options=how, encoder=words), "the query")
        assert found is not None or not text.strip()
        requests += [{}, found] if found else []
    if requests:
        answers = client.msearch(index="fuzz-words", body=requests)["responses"]
        assert all(one["status"] == 200 for one in answers), answers
        assert len(answers) == len(requests) / 2


@fuzz(
    "cluster: documents",
    0.3,
    content=st.one_of(json_lines("_id", "id", "text", "more"), damaged(ORDERS)),
)
def test_the_count_adds_up(
    client: OpenSearch,
    small: tuple[Deployed, DocumentEncoder],
    tmp_path_factory: pytest.TempPathFactory,
    content: bytes,
) -> None:
    target, encoder = small
    file = Path(tmp_path_factory.getbasetemp()) / "corpus.jsonl"
    file.write_bytes(content)
    client.delete_by_query(index=target.index, body={"query": {"match_all": {}}}, refresh=True, conflicts="proceed")
    rejects: list[Reject] = []
    report = bulk.load(
        client, target, documents.read(str(file), target.fields, True), encoder, on_reject=rejects.append
    )
    assert report.read == sum(1 for line in content.split(b"\n") if line.strip())
    assert report.indexed + report.rejected == report.read and len(rejects) == report.rejected
    assert client.count(index=target.index)["count"] == report.indexed
    for reject in rejects:
        refused(str(reject), f"{file}:")
        json.dumps(reject.raw)
