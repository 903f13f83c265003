"""The lexical prior: BM25's term weights inside the document vector, so that the network learns the rest.

For a document's own tokens j, ``w(d)_j = learned_j + prior_j`` with ::

    prior_j = β_j · tf_j / ( tf_j + k · (1 − b + b · len / avglen) )

tf_j is how often the token occurs, len how many tokens there are. It is BM25's term frequency part (Robertson and
Zaragoza 2009, without the constant factor k + 1, which β holds); its IDF is the query table's, since queries score
``Σ_j idf_j · w(d)_j``. Special tokens and padding count neither in tf nor in len. The prior is ours; with it exact
matches of rare, split or numeric words are there before training, and the network learns expansion and correction.

Worked example: "water water pipe" with k = 1.2, b = 0.75 and avglen = 6 has len = 3, so the norm is
1.2 · (0.25 + 0.75 · 3/6) = 0.75: water 2 / 2.75 = 0.7273, pipe 1 / 1.75 = 0.5714, times their β.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Self

from opensearch_lsr.errors import InputError, needs_extra

with needs_extra("train", "training"):
    import torch
    from sentence_transformers.base.modules.module import Module
    from torch import Tensor, nn

SMALLEST_NORM = 1e-6  # k or 1 − b can underflow; without it an absent token would weigh 0 / 0


def lexical_weights(
    input_ids: Tensor,
    attention_mask: Tensor,
    scale: Tensor,
    k: Tensor,
    b: Tensor,
    average_length: float,
    counted: Tensor,
) -> Tensor:
    """The prior of each document, in operations that ONNX opset 17 has (scatter-add: ScatterElements since 16).

    Args:
        input_ids: int64 [batch, sequence].
        attention_mask: int64 [batch, sequence], 0 at padding.
        scale: β ≥ 0, float32 [vocab].
        k: scalar above 0.
        b: scalar in [0, 1].
        average_length: in counted tokens a document.
        counted: float32 [vocab], 0 for special tokens and 1 for all others.

    Returns:
        float32 [batch, vocab] ≥ 0; all zeros for a document without counted tokens.

    Example: the module's, tokens 1 (water) and 2 (pipe) between two special tokens 0, β = 1.

        >>> ids = torch.tensor([[0, 1, 1, 2, 0]])
        >>> k, b, counted = torch.tensor(1.2), torch.tensor(0.75), torch.tensor([0.0, 1.0, 1.0])
        >>> lexical_weights(ids, torch.ones_like(ids), torch.ones(3), k, b, 6.0, counted)
        tensor([[0.0000, 0.7273, 0.5714]])
    """
    occurrences = attention_mask.to(scale.dtype) * counted[input_ids]
    frequency = scale.new_zeros(input_ids.shape[0], scale.shape[0]).scatter_add(1, input_ids, occurrences)
    length = occurrences.sum(dim=1, keepdim=True)
    norm = (k * (1 - b + b * length / average_length)).clamp(min=SMALLEST_NORM)
    return scale * frequency / (frequency + norm)


class LexicalPrior(Module):  # type: ignore[misc]  # sentence-transformers is untyped
    """Adds the prior to ``sentence_embedding``; the last module of a document route, after pooling and activation.

    It is no class of sentence-transformers', so a checkpoint with it loads with ``trust_remote_code=True`` only. Its
    weights are one safetensors file: β [vocab], and k and b before softplus and sigmoid.

    Args:
        vocab_size: number of tokens.
        special_ids: tokens that are not part of the text.
        average_length: avglen, mean number of other tokens a document of the training set; fixed.
        beta: every β at the start, except special and dropped tokens'.
        k: at the start, above 0.
        b: at the start, between 0 and 1.
        dropped: tokens whose β starts at 0, such as stop words; training may raise it.
        learn_scale: whether β is trained.
        learn_curve: whether k and b are trained.

    Raises:
        InputError: when a number is out of its range.
    """

    # β, k and b are in the weights, which are loaded over their starting values.
    config_keys: list[str] = ["vocab_size", "special_ids", "average_length", "learn_scale", "learn_curve"]  # noqa: RUF012

    counted: Tensor

    def __init__(
        self,
        vocab_size: int,
        special_ids: Sequence[int],
        average_length: float,
        beta: float = 1.0,
        k: float = 1.2,
        b: float = 0.75,
        dropped: Sequence[int] = (),
        learn_scale: bool = True,
        learn_curve: bool = True,
    ) -> None:
        super().__init__()
        for rule, value, valid in (
            ("average_length is above 0", average_length, average_length > 0),
            ("beta is 0 or more", beta, beta >= 0),
            ("k is above 0", k, k > 0),
            ("b is between 0 and 1", b, 0 < b < 1),
        ):
            if not valid:
                raise InputError(f"lexical prior: {rule}, not {value}")
        self.vocab_size = vocab_size
        self.special_ids = [int(index) for index in special_ids]
        self.average_length = average_length
        self.learn_scale = learn_scale
        self.learn_curve = learn_curve
        scale = torch.full((vocab_size,), float(beta))
        scale[[*self.special_ids, *dropped]] = 0
        self.scale = nn.Parameter(scale, requires_grad=learn_scale)
        self.raw_k = nn.Parameter(torch.tensor(k + math.log(-math.expm1(-k))), requires_grad=learn_curve)
        self.raw_b = nn.Parameter(torch.tensor(math.log(b / (1 - b))), requires_grad=learn_curve)
        counted = torch.ones(vocab_size)
        counted[self.special_ids] = 0
        self.register_buffer("counted", counted, persistent=False)

    @property
    def beta(self) -> Tensor:
        """β [vocab] as :func:`lexical_weights` takes it, ≥ 0: the last step of training may have left it below."""
        return self.scale if self.training else self.scale.clamp(min=0)

    @property
    def k(self) -> Tensor:
        """Saturation, a scalar above 0."""
        return nn.functional.softplus(self.raw_k)

    @property
    def b(self) -> Tensor:
        """Length normalisation, a scalar in [0, 1]."""
        return self.raw_b.sigmoid()

    def forward(self, features: dict[str, Any]) -> dict[str, Any]:
        """Add to ``sentence_embedding``, float [batch, vocab], the prior of ``input_ids`` and ``attention_mask``."""
        if self.training:
            # Clamped in place, since a clamp in the graph has no gradient at 0: a β there could never rise again. Past
            # autograd, because several forward passes share one backward pass; the second clamp changes nothing.
            self.scale.data.clamp_(min=0)
        ids, mask = _padded(features)
        prior = lexical_weights(ids, mask, self.beta, self.k, self.b, self.average_length, self.counted)
        features["sentence_embedding"] = features["sentence_embedding"] + prior
        return features

    def get_embedding_dimension(self) -> int:
        """Number of tokens: the prior changes no dimension."""
        return self.vocab_size

    def save(self, output_path: str, *args: Any, safe_serialization: bool = True, **kwargs: Any) -> None:
        """Write ``config.json`` and ``model.safetensors``."""
        self.save_config(output_path)
        self.save_torch_weights(output_path, safe_serialization=safe_serialization)

    @classmethod
    def load(
        cls,
        model_name_or_path: str,
        subfolder: str = "",
        token: bool | str | None = None,
        cache_folder: str | None = None,
        revision: str | None = None,
        local_files_only: bool = False,
        **kwargs: Any,
    ) -> Self:
        """Load what :meth:`save` wrote, from a folder or the Hub."""
        where = {
            "subfolder": subfolder,
            "token": token,
            "cache_folder": cache_folder,
            "revision": revision,
            "local_files_only": local_files_only,
        }
        module = cls(**cls.load_config(model_name_or_path, **where))
        loaded: Self = cls.load_torch_weights(model_name_or_path, **where, model=module)
        return loaded


def _padded(features: dict[str, Any]) -> tuple[Tensor, Tensor]:
    """Ids and mask [batch, sequence], also where the transformer took its batch as one long row (flash attention)."""
    ids: Tensor = features["input_ids"]
    if "cu_seq_lens_q" not in features:
        return ids, features["attention_mask"]
    rows = list(torch.functional.split(ids.squeeze(0), features["cu_seq_lens_q"].diff().tolist()))
    padded = nn.utils.rnn.pad_sequence(rows, batch_first=True)
    mask = nn.utils.rnn.pad_sequence([torch.ones_like(row) for row in rows], batch_first=True)
    return padded, mask
