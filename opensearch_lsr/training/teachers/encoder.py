"""A teacher model from its folder: what identifies it, and texts → vectors in batches of similar length."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypeVar

from opensearch_lsr.errors import CheckpointError, needs_extra
from opensearch_lsr.training import checkpoint

with needs_extra("train", "training"):
    import numpy as np
    import torch
    from numpy.typing import NDArray

Side = Literal["query", "document"]
Packed = TypeVar("Packed")
BYTES_PER_TOKEN = 4  # of English; only orders and sizes the batches
_CONTENT = (".safetensors", ".bin", ".json", ".txt", ".model")


class Encoder:
    """A sentence-transformers model, opened when the first text needs it: not at all when everything is cached.

    Args:
        open_model: folder → ``SentenceTransformer`` or ``SparseEncoder``.
        model: its folder, or a Hub name (``owner/name``).
        max_length: cut texts to so many tokens; the model's own limit holds where it is lower.
        batch_tokens: tokens in a batch, padding included: what bounds the memory.
        options: for the model's ``encode`` methods.

    Raises:
        CheckpointError: when there is no such model, or it has no safetensors weights.
    """

    def __init__(
        self,
        open_model: Callable[[Path], Any],
        model: str | Path,
        max_length: int,
        batch_tokens: int,
        **options: Any,
    ) -> None:
        self.name = Path(model).name
        self.max_length = max_length
        self._open = open_model
        self._options = options
        self._folder = checkpoint.find(model)
        self._batch_tokens = batch_tokens

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over weights, configuration and tokenizer: all files but the prose."""
        files = sorted(path for path in self._folder.rglob("*") if path.suffix in _CONTENT and path.is_file())
        if not any(path.suffix == ".safetensors" for path in files):
            raise CheckpointError(f"{self._folder}: has no .safetensors weights; save the model with save_pretrained")
        digest = hashlib.sha256()
        for path in files:
            with path.open("rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
            digest.update(f"{path.relative_to(self._folder).as_posix()}\0{content}\n".encode())
        return digest.hexdigest()

    @cached_property
    def model(self) -> Any:
        """The model itself, in evaluation mode.

        Raises:
            CheckpointError: when sentence-transformers cannot open the folder.
        """
        with checkpoint.one_line(self._folder), checkpoint.no_bars():
            model = self._open(self._folder).eval()
        model.max_seq_length = min(self.max_length, model.max_seq_length or self.max_length)
        return model

    def encode(
        self,
        side: Side,
        texts: Sequence[str],
        pack: Callable[[NDArray[np.float32]], Packed],
        on_batch: Callable[[int], None],
    ) -> tuple[NDArray[np.int64], list[Packed]]:
        """Encode texts, longest first, in bfloat16 (half the time on a CPU that has it).

        Args:
            side: which prompt and which route of the model.
            texts: N of them, all held in memory.
            pack: vectors float32 [batch, width] → what is kept of them.
            on_batch: told the number of texts just encoded.

        Returns:
            int64 [N], the position of each row in ``texts``; and the packed batches, in the order of those rows.
        """
        model = self.model
        run = model.encode_query if side == "query" else model.encode_document
        order: list[int] = []
        packed: list[Packed] = []
        with torch.inference_mode(), torch.autocast(model.device.type, torch.bfloat16):
            for batch in batches(texts, self.max_length, self._batch_tokens):
                vectors = run(
                    [texts[position] for position in batch],
                    batch_size=len(batch),
                    convert_to_tensor=True,
                    show_progress_bar=False,
                    **self._options,
                )
                packed.append(pack(vectors.float().cpu().numpy()))
                order.extend(batch)
                on_batch(len(batch))
        return np.array(order, dtype=np.int64), packed


def batches(texts: Sequence[str], max_length: int, batch_tokens: int) -> Iterator[list[int]]:
    """Positions of ``texts`` in batches, longest first, so that little is padded.

    A text counts as its bytes / 4, at most ``max_length``; the first of a batch is its longest, so a batch of n texts
    takes n · longest ≤ ``batch_tokens`` (one text at least). Example: lengths 8, 2, 2, 2 and 8 tokens → [0], [1, 2, 3].
    """
    lengths = [min(max_length, len(text.encode("utf-8", "replace")) // BYTES_PER_TOKEN + 2) for text in texts]
    order = sorted(range(len(texts)), key=lambda position: -lengths[position])
    start = 0
    while start < len(order):
        count = max(1, batch_tokens // lengths[order[start]])
        yield order[start : start + count]
        start += count
