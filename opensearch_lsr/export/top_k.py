"""Documents of at most k tokens, cut inside the graph: those that can add most to a score.

With a table, what a token can add is known when a document is encoded::

    contribution(t) = w_d(t) · w_q(t)        w_d(t) is kept where contribution(t) ≥ the document's k-th largest

Long documents have the longest vectors and give postings their length, and most of their entries are common words
that add little wherever they are asked for. A bi-encoder, without a table, keeps its largest weights. Entries that
contribute exactly as much as the k-th are kept with it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from opensearch_lsr.errors import ParityError, needs_extra
from opensearch_lsr.export.assembly import OUTPUT
from opensearch_lsr.export.checkpoint import Checkpoint
from opensearch_lsr.export.parity import TOLERANCE, Vectors

with needs_extra("export", "exporting a checkpoint"):
    import numpy as np
    from onnx import TensorProto, numpy_helper
    from onnx.helper import make_node

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

WHOLE = "whole"


def append(model: Any, k: int, checkpoint: Checkpoint) -> Any:
    """Cut a whole graph's vectors.

    Args:
        model: ONNX, output float32 [batch, vocab]; changed in place.
        k: tokens that a document keeps.
        checkpoint: for its table.
    """
    graph = model.graph
    (last,) = (node for node in graph.node if OUTPUT in node.output)
    last.output[list(last.output).index(OUTPUT)] = WHOLE
    for name, value in {"top_k.table": _table(checkpoint), "top_k.k": np.array([k], np.int64)}.items():
        graph.initializer.append(numpy_helper.from_array(value, name))
    graph.node.extend(
        [
            make_node("Mul", [WHOLE, "top_k.table"], ["top_k.contributions"]),
            make_node("TopK", ["top_k.contributions", "top_k.k"], ["top_k.largest", "top_k.places"], axis=1, sorted=0),
            make_node("ReduceMin", ["top_k.largest"], ["top_k.least"], axes=[1], keepdims=1),
            make_node("GreaterOrEqual", ["top_k.contributions", "top_k.least"], ["top_k.inside"]),
            make_node("Cast", ["top_k.inside"], ["top_k.kept"], to=TensorProto.FLOAT),
            make_node("Mul", [WHOLE, "top_k.kept"], [OUTPUT]),
        ]
    )
    return model


def check(
    path: Path, whole: NDArray[np.float32], k: int, checkpoint: Checkpoint, texts: Sequence[str]
) -> dict[str, Any]:
    """Compare a cut graph with the vectors of the whole one.

    Args:
        path: of the cut ONNX file.
        whole: what the whole graph gives for each text alone, [texts, vocab].
        k: tokens that a document keeps.
        checkpoint: for its tokenizer and table.
        texts: what is encoded.

    Returns:
        The active dimensions that are left, for ``lsr.json``.

    Raises:
        ParityError: when they are not the whole vectors' strongest entries.
    """
    contributions = whole * _table(checkpoint)
    least = -np.partition(-contributions, k - 1, axis=1)[:, k - 1 : k]
    expected = np.where(contributions >= least, whole, 0)
    got = Vectors(path, checkpoint)(texts, batch=1)
    if not np.abs(got - expected).max() <= TOLERANCE:  # written so that NaN fails
        raise ParityError(f"the graph does not keep the {k:,} tokens that add most; export without --top-k")
    return {"active_dims_kept": round(float((got > 0).sum(axis=1).mean()), 1)}


def _table(checkpoint: Checkpoint) -> NDArray[np.float32]:
    """float32 [vocab]: a token's weight in queries, 1 where those have a model of their own."""
    table = np.ones(checkpoint.vocab_size, np.float32)
    for token, weight in (checkpoint.weights or {}).items():
        table[checkpoint.tokenizer.token_to_id(token)] = weight
    return table
