"""Further logarithms behind SpladePooling: the ℓ0 approximation activation with k logs."""

from __future__ import annotations

from typing import Any

from opensearch_lsr.errors import InputError, needs_extra

with needs_extra("train", "training"):
    import torch
    from sentence_transformers.base.modules.module import Module


class Logs(Module):  # type: ignore[misc]  # sentence-transformers is untyped
    """``w ← log(1 + w)``, ``times`` times, on the pooled vector.

    2504.14839 takes one logarithm more than SPLADE, ``log(1 + log(1 + relu(x)))``: the size of a weight saturates, so
    that FLOPS presses on the number of tokens, as ℓ0 would. ``SpladePooling`` has one logarithm (``relu``) or two
    (``log1p_relu``); k ≥ 3 are ``log1p_relu`` and ``Logs(k − 2)``. The logarithm grows with its argument, so after max
    pooling it is the same as before (after sum pooling it is not). It is no class of sentence-transformers', so a
    checkpoint with it loads with ``trust_remote_code=True`` only.

    Args:
        times: further logarithms, 1 or more.

    Raises:
        InputError: when ``times`` is less.

    Example: e − 1 is 1 after one and ln 2 after two.

        >>> features = Logs(2)({"sentence_embedding": torch.tensor([[0.0, 1.718282]])})
        >>> [round(weight, 4) for weight in features["sentence_embedding"][0].tolist()]
        [0.0, 0.6931]
    """

    config_keys: list[str] = ["times"]  # noqa: RUF012  # declared so by the base class

    def __init__(self, times: int) -> None:
        super().__init__()
        if times < 1:
            raise InputError(f"{times} further logarithms; Logs takes 1 or more, leave it out for none")
        self.times = times

    def forward(self, features: dict[str, Any]) -> dict[str, Any]:
        """``sentence_embedding``, float [batch, vocab] ≥ 0, in and out; zeros stay zeros."""
        weights: torch.Tensor = features["sentence_embedding"]
        for _ in range(self.times):
            weights = weights.log1p()
        features["sentence_embedding"] = weights
        return features

    def save(self, output_path: str, *args: Any, safe_serialization: bool = True, **kwargs: Any) -> None:
        """Write ``config.json``; there are no weights."""
        self.save_config(output_path)
