"""What dense and sparse teachers share: a model of one's choice, asked once for the vectors of all texts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Generic, Self, TypeVar

from opensearch_lsr.errors import needs_extra
from opensearch_lsr.training.teachers.encoder import Encoder
from opensearch_lsr.training.teachers.kept import Progress, Storage, kept

with needs_extra("train", "training"):
    import torch

Matrix = TypeVar("Matrix")


class VectorTeacher(ABC, Generic[Matrix]):
    """Dot products of kept vectors.

    Args:
        name: for logs and the model card.
        queries: float [queries, width].
        documents: float [documents, width].

    Attributes:
        storage: how the vectors are kept.
        batch_tokens: tokens in a batch where the caller does not say.
        options: for the model's ``encode`` methods.
    """

    storage: ClassVar[Storage[Any]]
    batch_tokens: ClassVar[int] = 8192
    options: ClassVar[Mapping[str, Any]] = {}

    def __init__(self, name: str, queries: Matrix, documents: Matrix) -> None:
        self.name = name
        self.queries = queries
        self.documents = documents

    @classmethod
    def prepare(
        cls,
        model: str | Path,
        queries: Sequence[str],
        documents: Sequence[str],
        cache: Path,
        device: str | None = None,
        batch_tokens: int | None = None,
        max_length: int = 256,
        on_progress: Progress = lambda what, n, total: None,
    ) -> Self:
        """Encode the texts, or load what an earlier call encoded; killed and called again, it goes on.

        Args:
            model: its folder, or its Hub name (``owner/name``).
            queries: the texts that query ids stand for.
            documents: the texts that document ids stand for.
            cache: folder for the vectors.
            device: as torch names it; None takes an accelerator where there is one.
            batch_tokens: tokens in a batch, padding included; None: the class's.
            max_length: cut texts to so many tokens; the model's own limit holds where it is lower.
            on_progress: told (what, texts done, texts) after every batch.

        Raises:
            CheckpointError: when the model is missing, cannot be opened, or cannot be distilled.
            InputError: when there are no queries or documents, or the cache cannot be written.
        """
        encoder = Encoder(
            lambda folder: cls.opened(folder, device),
            model,
            max_length,
            batch_tokens or cls.batch_tokens,
            **cls.options,
        )
        return cls(
            encoder.name,
            kept(cls.storage, encoder, "query", queries, cache, on_progress),
            kept(cls.storage, encoder, "document", documents, cache, on_progress),
        )

    @staticmethod
    @abstractmethod
    def opened(folder: Path, device: str | None) -> Any:
        """The model in a folder, with ``encode_query`` and ``encode_document``."""

    @abstractmethod
    def scores(self, queries: Sequence[int], documents: Sequence[int]) -> torch.Tensor:
        """Dot products of pairs: float32 [Q, D], see :class:`~opensearch_lsr.training.teachers.teacher.Teacher`."""
