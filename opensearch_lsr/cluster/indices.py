"""The index body of a deployment: the package's own fields over a user's mapping or an existing index's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opensearchpy import OpenSearch
from opensearchpy.exceptions import NotFoundError

from opensearch_lsr.cluster import chunks, templates, two_step
from opensearch_lsr.cluster.deployment import OWN_FIELDS, VECTOR_FIELD, Deployment
from opensearch_lsr.errors import DeploymentError, InputError

# what belongs to one index and not to its copy
_OWN_SETTINGS = (
    "uuid",
    "creation_date",
    "version",
    "provided_name",
    "resize",
    "routing",
    "default_pipeline",
    "final_pipeline",
    "search",
    "blocks",
    "history",
    "replication",
)


def body(client: OpenSearch, wish: Deployment) -> dict[str, Any]:
    """Settings and mappings for the wish's index.

    Raises:
        InputError: when a text field is mapped as something else, or the source index lacks it.
    """
    base = templates.load("index")
    base["mappings"]["properties"] = own_fields(wish)
    taken = _from_index(client, wish.source_index) if wish.source_index else {}
    over = _merge(taken, _normalised(wish.mapping))
    result = _merge(base, over)
    if "number_of_replicas" in over.get("settings", {}).get("index", {}):
        result["settings"]["index"]["auto_expand_replicas"] = over["settings"]["index"].get(
            "auto_expand_replicas", False
        )
    properties: dict[str, Any] = result["mappings"]["properties"]
    for name in wish.fields:
        _ensure_text(properties, name, wish)
    properties.update(own_fields(wish))
    result["mappings"].setdefault("_meta", {})["lsr"] = wish.meta()
    index_settings = result["settings"]["index"]
    index_settings["search"] = {**index_settings.get("search", {}), "default_pipeline": wish.search_pipeline}
    if wish.encode == "cluster":
        index_settings["default_pipeline"] = wish.ingest_pipeline
    return result


def own_fields(wish: Deployment) -> dict[str, Any]:
    """The mappings of what encoding adds to documents."""
    fields: dict[str, Any] = templates.load("index")["mappings"]["properties"]
    if wish.chunk:
        del fields[VECTOR_FIELD]
        return fields | chunks.MAPPING
    return fields | (two_step.MAPPING if wish.two_step else {})


def existing_meta(client: OpenSearch, index: str) -> dict[str, Any] | None:
    """``_meta.lsr`` of an index; None when there is no such index.

    Raises:
        DeploymentError: when the index is not this package's.
    """
    try:
        mappings = client.indices.get_mapping(index=index)[index]["mappings"]
    except NotFoundError:
        return None
    meta: dict[str, Any] | None = mappings.get("_meta", {}).get("lsr")
    if meta is None:
        raise DeploymentError(f"{index}: exists and was not made by opensearch-lsr; choose another alias, or remove it")
    return meta


def resolve(client: OpenSearch, name: str) -> str:
    """The one index that a name, perhaps an alias, stands for.

    Raises:
        InputError: when there is none, or there are several.
    """
    found = client.indices.get_settings(index=name, ignore=404)
    if "error" in found:
        raise InputError(f"{name}: no such index (--from)")
    if len(found) != 1:
        raise InputError(f"{name}: stands for {len(found)} indices; name one (--from)")
    return str(next(iter(found)))


def lsr_meta(client: OpenSearch, index: str) -> dict[str, Any]:
    """``_meta.lsr`` of an index; empty when it is not this package's."""
    found: dict[str, Any] = client.indices.get_mapping(index=index)[index]["mappings"].get("_meta", {}).get("lsr", {})
    return found


def uuid(client: OpenSearch, index: str) -> str:
    """What tells an index from another one that is made under its name later."""
    return str(client.indices.get_settings(index=index)[index]["settings"]["index"]["uuid"])


def keeps_whole_source(client: OpenSearch, index: str) -> bool:
    """Whether a document's ``_source`` is what was indexed; a mapping can leave fields out, or all of them."""
    rule = client.indices.get_mapping(index=index)[index]["mappings"].get("_source", {})
    left_out = [name for name in rule.get("excludes", ()) if not name.startswith("lsr_")]
    return bool(rule.get("enabled", True)) and not left_out and not rule.get("includes")


def put_meta(client: OpenSearch, index: str, lsr: dict[str, Any], properties: dict[str, Any] | None = None) -> None:
    """Replace ``_meta.lsr``, keeping what else is in ``_meta``, and add fields."""
    mappings = client.indices.get_mapping(index=index)[index]["mappings"]
    meta = {**mappings.get("_meta", {}), "lsr": lsr}
    client.indices.put_mapping(index=index, body={"_meta": meta, "properties": properties or {}})


def missing_fields(client: OpenSearch, wish: Deployment) -> dict[str, Any]:
    """The package's and the mapping's fields that the existing index does not have yet."""
    current = client.indices.get_mapping(index=wish.index)[wish.index]["mappings"].get("properties", {})
    wanted = _normalised(wish.mapping).get("mappings", {}).get("properties", {})
    wanted = {**wanted, **own_fields(wish)}
    return {name: definition for name, definition in wanted.items() if name not in current}


def _from_index(client: OpenSearch, source: str) -> dict[str, Any]:
    name = resolve(client, source)
    index = client.indices.get(index=name)[name]
    meta = dict(index["mappings"].get("_meta", {}))
    set_aside = meta.pop("lsr", {}).get("first_load", {})  # its own, while it is loaded
    own = index["settings"]["index"] | {key.removeprefix("index."): value for key, value in set_aside.items()}
    settings = {key: value for key, value in own.items() if key not in _OWN_SETTINGS and value is not None}
    mappings = {key: value for key, value in index["mappings"].items() if key != "_meta"}
    properties = mappings.get("properties", {})
    mappings["properties"] = {name: field for name, field in properties.items() if name not in OWN_FIELDS}
    return {"settings": {"index": settings}, "mappings": {**mappings, **({"_meta": meta} if meta else {})}}


def _normalised(mapping: Mapping[str, Any]) -> dict[str, Any]:
    """Accept ``{"properties"}``, ``{"mappings", "settings"}``, and settings with or without their ``index`` level."""
    if not mapping:
        return {}
    unknown = set(mapping) - {"mappings", "settings", "properties"}
    if unknown:
        raise InputError(f"mapping: unknown key {sorted(unknown)[0]!r}; give properties, or mappings and settings")
    result: dict[str, Any] = {"mappings": mapping.get("mappings") or {"properties": mapping.get("properties", {})}}
    settings = dict(mapping.get("settings", {}))
    inner = settings.pop("index", {})
    flat = {key.removeprefix("index."): value for key, value in settings.items()}
    return result | {"settings": {"index": {**inner, **flat}}}


def _ensure_text(properties: dict[str, Any], name: str, wish: Deployment) -> None:
    """Add the text field (dotted names are objects) for BM25 beside the vectors."""
    *parents, leaf = name.split(".")
    for parent in parents:
        properties = properties.setdefault(parent, {"properties": {}}).setdefault("properties", {})
    definition = properties.get(leaf)
    if definition is None:
        if wish.source_index:
            raise InputError(f"{wish.source_index}: has no field {name!r}; name its text fields with --field")
        properties[leaf] = {"type": "text"}
    elif definition.get("type") not in ("text", "match_only_text"):
        raise InputError(
            f"field {name!r} is mapped as {definition.get('type', 'object')}; an encoded field is of type text"
        )


def _merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for key, value in over.items():
        both = isinstance(value, Mapping) and isinstance(result.get(key), Mapping)
        result[key] = _merge(result[key], value) if both else value
    return result
