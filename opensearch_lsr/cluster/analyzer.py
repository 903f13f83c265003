"""Whether a bundle's query side equals an analyzer built into OpenSearch (3.1+): then queries may be text.

The built-in ``bert-uncased`` analyzer is a tokenizer and an IDF table inside ML Commons. A bundle may use it when its
own tokenizer and table are the same apart from special and unused tokens, which never match a document.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

BUILT_IN = {
    "77478c7a5fab34a2d46f04eacf51d5a03c16cc7618540235e7d0d58b122a341e": "bert-uncased"
}  # signature → analyzer name


def signature(tokenizer_json: str, weights: Mapping[str, float]) -> str:
    """SHA-256 over what decides a query's tokens and weights, special and unused tokens aside."""
    tokenizer = json.loads(tokenizer_json)
    parts = {key: tokenizer[key] for key in ("added_tokens", "normalizer", "pre_tokenizer", "model")}
    ignored = {token["content"] for token in tokenizer["added_tokens"]}
    table = {
        token: weight for token, weight in weights.items() if token not in ignored and not token.startswith("[unused")
    }
    return hashlib.sha256(json.dumps([parts, table], sort_keys=True).encode()).hexdigest()


def built_in(tokenizer_json: str, weights: Mapping[str, float]) -> str | None:
    """The name of the built-in analyzer that gives the same tokens and weights, or None."""
    return BUILT_IN.get(signature(tokenizer_json, weights))
