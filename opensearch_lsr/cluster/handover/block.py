"""Refusing the writes to an index for a while; searching goes on."""

from __future__ import annotations

from opensearchpy import OpenSearch


def put(client: OpenSearch, index: str) -> None:
    """Refuse writes from now on; returns when those that were under way are done."""
    client.indices.add_block(index=index, block="write")


def lift(client: OpenSearch, index: str) -> None:
    """Accept writes again."""
    client.indices.put_settings(index=index, body={"index.blocks.write": None})


def is_put(client: OpenSearch, index: str) -> bool:
    """Whether writes are refused."""
    settings = client.indices.get_settings(index=index, flat_settings=True)[index]["settings"]
    return bool(settings.get("index.blocks.write") == "true")
