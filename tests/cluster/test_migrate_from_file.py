"""Documents that the index does not keep whole come from a file."""

from __future__ import annotations

from pathlib import Path

import pytest
from migrating import holds, serve, texts, write
from opensearchpy import OpenSearch

from opensearch_lsr import migrate
from opensearch_lsr.bundle import Bundle
from opensearch_lsr.cluster.deployment import VECTOR_FIELD
from opensearch_lsr.document_encoder import DocumentEncoder
from opensearch_lsr.errors import DeploymentError

pytestmark = pytest.mark.cluster


def test_documents_from_a_file(client: OpenSearch, old: Bundle, new: Bundle, alias: str, tmp_path: Path) -> None:
    mapping = {"mappings": {"_source": {"excludes": ["text"]}, "properties": {"n": {"type": "integer"}}}}
    documents = texts(50)
    serve(client, old, alias, documents, mapping=mapping)
    with pytest.raises(DeploymentError, match=r"keeps not all of a document in _source; give the documents in a file"):
        migrate(client, alias, new)
    file = tmp_path / "documents.jsonl"
    rows = [f'{{"_id": "{i}", "text": "{text}", "n": 1}}' for i, text in documents.items()]
    file.write_text("\n".join(rows[:-1]) + '\n{"_id": "unknown", "text": "water", "n": 1}\n')
    with pytest.raises(DeploymentError, match="d49: is not in the file"):
        migrate(client, alias, new, documents=str(file))
    file.write_text("\n".join(rows) + '\n{"_id": "unknown", "text": "water", "n": 1}\n')
    done = migrate(client, alias, new, documents=str(file))
    assert (done.outcome.unknown, done.outcome.documents, done.outcome.copied) == (1, 50, 1)
    hits = client.search(index=alias, body={"size": 100})["hits"]["hits"]
    expected = dict(zip(documents, DocumentEncoder(new).encode(list(documents.values())), strict=True))
    assert {hit["_id"] for hit in hits} == expected.keys()
    for hit in hits:
        assert hit["_source"][VECTOR_FIELD] == pytest.approx(expected[hit["_id"]], rel=1 / 128)


def test_a_file_and_what_changes_meanwhile(
    client: OpenSearch, old: Bundle, new: Bundle, alias: str, tmp_path: Path
) -> None:
    serve(client, old, alias, texts(20))
    file = tmp_path / "documents.jsonl"
    file.write_text("\n".join(f'{{"_id": "d{i}", "text": "coffee {i}", "n": 1}}' for i in range(15)))
    expected = {f"d{i}": f"coffee {i}" for i in range(15)} | {f"d{i}": texts(20)[f"d{i}"] for i in range(15, 20)}

    def meanwhile(one: str, other: str) -> None:
        for identifier in ("d1", "d16", "made"):
            write(client, old, alias, identifier, "changed meanwhile")
            expected[identifier] = "changed meanwhile"
        for identifier in ("d2", "d17"):
            client.delete(index=alias, id=identifier)
            del expected[identifier]

    def refuse(one: str, other: str) -> None:
        raise DeploymentError("not yet")

    with pytest.raises(DeploymentError, match="not yet"):
        migrate(client, alias, new, documents=str(file), before_swap=refuse)
    with pytest.raises(DeploymentError, match="was begun with --documents; give it again"):
        migrate(client, alias, new)
    done = migrate(client, alias, new, documents=str(file), before_swap=meanwhile)
    assert done.outcome.copied == 3
    holds(client, alias, new, expected)
