"""Low-rank adapters (LoRA, arXiv 2106.09685) in a model, by ``peft``: ``W + alpha / rank · B A``, with W frozen."""

from __future__ import annotations

from typing import Any

from opensearch_lsr.errors import CheckpointError, needs_extra

with needs_extra("train", "training"):
    import torch

MARK, BASE = ".lora_", ".base_layer."  # in the names of peft's parameters


def add(model: Any, rank: int, alpha: int, dropout: float) -> None:
    """Put adapters beside every linear layer of a language model but its output, in place; all else is frozen.

    Raises:
        CheckpointError: for an architecture that ``peft`` does not know how to adapt.
        MissingExtraError: when ``peft`` is not installed.
    """
    with needs_extra("train", "LoRA"):
        from peft import LoraConfig, inject_adapter_in_model
        from transformers.pytorch_utils import Conv1D  # GPT-2's linear layers
    output = model.get_output_embeddings()
    kinds = torch.nn.Linear, Conv1D
    targets = [name for name, layer in model.named_modules() if isinstance(layer, kinds) and layer is not output]
    transposed = any(isinstance(layer, Conv1D) for layer in model.modules())
    config = LoraConfig(
        r=rank, lora_alpha=alpha, lora_dropout=dropout, target_modules=targets, fan_in_fan_out=transposed
    )
    try:
        inject_adapter_in_model(config, model)
    except ValueError as error:  # layers that work on their weights themselves, as Mamba's do
        raise CheckpointError(f"{type(model).__name__}: peft has no adapters for it; leave model.lora out") from error
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(MARK in name)


def merge(model: Any) -> None:
    """Add the adapters to the weights they stand beside, in float32, and take them out."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    model.float()
    adapters = [(name, layer) for name, layer in model.named_modules() if isinstance(layer, BaseTunerLayer)]
    for name, layer in adapters:
        layer.merge()
        model.set_submodule(name, layer.get_base_layer())
    for parameter in model.parameters():
        parameter.requires_grad_(True)
