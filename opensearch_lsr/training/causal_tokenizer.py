"""A causal LM's tokenizer as an encoder needs it: a token before and one behind each text, padding on the right.

Language models come without a padding token (GPT-2, Llama), without one that begins a text (Qwen), and with tokenizers
that add neither. Byte-level ones also tell a word at the beginning of a text from the same word inside; a query's first
word should be the token that it is in the middle of a document, so every text begins with a space.
"""

from __future__ import annotations

import json
from typing import Any

from opensearch_lsr.errors import CheckpointError, needs_extra

with needs_extra("train", "training"):
    from tokenizers import Tokenizer, normalizers, processors
    from transformers import PreTrainedTokenizerFast


def prepared(tokenizer: Any, name: str) -> PreTrainedTokenizerFast:
    """A tokenizer that gives ``B text E``.

    Args:
        tokenizer: of a causal LM; not changed.
        name: of the model, for messages.

    Returns:
        The same vocabulary and ids. B is the token that begins a text, or where there is none the one that ends it, E;
        padding is E where there is no token for it. All that is marked special is among ``all_special_tokens``.

    Raises:
        CheckpointError: when no token ends a text, or the tokenizer is none of the ``tokenizers`` package.
    """
    if getattr(tokenizer, "backend_tokenizer", None) is None or tokenizer.eos_token is None:
        raise CheckpointError(f"{name}: needs a tokenizer.json with an end-of-text token (eos_token)")
    backend = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    end = tokenizer.eos_token
    begin = tokenizer.bos_token or end
    backend.post_processor = processors.TemplateProcessing(
        single=[begin, "$A", end],
        special_tokens=[(token, backend.token_to_id(token)) for token in dict.fromkeys((begin, end))],
    )
    backend.no_padding()
    backend.no_truncation()
    if _tells_first_words(backend):
        own = [] if backend.normalizer is None else [backend.normalizer]
        backend.normalizer = normalizers.Sequence([*own, normalizers.Prepend(" ")])
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        bos_token=begin,
        eos_token=end,
        pad_token=tokenizer.pad_token or end,
        mask_token=tokenizer.mask_token,
        unk_token=tokenizer.unk_token,
        additional_special_tokens=[
            token.content for token in backend.get_added_tokens_decoder().values() if token.special
        ],
        padding_side="right",
        truncation_side="right",
    )


def mask_id(tokenizer: Any) -> int:
    """What stands for a hidden token: the mask, else "_" as in LLM2Vec (arXiv 2404.05961), else the end of the text."""
    if tokenizer.mask_token_id is not None:
        return int(tokenizer.mask_token_id)
    blank = tokenizer.convert_tokens_to_ids("_")
    return int(tokenizer.eos_token_id if blank in (None, tokenizer.unk_token_id) else blank)


def _tells_first_words(backend: Tokenizer) -> bool:
    """Whether a byte-level tokenizer adds no space before a text."""
    asked = json.loads(backend.to_str())["pre_tokenizer"] or {}
    parts = asked.get("pretokenizers", [asked])
    return any(part.get("type") == "ByteLevel" and not part["add_prefix_space"] for part in parts)
