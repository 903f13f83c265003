"""Masked LM + pooling + activation as one torch module, and that module as ONNX under ML Commons' contract.

Two int64 inputs named as ML Commons names them, one float32 output [batch, vocab], opset 17, IR 8: what its bundled
onnxruntime 1.16.3 reads.
"""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

from opensearch_lsr.document_encoder import ATTENTION_MASK, INPUT_IDS
from opensearch_lsr.errors import CheckpointError, needs_extra
from opensearch_lsr.export.checkpoint import Checkpoint

with needs_extra("export", "exporting a checkpoint"):
    import onnx
    import torch

if TYPE_CHECKING:
    from opensearch_lsr.training.lexical_prior import LexicalPrior

OUTPUT = "output"
OPSET, IR_VERSION = 17, 8
LARGEST = 2**31 - 1  # protobuf's limit for one message, so for one .onnx without external data


class DocumentGraph(torch.nn.Module):
    """Documents' vectors: ``keep · activation(max over real positions of the logits) + lexical prior``.

    The activation grows with its argument, so pooling first gives SpladePooling's vector
    (``max_i log(1 + relu(x_i))``, arXiv 2109.10086) with the logarithms taken once a column, not once a position.

    Args:
        model: masked LM, ids and mask → ``.logits`` [batch, sequence, vocab].
        activation: ``relu`` (one log), ``log1p_relu`` (two, arXiv 2504.14839), and so on.
        special_ids: columns that are always 0.
        vocab_size: number of columns.
        prior: added last, a scatter-add over the ids; None for none.
    """

    keep: torch.Tensor

    def __init__(
        self,
        model: torch.nn.Module,
        activation: str,
        special_ids: Sequence[int],
        vocab_size: int,
        prior: LexicalPrior | None = None,
    ) -> None:
        super().__init__()
        self.model = model
        self.logs = activation.count("log1p_") + 1
        self.prior = prior
        keep = torch.ones(vocab_size)
        keep[list(special_ids)] = 0
        self.register_buffer("keep", keep)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """int64 ids and mask [batch, sequence] → float32 [batch, vocab] ≥ 0; a fully masked row is all zeros."""
        logits = self.model(input_ids=input_ids, attention_mask=attention_mask).logits
        # 0 at padding, as in SpladePooling: relu makes it the floor anyway.
        masked = logits * attention_mask.unsqueeze(-1).to(logits.dtype)
        weights = torch.relu(masked.amax(dim=1))
        for _ in range(self.logs):
            weights = torch.log1p(weights)
        weights = weights * self.keep
        if self.prior is None:
            return weights
        vector: torch.Tensor = self.prior(
            {"sentence_embedding": weights, "input_ids": input_ids, "attention_mask": attention_mask}
        )["sentence_embedding"]
        return vector


def build(checkpoint: Checkpoint) -> DocumentGraph:
    """The torch module of a checkpoint, in evaluation mode."""
    return DocumentGraph(
        checkpoint.model, checkpoint.activation, checkpoint.special_ids, checkpoint.vocab_size, checkpoint.prior
    ).eval()


def write(graph: DocumentGraph, path: Path) -> None:
    """Export a module to one ONNX file.

    Raises:
        CheckpointError: when torch cannot export this backbone, or the file would pass 2 GiB.
    """
    size = sum(parameter.numel() * 4 for parameter in graph.parameters())
    if size > LARGEST:
        raise CheckpointError(f"{size / 1e9:.1f} GB of weights; one ONNX file holds 2.1 GB, take a smaller backbone")
    # Batch and sequence differ from each other and from 1, and one row is padded, so that nothing is traced away.
    ids = torch.ones(2, 7, dtype=torch.int64)
    mask = torch.ones(2, 7, dtype=torch.int64)
    mask[1, 5:] = 0
    with _quiet(), torch.no_grad():
        try:
            torch.onnx.export(
                graph,
                (ids, mask),
                str(path),
                input_names=[INPUT_IDS, ATTENTION_MASK],
                output_names=[OUTPUT],
                dynamic_axes={
                    INPUT_IDS: {0: "batch", 1: "sequence"},
                    ATTENTION_MASK: {0: "batch", 1: "sequence"},
                    OUTPUT: {0: "batch"},
                },
                opset_version=OPSET,
                dynamo=False,
                # Folding would write the tied embedding a second time, transposed; onnxruntime folds when it loads.
                do_constant_folding=False,
            )
        except (RuntimeError, torch.onnx.errors.OnnxExporterError) as error:
            reason = str(error).strip().splitlines()[0][:200]
            raise CheckpointError(f"torch cannot export this backbone to ONNX opset {OPSET} ({reason})") from error
    model = onnx.load(str(path))
    model.ir_version = IR_VERSION
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


@contextmanager
def _quiet() -> Iterator[None]:
    """The exporter warns that it is deprecated and about every traced shape, and prints a graph that it cannot write.

    The parity check is what decides, and an error is one line.
    """
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
