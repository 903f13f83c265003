"""Does the exported graph give the checkpoint's vectors? Checked on real text at every export, and written down."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from opensearch_lsr.document_encoder import ATTENTION_MASK, INPUT_IDS
from opensearch_lsr.errors import ParityError, needs_extra
from opensearch_lsr.export.checkpoint import Checkpoint
from opensearch_lsr.export.graph import DocumentGraph

with needs_extra("export", "exporting a checkpoint"):
    import numpy as np
    import onnxruntime
    import torch

if TYPE_CHECKING:
    from numpy.typing import NDArray

SAMPLES = Path(__file__).parent.parent / "samples" / "handbook" / "corpus.jsonl"
DOCUMENTS, AT_LEAST = 64, 8
PARAMETERS = 200_000_000  # of larger models fewer documents: a billion was not done with 64 after 12 minutes
BATCH = 8
LOGITS = 8 * 256 * 30_522  # that torch holds at once, [batch, sequence, vocab]: 250 MB
ACTIVE = 1e-3  # below it a weight may come and go with the order of additions
TOLERANCE = 1e-4
INVARIANCE = {"none": 1e-4, "fp16": 1e-4, "int8": 1e-3, "int4": 1e-3}
# with the float32 vector: worse is a defect, not a rounding
SMALLEST_COSINE = {"fp16": 0.999, "int8": 0.98, "int8-dynamic": 0.9, "int4": 0.8}


class Vectors:
    """An ONNX graph run over texts with a checkpoint's tokenizer.

    Args:
        graph: path of the ONNX file.
        checkpoint: for its tokenizer.
    """

    def __init__(self, graph: Path, checkpoint: Checkpoint) -> None:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # torch computes in between
        self._session = onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
        self._checkpoint = checkpoint

    def __call__(self, texts: Sequence[str], batch: int = BATCH, padding: int = 0) -> NDArray[np.float32]:
        """float32 [texts, vocab]; ``padding`` adds masked positions to every row."""
        rows = []
        for ids, mask in _batches(self._checkpoint, texts, batch, padding):
            rows.append(self._session.run(None, {INPUT_IDS: ids, ATTENTION_MASK: mask})[0])
        return np.concatenate(rows)


def sample_texts(parameters: int = 0) -> list[str]:
    """64 documents of the sample corpus, fewer for a large model, and the edges: nothing, one word, 2,000 words."""
    wanted = max(AT_LEAST, min(DOCUMENTS, DOCUMENTS * PARAMETERS // max(1, parameters)))
    with SAMPLES.open(encoding="utf-8") as file:
        documents = [json.loads(line) for line in islice(file, wanted)]
    texts = [f"{document['title']} {document['text']}".strip() for document in documents]
    words = " ".join(texts).split()
    return [*texts, "", "word", " ".join((words * (2000 // len(words) + 1))[:2000])]


def against_origin(graph: Path, module: DocumentGraph, checkpoint: Checkpoint, texts: Sequence[str]) -> dict[str, Any]:
    """Compare a float32 graph with torch, and with sentence-transformers where the checkpoint is its folder.

    Returns:
        The largest differences, for ``lsr.json``.

    Raises:
        ParityError: when a token above 1e-3 is missing on one side or a weight differs by more than 1e-4, or when no
            text has a token, unless a vocabulary leaves some out.
    """
    vectors = Vectors(graph, checkpoint)(texts)
    if not vectors.any() and not checkpoint.left_out:
        raise ParityError(
            f"the checkpoint gives none of {len(texts)} sample texts a token: nothing would be found with it, and "
            "nothing can be compared; train it, or export the one before its penalty left no token"
        )
    figures: dict[str, Any] = {
        "texts": len(texts),
        "tolerance": TOLERANCE,
        "active_dims": round(float((vectors > 0).sum(axis=1).mean()), 1),
        "max_difference_torch": _equal(vectors, _torch(module, checkpoint, texts), "torch"),
        "max_difference_sentence_transformers": None,
    }
    if checkpoint.oracle is not None:
        expected = checkpoint.oracle.encode_document(
            list(texts), batch_size=_rows(checkpoint), show_progress_bar=False, convert_to_sparse_tensor=False
        )
        # A foreign checkpoint may give [CLS] or [SEP] a weight; ours are 0 by contract.
        expected = expected.numpy() * module.keep.numpy()
        figures["max_difference_sentence_transformers"] = _equal(vectors, expected, "sentence-transformers")
    return figures


def batch_invariance(graph: Path, checkpoint: Checkpoint, texts: Sequence[str], quantization: str) -> dict[str, Any]:
    """Compare each text alone with the same text in a batch of mixed lengths and with padding added.

    Raises:
        ParityError: when a vector depends on the texts beside it by more than 1e-4, or 1e-3 with int8 or int4 weights.
    """
    vectors = Vectors(graph, checkpoint)
    alone = vectors(texts, batch=1)
    largest = max(
        float(np.abs(alone - vectors(texts)).max()),
        float(np.abs(alone - vectors(texts, batch=1, padding=9)).max()),
    )
    if largest > INVARIANCE[quantization]:
        raise ParityError(
            f"a document's vector depends on its batch: the same text alone and in a batch differ by {largest:.2g} "
            f"(allowed: {INVARIANCE[quantization]:g}); this graph cannot be used"
        )
    return {"max_difference_batch": largest}


def against_float32(
    graph: Path, expected: NDArray[np.float32], checkpoint: Checkpoint, texts: Sequence[str], quantization: str
) -> dict[str, Any]:
    """What quantisation costs on these texts, each alone: recorded, and refused only when it cannot be rounding.

    Args:
        graph: path of the quantised ONNX file.
        expected: what the float32 one gives for each text alone, [texts, vocab].
        checkpoint: for its tokenizer.
        texts: what is encoded.
        quantization: as in ``lsr.json``.

    Raises:
        ParityError: when a vector's cosine with its float32 one is below :data:`SMALLEST_COSINE`.
    """
    got = Vectors(graph, checkpoint)(texts, batch=1)
    norms = np.linalg.norm(got, axis=1) * np.linalg.norm(expected, axis=1)
    cosines = (got * expected).sum(axis=1)[norms > 0] / norms[norms > 0]
    nothing_left = expected.any() and not got.any()
    smallest = float(cosines.min()) if len(cosines) else 1.0 - nothing_left
    if smallest < SMALLEST_COSINE[quantization]:
        raise ParityError(
            f"{quantization} changes a vector too much: cosine {smallest:.3f} with float32 "
            f"(at least {SMALLEST_COSINE[quantization]}); export with --quantize none"
        )
    return {
        "max_difference_float32": float(np.abs(got - expected).max()),
        "min_cosine_float32": round(smallest, 6),
        "mean_cosine_float32": round(float(cosines.mean()), 6) if len(cosines) else 1.0,
    }


def versions() -> dict[str, str]:
    """The libraries that made and checked the graph."""
    return {"onnxruntime": onnxruntime.__version__, "torch": str(torch.__version__)}


def _torch(module: DocumentGraph, checkpoint: Checkpoint, texts: Sequence[str]) -> NDArray[np.float32]:
    with torch.no_grad():
        rows = [
            module(torch.from_numpy(ids), torch.from_numpy(mask)).numpy()
            for ids, mask in _batches(checkpoint, texts, _rows(checkpoint), 0)
        ]
    return np.concatenate(rows)


def _rows(checkpoint: Checkpoint) -> int:
    return min(BATCH, max(1, LOGITS // (checkpoint.max_length * checkpoint.vocab_size)))


def _equal(got: NDArray[np.float32], expected: NDArray[np.float32], origin: str) -> float:
    largest = float(np.abs(got - expected).max())
    lost = int((((got > ACTIVE) & (expected <= 0)) | ((expected > ACTIVE) & (got <= 0))).sum())
    if lost or not largest <= TOLERANCE:  # written so that NaN fails
        raise ParityError(
            f"the graph is not the checkpoint: weights differ from {origin} by up to {largest:.2g} "
            f"(allowed: {TOLERANCE:g}), {lost} tokens on one side only"
        )
    return largest


def _batches(
    checkpoint: Checkpoint, texts: Sequence[str], batch: int, padding: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    encodings = [encoding.ids for encoding in checkpoint.tokenizer.encode_batch(list(texts))]
    for start in range(0, len(encodings), batch):
        rows = encodings[start : start + batch]
        longest = max(1, *(len(row) for row in rows)) + padding
        ids = np.zeros((len(rows), min(longest, checkpoint.max_length)), dtype=np.int64)
        mask = np.zeros_like(ids)
        for i, row in enumerate(rows):
            ids[i, : len(row)] = row
            mask[i, : len(row)] = 1
        yield ids, mask
