"""A ``SparseEncoder`` from whatever a recipe starts with, made of sentence-transformers' own modules.

========================================  =================================================================
``model.backbone``                        document side
========================================  =================================================================
SparseEncoder folder                      its own, gone on with
masked LM (BERT, CoCondenser, …)          Transformer (fill-mask) + SpladePooling
transformer without a masked-LM head      the same, the head new: identity, tied decoder; adapt it first
========================================  =================================================================

``Logs`` and ``LexicalPrior`` follow where the recipe asks for them; a checkpoint with either needs
``trust_remote_code=True`` to be opened elsewhere.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from opensearch_lsr import token_weights
from opensearch_lsr.bundle import DEFAULT
from opensearch_lsr.errors import CheckpointError, InputError, needs_extra
from opensearch_lsr.training import checkpoint, head, recipe
from opensearch_lsr.training.lexical_prior import LexicalPrior
from opensearch_lsr.training.logs import Logs

with needs_extra("train", "training"):
    import torch
    from sentence_transformers import SparseEncoder
    from sentence_transformers.base.modules import Router, Transformer
    from sentence_transformers.sparse_encoder.modules import SparseStaticEmbedding, SpladePooling
    from transformers import AutoConfig, AutoModelForMaskedLM

NEVER = -1e4  # decoder bias of special and unused tokens: their columns are 0


def build(asked: recipe.Model) -> SparseEncoder:
    """Assemble the encoder of a recipe, float32, on the CPU.

    Raises:
        CheckpointError: when the backbone cannot be opened or does not fit what is asked.
        InputError: when settings contradict each other or the backbone.
        BundleError: when the token table does not fit the tokenizer.
    """
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
    """Whether :func:`build` made the masked-LM head, for a backbone that brings none: its outputs mean nothing yet."""
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


def _document_modules(asked: recipe.Model) -> tuple[list[Any], torch.Tensor | None]:
    """The document side, and the query table that the backbone has."""
    folder = checkpoint.find(asked.backbone)
    if not _is_encoder(folder):
        return [_transformer(folder, asked.layers), *_pooling(2 if asked.logs is None else asked.logs)], None
    if asked.layers is not None:
        raise InputError(f"model.layers: {folder.name} is a whole encoder; layers are cut when it is first made")
    encoder = checkpoint.load(folder)
    transformer, *rest = checkpoint.document_modules(encoder)
    prior = [module for module in rest if isinstance(module, LexicalPrior)]
    if prior and asked.lexical_prior is not None:
        raise InputError(f"model.lexical_prior: {folder.name} has one, which is gone on with; leave the setting out")
    if prior and asked.query == "encoder":
        raise InputError(f"model.query = encoder: {folder.name} has a lexical prior, which needs a table")
    pooling = [module for module in rest if module not in prior] if asked.logs is None else _pooling(asked.logs)
    static = checkpoint.query_table(encoder)
    return [transformer, *pooling, *prior], None if static is None else static.weight.detach().clone()


def _is_encoder(folder: Path) -> bool:
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


def _check_length(transformer: Transformer, length: int) -> None:
    limit = checkpoint.positions(transformer.auto_model)
    if limit is not None and length > limit:
        raise InputError(f"model.max_length is {length}; this backbone reads at most {limit} tokens")


def _transformer(folder: Path, layers: int | None) -> Transformer:
    """A masked LM in a Transformer module; a new head where weights of it are missing, whatever the config says."""
    with checkpoint.one_line(folder), checkpoint.no_bars():
        # Opened twice: Transformer does not hand on what was missing.
        report = AutoModelForMaskedLM.from_pretrained(
            folder, output_loading_info=True, dtype=torch.float32, use_safetensors=True
        )[1]
        config = AutoConfig.from_pretrained(folder)
        transformer = Transformer(
            str(folder),
            transformer_task="fill-mask",
            config_kwargs={"num_hidden_layers": layers or config.num_hidden_layers},
            model_kwargs={"dtype": torch.float32, "use_safetensors": True},
        )
    if report["missing_keys"]:
        _new_head(transformer.auto_model)
        transformer.has_new_head = True
    _silence(transformer)
    return transformer


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


def _silence(transformer: Transformer) -> None:
    tokenizer, decoder = transformer.tokenizer, transformer.auto_model.get_output_embeddings()
    if decoder is None or decoder.bias is None or len(decoder.bias) != len(tokenizer.get_vocab()):
        raise CheckpointError(
            f"{transformer.auto_model.name_or_path}: its masked-LM head has no bias for each token of the tokenizer"
        )
    never = [
        index
        for token, index in tokenizer.get_vocab().items()
        if index in tokenizer.all_special_ids or token.startswith("[unused")
    ]
    with torch.no_grad():
        decoder.bias[never] = NEVER


def _prior(asked: recipe.Prior, weights: torch.Tensor, tokenizer: Any) -> LexicalPrior:
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
