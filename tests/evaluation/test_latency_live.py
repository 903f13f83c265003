"""Times of real queries: every one measured, failures counted, a dead cluster one error."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bench_context import DOCUMENTS, QUERIES, ready
from opensearchpy import OpenSearch

from opensearch_lsr.cluster.connect import connect
from opensearch_lsr.cluster.transport import PATIENCE, patience_of
from opensearch_lsr.errors import ClusterError, InputError
from opensearch_lsr.evaluation import latency, load, percentiles, relevance, results, timing
from opensearch_lsr.evaluation.cleanup import cleanup
from opensearch_lsr.evaluation.context import Context
from opensearch_lsr.evaluation.ready import Ready
from opensearch_lsr.evaluation.run import Run
from opensearch_lsr.evaluation.suite import Latency, Suite
from opensearch_lsr.evaluation.systems.bm25 import BM25
from opensearch_lsr.evaluation.systems.system import System

pytestmark = pytest.mark.cluster
RUN = "latencies"
TEXTS = list(QUERIES.values())[:6]
TOO_LONG = " ".join(f"word{number}" for number in range(1100))  # above indices.query.bool.max_clause_count


class Counting(BM25):
    """Remembers what it was asked."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.asked: list[str] = []

    def encode(self, text: str) -> str:
        self.asked.append(text)
        return text


@pytest.fixture(scope="module")
def context(client: OpenSearch) -> Iterator[Context]:
    yield Context(client, RUN, "handbook", len(DOCUMENTS))
    cleanup(client, RUN)


@pytest.fixture(scope="module")
def systems(context: Context) -> dict[str, System]:
    return {name: ready(context, name) for name in ("bm25", "bm25-standard")}


def test_every_query_of_every_round_is_measured(context: Context, systems: dict[str, System]) -> None:
    counting, other = Counting(context), Counting(context)
    progress: list[tuple[int, int]] = []
    found = latency.interleaved(
        context.client,
        systems | {"counting": counting, "other": other},
        TEXTS,
        rounds=3,
        seed=1,
        on_progress=lambda done, total: progress.append((done, total)),
    )
    assert sorted(counting.asked) == sorted(TEXTS * 4)  # one round warms up
    assert counting.asked[6:12] != counting.asked[12:18]  # orders differ from round to round
    assert counting.asked[6:12] != other.asked[6:12]  # and from system to system
    assert sorted(counting.asked[6:12]) == sorted(other.asked[6:12]) == sorted(TEXTS)
    assert progress == [(1, 4), (2, 4), (3, 4), (4, 4)]
    for one in found.values():
        assert one.total.shape == (3, 6)
        assert one.answered == 18
        assert (one.request > one.took - 1).all()  # took is in whole milliseconds
        np.testing.assert_allclose(one.total, one.encode + one.request)
    assert patience_of(context.client) == PATIENCE  # as before


def test_a_query_that_fails_is_counted_and_the_others_go_on(context: Context, systems: dict[str, System]) -> None:
    for measure, options in ((latency.interleaved, {}), (load.closed_loop, {"clients": 2})):
        run: Any = measure
        found = run(context.client, systems, [TEXTS[0], TOO_LONG], rounds=2, seed=1, **options)
        for one in found.values():
            assert np.isnan(one.total[:, 1]).all()
            assert np.isfinite(one.total[:, 0]).all()
            assert one.errors.total() == 2
            assert "1024" in next(iter(one.errors))
        for row in percentiles.summary(found, "bm25", 1):
            assert (row["errors"], row["total_ms"]["p50"]) == (2, None)  # half failed: nothing is known of the median


def test_a_dead_cluster_is_one_error(context: Context, systems: dict[str, System]) -> None:
    gone = connect("http://localhost:1")
    for run in (
        lambda: latency.interleaved(gone, systems, TEXTS, rounds=1, seed=1),
        lambda: load.closed_loop(gone, systems, TEXTS, clients=2, rounds=1, seed=1),
        lambda: load.open_loop(gone, systems, TEXTS, rate=50, rounds=1, seed=1),
        lambda: relevance.collect(gone, systems["bm25"], QUERIES),
    ):
        with pytest.raises(ClusterError, match="^localhost:1: the cluster stopped answering"):
            run()


def test_clients_at_once_and_a_fixed_rate(context: Context, systems: dict[str, System]) -> None:
    closed = load.closed_loop(context.client, systems, TEXTS, clients=3, rounds=2, seed=1)
    opened = load.open_loop(context.client, systems, TEXTS, rate=40, rounds=2, seed=1, track_total_hits=False)
    for one in [*closed.values(), *opened.values()]:
        assert one.answered == 12
        assert one.seconds
        assert one.per_s == pytest.approx(12 / one.seconds)
    for one in opened.values():
        assert one.seconds is not None
        assert one.seconds >= 2 * 5 / 40  # query 5 of each round is not due earlier
        assert (one.total >= one.request).all()
    with pytest.raises(InputError, match="9 clients: 1 to 8"):
        load.closed_loop(context.client, systems, TEXTS, clients=9, rounds=1, seed=1)
    with pytest.raises(InputError, match="a rate is above 0"):
        load.open_loop(context.client, systems, TEXTS, rate=0, rounds=1, seed=1)


def test_queueing_shows_in_the_open_loop(context: Context, systems: dict[str, System]) -> None:
    class Slow(BM25):
        def encode(self, text: str) -> str:
            import time

            time.sleep(0.05)
            return text

    slow = {"slow": Slow(context)}
    queries = TEXTS * 8
    found = load.open_loop(context.client, slow, queries, rate=10_000, rounds=1, seed=1, warmup=0)["slow"]
    # 48 queries due at once, 8 at a time, at least 50 ms each: the last waits for five others
    assert found.total.max() > 5 * 50
    assert found.total.max() > 3 * np.median(found.encode + found.request)
    (row,) = percentiles.summary({"slow": found}, "slow", 1, offered=10_000)
    assert (row["sustained"], row["total_ms"]) == (False, None)
    assert row["achieved_per_s"] <= 48 / (5 * 0.05)  # eight at a time: the last is taken up after five others


def test_queries_a_second_of_one_client_are_a_closed_loops_too(
    context: Context, systems: dict[str, System], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clients: list[int] = []
    closed = load.closed_loop
    monkeypatch.setattr(
        load, "closed_loop", lambda *given, **options: clients.append(options["clients"]) or closed(*given, **options)
    )
    plan = Latency(queries=6, rounds=2, clients=(1, 2), rates=(20.0,), track_total_hits=("default",))
    asked = Run(context.client, Suite((), latency=plan), tmp_path, tmp_path, results=results.empty({"name": RUN}))
    built = {"text-english": {"documents": len(DOCUMENTS), "segments": 1}}
    for _ in range(2):  # nothing is measured twice
        timing.measure(asked, Ready(systems, built=built), "handbook", QUERIES, "bm25")
    one, two, rate = asked.results["latency"]
    assert clients == [1, 2]
    for entry in (one, two):
        assert all(row["per_s"] > 0 and "sustained" not in row for row in entry["systems"])
    for row in rate["systems"]:
        assert (row["offered_per_s"], row["achieved_per_s"], row["sustained"]) == (
            20,
            pytest.approx(20, rel=0.05),
            True,
        )
        assert row["total_ms"]["p50"] > 0
    for entry in (one, two, rate):
        kept = timing.kept_samples(asked, entry)
        assert {name: times.answered for name, times in kept.items()} == {"bm25": 12, "bm25-standard": 12}


def test_relevance_counts_failures_and_drops_self_matches(context: Context, systems: dict[str, System]) -> None:
    title = {identifier: f"{title} {text}" for identifier, title, text in DOCUMENTS[:5]}
    queries = title | {"long": TOO_LONG, "nothing": "zzzzqqq"}
    found = relevance.collect(context.client, systems["bm25"], queries, size=3)
    assert set(found.errors) == {"long"}
    assert found.unanswered == 2
    assert found.run["nothing"] == {}
    dropped = relevance.collect(context.client, systems["bm25"], queries, size=3, drop_self=True).run
    for identifier in title:
        assert next(iter(found.run[identifier])) == identifier
        assert identifier not in dropped[identifier]
        assert len(dropped[identifier]) == 3
        assert list(dropped[identifier])[:2] == list(found.run[identifier])[1:]


def test_overlap_by_hand() -> None:
    exact = {"q1": {"a": 2.0, "b": 1.0}, "q2": {"a": 1.0}, "q3": {}}
    assert relevance.overlap({"q1": {"b": 5.0, "c": 4.0}}, exact, depth=2) == 0.25
    assert relevance.overlap(exact, exact) == 1.0


def test_a_context_can_be_for_another_collection(context: Context) -> None:
    assert replace(context, collection="ArguAna/2").index("lsr") == f"lsr-bench-{RUN}.arguana-2.lsr"
