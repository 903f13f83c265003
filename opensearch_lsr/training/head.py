"""The sparse head without its logits: max over positions of ``hidden · Eᵀ + bias``, keeping arg-maxima only.

SPLADE's head (arXiv 2109.10086, eq. 2) is ``w_j = act(max_i (h_i · E_j + bias_j))``. Computed as written it builds
logits of batch × sequence × vocabulary (32 × 128 × 30,522 float32: 500 MB) several times over, once for each of relu,
log and their gradients. But the maximum's gradient flows to one position an entry, and relu's only where the maximum is
positive: of the 125 million logits of such a batch some 6,400 (200 active dims a document) carry any. So the forward
pass goes over the vocabulary in blocks that stay in the processor's cache and keeps the active entries' positions, and
the backward pass is two sums over those entries. The gradient is autograd's, not an approximation.

Worked example, one document of two positions, one token ``E = [2]``, bias 1: ``h = [[3], [4]]`` has logits 7 and 9, so
``w = 9``; a gradient of 1 on it is ``dh = [[0], [2]]``, ``dE = [4]``, ``dbias = 1``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from itertools import pairwise
from typing import Any

from opensearch_lsr.errors import CheckpointError, needs_extra

with needs_extra("train", "training"):
    import torch
    from sentence_transformers import SparseEncoder
    from sentence_transformers.base.modules import Router, Transformer
    from sentence_transformers.sparse_encoder.modules import SpladePooling

BLOCK = 2048  # vocabulary entries at a time: 16 MB of bfloat16 logits for 4,096 positions


class MaxLogits(torch.autograd.Function):
    """``relu(max over real positions of hidden · weightᵀ + bias)``, with autograd's gradient."""

    @staticmethod
    def forward(
        ctx: Any, hidden: torch.Tensor, mask: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, fast: bool
    ) -> torch.Tensor:
        """Pool logits.

        Args:
            ctx: autograd's.
            hidden: [batch, sequence, size], any float dtype.
            mask: [batch, sequence], 0 at padding.
            weight: [vocab, size].
            bias: [vocab].
            fast: look for active entries in bfloat16. Their values and positions are computed in ``bias``'s dtype
                either way; an entry within bfloat16's rounding of 0 may be missed.

        Returns:
            [batch, vocab] ≥ 0, in ``bias``'s dtype, which may be finer than ``weight``'s; a document without real
            positions is all zeros.
        """
        real = mask.bool()
        active = maxima(hidden, real, weight, bias, fast) > 0
        hidden = hidden.to(bias.dtype)
        output = torch.zeros(active.shape, dtype=bias.dtype, device=bias.device)
        entries, positions = [], []
        for document, row in enumerate(active):
            tokens = row.nonzero().squeeze(1)
            logits = hidden[document] @ weight[tokens].to(bias.dtype).T
            logits = logits.masked_fill(~real[document].unsqueeze(1), -torch.inf)
            values, where = logits.max(dim=0)
            output[document, tokens] = (values + bias[tokens]).relu()
            entries.append(tokens)
            positions.append(where)
        ctx.save_for_backward(hidden, weight, output, torch.cat(entries), torch.cat(positions))
        ctx.counts = [len(tokens) for tokens in entries]
        return output

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
        """Gradients of hidden, weight and bias; each flows through the active entries' arg-max positions."""
        (gradient,) = gradients
        hidden, weight, output, entries, positions = ctx.saved_tensors
        of_hidden = torch.zeros_like(hidden)
        of_weight = torch.zeros_like(weight) if ctx.needs_input_grad[2] else None  # frozen, it may be a gigabyte
        gradient = gradient.to(output.dtype) * (output > 0)
        parts = zip(entries.split(ctx.counts), positions.split(ctx.counts), strict=True)
        for document, (tokens, where) in enumerate(parts):
            scale = gradient[document, tokens].unsqueeze(1)
            of_hidden[document].index_add_(0, where, scale * weight[tokens].to(output.dtype))
            if of_weight is not None:
                of_weight.index_add_(0, tokens, (scale * hidden[document, where]).to(weight.dtype))
        return of_hidden, None, of_weight, gradient.sum(dim=0), None


def maxima(
    hidden: torch.Tensor, real: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, fast: bool = False
) -> torch.Tensor:
    """``max over real positions of hidden · weightᵀ + bias``, block by block.

    Args:
        hidden: [batch, sequence, size].
        real: bool [batch, sequence].
        weight: [vocab, size].
        bias: [vocab].
        fast: in bfloat16.

    Returns:
        [batch, vocab] in ``bias``'s dtype, −inf where a document has no real position.
    """
    hidden = hidden.to(weight.dtype)
    if fast:
        hidden, weight = hidden.bfloat16(), weight.bfloat16()
    batch, sequence, size = hidden.shape
    flat = hidden.reshape(-1, size)
    # Padding takes the place of a real position's logits, which leaves the maximum as it is.
    first = real.to(torch.uint8).argmax(dim=1) + torch.arange(batch, device=real.device) * sequence
    own = torch.arange(batch * sequence, device=real.device).view(batch, sequence)
    flat = flat[torch.where(real, own, first.unsqueeze(1)).view(-1)]
    blocks = [
        (flat @ block.T).view(batch, sequence, -1).amax(dim=1).to(bias.dtype) for block in torch.split(weight, BLOCK)
    ]
    return (torch.cat(blocks, dim=1) + bias).masked_fill(~real.any(dim=1, keepdim=True), -torch.inf)


def install(model: SparseEncoder) -> SparseEncoder:
    """Give each masked LM + max SpladePooling of a model this head, in place.

    It changes how the vector is computed, not what it is, so the modules stay sentence-transformers' own and are saved
    as such. Under bfloat16 autocast active entries are found in bfloat16.

    Raises:
        CheckpointError: when the model has no such pair.
    """
    found = 0
    routes = [list(route) for module in model if isinstance(module, Router) for route in module.sub_modules.values()]
    for modules in routes or [list(model)]:
        for transformer, pooling in pairwise(modules):
            if isinstance(transformer, Transformer) and isinstance(pooling, SpladePooling):
                _install(transformer, pooling)
                found += 1
    if not found:
        raise CheckpointError("the model has no masked LM followed by SpladePooling, which the arg-max head replaces")
    return model


def install_where_it_fits(model: SparseEncoder) -> SparseEncoder:
    """:func:`install`; a model that has another head (sum pooling, a decoder without bias) keeps it."""
    with suppress(CheckpointError):
        install(model)
    return model


def _install(transformer: Transformer, pooling: SpladePooling) -> None:
    if "forward" in vars(pooling):
        return  # has it already
    decoder = transformer.auto_model.get_output_embeddings()
    if pooling.pooling_strategy != "max" or decoder is None or decoder.bias is None:
        raise CheckpointError("the arg-max head needs max pooling and a masked LM whose decoder has a bias")
    transformer.forward = partial(_hidden_states, decoder, transformer.forward)
    pooling.forward = partial(_pool, decoder, pooling)


def _hidden_states(decoder: torch.nn.Linear, forward: Any, features: dict[str, Any], **options: Any) -> Any:
    with skipped(decoder):
        return forward(features, **options)


def _pool(decoder: torch.nn.Linear, pooling: SpladePooling, features: dict[str, Any]) -> dict[str, Any]:
    hidden = features["token_embeddings"]
    fast = torch.is_autocast_enabled(hidden.device.type)
    with torch.autocast(hidden.device.type, enabled=False):
        vector = MaxLogits.apply(hidden, features["attention_mask"], decoder.weight, decoder.bias, fast)
        for _ in range({"relu": 1, "log1p_relu": 2}[pooling.activation_function]):
            vector = torch.log1p(vector)
    pooling.embedding_dimension = vector.shape[1]
    features["sentence_embedding"] = vector
    return features


def _as_it_is(input: torch.Tensor) -> torch.Tensor:
    return input


@contextmanager
def skipped(decoder: torch.nn.Linear) -> Iterator[None]:
    """Within it the masked LM's "logits" are what its decoder would have projected."""
    decoder.forward = _as_it_is  # type: ignore[method-assign]
    try:
        yield
    finally:
        del decoder.forward
