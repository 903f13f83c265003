"""A node's data taken over from OpenSearch 2.19.6 by 3.6.0: what was deployed there works on, and can be changed.

The tests follow one node through its life, in their order here.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from doctoring import problems
from feature_probes import check, served
from migrating import holds, serve, texts, write
from opensearchpy import OpenSearch
from state import all_models, snapshot

from opensearch_lsr import deploy, migrate, rollback
from opensearch_lsr.bundle import Bundle
from opensearch_lsr.cluster import bulk
from opensearch_lsr.cluster.connect import connect
from opensearch_lsr.cluster.deployed import deployed
from opensearch_lsr.cluster.deployment import VECTOR_FIELD
from opensearch_lsr.cluster.features import Feature
from opensearch_lsr.cluster.search import Options, search
from opensearch_lsr.data import beir, documents
from opensearch_lsr.document_encoder import DocumentEncoder
from opensearch_lsr.errors import NodeError
from opensearch_lsr.local.node import Node

pytestmark = [pytest.mark.cluster, pytest.mark.slow]
OLDER, NEWER = "2.19.6", "3.6.0"
SAMPLE = Path(bulk.__file__).parents[1] / "samples" / "handbook"
FIELDS = ["title", "text"]
QUERIES = list(beir.read_queries(SAMPLE).values())[:5]
WISH: dict[str, Any] = {"alias": "handbook", "fields": FIELDS, "query_mode": "model", "two_phase": True}
TEXTS = texts(40)
Answers = dict[tuple[str, ...], dict[str, float]]


@pytest.fixture(scope="module")
def name() -> Iterator[str]:
    """Of the node."""
    name = f"tests-upgrade-{os.getpid()}"
    Node(name).stop(wipe=True)
    yield name
    Node(name).stop(wipe=True)


@pytest.fixture(scope="module")
def older(name: str) -> OpenSearch:
    return connect(Node(name, version=OLDER).start(heap="2g", timeout=400).url)


@pytest.fixture(scope="module")
def was_found(older: OpenSearch, exported: Callable[..., Bundle]) -> Answers:
    """What the older version answered.

    By alias: ``handbook`` (the default encoder in the cluster, with a query model and two-phase), ``client`` (encoded
    at the client), ``bi`` (a bi-encoder, in the cluster), ``moved`` (migrated, so that it can be rolled back).
    """
    target = deploy(older, "default", **WISH)
    assert bulk.load(older, target, list(islice(documents.read(str(SAMPLE), FIELDS), 40)), None).indexed == 40
    serve(older, exported("router"), "client", TEXTS)
    serve(older, exported("siamese"), "bi", TEXTS, encode="cluster")
    serve(older, exported("router"), "moved", TEXTS)
    migrate(older, "moved", exported("router", "relu"))
    return answers(older)


@pytest.fixture(scope="module")
def newer(name: str, was_found: Answers) -> OpenSearch:
    node = Node(name, version=NEWER)
    node.stop()
    return connect(node.start(heap="2g", timeout=400, upgrade=True).url)


def answers(client: OpenSearch) -> Answers:
    """What each alias answers, in each way of asking it."""
    asked: dict[tuple[str, ...], tuple[str, Options]]
    asked = {("handbook", mode, text): (text, Options(mode=mode)) for mode in ("tokens", "model") for text in QUERIES}
    asked |= {("handbook", "hybrid", text): (text, Options(hybrid=True)) for text in QUERIES}
    asked |= {(alias, "water leak"): ("water leak", Options()) for alias in ("client", "bi", "moved")}
    found = {
        (alias, *rest): {hit.id: hit.score for hit in search(client, alias, text, size=40, options=options)}
        for (alias, *rest), (text, options) in asked.items()
    }
    assert all(found.values())
    return found


def test_the_table_of_features_is_true_of_the_older_version(older: OpenSearch, tiny: Bundle) -> None:
    before = snapshot(older)
    with served(older):
        for feature in Feature:
            check(older, feature, tiny)
    assert snapshot(older) == before


def test_data_is_taken_over_when_that_is_asked_for_and_by_no_older_version(name: str, was_found: Answers) -> None:
    with pytest.raises(NodeError, match=f"runs OpenSearch {OLDER} already: stop it first"):
        Node(name, version=NEWER).start(upgrade=True)
    Node(name).stop()
    with pytest.raises(NodeError, match=f"has data of OpenSearch {OLDER}: leave out the version, or add --upgrade"):
        Node(name, version=NEWER).start()
    for upgrade in (False, True):
        with pytest.raises(NodeError, match=f"has data of OpenSearch {OLDER}, which 2.19.1 cannot read: start that"):
            Node(name, version="2.19.1").start(upgrade=upgrade)
    assert Node(name).release.version == OLDER
    assert Node(name).status() is None


def test_the_doctor_finds_nothing_or_mends_it(newer: OpenSearch) -> None:
    for alias in ("handbook", "client", "bi", "moved"):
        assert problems(newer, alias, repair=True) == {}, alias


def test_every_search_finds_what_it_found(newer: OpenSearch, was_found: Answers) -> None:
    found = answers(newer)
    assert found.keys() == was_found.keys()
    for asked, scores in found.items():
        assert scores == pytest.approx(was_found[asked], rel=1e-5, abs=1e-6), asked


def test_new_documents_are_encoded_by_the_pipeline(newer: OpenSearch) -> None:
    text = "A zebra crossed the railway bridge."
    newer.index(index="handbook", id="zebra", body={"title": "", "text": text}, refresh=True)
    (vector,) = DocumentEncoder.from_pretrained().encode([text])
    stored = newer.get(index="handbook", id="zebra")["_source"][VECTOR_FIELD]
    assert stored == pytest.approx(vector, rel=0.01, abs=1e-3)
    assert search(newer, "handbook", "zebra")[0].id == "zebra"


def test_deploying_again_changes_nothing(newer: OpenSearch) -> None:
    before = snapshot(newer), all_models(newer)
    deploy(newer, "default", **WISH)
    assert (snapshot(newer), all_models(newer)) == before


def test_what_the_older_version_lacked_works_on_its_index(newer: OpenSearch) -> None:
    for text in QUERIES:
        by_mode = [
            {hit.id: hit.score for hit in search(newer, "handbook", text, size=40, options=Options(mode=mode))}
            for mode in ("tokens", "analyzer")
        ]
        assert by_mode[1] == pytest.approx(by_mode[0], rel=1e-4)


def test_migrations_go_forth_and_back(newer: OpenSearch, exported: Callable[..., Bundle]) -> None:
    old, new = exported("router"), exported("router", "relu")
    expected = TEXTS | {"d3": "water since the upgrade"}
    write(newer, old, "client", "d3", expected["d3"])
    migrate(newer, "client", new)
    holds(newer, "client", new, expected)
    write(newer, new, deployed(newer, "moved").index, "d3", expected["d3"])
    rollback(newer, "moved", old.path)
    holds(newer, "moved", old, expected)


def test_there_is_no_way_back(name: str, newer: OpenSearch) -> None:
    Node(name).stop()
    assert Node(name).release.version == NEWER
    with pytest.raises(NodeError, match=f"has data of OpenSearch {NEWER}, which {OLDER} cannot read"):
        Node(name, version=OLDER).start(upgrade=True)
    assert Node(name).status() is None
