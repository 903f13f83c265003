"""A ``SparseEncoder`` from whatever a recipe starts with, made of sentence-transformers' own modules.

========================================  =================================================================
``model.backbone``                        document side
========================================  =================================================================
SparseEncoder folder                      its own, gone on with
masked LM (BERT, CoCondenser, …)          Transformer (fill-mask) + SpladePooling
transformer without a masked-LM head      the same, the head new: identity, tied decoder; adapt it first
causal LM (Llama, Qwen, GPT-2, …)         CausalTransformer + SpladePooling; adapt it first
========================================  =================================================================

``Logs`` and ``LexicalPrior`` follow where the recipe asks for them; a checkpoint with one of these or a causal LM needs
``trust_remote_code=True`` to be opened elsewhere.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from opensearch_lsr import token_weights
from opensearch_lsr.bundle import DEFAULT
from opensearch_lsr.errors import InputError, needs_extra
from opensearch_lsr.training import backbone, checkpoint, head, recipe_model
from opensearch_lsr.training.lexical_prior import LexicalPrior
from opensearch_lsr.training.logs import Logs

with needs_extra("train", "training"):
    import torch
    from sentence_transformers import SparseEncoder
    from sentence_transformers.base.modules import Router, Transformer
    from sentence_transformers.sparse_encoder.modules import SparseStaticEmbedding, SpladePooling


def build(asked: recipe_model.Model) -> SparseEncoder:
    """Assemble the encoder of a recipe, float32, on the CPU.

    Raises:
        CheckpointError: when the backbone cannot be opened or does not fit what is asked.
        InputError: when settings contradict each other or the backbone.
        BundleError: when the token table does not fit the tokenizer.
    """
    if asked.lora is not None and asked.attention is None:
        raise InputError("model.lora needs model.attention: adapters are for causal LMs")
    if asked.query == "encoder" and asked.lexical_prior is not None:
        raise InputError("model.lexical_prior needs model.query = table: it counts on the table's weights")
    document, own_table = _document_modules(asked)
    transformer = document[0]
    _check_length(transformer, asked.max_length)
    transformer.max_seq_length = asked.max_length
    if asked.query == "encoder":
        model = SparseEncoder(modules=document, device="cpu")
    else:
        weights = own_table
        if weights is None or asked.token_weights is not None:
            weights = table(asked.token_weights or "msmarco", transformer.tokenizer)
        static = SparseStaticEmbedding(transformer.tokenizer, weights, frozen=not asked.learn_query_weights)
        if asked.lexical_prior is not None:
            document.append(_prior(asked.lexical_prior, weights, transformer.tokenizer))
        router = Router.for_query_document(query_modules=[static], document_modules=document)
        model = SparseEncoder(modules=[router], device="cpu")
    if asked.head == "argmax":
        head.install(model)
    return model


def has_new_head(encoder: SparseEncoder) -> bool:
    """Whether :func:`build` made the head, or a causal LM's bias: how many of its outputs fire means nothing yet."""
    return getattr(checkpoint.document_modules(encoder)[0], "has_new_head", False)


def table(name: str, tokenizer: Any) -> torch.Tensor:
    """Query token weights, float32 [vocab], special tokens 0.

    Args:
        name: ``msmarco``, ``ones``, or an ``idf.json``.
        tokenizer: whose vocabulary it must cover.

    Raises:
        BundleError: when it does not.
    """
    vocabulary, specials = tokenizer.get_vocab(), tokenizer.all_special_tokens
    if name == "ones":
        weights = dict.fromkeys(vocabulary, 1.0)
    else:
        weights = token_weights.load(DEFAULT / "idf.json" if name == "msmarco" else Path(name))
    weights = token_weights.without_specials(weights, specials)
    token_weights.check(weights, vocabulary, specials, name)
    values = torch.zeros(len(vocabulary))
    for token, weight in weights.items():
        values[vocabulary[token]] = weight
    return values


def _document_modules(asked: recipe_model.Model) -> tuple[list[Any], torch.Tensor | None]:
    """The document side, and the query table that the backbone has."""
    folder = checkpoint.find(asked.backbone)
    if not is_encoder(folder):
        return [backbone.transformer(folder, asked), *_pooling(2 if asked.logs is None else asked.logs)], None
    if asked.layers is not None:
        raise InputError(f"model.layers: {folder.name} is a whole encoder; layers are cut when it is first made")
    encoder = checkpoint.load(folder)
    transformer, *rest = checkpoint.document_modules(encoder)
    _check_gone_on_with(transformer, folder, asked)
    prior = [module for module in rest if isinstance(module, LexicalPrior)]
    if prior and asked.lexical_prior is not None:
        raise InputError(f"model.lexical_prior: {folder.name} has one, which is gone on with; leave the setting out")
    if prior and asked.query == "encoder":
        raise InputError(f"model.query = encoder: {folder.name} has a lexical prior, which needs a table")
    pooling = [module for module in rest if module not in prior] if asked.logs is None else _pooling(asked.logs)
    backbone.silence(transformer)
    static = checkpoint.query_table(encoder)
    if static is None:
        return [transformer, *pooling, *prior], None
    weights = static.weight.detach().clone()
    weights[transformer.tokenizer.all_special_ids] = 0
    return [transformer, *pooling, *prior], weights


def is_encoder(folder: Path) -> bool:
    """Whether it is a ``SparseEncoder`` folder (a dense ``SentenceTransformer`` is a backbone without a head)."""
    file = folder / "config_sentence_transformers.json"
    if not (folder / "modules.json").is_file() or not file.is_file():
        return False
    config: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return config.get("model_type") == "SparseEncoder"


def _pooling(logs: int) -> list[Any]:
    return [SpladePooling("max", _activation(logs)), *([Logs(logs - 2)] if logs > 2 else [])]


def _activation(logs: int) -> str:
    if logs < 1:
        raise InputError(f"model.logs is {logs}; an activation has at least one logarithm")
    return "relu" if logs == 1 else "log1p_relu"


def _check_gone_on_with(transformer: Transformer, folder: Path, asked: recipe_model.Model) -> None:
    own = getattr(transformer, "attention", None)
    if asked.attention not in (None, own):
        raise InputError(
            f"model.attention: {folder.name} was trained with {own or 'that of a masked LM'}, which is gone on with; "
            "leave the setting out"
        )
    if asked.lora is not None:
        raise InputError(f"model.lora: {folder.name} is a whole encoder; adapters are for a causal LM, leave them out")


def _check_length(transformer: Transformer, length: int) -> None:
    limits = [checkpoint.positions(transformer.auto_model)]
    copies = getattr(transformer, "copies", 1)
    if copies > 1:  # the second copy has to see the first one's beginning
        limits.append(getattr(transformer.auto_model.config, "sliding_window", None))
    limit = min((limit for limit in limits if limit is not None), default=None)
    if limit is not None and copies * length > limit:
        twice = ", and echo reads a text twice" if copies > 1 else ""
        raise InputError(f"model.max_length is {length}; this backbone reads at most {limit} tokens{twice}")


def _prior(asked: recipe_model.Prior, weights: torch.Tensor, tokenizer: Any) -> LexicalPrior:
    return LexicalPrior(
        vocab_size=len(weights),
        special_ids=sorted(tokenizer.all_special_ids),
        average_length=asked.average_length,
        beta=asked.beta,
        k=asked.k,
        b=asked.b,
        dropped=(weights < asked.drop_below).nonzero().squeeze(1).tolist(),
        learn_scale=asked.learned,
        learn_curve=asked.learned,
    )
