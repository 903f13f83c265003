"""The settings of an index while it is filled for the first time: no refreshes, no replicas; restored after.

What they were stands in ``_meta.lsr.first_load`` meanwhile. So what a killed load leaves is seen by ``doctor``, and
restored by that or by the next load.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from opensearchpy import OpenSearch
from opensearchpy.exceptions import AuthorizationException

from opensearch_lsr.cluster import indices
from opensearch_lsr.errors import DeploymentError
from opensearch_lsr.timings import Timings

_WHILE_LOADING = {
    "index.refresh_interval": "-1",
    "index.auto_expand_replicas": "false",  # else the number of replicas is not ours to set
    "index.number_of_replicas": "0",
}
_MARK = "first_load"
PART = "settings of the index"  # of the time that a load takes


@contextmanager
def first_load(client: OpenSearch, index: str, timings: Timings | None = None) -> Iterator[None]:
    """Fill an empty index, or go on with one whose first load was killed; any other is left as it is.

    Its documents are searchable, and copied to replicas, at the end. An account that may not change settings loads the
    index as it is.

    Args:
        client: the cluster.
        index: its name.
        timings: where the time that this takes is counted.

    Raises:
        DeploymentError: at the end, when this account may not restore what a killed load left.
    """
    timings = timings or Timings()
    with timings.part(PART):
        filling = _MARK in indices.lsr_meta(client, index) or _begun(client, index)
    if not filling:
        yield
        return
    try:
        yield
    finally:
        try:
            with timings.part(PART):
                restore(client, index)
        except AuthorizationException as error:
            raise DeploymentError(
                f"{index}: an earlier load was killed and left it without refreshes and replicas, which this account "
                "may not change; what was loaded is there: run opensearch-lsr doctor --repair with the deployer's role"
            ) from error


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
    _forget(client, index)


def _begun(client: OpenSearch, index: str) -> bool:
    """Set the settings aside, if the index is empty and this account may."""
    try:
        if client.count(index=index)["count"] > 0:
            return False
        found = client.indices.get_settings(index=index, flat_settings=True)[index]["settings"]
    except AuthorizationException:
        return False
    before = {name: found.get(name) for name in _WHILE_LOADING}  # null restores a default
    if before == _WHILE_LOADING:  # its owner's wish, or another load's that began just now
        return False
    try:
        indices.put_meta(client, index, {**indices.lsr_meta(client, index), _MARK: before})
        client.indices.put_settings(index=index, body=_WHILE_LOADING)
    except AuthorizationException:
        _forget(client, index)
        return False
    except BaseException:  # interrupted in between
        restore(client, index)
        raise
    if left_behind(client, index) is None:  # another load found the mark, and ended, in between
        client.indices.put_settings(index=index, body=before)
        return False
    return True


def _forget(client: OpenSearch, index: str) -> None:
    meta = indices.lsr_meta(client, index)
    indices.put_meta(client, index, {key: value for key, value in meta.items() if key != _MARK})
