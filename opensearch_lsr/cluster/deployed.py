"""What an alias serves, as its index's ``_meta.lsr`` says: which encoder made the vectors and how to query them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from opensearchpy import OpenSearch
from opensearchpy.exceptions import NotFoundError

from opensearch_lsr.cluster import chunks, names
from opensearch_lsr.cluster.deployment import VECTOR_FIELD
from opensearch_lsr.errors import DeploymentError
from opensearch_lsr.sparse_vector import Prune


@dataclass(frozen=True)
class Deployed:
    """What an alias serves: its index and the ``_meta.lsr`` of that index."""

    alias: str
    index: str
    meta: Mapping[str, Any]

    @property
    def fields(self) -> list[str]:
        return list(self.meta["fields"])

    @property
    def document_key(self) -> str:
        return str(self.meta["document_fingerprint"])[:8]

    @property
    def document_model(self) -> str:
        """The name of the model that encodes documents, where the cluster runs it."""
        return names.document_model(self.meta["name"], self.meta["document_fingerprint"])

    @property
    def query_model(self) -> str | None:
        """The name of the SPARSE_TOKENIZE model that a deployment may have made; a bi-encoder has none."""
        if self.meta["query"] != "table":
            return None
        return names.query_model(self.meta["name"], self.meta["query_fingerprint"])

    @property
    def models(self) -> dict[str, bool]:
        """The names of the models a deployment may have made, and whether it needs them as it is deployed now."""
        names = {self.document_model: self.meta["encode"] == "cluster" or self.meta["query"] == "encoder"}
        if self.query_model:
            names[self.query_model] = self.meta["query_mode"] == "model"
        return names

    def pipeline_model(self, kind: str) -> str | None:
        """The name of the model whose id the ``ingest`` or ``search`` pipeline holds, if it holds one."""
        if kind == "ingest" or self.meta["query"] == "encoder":
            return self.document_model
        return self.query_model if self.meta["query_mode"] == "model" else None

    @property
    def two_step(self) -> bool:
        """Whether documents have a short vector beside the whole one."""
        return bool(self.meta.get("two_step"))

    @property
    def chunk(self) -> int | None:
        """The bytes of a chunk, where documents have a vector for each."""
        return self.meta.get("chunk")

    @property
    def vector_field(self) -> str:
        """The path of what ``neural_sparse`` clauses search."""
        return chunks.CHUNK_PATH if self.chunk else VECTOR_FIELD

    @property
    def keeps_text_hashes(self) -> bool:
        """Whether documents say of which text their vectors are: not where an earlier version deployed last."""
        return bool(self.meta.get("text_hash"))

    @property
    def prune(self) -> Prune | None:
        """Which weights of a document vector are kept; None: all."""
        return _rule(self.meta.get("prune"))

    @property
    def prune_query(self) -> Prune | None:
        """Which tokens of a query are kept, unless it asks for exact search; None: all."""
        return _rule(self.meta.get("prune_query"))


def deployed(client: OpenSearch, alias: str) -> Deployed:
    """Read what an alias serves.

    Raises:
        DeploymentError: when there is no such alias, it spans several indices, or this package did not deploy it.
    """
    try:
        indices = client.indices.get_mapping(index=alias)
    except NotFoundError as error:
        raise DeploymentError(
            f"{alias}: no such alias; run: opensearch-lsr deploy BUNDLE --alias {alias} --field FIELD"
        ) from error
    if len(indices) != 1:
        raise DeploymentError(
            f"{alias}: stands for {len(indices)} indices ({', '.join(sorted(indices))}); name one of them"
        )
    ((index, body),) = indices.items()
    meta = body["mappings"].get("_meta", {}).get("lsr")
    if not meta:
        raise DeploymentError(
            f"{alias}: {index} was not deployed by opensearch-lsr; "
            f"run: opensearch-lsr deploy BUNDLE --alias NAME --from {index}"
        )
    return Deployed(alias, index, meta)


def _rule(stored: Mapping[str, Any] | None) -> Prune | None:
    return Prune(stored["prune_type"], float(stored["prune_ratio"])) if stored else None
