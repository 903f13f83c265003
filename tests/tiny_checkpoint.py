"""A tiny checkpoint in each layout that ``opensearch-lsr export`` reads; made in a second, no download.

A two-layer BertForMaskedLM over ~330 tokens whose head starts as the identity, so a document's vector holds its own
tokens and a few neighbours: enough for a search to find something. Letters, digits and punctuation are tokens, so any
ASCII text is tokenized without [UNK].
"""

from __future__ import annotations

import json
import string
from pathlib import Path
from typing import Any, Literal

import torch
from sentence_transformers import SparseEncoder
from sentence_transformers.base.modules import Router, Transformer
from sentence_transformers.sparse_encoder.modules import SparseStaticEmbedding, SpladePooling
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertForMaskedLM, PreTrainedTokenizerFast

Layout = Literal["router", "mlm", "siamese"]
SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
MAX_LENGTH = 64
WORDS = """
the of and to in is it for on that with as are was be this by from at or an have not but they which you all can had
her one our out day get has him how man new now old see two way who boy did its let put say she too use water air
fire earth house door window kitchen table chair bed lamp light dark tap faucet leak drip pipe drain sink bath toilet
repair fix replace clean wash dry cook bake bread flour oven stove pan pot knife plate cup tea coffee milk sugar salt
garden plant tree flower soil seed rain sun snow wind winter summer spring cold hot warm cool car bus train road bridge
bike wheel engine oil battery phone computer screen key code data search index query document word token weight vector
open close cluster node model text read write file book page paper school teacher child doctor nurse hospital medicine
dog cat bird fish horse cow sheep city town river lake sea mountain forest music song film game ball team win lose
red blue green black white big small fast slow good bad first last long short
"""


def make_checkpoint(folder: Path, layout: Layout = "router", activation: str = "log1p_relu", seed: int = 0) -> Path:
    """Write a checkpoint; equal arguments give equal weights.

    Args:
        folder: made if need be.
        layout: ``router`` (SparseStaticEmbedding + document side), ``mlm`` (masked LM + ``idf.json`` with the special
            tokens at 1.0, as published), or ``siamese`` (one encoder for both).
        activation: ``relu`` or ``log1p_relu``; the ``mlm`` layout does not record it.
        seed: of the random weights.

    Returns:
        ``folder``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer, model = make_tokenizer(), make_model(seed)
    idf = make_idf(tokenizer)
    if layout == "mlm":
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        (folder / "idf.json").write_text(json.dumps(idf | dict.fromkeys(SPECIALS, 1.0)), encoding="utf-8")
        return folder
    parts = folder / "parts"
    model.save_pretrained(parts)
    tokenizer.save_pretrained(parts)
    document = [Transformer(str(parts), transformer_task="fill-mask"), SpladePooling("max", activation)]
    modules: list[Any] = document
    if layout == "router":
        weight = torch.tensor([idf[token] for token in tokenizer.convert_ids_to_tokens(range(len(idf)))])
        query = SparseStaticEmbedding(tokenizer=document[0].tokenizer, weight=weight, frozen=True)
        modules = [Router.for_query_document(query_modules=[query], document_modules=document)]
        (folder / "idf.json").write_text(json.dumps(idf), encoding="utf-8")
    SparseEncoder(modules=modules, device="cpu").save_pretrained(str(folder), create_model_card=False)
    for file in parts.iterdir():
        file.unlink()
    parts.rmdir()
    return folder


def vocabulary() -> list[str]:
    """Special tokens, characters, their ##forms, suffixes and words; the position is the id."""
    letters = string.ascii_lowercase + string.digits
    suffixes = ["##s", "##ed", "##ing", "##er", "##ly"]
    tokens = [
        *SPECIALS,
        *letters,
        *string.punctuation,
        *(f"##{letter}" for letter in letters),
        *suffixes,
        *WORDS.split(),
    ]
    return list(dict.fromkeys(tokens))


def make_tokenizer() -> PreTrainedTokenizerFast:
    ids = {token: index for index, token in enumerate(vocabulary())}
    tokenizer = Tokenizer(models.WordPiece(ids, unk_token="[UNK]", max_input_chars_per_word=100))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", ids["[CLS]"]), ("[SEP]", ids["[SEP]"])]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=MAX_LENGTH,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
    )


def make_model(seed: int = 0) -> BertForMaskedLM:
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=len(vocabulary()),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=128,
        max_position_embeddings=2 * MAX_LENGTH,
        tie_word_embeddings=True,
    )
    model = BertForMaskedLM(config).eval()
    with torch.no_grad():
        model.bert.embeddings.word_embeddings.weight.normal_(std=1.0)
        model.cls.predictions.transform.dense.weight.copy_(torch.eye(32))
        model.cls.predictions.bias.fill_(-13.0)  # so that some tens of the columns fire, not most of them
    return model


def make_idf(tokenizer: PreTrainedTokenizerFast) -> dict[str, float]:
    """Token → weight: words above single characters above nothing (special tokens)."""
    weights = {}
    for token, index in sorted(tokenizer.get_vocab().items(), key=lambda entry: entry[1]):
        base = 0.5 if len(token.removeprefix("##")) == 1 else 3.0
        weights[token] = 0.0 if token in SPECIALS else base + index % 7 / 10
    return weights
