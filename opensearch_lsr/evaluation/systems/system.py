"""What a system of the comparison is: an index, the client's part of a query, and the request.

A new system is one class: subclass :class:`System`, give it a name, a title, a storage, ``encode`` and ``query``, and
enter it in :data:`opensearch_lsr.evaluation.systems.SYSTEMS`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from opensearch_lsr.evaluation.context import Context
from opensearch_lsr.evaluation.relevance import DEPTH
from opensearch_lsr.evaluation.storage import Storage

DEEPEST = DEPTH + 1  # hits that are ever asked for: relevance's, and the query itself among them


class System(ABC):
    """One way to search a collection.

    Attributes:
        name: on the command line and in results.
        title: in reports.
        storage: its index, perhaps shared with other systems.
        search_pipeline: named in the request; None leaves the index its own.
        by_size: what it finds first depends on how many hits it is asked for. What can be set apart from that is set
            to :data:`DEEPEST`, so that quality and latency are of one configuration; for the others relevance at the
            top comes from requests of the size whose latency is measured.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    by_size: ClassVar[bool] = False

    def __init__(self, context: Context, storage: Storage) -> None:
        self.context = context
        self.client = context.client
        self.storage = storage
        self.search_pipeline: str | None = None

    @property
    def index(self) -> str:
        """What is searched."""
        return self.storage.index

    @property
    def parameters(self) -> dict[str, Any]:
        """All that must be known to repeat it."""
        return {}

    def missing(self) -> str | None:
        """Why it cannot run on this cluster with these encoders; None when it can."""
        return None

    def prepare(self) -> None:
        """Make what queries need beside the index; called when the index is loaded."""
        return

    @abstractmethod
    def encode(self, text: str) -> Any:
        """The client's own part of a query, which is timed alone."""

    @abstractmethod
    def query(self, encoded: Any, size: int) -> dict[str, Any]:
        """The query clause for ``size`` hits."""

    def request(self, encoded: Any, size: int, track_total_hits: bool) -> tuple[dict[str, str], dict[str, Any]]:
        """URL parameters and body of the search; every system's differ in the query (and its pipeline) only."""
        params = {"request_cache": "false"}
        if self.search_pipeline:
            params["search_pipeline"] = self.search_pipeline
        body = {"size": size, "_source": False, "query": self.query(encoded, size)}
        return params, body if track_total_hits else {**body, "track_total_hits": False}
