"""A collection's documents with their vectors, by whichever encoder a storage wants."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, partial
from itertools import repeat
from pathlib import Path
from typing import Any, TypeVar

from opensearch_lsr.bundle import Bundle
from opensearch_lsr.errors import InputError
from opensearch_lsr.evaluation import vectors
from opensearch_lsr.evaluation.collection import Document
from opensearch_lsr.evaluation.context import Context, DenseModel
from opensearch_lsr.evaluation.ready import OnProgress
from opensearch_lsr.evaluation.storage import EncoderName, Record
from opensearch_lsr.evaluation.systems import dense
from opensearch_lsr.evaluation.vectors import SparseVectors

T = TypeVar("T", Bundle, DenseModel)


class Encoded:
    """Encodes when a vector is first wanted; kept in a cache that runs share.

    Args:
        context: whose encoders.
        documents: to be encoded, in order.
        cache: folder of the vectors.
        on_progress: told ("encode …", documents done, documents).
    """

    def __init__(self, context: Context, documents: Sequence[Document], cache: Path, on_progress: OnProgress) -> None:
        self._context, self._documents, self._cache = context, documents, cache
        self._on_progress = on_progress
        self._texts = [document.whole for document in documents]

    def records(self, encoder: EncoderName | None) -> Iterator[Record]:
        """All documents with the vectors of one encoder."""
        rows: Any = repeat(None, len(self._documents)) if encoder is None else self._rows(encoder)
        for document, vector in zip(self._documents, rows, strict=True):
            yield Record(document.id, document.title, document.text, vector)

    @property
    def given(self) -> Bundle | None:
        """The context's bundle."""
        return self._context.bundle

    @cached_property
    def sparse(self) -> SparseVectors:
        """By the context's bundle."""
        return self._by(self._context.bundle)

    @cached_property
    def place(self) -> Mapping[str, int]:
        """Document id → position."""
        return {document.id: index for index, document in enumerate(self._documents)}

    def text(self, identifier: str) -> tuple[str, str]:
        """Title and text of a document."""
        document = self._documents[self.place[identifier]]
        return document.title, document.text

    def vector(self, identifier: str) -> Mapping[str, float]:
        """Of a document, by the context's bundle."""
        found: Mapping[str, float] = self.sparse[self.place[identifier]]
        return found

    def _rows(self, encoder: EncoderName) -> Any:
        if encoder == "bundle":
            return self.sparse
        return self._by(self._context.bi_encoder) if encoder == "bi_encoder" else self._dense()

    def _dense(self) -> Any:
        model = _given(self._context.dense)
        progress = partial(self._on_progress, f"encode with {model.name}")
        return dense.encode_documents(model, self._texts, self._cache, progress)

    def _by(self, bundle: Bundle | None) -> SparseVectors:
        given = _given(bundle)
        return vectors.encode(
            given, self._texts, self._cache, partial(self._on_progress, f"encode with {given.config.name}")
        )


def _given(encoder: T | None) -> T:
    if encoder is None:
        raise InputError("an encoder is asked for that was not given")
    return encoder
