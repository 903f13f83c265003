"""What an index took over of another one, kept in its ``_meta.lsr``: where a run that was killed goes on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from opensearchpy import OpenSearch

from opensearch_lsr.cluster import alias, indices
from opensearch_lsr.cluster.deployment import Deployment
from opensearch_lsr.cluster.handover import block
from opensearch_lsr.cluster.handover.view import View, checkpoints
from opensearch_lsr.errors import DeploymentError

KEY, REPLACED = "took_over", "replaced"
Numbers = dict[int, int]  # shard → sequence number


@dataclass
class Record:
    """What the target has of its source.

    Attributes:
        index: the source.
        uuid: of that index: another one of the same name counts its changes anew.
        copied: the source's shard → sequence number up to which the target has its changes.
        base: added to sequence numbers to make the versions of copies.
        top: the highest version seen in the source.
        at: the target's own shard → sequence number when both were alike, at the swap.
        start: where the source was when documents began to be read from a file; None when they are its ``_source``.
        blocked: the source refuses writes because of this.
        back: the source took over the target's documents before.
        finished: nothing is left to do after the swap.
    """

    index: str
    uuid: str
    copied: Numbers = field(default_factory=dict)
    base: int = 0
    top: int = 0
    at: Numbers = field(default_factory=dict)
    start: Numbers | None = None
    blocked: bool = False
    back: bool = False
    finished: bool = False

    @classmethod
    def of(cls, meta: Mapping[str, Any]) -> Record | None:
        """The record in an index's ``_meta.lsr``."""
        found = meta.get(KEY)
        if not found:
            return None
        numbers = {name: _numbers(found[name]) for name in ("copied", "at", "start")}
        return cls(**{**found, **numbers})

    def is_of(self, index: str, uuid: str) -> bool:
        """Whether that index, and not one made anew under its name, is the source."""
        return (self.index, self.uuid) == (index, uuid)

    def version(self, sequence_number: int) -> int:
        """The version of a copy: above all that the target had before, and rising with the source's changes."""
        return self.base + sequence_number + 1

    def save(self, client: OpenSearch, target: str, **more: Any) -> None:
        """Write it, and what else is to be in the target's ``_meta.lsr`` from now on."""
        indices.put_meta(client, target, {**indices.lsr_meta(client, target), **more, KEY: asdict(self)})


def look(client: OpenSearch, source: str, target: str, from_file: bool) -> Record:
    """Where the target is to begin with the source's documents, or to go on; nothing is changed.

    Raises:
        DeploymentError: when the target holds, or is taking over, something else.
    """
    uuid = indices.uuid(client, source)
    own, its = (Record.of(indices.lsr_meta(client, index)) for index in (target, source))
    if alias.is_under_way(client, target):
        return _same(own, source, uuid, target, from_file)
    record = _new(client, source, uuid, target, own, its)
    record.start = checkpoints(client, source) if from_file else None
    return record


def begin(client: OpenSearch, source: str, target: str, from_file: bool) -> Record:
    """Open the target for the source's documents; where that was done before, go on with it.

    Raises:
        DeploymentError: as :func:`look`.
    """
    record = look(client, source, target, from_file)
    record.save(client, target)
    alias.start_filling(client, target)
    if record.back:  # it was replaced, and refuses writes since
        block.lift(client, target)
    return record


def is_pending(client: OpenSearch, wish: Deployment, source: str) -> bool:
    """Whether the documents of ``source``, an index or alias, are not yet taken over by the wish's index."""
    found = indices.resolve(client, source)
    if found == wish.index:  # the alias was named, and moved
        return False
    if not alias.serves(client, wish) or alias.is_under_way(client, wish.index):
        return True
    record = Record.of(indices.lsr_meta(client, wish.index))
    return record is None or record.index != found


def under_way(client: OpenSearch, name: str) -> tuple[str, Record] | None:
    """The index that is being filled at present to stand behind the alias ``name``, and what it has already."""
    for target in client.indices.get_alias(name=[alias.filling("*"), alias.stopped("*")]):
        meta = indices.lsr_meta(client, target)
        record = Record.of(meta)
        if record and target == f"{name}-{meta['document_fingerprint'][:8]}":
            return target, record
    return None


def _same(own: Record | None, source: str, uuid: str, target: str, from_file: bool) -> Record:
    if own is None or own.index != source:
        raise DeploymentError(
            f"{target}: is taking over {own.index if own else 'another index'}, not {source}; complete that first"
        )
    if own.uuid != uuid:
        raise DeploymentError(
            f"{source}: was deleted and made anew while {target} was taking over its documents; "
            "give that up with --abort and begin again"
        )
    if (own.start is not None) != from_file:
        begun, remedy = ("with", "give it again") if own.start is not None else ("without", "leave it out")
        raise DeploymentError(f"{target}: was begun {begun} --documents; {remedy}, or begin anew after --abort")
    return own


def _new(client: OpenSearch, source: str, uuid: str, target: str, own: Record | None, its: Record | None) -> Record:
    """Where to begin: at nothing, at what the target took over before, or at what the source had of the target."""
    forth = own if own and own.is_of(source, uuid) else None
    back = its if its and its.is_of(target, indices.uuid(client, target)) else None
    view = View(client, target)
    if view.count() and not back and not (forth and view.checkpoints == forth.at):
        raise DeploymentError(
            f"{target}: holds documents that are not {source}'s; remove it first "
            "(cleanup what was replaced, or undeploy it by its name)"
        )
    copied = dict(forth.copied) if forth else {}
    for shard, number in (back.at if back else {}).items():
        copied[shard] = max(number, copied.get(shard, -1))
    numbers = [*(own.copied if own else {}).values(), *checkpoints(client, source).values()]
    base = max(own.base + max(numbers) + 2 if own else 0, back.top if back else 0)
    return Record(source, uuid, copied, base, forth.top if forth else 0, back=back is not None)


def _numbers(found: Mapping[str, int] | None) -> Numbers | None:
    return None if found is None else {int(shard): number for shard, number in found.items()}
