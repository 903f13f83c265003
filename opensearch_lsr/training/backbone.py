"""A backbone's folder as the document side's first module, with a head whose special tokens never fire."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from opensearch_lsr.errors import CheckpointError, InputError, needs_extra
from opensearch_lsr.training import causal_probe, causal_tokenizer, checkpoint, recipe_model
from opensearch_lsr.training.causal_transformer import CausalTransformer

with needs_extra("train", "training"):
    import torch
    from sentence_transformers.base.modules import Transformer
    from transformers import (
        MODEL_FOR_CAUSAL_LM_MAPPING,
        MODEL_FOR_MASKED_LM_MAPPING,
        AutoConfig,
        AutoModelForMaskedLM,
    )

NEVER = -1e4  # decoder bias of special and unused tokens: their columns are 0


def transformer(folder: Path, asked: recipe_model.Model) -> Transformer:
    """A masked or causal LM in its module, float32.

    Returns:
        sentence-transformers' ``Transformer``, or :class:`CausalTransformer`; ``has_new_head`` where the head, or a
        causal LM's bias, is new.

    Raises:
        CheckpointError: when the backbone cannot be opened or does not fit.
        InputError: when a setting is for the other kind.
    """
    _check_kind(folder, asked)
    return _masked(folder, asked.layers) if asked.attention is None else _causal(folder, asked)


def _check_kind(folder: Path, asked: recipe_model.Model) -> None:
    """Whether the setting that a causal LM needs is there, and is not where it means nothing."""
    with checkpoint.one_line(folder), checkpoint.no_bars():
        config = type(AutoConfig.from_pretrained(folder))
    masked = config in MODEL_FOR_MASKED_LM_MAPPING
    causal = config in MODEL_FOR_CAUSAL_LM_MAPPING and not masked  # BERT could be one, too
    if causal and asked.attention is None:
        raise InputError(f"{folder.name} is a causal LM; set model.attention to causal, echo or bidirectional")
    if not causal and asked.attention is not None:
        raise InputError(f"model.attention = {asked.attention} is for causal LMs; {folder.name} is none, leave it out")


def _masked(folder: Path, layers: int | None) -> Transformer:
    """A masked LM in a Transformer module; a new head where weights of it are missing, whatever the config says."""
    with checkpoint.one_line(folder), checkpoint.no_bars():
        # Opened twice: Transformer does not hand on what was missing.
        report = AutoModelForMaskedLM.from_pretrained(
            folder, output_loading_info=True, dtype=torch.float32, use_safetensors=True
        )[1]
        config = AutoConfig.from_pretrained(folder)
        module = Transformer(
            str(folder),
            transformer_task="fill-mask",
            config_kwargs={"num_hidden_layers": layers or config.num_hidden_layers},
            model_kwargs={"dtype": torch.float32, "use_safetensors": True},
        )
    if report["missing_keys"]:
        _new_head(module.auto_model)
        module.has_new_head = True
    silence(module)
    return module


def _causal(folder: Path, asked: recipe_model.Model) -> CausalTransformer:
    """A causal LM in its module, its vocabulary cut to the tokenizer's (Qwen's is padded), adapters where asked for."""
    assert asked.attention is not None
    with checkpoint.one_line(folder), checkpoint.no_bars():
        module = CausalTransformer(
            str(folder),
            attention=asked.attention,
            config_kwargs={"num_hidden_layers": asked.layers} if asked.layers else None,
            model_kwargs={"dtype": torch.float32, "use_safetensors": True},
        )
    tokenizer, lm = causal_tokenizer.prepared(module.tokenizer, folder.name), module.auto_model
    module.use_tokenizer(tokenizer)
    size, rows = len(tokenizer.get_vocab()), lm.config.vocab_size
    if sorted(tokenizer.get_vocab().values()) != list(range(size)) or size > rows:
        raise CheckpointError(f"{folder}: {size:,} tokens do not fit the model's {rows:,}; a column is a token")
    if size < rows:
        lm.resize_token_embeddings(size)
    causal_probe.check(module, folder.name)
    if asked.lora is not None:
        module.add_lora(asked.lora.rank, asked.lora.alpha, asked.lora.dropout)
        for parameter in lm.parameters() if asked.lora.bfloat16 else ():
            if not parameter.requires_grad:
                parameter.data = parameter.data.bfloat16()
    module.has_new_head = True
    silence(module)
    return module


def _new_head(model: Any) -> None:
    """A head that starts as the identity, so that a document's own tokens are its logits."""
    decoder = model.get_output_embeddings()
    dense = next(
        (
            module
            for name, module in model.named_modules()
            if isinstance(module, torch.nn.Linear)
            and module is not decoder
            and not name.startswith(f"{model.base_model_prefix}.")
        ),
        None,
    )
    with torch.no_grad():
        if dense is not None and dense.in_features == dense.out_features:
            dense.weight.copy_(torch.eye(dense.in_features) + 0.02 * torch.randn_like(dense.weight))
            dense.bias.zero_()
        decoder.bias.zero_()


def silence(module: Transformer) -> None:
    """Let special and unused tokens never fire: they weigh 0 in what is exported, so in training, too.

    Raises:
        CheckpointError: when the head has no bias for each token.
    """
    tokenizer, decoder = module.tokenizer, module.auto_model.get_output_embeddings()
    if decoder is None or decoder.bias is None or len(decoder.bias) != len(tokenizer.get_vocab()):
        raise CheckpointError(f"{module.auto_model.name_or_path}: its head has no bias for each token of the tokenizer")
    never = [
        index
        for token, index in tokenizer.get_vocab().items()
        if index in tokenizer.all_special_ids or token.startswith("[unused")
    ]
    with torch.no_grad():
        decoder.bias[never] = NEVER
