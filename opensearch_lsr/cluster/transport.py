"""Requests that are sent again: what a cluster is too busy for, or cannot do at the moment, it may do a little later.

A 429 says that nothing was done, so that any request can be sent again. After a 502, 503 or 504, where a connection
broke, and where no answer came in time, it may have been done all the same: only what can be done twice is sent again.
"""

from __future__ import annotations

import logging
import random
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from opensearchpy import OpenSearch, Transport
from opensearchpy.exceptions import ConnectionError, SSLError, TransportError
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

PATIENCE = 120.0  # seconds for which a request is sent again; a node restarts in half of that
REJECTED, UNAVAILABLE = 429, (502, 503, 504)
_STRANGER = 1.0  # seconds, where the cluster never answered: the URL may be wrong
_FIRST, _LONGEST = 0.25, 10.0  # seconds between two attempts, doubling
_TOLD_AFTER = 5.0  # seconds; a hiccup is no news
# that can be done twice; the chunks of a model replace themselves, registering one makes another one
_POSTS = re.compile(
    r"/(_aliases|_analyze|_bulk|_count|_deploy|_explain|_msearch|_refresh|_search|_undeploy|point_in_time)$"
    r"|/_plugins/_ml/_predict/|/upload_chunk/"
)
# ML Commons' 500 while the shards of its indices start; elsewhere that is a 503
_STARTING = re.compile("no_shard_available|illegal_index_shard_state|all shards failed|Fail to search model version")
_log = logging.getLogger(__name__)


class Waiting:
    """Waits that double, for ``limit`` seconds in all; a random part keeps many clients from coming back at once.

    Args:
        limit: seconds.
    """

    def __init__(self, limit: float) -> None:
        self._limit, self._pause, self._begun, self._told = limit, _FIRST, time.monotonic(), False
        self.times = 0

    def again(self, why: str) -> bool:
        """Wait, and say why once that takes longer; False when time is up."""
        waited = time.monotonic() - self._begun
        if waited >= self._limit:
            return False
        if waited > _TOLD_AFTER and not self._told:
            _log.warning("%s; asking again, for %.0f s at most", why, self._limit)
            self._told = True
        time.sleep(min(self._pause * random.uniform(0.5, 1), self._limit - waited))
        self._pause = min(2 * self._pause, _LONGEST)
        self.times += 1
        return True

    def __str__(self) -> str:
        return f"asked {self.times + 1} times in {time.monotonic() - self._begun:.0f} s" if self.times else "asked once"


class PatientTransport(Transport):
    """Sends requests again for ``patience`` seconds; the last error, then, has a note of how often that was done.

    A cluster that never answered, or did not come back in that time, is not waited for.
    """

    def __init__(self, *arguments: Any, patience: float = PATIENCE, **options: Any) -> None:
        super().__init__(*arguments, **{**options, "max_retries": 0})  # it knows no waits, and sends everything again
        self._patience, self._answers = patience, False
        self.limits: list[float] = []  # of those who wait less at the moment, in whatever order they end

    @property
    def patience(self) -> float:
        """Seconds for which a request is sent again at the moment."""
        return min([self._patience, *self.limits])

    def perform_request(
        self, method: str, url: str, params: Mapping[str, Any] | None = None, *arguments: Any, **options: Any
    ) -> Any:
        waiting: Waiting | None = None
        maybe_done = False
        while True:
            try:
                answer = super().perform_request(method, url, dict(params or {}), *arguments, **options)
            except TransportError as error:
                if maybe_done and _is_done(method, error):
                    return {"acknowledged": True}
                broken = isinstance(error, ConnectionError)
                known = self._answers = self._answers or not broken
                waiting = waiting or Waiting(self.patience if known else min(self.patience, _STRANGER))
                if not (_may_be_sent_again(method, url, error) and waiting.again(f"the cluster {_does(error)}")):
                    if known and (broken or waiting.times):
                        error.add_note(str(waiting))
                    self._answers = not broken
                    raise
                maybe_done |= not _was_not_done(error)
            else:
                self._answers = True
                return answer


@contextmanager
def patience(client: OpenSearch, seconds: float) -> Iterator[None]:
    """Send requests again for no longer than that; 0 for who measures, or wants to know what is wrong now.

    It holds for all threads that use the client, the shortest of several at once.
    """
    limits: list[float] = getattr(client.transport, "limits", [])
    limits.append(seconds)
    try:
        yield
    finally:
        limits.remove(seconds)


def patience_of(client: OpenSearch) -> float:
    """For how many seconds a client's requests are sent again."""
    return float(getattr(client.transport, "patience", PATIENCE))


def passes(status: object) -> bool:
    """Whether what was answered with that status may well be done later."""
    return status == REJECTED or status in UNAVAILABLE


def _may_be_sent_again(method: str, url: str, error: TransportError) -> bool:
    return _was_not_done(error) or (_may_have_been_done(error) and _can_be_done_twice(method, url))


def _was_not_done(error: TransportError) -> bool:
    """Rejected, or never sent."""
    return error.status_code == REJECTED or isinstance(error.info, NewConnectionError | ConnectTimeoutError)


def _may_have_been_done(error: TransportError) -> bool:
    if isinstance(error, ConnectionError):
        return not isinstance(error, SSLError)
    return passes(error.status_code) or (error.status_code == 500 and _STARTING.search(str(error.info)) is not None)


def _can_be_done_twice(method: str, url: str) -> bool:
    return method != "POST" or _POSTS.search(url) is not None


def _is_done(method: str, error: TransportError) -> bool:
    """Whether an error says that an earlier attempt, whose answer was lost, succeeded."""
    if method == "DELETE":
        return bool(error.status_code == 404)
    return method == "PUT" and error.error == "resource_already_exists_exception"


def _does(error: TransportError) -> str:
    if isinstance(error, ConnectionError):
        return "does not answer"
    return f"answers {error.status_code} ({str(error.error)[:100]})"
