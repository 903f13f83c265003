"""A deployment: the wish, and the names it takes. What is there is in ``deployed.py``.

State lives in the cluster: the index's ``_meta.lsr`` says which encoder made its vectors and how to query them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from opensearch_lsr.bundle import Bundle
from opensearch_lsr.cluster import chunks, names
from opensearch_lsr.cluster.analyzer import built_in
from opensearch_lsr.cluster.chunks import CHUNKS_FIELD
from opensearch_lsr.cluster.features import Needs, needed_by
from opensearch_lsr.errors import InputError
from opensearch_lsr.sparse_vector import Prune

VECTOR_FIELD, SHORT_FIELD, MODEL_FIELD, TEXT_HASH_FIELD = "lsr_vector", "lsr_short", "lsr_model", "lsr_text_hash"
OWN_FIELDS = (VECTOR_FIELD, SHORT_FIELD, CHUNKS_FIELD, MODEL_FIELD, TEXT_HASH_FIELD)  # what encoding adds to a document
QUERY_MODES = ("tokens", "analyzer", "model")


@dataclass(frozen=True)
class Deployment:
    """A wish: this encoder behind this alias.

    Attributes:
        bundle: the encoder.
        alias: what applications search.
        fields: the text fields that are encoded together, in order, one space between (BEIR: title, text).
        encode: ``cluster`` (ML Commons, in the ingest pipeline) or ``client`` (onnxruntime, vectors sent in bulk).
        query_mode: ``tokens``, ``analyzer`` or ``model``: what the cluster must be able to answer.
        two_phase: score strong query tokens first, in the default search pipeline.
        prune: which weights of a document vector are kept.
        prune_query: which tokens of a query are kept, where it sends tokens and does not ask for exact search.
        two_step: documents get a short vector beside the whole one, which finds candidates (``cluster/two_step.py``).
        chunk: documents have a vector for each chunk of at most so many bytes (``cluster/chunks.py``); None: one
            vector, of as much as the encoder reads.
        mapping: an index body whose settings and mappings are laid over the package's own.
        source_index: an index whose mappings, settings and documents are taken over.
    """

    bundle: Bundle
    alias: str
    fields: tuple[str, ...]
    encode: str = "cluster"
    query_mode: str = "tokens"
    two_phase: bool = False
    prune: Prune | None = None
    prune_query: Prune | None = None
    two_step: bool = False
    chunk: int | None = None
    mapping: Mapping[str, Any] = field(default_factory=dict)
    source_index: str | None = None

    def __post_init__(self) -> None:
        names.check_alias(self.alias)
        if not self.fields:
            raise InputError("no text field given; name at least one with --field")
        if self.encode not in ("cluster", "client"):
            raise InputError(f"encode {self.encode!r}: it is 'cluster' or 'client'")
        if self.query_mode not in QUERY_MODES:
            raise InputError(f"query mode {self.query_mode!r}: it is one of {', '.join(QUERY_MODES)}")
        config = self.bundle.config
        if config.query == "encoder" and (self.query_mode != "tokens" or self.two_phase):
            raise InputError(f"{self.bundle.path}: a bi-encoder takes no --query-mode or --two-phase")
        if self.two_step:
            self._check_two_step()
        if self.chunk is not None:
            if self.two_phase or self.two_step:
                raise InputError("chunks go with the presets exact and balanced; leave out --chunk, or --two-phase")
            chunks.check(self.chunk, self.bundle)
        self._check_what_the_cluster_runs()
        if self.query_mode == "analyzer" and self.analyzer is None:
            raise InputError(
                f"{self.bundle.path}: tokenizer or weights differ from the analyzers built into OpenSearch; "
                "use --query-mode tokens or model"
            )

    def _check_what_the_cluster_runs(self) -> None:
        config, path = self.bundle.config, self.bundle.path
        siamese = config.query == "encoder"
        remedy = "export a checkpoint with a table" if siamese else "deploy with --encode client"
        if not config.word_form and (self.encode == "cluster" or siamese):
            raise InputError(
                f"{path}: its tokens do not decode one by one (byte-level vocabulary), and ML Commons would lose some "
                f"of them; {remedy}"
            )
        if not config.word_form and self.query_mode == "model":
            raise InputError(f"{path}: a query model gives words, its vectors have token ids; use --query-mode tokens")
        if self.bundle.onnx_data and (self.encode == "cluster" or siamese):
            raise InputError(
                f"{path}: has its weights in two files, and ML Commons takes one; {remedy}, or export with "
                "--quantize int8 or int4"
            )

    def _check_two_step(self) -> None:
        if self.bundle.config.query == "encoder":
            raise InputError(f"{self.bundle.path}: a bi-encoder has no table, and the preset fast needs one")
        if self.encode != "client":  # an ingest pipeline cannot look 30,000 weights up
            raise InputError("the preset fast: short vectors are made by the client; add --encode client")
        if self.query_mode == "model" or self.two_phase:
            raise InputError("the preset fast goes with the query modes tokens and analyzer, and not with --two-phase")

    @property
    def analyzer(self) -> str | None:
        """The built-in analyzer whose tokens and weights equal the bundle's, if there is one."""
        if self.bundle.config.query != "table":
            return None
        return built_in(self.bundle.tokenizer.to_str(), self.bundle.weights)

    @property
    def index(self) -> str:
        return f"{self.alias}-{self.bundle.document_key}"

    @property
    def ingest_pipeline(self) -> str:
        return names.ingest_pipeline(self.index)

    @property
    def search_pipeline(self) -> str:
        return names.search_pipeline(self.index)

    @property
    def model_name(self) -> str:
        return names.document_model(self.bundle.config.name, self.bundle.config.document_fingerprint)

    @property
    def query_model_name(self) -> str:
        return names.query_model(self.bundle.config.name, self.bundle.config.query_fingerprint)

    @property
    def needs(self) -> Needs:
        return needed_by(self.meta())

    def meta(self) -> dict[str, Any]:
        """What the index's ``_meta.lsr`` says."""
        config = self.bundle.config
        return {
            "name": config.name,
            "version": config.version,
            "document_fingerprint": config.document_fingerprint,
            "query_fingerprint": config.query_fingerprint,
            "query": config.query,
            "query_mode": self.query_mode,
            "analyzer": self.analyzer,
            "encode": self.encode,
            "fields": list(self.fields),
            "prune": self.prune.processor() if self.prune else None,
            "prune_query": self.prune_query.processor() if self.prune_query else None,
            "two_phase": self.two_phase,
            "two_step": self.two_step,
            "chunk": self.chunk,
            "token_form": config.token_form,
            "text_hash": True,
        }
