"""Documents read from a file instead of the source's ``_source``.

The source says which documents there are, the file what is in them. Documents that changed since the beginning are left
to the copying that follows, and so are those that the file does not have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

from opensearch_lsr.cluster.handover.copying import Copier, Found
from opensearch_lsr.cluster.handover.view import PAGE, Hit, View, key
from opensearch_lsr.data import documents


@dataclass
class Read:
    """What became of a file's documents; the rest was changed in the index since, or read by a run that was killed."""

    written: int = 0
    unknown: int = 0


def read(copier: Copier, path: str, on_progress: Callable[[int], None]) -> Read:
    """Write the file's documents, as far as the source has them; what an earlier run wrote is not encoded again.

    Args:
        copier: whose record says where the source was at the beginning.
        path: JSON Lines (also ``.gz``), a BEIR folder, or ``-``.
        on_progress: told how many documents were written.

    Raises:
        InputError: naming the line that cannot be read.
        DeploymentError: when a document is refused.
    """
    source, target = View(copier.client, copier.record.index), View(copier.client, copier.target.index)
    start = copier.record.start or {}
    outcome = Read()

    def found() -> Iterator[Found]:
        rest = iter(documents.read_all(path, copier.target.fields))
        while page := {document.id: document for document in islice(rest, PAGE)}:
            written = {key(hit) for hit in target.having(page)}
            known = set()
            for shard in source.checkpoints:
                for hit in source.having(page, shard):
                    known.add(hit["_id"])
                    if hit["_seq_no"] <= start.get(shard, -1) and key(hit) not in written:
                        yield hit, page[hit["_id"]].source
            outcome.unknown += len(page.keys() - known)

    def advance(hit: Hit, written: int) -> None:
        on_progress(written)

    outcome.written = copier.write(found(), advance)
    return outcome
