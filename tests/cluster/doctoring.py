"""What the doctor says, in a form that tests compare; documents for it, and settings that are put back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from opensearchpy import OpenSearch

from opensearch_lsr.cluster.health.check import Check
from opensearch_lsr.cluster.health.doctor import examine
from opensearch_lsr.data.documents import Document

WORDS = ["water", "leak", "tap", "bread", "train", "doctor", "river", "music", "paper", "snow", "horse", "milk"]


def documents(count: int) -> list[Document]:
    """Short documents of a title and a text."""
    return [
        Document(f"d{i}", {"title": WORDS[i % 12], "text": f"{WORDS[(i + 5) % 12]} {i}"}, f"file:{i + 1}")
        for i in range(count)
    ]


def page(client: OpenSearch, alias: str | None, **options: Any) -> dict[str, Check]:
    """The lines by subject; a model's line is called after what the model is for."""
    return {_short(check.what): check for check in examine(client, alias, **options)}


def problems(client: OpenSearch, alias: str, **options: Any) -> dict[str, str]:
    """The subjects with findings, and the findings' problems."""
    found = page(client, alias, **options)
    return {what: ". ".join(one.problem for one in check.findings) for what, check in found.items() if check.findings}


@contextmanager
def setting(client: OpenSearch, name: str, value: object) -> Iterator[None]:
    """A cluster setting, and afterwards what it was."""
    former = client.cluster.get_settings(flat_settings=True)["persistent"].get(name)
    client.cluster.put_settings(body={"persistent": {name: value}})
    try:
        yield
    finally:
        client.cluster.put_settings(body={"persistent": {name: former}})


def _short(what: str) -> str:
    if not what.startswith("model "):
        return what
    return "query model" if "-query-" in what else "document model"
