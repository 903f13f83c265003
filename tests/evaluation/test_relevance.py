"""A busy cluster says nothing of a system's relevance: queries are asked again, and left unmeasured if need be."""

from __future__ import annotations

from typing import Any

import pytest
from opensearchpy import OpenSearch
from opensearchpy.exceptions import ConnectionTimeout, RequestError, TransportError

from opensearch_lsr.errors import ClusterError, DeploymentError, InputError
from opensearch_lsr.evaluation import relevance
from opensearch_lsr.evaluation.asking import Answer
from opensearch_lsr.evaluation.systems.bm25 import BM25

BREAKER = TransportError(429, "circuit_breaking_exception", {"error": {"reason": "[parent] Data too large"}})
SHARDS = TransportError(503, "search_phase_execution_exception", {"error": {"reason": "all shards failed"}})
PARTIAL = ClusterError("text: not all shards answered: Data too large")
SLOW = ConnectionTimeout("TIMEOUT", "timed out", None)


class Busy:
    """Fails as often as it is told before each answer; a real cluster cannot be made to at the right moment."""

    index = "busy"

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)

    def __call__(self, _client: OpenSearch, _system: Any, text: str, _size: int) -> Answer:
        if self.failures:
            raise self.failures.pop(0)
        return Answer([(f"document of {text}", 1.0)], 0.1, 1.0, 1.0)


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that were waited; 0 stands for a query that was sent at once."""
    waited: list[float] = []
    monkeypatch.setattr(relevance.time, "sleep", waited.append)
    monkeypatch.setattr(OpenSearch, "ping", lambda _client: True)
    return waited


def collect(monkeypatch: pytest.MonkeyPatch, *failures: Exception) -> relevance.Collected:
    monkeypatch.setattr(relevance, "ask", Busy(*failures))
    system: Any = BM25.__new__(BM25)
    system.storage = Busy()
    return relevance.collect(OpenSearch("http://localhost:1"), system, {"q1": "tap", "q2": "leak"})


def test_what_passes_is_asked_again(monkeypatch: pytest.MonkeyPatch, waits: list[float]) -> None:
    found = collect(monkeypatch, BREAKER, SHARDS, PARTIAL, SLOW)
    assert found.run == {"q1": {"document of tap": 1.0}, "q2": {"document of leak": 1.0}}
    assert (found.errors, found.unanswered) == ({}, 0)
    assert waits == [0, 1, 2, 4, 8, 0]


@pytest.mark.parametrize("failure", [BREAKER, PARTIAL, SLOW])
def test_what_does_not_pass_in_time_is_no_zero(
    monkeypatch: pytest.MonkeyPatch, waits: list[float], failure: Exception
) -> None:
    with pytest.raises(
        ClusterError, match=r"busy: query q1 was not answered in 6 attempts \(.*run the benchmark again"
    ):
        collect(monkeypatch, *[failure] * 6)
    assert waits == [0, *relevance.WAITS]


@pytest.mark.parametrize(
    "refusal",
    [
        RequestError(400, "search_phase_execution_exception", {"error": {"reason": "too many clauses"}}),
        InputError("the query is empty"),
        DeploymentError("deployed without a query model"),
    ],
)
def test_what_the_system_refuses_counts_zero_at_once(
    monkeypatch: pytest.MonkeyPatch, waits: list[float], refusal: Exception
) -> None:
    found = collect(monkeypatch, refusal)
    assert list(found.errors) == ["q1"]
    assert found.run == {"q1": {}, "q2": {"document of leak": 1.0}}
    assert (found.unanswered, waits) == (1, [0, 0])


def test_a_cluster_that_is_gone_is_not_waited_for(monkeypatch: pytest.MonkeyPatch, waits: list[float]) -> None:
    answers = iter([True, False])
    monkeypatch.setattr(OpenSearch, "ping", lambda _client: next(answers))
    with pytest.raises(ClusterError, match="^localhost:1: the cluster stopped answering"):
        collect(monkeypatch, SLOW, SLOW, SLOW)
    assert waits == [0, 1]
