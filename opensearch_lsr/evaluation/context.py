"""What the systems of a run share: the cluster, the encoders, and the names and settings of their indices."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from opensearchpy import OpenSearch

from opensearch_lsr.bundle import Bundle

PREFIX = "lsr-bench"  # of all that a benchmark makes in a cluster


@dataclass(frozen=True)
class DenseModel:
    """An opened bi-encoder, for the dense system.

    Attributes:
        name: for the report.
        fingerprint: of its files; its vectors are kept under it.
        model: a ``SentenceTransformer``, or anything with its ``encode_query``, ``encode_document``,
            ``get_embedding_dimension`` and ``similarity_fn_name``. Opened by the caller: this package's evaluation
            does without torch.
    """

    name: str
    fingerprint: str
    model: Any


@dataclass(frozen=True)
class Context:
    """One collection of one run.

    Attributes:
        client: the cluster.
        run: name of the run.
        collection: name of the collection, or of one size of it.
        documents: how many each index will hold.
        bundle: of the LSR systems; None leaves them out.
        bi_encoder: a bundle whose queries are encoded, too.
        dense: of the dense system.
        largest_weight: of the bundle's document vectors; SEISMIC quantises up to it.
        occurring: the tokens of the bundle's document vectors; SEISMIC counts them anew where ids are too large for it.
        merged: each index is merged to one segment before it is searched.
    """

    client: OpenSearch
    run: str
    collection: str
    documents: int
    bundle: Bundle | None = None
    bi_encoder: Bundle | None = None
    dense: DenseModel | None = None
    largest_weight: float | None = None
    occurring: Sequence[str] = ()
    merged: bool = True

    def index(self, storage: str) -> str:
        """The index (or alias) of a storage."""
        return f"{names_of(self.run, self.collection)}{storage}"

    @property
    def settings(self) -> dict[str, Any]:
        """Index settings, the same for every system: one shard, no replicas, refreshed when all is loaded."""
        return {"number_of_shards": 1, "number_of_replicas": 0, "refresh_interval": "-1"}


def names_of(run: str, collection: str | None = None) -> str:
    """How the names of all begin that a run makes, for one collection.

    Dots end a run's and a collection's part, and no part has one: ``nightly`` never stands for ``nightly-2``.
    """
    return "".join([f"{PREFIX}-{slug(run)}.", f"{slug(collection)}." if collection else ""])


def owned(bundle: Bundle, run: str) -> Bundle:
    """The same bundle, named ``bench-<run>.<name>``: its models in the cluster are then ``lsr-bench-<run>.…``, and
    nothing that is deployed with it is taken for an application's."""
    name = names_of(run).removeprefix("lsr-") + bundle.config.name
    return Bundle(bundle.path, replace(bundle.config, name=name))


def slug(text: str) -> str:
    """Lower-case letters, digits and single hyphens: fit for index, alias and pipeline names."""
    return re.sub("[^a-z0-9]+", "-", text.lower()).strip("-") or "x"
