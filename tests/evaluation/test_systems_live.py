"""Every system on the sample corpus: it runs, and finds what it should."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bench_context import DOCUMENTS, QUERIES, TEXTS, ready, records, sample_context, sample_vectors
from opensearchpy import OpenSearch

from opensearch_lsr.bundle import Bundle
from opensearch_lsr.cluster import preflight, two_step
from opensearch_lsr.evaluation import relevance
from opensearch_lsr.evaluation.asking import ask
from opensearch_lsr.evaluation.cleanup import cleanup
from opensearch_lsr.evaluation.context import Context, DenseModel
from opensearch_lsr.evaluation.storage import build
from opensearch_lsr.evaluation.systems import SYSTEMS
from opensearch_lsr.evaluation.systems.dense import encode_documents
from opensearch_lsr.evaluation.systems.seismic import Seismic, SeismicIndex
from opensearch_lsr.evaluation.systems.system import System
from opensearch_lsr.evaluation.vectors import SparseVectors
from opensearch_lsr.query_encoder import QueryEncoder
from opensearch_lsr.sparse_vector import dot

pytestmark = pytest.mark.cluster
RUN = "systems"


@pytest.fixture(scope="module")
def vectors(tmp_path_factory: pytest.TempPathFactory) -> SparseVectors:
    return sample_vectors(Bundle.open("default"), tmp_path_factory.getbasetemp() / "vectors")


@pytest.fixture(scope="module")
def context(client: OpenSearch, vectors: SparseVectors, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Context]:
    yield sample_context(client, RUN, Bundle.open("default"), tmp_path_factory.getbasetemp() / "vectors")
    cleanup(client, RUN)


@pytest.fixture(scope="module")
def tokens(context: Context, vectors: SparseVectors) -> System:
    return ready(context, "tokens", vectors)


def run_of(system: System, size: int = 100) -> dict[str, dict[str, float]]:
    found = relevance.collect(system.client, system, QUERIES, size=size)
    assert found.errors == {}
    return {query: dict(scores) for query, scores in found.run.items()}


def beside(context: Context, name: str, size: int = 100) -> dict[str, dict[str, float]]:
    """The run of a system that shares the index of ``tokens``."""
    system = SYSTEMS[name](context)
    assert system.missing() is None
    system.prepare()
    return run_of(system, size)


def test_tokens_are_exact(tokens: System, vectors: SparseVectors) -> None:
    encoder = QueryEncoder.from_pretrained()
    rows = {identifier: vector for (identifier, _, _), vector in zip(DOCUMENTS, vectors, strict=True)}
    for query, scores in run_of(tokens, len(DOCUMENTS)).items():
        own = {identifier: dot(encoder.encode(QUERIES[query]), row) for identifier, row in rows.items()}
        assert scores.keys() == {identifier for identifier, score in own.items() if score}
        for identifier, score in scores.items():
            assert score == pytest.approx(own[identifier], rel=0.005)  # 9 significant bits


@pytest.mark.parametrize("name", ["analyzer", "model"])
def test_query_modes_rank_alike(tokens: System, context: Context, name: str) -> None:
    exact = run_of(tokens)
    for query, scores in beside(context, name).items():
        assert scores == pytest.approx(exact[query], rel=1e-4)


def test_two_phase_scores_what_it_finds_as_exact_search_does(tokens: System, context: Context) -> None:
    exact, two_phase = run_of(tokens, len(DOCUMENTS)), beside(context, "two-phase", len(DOCUMENTS))
    for query, scores in two_phase.items():
        assert scores == pytest.approx({document: exact[query][document] for document in scores}, rel=1e-4)
    # documents that share weak tokens alone are not found: else its pipeline was not used
    assert sum(map(len, two_phase.values())) < sum(map(len, exact.values()))


def test_pruned_queries_score_less(tokens: System, context: Context) -> None:
    exact, pruned = run_of(tokens, len(DOCUMENTS)), beside(context, "pruned-query", len(DOCUMENTS))
    for query, scores in pruned.items():
        assert all(score <= exact[query][document] * 1.0001 for document, score in scores.items())
    assert sum(map(len, pruned.values())) < sum(map(len, exact.values()))


def test_hybrid_scores_are_normalised(tokens: System, context: Context) -> None:
    for scores in beside(context, "hybrid").values():
        assert 0.5 <= max(scores.values()) <= 1.0 + 1e-6


@pytest.mark.parametrize("name", ["hybrid", "seismic", "dense", "pruned-query"])
def test_what_is_found_first_does_not_depend_on_how_many_are_asked_for(
    tokens: System, context: Context, vectors: SparseVectors, tmp_path: Path, name: str
) -> None:
    if name == "dense":
        dense = DenseModel("letters", "f" * 64, Letters())
        system = ready(replace(context, dense=dense), name, list(encode_documents(dense, TEXTS, tmp_path)))
    elif name == "seismic":
        system = ready(context, name, vectors)
    else:
        system = SYSTEMS[name](context)
        system.prepare()
    assert not system.by_size
    few, many = run_of(system, 10), run_of(system, 100)
    for query, scores in few.items():
        assert scores == pytest.approx(dict(list(many[query].items())[: len(scores)]), rel=1e-5)
    key = {"hybrid": "pagination_depth", "seismic": "k", "dense": "k"}.get(name)
    assert key is None or system.parameters[key] == 101


def test_two_phase_says_what_depends_on_how_many_are_asked_for(context: Context) -> None:
    system = SYSTEMS["two-phase"](context)
    assert system.by_size
    assert (system.parameters["expansion_rate"], system.parameters["prune_ratio"]) == (5.0, 0.4)


def test_pruned_documents_have_fewer_tokens(context: Context, vectors: SparseVectors, tokens: System) -> None:
    pruned = ready(context, "balanced", vectors)
    hits = context.client.search(index=pruned.index, body={"size": 300, "query": {"match_all": {}}})["hits"]["hits"]
    rows = {identifier: vector for (identifier, _, _), vector in zip(DOCUMENTS, vectors, strict=True)}
    kept = {hit["_id"]: hit["_source"]["lsr_vector"] for hit in hits}
    limit = 0.1 * 0.99  # of weights that were shortened after pruning
    assert all(weight >= limit * max(vector.values()) for vector in kept.values() for weight in vector.values())
    assert sum(map(len, kept.values())) < sum(len(vector) for vector in rows.values())
    assert relevance.overlap(run_of(pruned), run_of(tokens)) > 0.9


def test_fast_ranks_candidates_of_short_vectors_by_whole_ones(
    context: Context, vectors: SparseVectors, tokens: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(two_step, "TOKENS", 3)
    fast = ready(context, "fast", vectors)
    hits = context.client.search(index=fast.index, body={"size": 300, "query": {"match_all": {}}})["hits"]["hits"]
    assert {len(hit["_source"]["lsr_short"]) for hit in hits} == {3}
    exact, found = run_of(tokens, len(DOCUMENTS)), run_of(fast, len(DOCUMENTS))
    for query, scores in found.items():
        assert scores == pytest.approx({document: exact[query][document] for document in scores}, rel=1e-4)
    assert 0 < sum(map(len, found.values())) < sum(map(len, exact.values()))
    monkeypatch.setattr(two_step, "TOKENS", 10_000)
    assert run_of(ready(context, "fast", vectors)) == run_of(tokens)


def test_bm25_stems_and_reads_the_title(context: Context) -> None:
    bm25, standard = ready(context, "bm25"), ready(context, "bm25-standard")
    for identifier, title, text in DOCUMENTS[:20]:
        for system in (bm25, standard):
            assert ask(context.client, system, f"{title} {text}", 1).hits[0][0] == identifier
            assert identifier in dict(ask(context.client, system, title, 100).hits)
    assert run_of(bm25) != run_of(standard)


def test_bm25_is_lucenes_formula(context: Context) -> None:
    system = ready(context, "bm25-standard")
    (word,) = ["kitchen"]
    bags = {
        identifier: f"{title} {text}".lower().replace(".", " ").replace(",", " ").split()
        for identifier, title, text in DOCUMENTS
    }
    hits = ask(context.client, system, word, 300).hits
    frequency = len(hits)
    idf = np.log(1 + (len(bags) - frequency + 0.5) / (frequency + 0.5))
    best, score = hits[0]
    count, length = bags[best].count(word), len(bags[best])
    average = sum(map(len, bags.values())) / len(bags)
    expected = idf * count / (count + 1.2 * (1 - 0.75 + 0.75 * length / average))
    assert score == pytest.approx(expected, rel=0.05)  # lengths are stored in a byte, and split differently here


class TestSeismic:
    def test_it_is_approximate_search_and_finds_what_exact_search_finds(
        self, context: Context, vectors: SparseVectors, tokens: System
    ) -> None:
        system = ready(context, "seismic", vectors)
        assert isinstance(system, Seismic)
        proof = system.proof(QUERIES.values())
        assert proof["proven"], proof
        assert relevance.overlap(run_of(system, 10), run_of(tokens, 10)) > 0.9
        params, body = system.request(system.encode(QUERIES["q03"]), 3, True)
        explained = context.client.search(index=system.index, body=body | {"explain": True}, params=params)
        for hit in explained["hits"]["hits"]:  # the server's own word, 3.5+
            assert "sparse_ann score" in hit["_explanation"]["description"]

    def test_exact_search_of_such_a_field_is_not_taken_for_it(self, context: Context, vectors: SparseVectors) -> None:
        unreached = replace(context, documents=10 * len(DOCUMENTS))
        proof = ready_seismic(unreached, vectors).proof(QUERIES.values())
        assert not proof["proven"]
        assert not Seismic(context).proof([])["proven"]

    def test_unmerged_segments_are_searched_by_it_too(self, context: Context, vectors: SparseVectors) -> None:
        system = ready_seismic(replace(context, merged=False), vectors)
        assert system.parameters["approximate_threshold"] == 1
        assert system.proof(QUERIES.values())["proven"]

    def test_ceilings_hold_all_weights_and_clipped_ones_are_counted(
        self, context: Context, vectors: SparseVectors
    ) -> None:
        ingest, search = SeismicIndex(context).ceilings
        assert vectors.largest_weight <= ingest <= vectors.largest_weight + 0.001
        assert max(Bundle.open("default").weights.values()) <= search
        low = SeismicIndex(replace(context, largest_weight=0.5))
        clipped = build(low, records(vectors))["clipped_weights"]
        assert clipped == sum(weight > 0.5 for vector in vectors for weight in vector.values()) > 0
        assert build(SeismicIndex(context), records(vectors))["clipped_weights"] == 0


def ready_seismic(context: Context, vectors: Any) -> Seismic:
    system = ready(context, "seismic", vectors)
    assert isinstance(system, Seismic)
    return system


class Letters:
    """Dense vectors without a model: how often each letter occurs."""

    similarity_fn_name = "cosine"

    def get_embedding_dimension(self) -> int:
        return 26

    def encode_query(self, text: str, show_progress_bar: bool) -> np.ndarray:
        return np.array([1.0 + text.lower().count(chr(97 + letter)) for letter in range(26)], np.float32)

    def encode_document(self, texts: list[str], show_progress_bar: bool) -> np.ndarray:
        return np.stack([self.encode_query(text, False) for text in texts])


def test_dense_finds_the_nearest(context: Context, tmp_path: Path) -> None:
    dense = DenseModel("letters", "f" * 64, Letters())
    matrix = encode_documents(dense, TEXTS, tmp_path)
    again = encode_documents(replace(dense, model=None), TEXTS, tmp_path)
    np.testing.assert_array_equal(matrix, again)
    system = ready(replace(context, dense=dense), "dense", list(matrix))
    unit = matrix / np.linalg.norm(matrix, axis=1, keepdims=True)
    for place in (0, 50, 200):
        nearest = np.argsort(-(unit @ unit[place]))[:5]
        found = [identifier for identifier, _ in ask(context.client, system, TEXTS[place], 5).hits]
        assert found == [DOCUMENTS[row][0] for row in nearest]


def test_a_bi_encoders_queries_are_encoded_by_the_cluster(context: Context, exported: Any, tmp_path: Path) -> None:
    bundle: Bundle = exported("siamese")
    rows = sample_vectors(bundle, tmp_path)
    system = ready(replace(context, bi_encoder=bundle), "bi-encoder", rows)
    text = TEXTS[7]
    scores = dict(ask(context.client, system, text, 5).hits)
    by_id = {identifier: row for (identifier, _, _), row in zip(DOCUMENTS, rows, strict=True)}
    for identifier, score in scores.items():
        assert score == pytest.approx(dot(rows[7], by_id[identifier]), rel=0.01)


def test_what_is_not_there_is_said_before_anything_is_made(
    context: Context, tiny: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("tokens", "seismic", "hybrid", "bi-encoder", "dense"):
        assert "given" in str(SYSTEMS[name](replace(context, bundle=None)).missing())
    assert "differ from the analyzers" in str(SYSTEMS["analyzer"](replace(context, bundle=tiny)).missing())
    assert "needs one with encoder" in str(SYSTEMS["bi-encoder"](replace(context, bi_encoder=tiny)).missing())
    # a real 2.19 is asked in test_benchmark_2_19.py
    monkeypatch.setattr(preflight, "version", lambda client: (2, 19))
    assert "OpenSearch 2.19 lacks sparse_vector fields" in str(SYSTEMS["seismic"](context).missing())
    assert "3.1" in str(SYSTEMS["analyzer"](context).missing())
    assert SYSTEMS["two-phase"](context).missing() is None


def test_requests_differ_in_the_query_alone(tokens: System, context: Context) -> None:
    bm25 = SYSTEMS["bm25"](context)
    for system in (tokens, bm25):
        params, body = system.request(system.encode("kitchen tap"), 7, track_total_hits=False)
        assert params == {"request_cache": "false"}
        assert {key: value for key, value in body.items() if key != "query"} == {
            "size": 7,
            "_source": False,
            "track_total_hits": False,
        }
        assert "track_total_hits" not in system.request(system.encode("kitchen tap"), 7, track_total_hits=True)[1]
