"""One handover from its beginning to the swap."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from opensearchpy import OpenSearch
from opensearchpy.exceptions import OpenSearchException

from opensearch_lsr.cluster import alias as aliases
from opensearch_lsr.cluster import indices
from opensearch_lsr.cluster.connect import reason
from opensearch_lsr.cluster.deployed import Deployed
from opensearch_lsr.cluster.handover import block, deletes, from_file
from opensearch_lsr.cluster.handover.copying import Copier
from opensearch_lsr.cluster.handover.record import REPLACED, begin, look
from opensearch_lsr.cluster.handover.view import Key, View, checkpoints
from opensearch_lsr.cluster.transport import patience
from opensearch_lsr.document_encoder import DocumentEncoder
from opensearch_lsr.errors import DeploymentError

MAX_BLOCK = 60.0  # seconds


@dataclass(frozen=True)
class Terms:
    """How documents are handed over.

    Attributes:
        documents: a file with them (see :mod:`.from_file`); None takes the source's ``_source``.
        before_swap: called with the source and the target, once that has all documents; what it raises leaves the alias
            where it is.
        max_block: seconds for which writes may be refused.
    """

    documents: str | None = None
    before_swap: Callable[[str, str], None] | None = None
    max_block: float = MAX_BLOCK


@dataclass
class Outcome:
    """What was done by this run.

    Attributes:
        copied: documents that were encoded and written, changes meanwhile among them.
        deleted: documents that were deleted in the source meanwhile, and now are in the target.
        unknown: documents of the file that the source does not have; they were left out.
        documents: how many there are in the end.
        block_seconds: how long writes were refused.
    """

    copied: int = 0
    deleted: int = 0
    unknown: int = 0
    documents: int = 0
    block_seconds: float = 0.0


class Handover:
    """The source's documents and place to the target.

    Args:
        client: the cluster.
        source: an index.
        target: the index that takes over, made before.
        encoder: see :class:`~opensearch_lsr.cluster.handover.copying.Copier`.
        terms: how.
        on_progress: called with (what, done, total).
    """

    def __init__(
        self,
        client: OpenSearch,
        source: str,
        target: Deployed,
        encoder: Callable[[], DocumentEncoder] | None,
        terms: Terms | None = None,
        on_progress: Callable[[str, int, int], None] = lambda what, done, total: None,
    ) -> None:
        self._client, self._source, self._target, self._encoder = client, source, target, encoder
        self._terms, self._on_progress = terms or Terms(), on_progress
        self.outcome = Outcome()
        self._last: View | None = None  # whose documents the target has, no more and no less

    def check(self) -> None:
        """Whether the target can take over, which must be there; nothing is changed.

        Raises:
            DeploymentError: when it holds, or is taking over, something else.
        """
        look(self._client, self._source, self._target.index, self._terms.documents is not None)

    def fill(self) -> None:
        """Copy all documents, or those that changed since the target had them.

        Raises:
            DeploymentError: when the target is in use, or a document is refused.
        """
        whole = indices.keeps_whole_source(self._client, self._source)
        if not whole and not self._terms.documents:
            raise DeploymentError(
                f"{self._source}: its mapping keeps not all of a document in _source; give the documents in a file "
                "(--documents)"
            )
        record = begin(self._client, self._source, self._target.index, from_file=self._terms.documents is not None)
        self._copier = Copier(self._client, self._target, record, self._encoder, whole)
        source = View(self._client, self._source)
        total = source.count()
        if self._terms.documents:
            read = from_file.read(self._copier, self._terms.documents, lambda n: self._report(n, total))
            self.outcome.copied, self.outcome.unknown = read.written, read.unknown
        self.outcome.copied += self._copier.copy(source, lambda n: self._report(n, total))

    def finish(self) -> None:
        """Catch up, refuse writes, catch up with the last of them, and swap.

        Whatever goes wrong before the swap, writes are accepted again and the alias is where it was. After it the
        source refuses writes for good: those that come by its own name would be missed. When the alias does not stand
        for the source, that is left as it is.

        Raises:
            DeploymentError: when documents are refused, or writes would be for too long.
        """
        with ExitStack() as self._views:
            self._catch_up()
            if self._terms.before_swap:
                self._terms.before_swap(self._source, self._target.index)
                self._catch_up()
            if self._source in aliases.holders(self._client, self._target.alias):
                with self._writes_refused():
                    self._take_place(settled=True, replaces=True)
            else:  # it lives on beside its copy, which is of this moment
                self._take_place(settled=False, replaces=False)

    def _take_place(self, settled: bool, replaces: bool) -> None:
        self._round(settled)
        self._compare()
        self._copier.check_time()
        self._sign(replaces)
        aliases.swap(self._client, self._target.alias, self._source, self._target.index)

    def _catch_up(self) -> None:
        """Rounds, each of what changed during the one before, until they do not get much shorter."""
        before = float("inf")
        while True:
            changes = self._round()
            if changes == 0 or changes > before / 2:
                return
            before = changes

    def _round(self, settled: bool = False) -> int:
        """Make the target what the source is at this moment; returns how many documents that changed."""
        now = View(self._client, self._source, frozen=True, settled=settled)
        self._views.callback(now.close)
        copied = self._copier.copy(now)
        deleted = self._delete(deletes.gone(self._last, now) if self._last else None)
        if self._last:
            self._last.close()
        self._last = now
        self.outcome.copied += copied
        self.outcome.deleted += deleted
        return copied + deleted

    def _delete(self, keys: Sequence[Key] | None) -> int:
        """Delete documents of these names in the target, or any, that are not in the source any more."""
        if keys is not None and not keys:
            return 0
        target, source = (View(self._client, index) for index in (self._target.index, self._source))
        hits = deletes.strays(target, source) if keys is None else deletes.named(keys, target, source)
        return deletes.remove(self._client, target.index, hits)

    def _compare(self) -> None:
        """Both must hold as many documents: the target has all of the source's, so they are the same then."""
        assert self._last
        wanted, found = self._last.count(), View(self._client, self._target.index).count()
        if found != wanted:  # another run wrote, too
            self.outcome.deleted += self._delete(None)
            found = View(self._client, self._target.index).count()
        self.outcome.documents = found
        if self.outcome.documents != wanted:
            raise DeploymentError(
                f"{self._target.index}: has {self.outcome.documents:,} documents, {self._source} has {wanted:,}; "
                "nothing was moved; run it again"
            )

    def _sign(self, replaces: bool) -> None:
        """Record what the target is from now on, for going back and for cleaning up."""
        meta = indices.lsr_meta(self._client, self._source)
        before = [one for one in meta.get(REPLACED, []) if one[0] != self._target.index]
        own = [[self._source, self._copier.record.uuid]] if meta and replaces else []
        self._copier.record.at = checkpoints(self._client, self._target.index, settled=True)
        self._copier.save(**{REPLACED: before + own})

    @contextmanager
    def _writes_refused(self) -> Iterator[None]:
        """Refuse writes to the source: for good, unless something goes wrong."""
        record = self._copier.record
        if block.is_put(self._client, self._source) and not record.blocked:
            yield  # by someone else, who may lift it
            return
        record.blocked = True
        self._copier.save()
        started = time.monotonic()
        self._copier.deadline = started + self._terms.max_block
        try:
            block.put(self._client, self._source)
            with patience(self._client, self._terms.max_block):
                yield
        except BaseException:
            self._give_back()
            raise
        finally:
            self.outcome.block_seconds = time.monotonic() - started

    def _give_back(self) -> None:
        """Accept writes again, once no swap can succeed any more: not that of another run, nor a belated one."""
        try:
            aliases.stop_filling(self._client, self._target.index)
            if aliases.is_under_way(self._client, self._target.index):
                block.lift(self._client, self._source)
        except OpenSearchException as error:
            raise DeploymentError(
                f"{self._source}: still refuses writes, as the cluster does not answer ({reason(error)}); "
                "when it does, run it again, or give it up with --abort"
            ) from error

    def _report(self, done: int, total: int) -> None:
        self._on_progress("documents", done, max(done, total))
