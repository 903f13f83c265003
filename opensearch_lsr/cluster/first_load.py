"""The settings of an index while it is filled for the first time: no refreshes, no replicas; restored after.

What they were stands in ``_meta.lsr.first_load`` meanwhile, so that what a killed load leaves is seen, and restored by
the next one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from opensearchpy import OpenSearch
from opensearchpy.exceptions import AuthorizationException

from opensearch_lsr.cluster import indices

_WHILE_LOADING = {
    "index.refresh_interval": "-1",
    "index.auto_expand_replicas": "false",  # else the number of replicas is not ours to set
    "index.number_of_replicas": "0",
}
_MARK = "first_load"


@contextmanager
def first_load(client: OpenSearch, index: str) -> Iterator[None]:
    """Fill an empty index, or go on with one whose first load was killed; any other is left as it is.

    Its documents are searchable, and copied to replicas, at the end.
    """
    if _MARK not in indices.lsr_meta(client, index):
        if not _is_empty(client, index):
            yield
            return
        _begin(client, index)
    try:
        yield
    finally:
        restore(client, index)


def _is_empty(client: OpenSearch, index: str) -> bool:
    """Whether it holds no document; False, too, for an account that may write documents and not ask for them."""
    try:
        return bool(client.count(index=index)["count"] == 0)
    except AuthorizationException:
        return False


def left_behind(client: OpenSearch, index: str) -> dict[str, Any] | None:
    """The settings that a running or killed first load has set aside; None when there is none."""
    found: dict[str, Any] | None = indices.lsr_meta(client, index).get(_MARK)
    return found


def restore(client: OpenSearch, index: str) -> None:
    """Put the settings back and make what was loaded searchable; nothing when none were set aside."""
    before = left_behind(client, index)
    if before is None:
        return
    client.indices.put_settings(index=index, body=before)
    client.indices.refresh(index=index)
    meta = indices.lsr_meta(client, index)
    indices.put_meta(client, index, {key: value for key, value in meta.items() if key != _MARK})


def _begin(client: OpenSearch, index: str) -> None:
    found = client.indices.get_settings(index=index, flat_settings=True)[index]["settings"]
    before = {name: found.get(name) for name in _WHILE_LOADING}  # null restores a default
    indices.put_meta(client, index, {**indices.lsr_meta(client, index), _MARK: before})
    client.indices.put_settings(index=index, body=_WHILE_LOADING)
