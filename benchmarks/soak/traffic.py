"""An application at a fixed rate: some threads write, some search, each remembers what was acknowledged."""

from __future__ import annotations

import threading
import time
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from opensearchpy import OpenSearch
from opensearchpy.exceptions import AuthorizationException

from opensearch_lsr import QueryEncoder
from opensearch_lsr.cluster.search import search

WRITERS, SEARCHERS = 4, 4
SHARE_NEW, SHARE_DELETED = 0.3, 0.1  # of the writes; the others replace a document
ASK_AGAIN = 0.05  # seconds after a write was refused by the block of a migration


@dataclass
class Seen:
    """What the clients saw; times are seconds since the start, latencies milliseconds from when a request was due."""

    search_at: array[float] = field(default_factory=lambda: array("d"))
    search_ms: array[float] = field(default_factory=lambda: array("d"))
    write_at: array[float] = field(default_factory=lambda: array("d"))
    write_ms: array[float] = field(default_factory=lambda: array("d"))
    errors: list[str] = field(default_factory=list)
    empty: int = 0
    refused: int = 0


class Traffic:
    """Mixed indexing and searching through an alias.

    Args:
        client: the cluster.
        alias: written to and searched.
        texts: what documents say; each written one ends in a number of its own.
        queries: asked in turn; each finds something.
        truth: id → text of what is there; kept up to date with what is acknowledged.
        writes: a second, of all writers together.
        searches: a second, of all searchers together.
    """

    def __init__(
        self,
        client: OpenSearch,
        alias: str,
        texts: Sequence[str],
        queries: Sequence[str],
        truth: dict[str, str],
        *,
        writes: float,
        searches: float,
    ) -> None:
        self._client, self._alias, self._texts, self._queries, self.truth = client, alias, texts, queries, truth
        self._encoder = QueryEncoder.from_cluster(client, alias)
        self.seen = Seen()
        self._lock, self._stop = threading.Lock(), threading.Event()
        self._started = 0.0
        self._threads = [
            threading.Thread(target=self._at_a_rate, args=(writes / WRITERS, self._writer(number)))
            for number in range(WRITERS)
        ] + [
            threading.Thread(target=self._at_a_rate, args=(searches / SEARCHERS, self._searcher(number)))
            for number in range(SEARCHERS)
        ]

    def __enter__(self) -> Traffic:
        self._started = time.monotonic()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self._started

    def _at_a_rate(self, rate: float, step: Callable[[], tuple[array[float], array[float]]]) -> None:
        """Do a step when it is due; one that is late is not left out."""
        due = time.monotonic() + Random(threading.get_ident()).random() / rate
        while not self._stop.wait(max(0.0, due - time.monotonic())):
            try:
                at, milliseconds = step()
            except Exception as error:  # whatever it is: the run is to tell of it
                self.seen.errors.append(f"{self.seconds():.1f} s: {type(error).__name__}: {error}"[:500])
            else:
                with self._lock:
                    at.append(due - self._started)
                    milliseconds.append((time.monotonic() - due) * 1000)
            due += 1 / rate

    def _searcher(self, number: int) -> Callable[[], tuple[array[float], array[float]]]:
        random = Random(f"search {number}")

        def step() -> tuple[array[float], array[float]]:
            found = search(self._client, self._alias, random.choice(self._queries), encoder=self._encoder)
            if not found:
                self.seen.empty += 1
            return self.seen.search_at, self.seen.search_ms

        return step

    def _writer(self, number: int) -> Callable[[], tuple[array[float], array[float]]]:
        """Writers share no document, so that the last acknowledged write of each is known."""
        random = Random(f"write {number}")
        mine = [identifier for place, identifier in enumerate(sorted(self.truth)) if place % WRITERS == number]
        written = 0

        def step() -> tuple[array[float], array[float]]:
            nonlocal written
            written += 1
            draw = random.random()
            if draw < SHARE_DELETED and len(mine) > 1:
                identifier = mine.pop(random.randrange(len(mine)))
                self._until_accepted(lambda: self._client.delete(index=self._alias, id=identifier))
                del self.truth[identifier]
            else:
                identifier = f"w{number}-{written}" if draw < SHARE_DELETED + SHARE_NEW else random.choice(mine)
                text = f"{random.choice(self._texts)} {number}-{written}"
                self._until_accepted(lambda: self._client.index(index=self._alias, id=identifier, body={"text": text}))
                if identifier not in self.truth:
                    mine.append(identifier)
                self.truth[identifier] = text
            return self.seen.write_at, self.seen.write_ms

        return step

    def _until_accepted(self, write: Callable[[], Any]) -> None:
        """As README.md tells applications: what is refused (403) at the end of a migration is sent again."""
        while True:
            try:
                write()
                return
            except AuthorizationException:
                self.seen.refused += 1
                time.sleep(ASK_AGAIN)
