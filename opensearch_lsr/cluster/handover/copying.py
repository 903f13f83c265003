"""Copying documents in the order of their changes: encoded anew, written with their sequence numbers as versions."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from typing import Any

from opensearchpy import OpenSearch

from opensearch_lsr.cluster import alias as aliases
from opensearch_lsr.cluster import bulk
from opensearch_lsr.cluster.deployed import Deployed
from opensearch_lsr.cluster.handover.record import Record
from opensearch_lsr.cluster.handover.view import Hit, View, key
from opensearch_lsr.data.documents import Document, Reject
from opensearch_lsr.document_encoder import DocumentEncoder
from opensearch_lsr.errors import DeploymentError

SAVE_EVERY = 10.0  # seconds; so much of its work a killed run does again
Found = tuple[Hit, dict[str, Any] | None]  # a document of the source, and the fields to write


@dataclass
class Copier:
    """Writes a source's documents to a target.

    Attributes:
        client: the cluster.
        target: the index that takes over, as deployed.
        record: what it has of the source; kept up to date, here and in the cluster.
        encoder: opens the local encoder, once there is something to encode; None leaves it to the ingest pipeline.
        whole_source: a document's ``_source`` is all of it.
        deadline: ``time.monotonic()`` at which copying gives up.
    """

    client: OpenSearch
    target: Deployed
    record: Record
    encoder: Callable[[], DocumentEncoder] | None
    whole_source: bool = True
    deadline: float = float("inf")
    _saved: float = field(default_factory=time.monotonic)

    def copy(self, view: View, on_progress: Callable[[int], None] = lambda copied: None) -> int:
        """Copy what changed in the source since the last time.

        Args:
            view: of the source.
            on_progress: told how many documents were copied.

        Returns:
            How many documents that were.

        Raises:
            DeploymentError: when a document is refused, or time is up; what was recorded until then is copied.
        """
        total = 0
        there = View(self.client, self.target.index) if self.record.start else None
        for shard, checkpoint in view.checkpoints.items():
            after, before = self.record.copied.get(shard, -1), total

            def advance(hit: Hit, written: int, shard: int = shard, before: int = before) -> None:
                self.record.copied[shard] = hit["_seq_no"]
                self.record.top = max(self.record.top, hit["_version"])
                on_progress(before + written)
                if time.monotonic() > self._saved + SAVE_EVERY:
                    self.save()

            hits = (hit for page in view.changed(shard, after) for hit in self._wanted(page, shard, there))
            total += self.write(((hit, hit.get("_source")) for hit in hits), advance)
            self.record.copied[shard] = max(after, checkpoint)
        self.save()
        return total

    def write(self, found: Iterator[Found], on_written: Callable[[Hit, int], None] = lambda hit, written: None) -> int:
        """Encode and write documents of the source, in order; returns how many.

        Args:
            found: what to write.
            on_written: told the last document that is written with all before it, and how many those are.

        Raises:
            DeploymentError: as :meth:`copy`.
        """
        first = next(found, None)
        if first is None:
            return 0
        waiting: deque[Hit] = deque()
        rejects: list[Reject] = []
        written = 0

        def documents() -> Iterator[Document]:
            for hit, fields in chain([first], found):
                waiting.append(hit)
                yield self._document(hit, fields)

        def advance(report: bulk.Report) -> None:
            nonlocal written
            if rejects:
                raise self._refused(rejects)
            hit = waiting[0]
            while written < report.indexed:
                hit = waiting.popleft()
                written += 1
            on_written(hit, written)
            self.check_time()

        through = Deployed(self.target.alias, aliases.filling(self.target.index), self.target.meta)
        bulk.load(self.client, through, documents(), self._opened, advance, rejects.append, only_alias=True)
        return written

    @cached_property
    def _opened(self) -> DocumentEncoder | None:
        return self.encoder() if self.encoder else None

    def check_time(self) -> None:
        """Raise DeploymentError when time is up."""
        if time.monotonic() > self.deadline:
            raise DeploymentError(
                f"{self.record.index}: catching up with its last changes took longer than writes may be refused "
                "(--max-block); nothing was moved; run it again when less is written"
            )

    def save(self, **more: Any) -> None:
        """Keep in the cluster how far copying came, and what else is to be in the target's ``_meta.lsr``.

        Raises:
            DeploymentError: when another run completed the handover, or gave it up.
        """
        if not aliases.is_filling(self.client, self.target.index):
            raise DeploymentError(
                f"{self.target.index}: another run completed this, or gave it up, meanwhile; see status"
            )
        self.record.save(self.client, self.target.index, **more)
        self._saved = time.monotonic()

    def _wanted(self, page: list[Hit], shard: int, there: View | None) -> list[Hit]:
        """All of them; those as old as the beginning, which were read from a file, are there already."""
        start = (self.record.start or {}).get(shard, -1)
        if there is None or page[0]["_seq_no"] > start:
            return page
        read = {key(hit) for hit in there.having(hit["_id"] for hit in page)}
        return [hit for hit in page if hit["_seq_no"] > start or key(hit) not in read]

    def _document(self, hit: Hit, fields: dict[str, Any] | None) -> Document:
        origin = f"{self.record.index}/{hit['_id']}"
        if fields is None or (not self.whole_source and fields is hit.get("_source")):
            raise DeploymentError(
                f"{origin}: is not in the file, or was changed since the beginning, and the index does not keep all of "
                "a document in _source; bring the file up to date, stop the writes, and begin anew after --abort"
            )
        return Document(hit["_id"], fields, origin, hit.get("_routing"), self.record.version(hit["_seq_no"]))

    def _refused(self, rejects: list[Reject]) -> DeploymentError:
        self.save()
        return DeploymentError(
            f"{self.target.index}: {len(rejects)} documents of {self.record.index} were refused (first: {rejects[0]}); "
            "nothing was moved; mend them there and run it again: it goes on from here"
        )
