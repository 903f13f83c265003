"""Masked LM + pooling + activation as one torch module, and its body, all but the head, as ONNX.

Opset 17 and IR 8 are what ML Commons' bundled onnxruntime 1.16.3 reads.
"""

from __future__ import annotations

import io
import logging
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, redirect_stdout
from functools import cached_property
from typing import TYPE_CHECKING, Any

from opensearch_lsr.document_encoder import ATTENTION_MASK, INPUT_IDS
from opensearch_lsr.errors import CheckpointError, needs_extra
from opensearch_lsr.export.checkpoint import Checkpoint

with needs_extra("export", "exporting a checkpoint"):
    import onnx
    import torch

    from opensearch_lsr.training.head import skipped

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from opensearch_lsr.training.lexical_prior import LexicalPrior

OPSET, IR_VERSION = 17, 8
WORTH_CUTTING = 0.95  # of the columns
HIDDEN, MAXIMA, PRIOR = "hidden", "maxima", "prior"  # outputs of the body


class DocumentGraph(torch.nn.Module):
    """Documents' vectors: ``keep · (activation(max over real positions of the logits) + lexical prior)``.

    The activation grows with its argument, so pooling first gives SpladePooling's vector
    (``max_i log(1 + relu(x_i))``, arXiv 2109.10086) with the logarithms taken once a column, not once a position.

    Args:
        model: masked LM, ids and mask → ``.logits`` [batch, sequence, vocab].
        activation: ``relu`` (one log), ``log1p_relu`` (two, arXiv 2504.14839), and so on.
        silent_ids: columns that are always 0.
        vocab_size: number of columns.
        prior: added last, a scatter-add over the ids; None for none.
    """

    keep: torch.Tensor

    def __init__(
        self,
        model: torch.nn.Module,
        activation: str,
        silent_ids: Sequence[int],
        vocab_size: int,
        prior: LexicalPrior | None = None,
    ) -> None:
        super().__init__()
        self.model = model
        self.logs = activation.count("log1p_") + 1
        self.prior = prior
        keep = torch.ones(vocab_size)
        keep[list(silent_ids)] = 0
        self.register_buffer("keep", keep)

    @cached_property
    def decoder(self) -> torch.nn.Linear | None:
        """What projects hidden states onto the vocabulary, where that is plainly the masked LM's last step."""
        model: Any = self.model
        decoder = model.get_output_embeddings()
        if not isinstance(decoder, torch.nn.Linear):
            return None
        inputs = {"input_ids": torch.zeros(1, 2, dtype=torch.int64), "attention_mask": torch.ones(1, 2)}
        with torch.no_grad():
            logits = model(**inputs).logits
            with skipped(decoder):
                hidden = model(**inputs).logits
            plain = hidden.shape[-1] == decoder.in_features and torch.allclose(decoder(hidden), logits, atol=1e-5)
        return decoder if plain else None

    @property
    def bias(self) -> torch.Tensor:
        """The decoder's, float32 [vocab]."""
        bias = self.decoder.bias if self.decoder else None
        return torch.zeros_like(self.keep) if bias is None else bias.detach()

    @property
    def kept(self) -> NDArray[np.int64] | None:
        """int64, the columns that can fire; None where nearly all can, and leaving some out would save nothing."""
        kept = self.keep.nonzero().squeeze(1).numpy()
        return kept if len(kept) <= WORTH_CUTTING * len(self.keep) else None

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """int64 ids and mask [batch, sequence] → float32 [batch, vocab] ≥ 0; a fully masked row is all zeros.

        As written, logits and all: the ONNX graph, which never holds them, is compared with it.
        """
        logits = self.model(input_ids=input_ids, attention_mask=attention_mask).logits
        # 0 at padding, as in SpladePooling: relu makes it the floor anyway.
        masked = logits * attention_mask.unsqueeze(-1).to(logits.dtype)
        weights = torch.relu(masked.amax(dim=1))
        for _ in range(self.logs):
            weights = torch.log1p(weights)
        if self.prior is not None:
            weights = weights + self.added(input_ids, attention_mask)
        return weights * self.keep

    def added(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """The lexical prior alone, float32 [batch, vocab]."""
        assert self.prior is not None
        features = {"input_ids": input_ids, "attention_mask": attention_mask}
        nothing = self.keep.new_zeros(input_ids.shape[0], self.keep.shape[0])
        vector: torch.Tensor = self.prior(features | {"sentence_embedding": nothing})["sentence_embedding"]
        return vector


class _Body(torch.nn.Module):
    """What torch exports: hidden states, or maxima where it is not plain what projects them, and lexical prior."""

    def __init__(self, whole: DocumentGraph) -> None:
        super().__init__()
        self.whole = whole

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Hidden states [sequence, batch, size], in which padding repeats a real position, or maxima [batch, vocab]."""
        decoder = self.whole.decoder
        with skipped(decoder) if decoder else nullcontext():
            hidden = self.whole.model(input_ids=input_ids, attention_mask=attention_mask).logits
        own = torch.arange(input_ids.shape[1], device=input_ids.device).unsqueeze(0)
        first = attention_mask.float().argmax(dim=1, keepdim=True)  # onnxruntime 1.16.3 has no ArgMax of integers
        real = torch.where(attention_mask.bool(), own, first)
        hidden = hidden.gather(1, real.unsqueeze(-1).expand(-1, -1, hidden.shape[-1])).transpose(0, 1)
        if decoder is None:
            hidden = hidden.amax(dim=0)
        if self.whole.prior is None:
            return (hidden,)
        return hidden, self.whole.added(input_ids, attention_mask)


def build(checkpoint: Checkpoint) -> DocumentGraph:
    """The torch module of a checkpoint, in evaluation mode."""
    return DocumentGraph(
        checkpoint.model, checkpoint.activation, checkpoint.silent_ids, checkpoint.vocab_size, checkpoint.prior
    ).eval()


def body(graph: DocumentGraph) -> Any:
    """The encoder as ONNX, up to what the head projects: outputs ``hidden`` (or ``maxima``) and ``prior``, if any.

    Raises:
        CheckpointError: when torch cannot export this backbone.
    """
    # Batch and sequence differ from each other and from 1, and one row is padded, so that nothing is traced away.
    ids = torch.ones(2, 7, dtype=torch.int64)
    mask = torch.ones(2, 7, dtype=torch.int64)
    mask[1, 5:] = 0
    with tempfile.TemporaryDirectory() as folder, quiet("torch.onnx"), torch.no_grad():
        try:
            torch.onnx.export(
                _Body(graph).eval(),
                (ids, mask),
                f"{folder}/body.onnx",
                input_names=[INPUT_IDS, ATTENTION_MASK],
                output_names=[HIDDEN if graph.decoder else MAXIMA, *([PRIOR] if graph.prior else [])],
                dynamic_axes={
                    INPUT_IDS: {0: "batch", 1: "sequence"},
                    ATTENTION_MASK: {0: "batch", 1: "sequence"},
                    HIDDEN: {0: "sequence", 1: "batch"},
                    MAXIMA: {0: "batch"},
                    PRIOR: {0: "batch"},
                },
                opset_version=OPSET,
                dynamo=False,
                # Folding would write the tied embedding a second time, transposed; onnxruntime folds when it loads.
                do_constant_folding=False,
            )
        except (RuntimeError, torch.onnx.errors.OnnxExporterError) as error:
            reason = str(error).strip().splitlines()[0][:200]
            raise CheckpointError(f"torch cannot export this backbone to ONNX opset {OPSET} ({reason})") from error
        model = onnx.load(f"{folder}/body.onnx")
    model.ir_version = IR_VERSION
    return model


@contextmanager
def quiet(name: str | None) -> Iterator[None]:
    """The exporter warns that it is deprecated and about every traced shape, and prints a graph that it cannot write.

    onnxruntime's quantiser advises every caller to fuse nodes first. The parity check is what decides, and an error is
    one line.

    Args:
        name: the logger that is to say nothing below errors; None for the root.
    """
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
