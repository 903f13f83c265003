"""What stands behind an alias, and taking exactly that away again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from opensearchpy import OpenSearch
from opensearchpy.exceptions import NotFoundError

from opensearch_lsr.cluster import models, pipelines, query_side
from opensearch_lsr.cluster.deployed import Deployed, deployed
from opensearch_lsr.cluster.deployment import MODEL_FIELD
from opensearch_lsr.cluster.handover import block
from opensearch_lsr.cluster.handover.record import REPLACED, under_way


@dataclass(frozen=True)
class Resource:
    """One thing in the cluster that belongs to a deployment, and its state."""

    kind: str
    name: str
    state: str

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


@dataclass(frozen=True)
class Removal:
    """One thing that ``undeploy`` or ``cleanup`` takes away."""

    kind: str
    name: str
    apply: Callable[[], Any]


def resources(client: OpenSearch, alias: str) -> list[Resource]:
    """Everything behind an alias with its state.

    Raises:
        DeploymentError: when the alias is not this package's.
    """
    target = deployed(client, alias)
    client.indices.refresh(index=target.index)
    count = client.count(index=target.index)["count"]
    with_vector = client.count(index=target.index, body={"query": {"term": {MODEL_FIELD: target.document_key}}})[
        "count"
    ]
    found = [
        Resource("alias", alias, f"→ {target.index}"),
        Resource("index", target.index, f"{count:,} documents, {with_vector:,} with vectors of {target.document_key}"),
        Resource(
            "encoder", f"{target.meta['name']} {target.meta['version']}", f"encoded by the {target.meta['encode']}"
        ),
    ]
    for name, needed in target.models.items():
        model = next(iter(models.find(client, name)), None)
        if model or needed:
            found.append(Resource("model", name, model.state if model else "missing"))
    if target.meta["query"] == "table":
        fingerprint = target.meta["query_fingerprint"]
        found.append(Resource("token weights", fingerprint[:8], query_side.state(client, fingerprint)))
    for kind, name in pipelines.names(target):
        present = pipelines.stored(client, kind, name) is not None
        found.append(Resource(f"{kind} pipeline", name, "present" if present else "missing"))
    return found + list(_migrations(client, target))


def removals(client: OpenSearch, alias: str) -> Iterator[Removal]:
    """What was deployed for an alias, in the order of taking it away; what another deployment still uses stays.

    Raises:
        DeploymentError: when the alias is not this package's.
    """
    target = deployed(client, alias)
    if client.indices.exists_alias(name=alias):
        yield Removal("alias", alias, lambda: client.indices.delete_alias(index=target.index, name=alias))
    yield from removals_of(client, [target])


def removals_of(client: OpenSearch, targets: Sequence[Deployed]) -> Iterator[Removal]:
    """What was made for these deployments and nothing else uses, in the order of taking it away."""
    going = {target.index for target in targets}
    others = [Deployed("", index, meta) for index, meta in _deployments(client).items() if index not in going]
    for target in targets:
        for kind, name in pipelines.names(target):
            if pipelines.stored(client, kind, name):
                delete = partial(pipelines.delete, client, target.index, kind, name)
                yield Removal(f"{kind} pipeline", name, delete)
    kept = {name for other in others for name, needed in other.models.items() if needed}
    for name in dict.fromkeys(name for target in targets for name in target.models if name not in kept):
        for model in models.find(client, name):
            yield Removal("model", name, partial(models.remove, client, model))
    if targets and not kept and (group := models.find_group(client)):
        yield Removal("model group", models.GROUP, partial(_delete_group, client, group))
    tables = {other.meta["query_fingerprint"] for other in others}
    for target in targets:
        fingerprint = target.meta["query_fingerprint"]
        if target.meta["query"] == "table" and fingerprint not in tables:
            tables.add(fingerprint)
            yield Removal("token weights", fingerprint[:8], partial(query_side.remove, client, fingerprint))
    for target in targets:  # last: its _meta is what a rerun after a kill reads
        yield Removal("index", target.index, partial(client.indices.delete, index=target.index))


def undeploy(client: OpenSearch, alias: str) -> list[Removal]:
    """Remove what was deployed for an alias (or, after an interrupted undeploy, for its index).

    Returns:
        What was removed.

    Raises:
        DeploymentError: when the alias is not this package's.
    """
    done = list(removals(client, alias))
    for removal in done:
        removal.apply()
    return done


def table_is_unused(client: OpenSearch, fingerprint: str, index: str) -> bool:
    """Whether no deployment but that of ``index`` uses the token weights."""
    return all(m["query_fingerprint"] != fingerprint for i, m in _deployments(client).items() if i != index)


def needed_models(client: OpenSearch) -> set[str]:
    """The names of the models that any deployment needs."""
    found = _deployments(client).items()
    return {name for index, meta in found for name, needed in Deployed("", index, meta).models.items() if needed}


def _migrations(client: OpenSearch, target: Deployed) -> Iterator[Resource]:
    """What a migration left behind, or has under way."""
    if block.is_put(client, target.index):
        yield Resource("writes", target.index, "refused")
    if found := under_way(client, target.alias):
        yield Resource("migration", found[0], "under way, or killed: run it again, or give it up with migrate --abort")
    for index, _ in target.meta.get(REPLACED, []):
        if client.indices.exists(index=index):
            yield Resource("replaced index", index, "kept: rollback goes back to the last one, cleanup removes them")


def _deployments(client: OpenSearch) -> dict[str, dict[str, Any]]:
    mappings = client.indices.get_mapping(index="*", expand_wildcards="all")
    metas = {index: body["mappings"].get("_meta", {}).get("lsr") for index, body in mappings.items()}
    return {index: meta for index, meta in metas.items() if meta}


def _delete_group(client: OpenSearch, group: str) -> None:
    if models.group_is_empty(client, group):
        try:
            client.plugins.ml.delete_model_group(model_group_id=group)
        except NotFoundError:
            return
