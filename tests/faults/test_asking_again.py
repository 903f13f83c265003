"""What is sent again, what is not, and what is said when that did not help: a proxy breaks real requests to a node."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from opensearchpy import OpenSearch
from opensearchpy.exceptions import ConnectionError, ConnectionTimeout, TransportError
from proxy import FINE, Proxy, Request, Trouble

from opensearch_lsr.cluster.connect import connect, readable_errors
from opensearch_lsr.cluster.transport import PATIENCE, patience, patience_of
from opensearch_lsr.errors import ClusterError

pytestmark = pytest.mark.cluster
Behind = Callable[[Trouble, int], tuple[OpenSearch, list[Request]]]


@pytest.fixture
def behind(url: str) -> Iterator[Behind]:
    """``behind(trouble, times)``: a client that knows its cluster, whose next requests meet trouble; all it sends."""
    proxies: list[Proxy] = []

    def make(trouble: Trouble, times: int = 1) -> tuple[OpenSearch, list[Request]]:
        sent: list[Request] = []

        def choose(request: Request) -> Trouble:
            sent.append(request)
            return trouble if 2 <= len(sent) < 2 + times else FINE

        proxy = Proxy(url, choose)
        proxies.append(proxy.__enter__())
        client = connect(proxy.url)
        client.info()
        return client, sent

    yield make
    for proxy in proxies:
        proxy.__exit__()


@pytest.fixture
def index(client: OpenSearch) -> Iterator[str]:
    client.indices.create(index="asking-again")
    yield "asking-again"
    client.indices.delete(index="asking-again*")


@pytest.mark.parametrize("kind", ["cut", "half", "lost", "torn"])
def test_what_can_be_done_twice_is_sent_again(behind: Behind, client: OpenSearch, index: str, kind: str) -> None:
    through, sent = behind(Trouble(kind), 2)
    through.bulk(body=[{"index": {"_index": index, "_id": "1"}}, {"text": "water"}])
    assert [request.path for request in sent[1:]] == ["/_bulk"] * 3
    client.indices.refresh(index=index)
    assert client.count(index=index)["count"] == 1


@pytest.mark.parametrize("trouble", [Trouble("lost"), Trouble(status=503)])
def test_what_may_have_been_done_and_cannot_be_done_twice_is_not(
    behind: Behind, client: OpenSearch, index: str, trouble: Trouble
) -> None:
    through, sent = behind(trouble, 1)
    with pytest.raises(TransportError):
        through.index(index=index, body={"text": "makes another document each time"})
    assert len(sent) == 2
    client.indices.refresh(index=index)
    assert client.count(index=index)["count"] == (trouble.kind == "lost")


def test_what_was_rejected_is_sent_again_whatever_it_is(behind: Behind, client: OpenSearch, index: str) -> None:
    through, sent = behind(Trouble(status=429), 3)
    through.index(index=index, body={"text": "makes another document each time"})
    assert len(sent) == 5
    client.indices.refresh(index=index)
    assert client.count(index=index)["count"] == 1


def test_done_though_the_answer_was_lost(behind: Behind, client: OpenSearch, index: str) -> None:
    for change in ("create", "delete"):
        through, sent = behind(Trouble("lost"), 1)
        assert getattr(through.indices, change)(index=f"{index}-2") == {"acknowledged": True}
        assert len(sent) == 3
    with pytest.raises(TransportError, match="resource_already_exists"):  # by another
        client.indices.create(index=index)


def test_an_answer_that_comes_too_late_is_asked_for_again(behind: Behind) -> None:
    through, sent = behind(Trouble(seconds=4), 1)
    assert through.cluster.health(params={"request_timeout": 3})["status"]
    assert len(sent) >= 3
    through, sent = behind(Trouble(seconds=4), 999)
    with patience(through, 0), pytest.raises(ConnectionTimeout):
        through.cluster.health(params={"request_timeout": 3})
    assert len(sent) == 2
    assert patience_of(through) == PATIENCE


def test_options_of_a_request_are_kept(behind: Behind) -> None:
    through, sent = behind(Trouble(status=429), 1)
    assert through.indices.get(index="nowhere", ignore=404, request_timeout=20)["status"] == 404
    assert [request.path for request in sent[1:]] == ["/nowhere", "/nowhere"]


def test_when_it_does_not_help_the_line_says_how_often_it_was_tried(behind: Behind) -> None:
    through, _ = behind(Trouble(status=429), 999)
    line = r"^URL: 429 the proxy answers for the cluster \(asked \d+ times in 1 s\)$"
    with patience(through, 1), pytest.raises(ClusterError, match=line), readable_errors("URL"):
        through.cluster.health()
    through, _ = behind(Trouble("cut"), 999)
    line = r"^http://one: the cluster stopped answering \(asked \d+ times in 1 s\); run it again when it is up$"
    with patience(through, 1), pytest.raises(ClusterError, match=line), readable_errors("http://one"):
        through.cluster.health()


def test_a_cluster_that_does_not_come_back_is_waited_for_once(behind: Behind) -> None:
    through, _ = behind(Trouble("cut"), 999)
    with patience(through, 2):
        with pytest.raises(ConnectionError) as first:
            through.cluster.health()
        with pytest.raises(ConnectionError) as second:
            through.cluster.health()
    assert first.value.__notes__
    assert not hasattr(second.value, "__notes__")  # as where none ever answered


def test_a_cluster_that_never_answered_cannot_be_reached(url: str) -> None:
    with Proxy(url, lambda request: Trouble("half")) as proxy:
        through = connect(proxy.url)
        with pytest.raises(ClusterError, match="closes the connection; with TLS"), readable_errors(proxy.url):
            through.info()
    with pytest.raises(ClusterError, match="cannot be reached; is it up?"), readable_errors(proxy.url):
        through.info()


def test_those_who_wait_less_may_end_in_any_order(url: str) -> None:
    client = connect(url)
    second = patience(client, 60)
    with patience(client, 5):
        second.__enter__()
        assert patience_of(client) == 5
    assert patience_of(client) == 60
    second.__exit__(None, None, None)
    assert patience_of(client) == PATIENCE
