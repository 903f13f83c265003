"""Bulk operations, each done or refused for good: what is refused for a reason that passes is sent again."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from opensearchpy import OpenSearch, helpers

from opensearch_lsr.cluster.transport import Waiting, passes, patience_of
from opensearch_lsr.errors import ClusterError

AT_ONCE = 512  # operations a request
AT_ONCE_BYTES = 8 * 1024 * 1024  # hosted clusters refuse requests above 10 MiB
TIMEOUT = 300.0  # seconds; ML Commons never answers what it was encoding when its model was undeployed
# ML Commons' 400 for a model that is on no node, or whose record cannot be read yet: after a restart, say
NOT_READY = re.compile(r"Model not ready|CurrentState\[RECOVERING\]")
Outcome = tuple[bool, dict[str, Any]]  # whether it was done, and what the cluster says of it


def perform(client: OpenSearch, actions: Iterable[dict[str, Any]], only_alias: bool = False) -> Iterator[Outcome]:
    """Send operations that can be done twice, such as those that name the document.

    Args:
        client: the cluster.
        actions: as opensearch-py's helpers take them.
        only_alias: refuse those whose index is not the name of an alias (any more).

    Yields:
        What became of each, in no particular order.

    Raises:
        ClusterError: when refusals that pass outlast the client's patience; what was done stays.
    """
    rest = iter(actions)
    while batch := list(islice(rest, AT_ONCE)):
        yield from _perform(client, batch, only_alias)


def why(error: Any) -> str:
    """The outermost reason, which names the field, and the innermost, which names the value."""
    reasons = []
    while isinstance(error, dict):
        reasons.append(str(error.get("reason")))
        error = error.get("caused_by")
    parts = dict.fromkeys([*reasons[:1], *reasons[-1:]]) or {str(error): None}
    return " ".join(": ".join(parts).split())[:400]


def _perform(client: OpenSearch, batch: list[dict[str, Any]], only_alias: bool) -> Iterator[Outcome]:
    waiting = Waiting(patience_of(client))
    while batch:
        refused, reason = [], ""
        found = helpers.streaming_bulk(
            client,
            batch,
            chunk_size=len(batch),
            max_chunk_bytes=AT_ONCE_BYTES,
            raise_on_error=False,
            request_timeout=TIMEOUT,
            require_alias=only_alias,
        )
        for action, (done, item) in zip(batch, found, strict=True):
            outcome = next(iter(item.values()))
            reason_given = why(outcome.get("error", {}))
            if done or not (passes(outcome["status"]) or NOT_READY.search(reason_given)):
                yield done, outcome
            else:
                refused.append(action)
                reason = f"{outcome['status']} {reason_given}".rstrip("; ")
        if len(refused) < len(batch):
            waiting = Waiting(patience_of(client))
        if refused and not waiting.again(f"{len(refused)} documents are refused: {reason}"):
            raise ClusterError(
                f"{len(refused)} documents are still refused ({waiting}): {reason}; what is indexed already stays: "
                "mend that (opensearch-lsr doctor), then run the same command again"
            )
        batch = refused
