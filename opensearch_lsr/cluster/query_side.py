"""The query side in the cluster: index ``lsr-token-weights``, one document per query fingerprint.

``weights`` is a ``rank_features`` field (zeros left out; ``vocab_size`` restores them) and its ``_source`` is what
:meth:`opensearch_lsr.QueryEncoder.from_cluster` reads: change a weight here, and the next encoder has it.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from opensearchpy import OpenSearch
from opensearchpy.exceptions import ConflictError, RequestError

from opensearch_lsr import token_weights
from opensearch_lsr.bundle import Bundle, query_fingerprint
from opensearch_lsr.cluster import templates
from opensearch_lsr.errors import BundleError
from opensearch_lsr.query_encoder import TOKEN_WEIGHTS_INDEX, pack_tokenizer, unpack, unpack_tokenizer
from opensearch_lsr.token_weights import MAX_WEIGHT
from opensearch_lsr.tokenizer_file import parse_tokenizer

if TYPE_CHECKING:
    from tokenizers import Tokenizer


def is_stored(client: OpenSearch, fingerprint: str) -> bool:
    """Whether the cluster has the table of that query fingerprint."""
    return bool(client.exists(index=TOKEN_WEIGHTS_INDEX, id=fingerprint))


def store(client: OpenSearch, bundle: Bundle) -> None:
    """Write the bundle's table and tokenizer; a table that is there already, perhaps edited, stays as it is."""
    try:
        client.indices.create(index=TOKEN_WEIGHTS_INDEX, body=templates.load("token-weights"))
    except RequestError as error:
        if error.error != "resource_already_exists_exception":
            raise
    weights = {token: weight for token, weight in bundle.weights.items() if weight}
    document = {
        "name": bundle.config.name,
        "weights": weights,
        "weights_sha256": token_weights.digest(weights),
        "tokenizer": pack_tokenizer((bundle.path / "tokenizer.json").read_text(encoding="utf-8")),
        "vocab_size": bundle.config.vocab_size,
    }
    fingerprint = bundle.config.query_fingerprint
    with suppress(ConflictError):
        client.index(index=TOKEN_WEIGHTS_INDEX, id=fingerprint, op_type="create", refresh=True, body=document)


def state(client: OpenSearch, fingerprint: str) -> str:
    """``stored``, ``edited`` (a weight was changed since), ``damaged`` (of no use any more) or ``missing``."""
    found: dict[str, Any] = client.get(index=TOKEN_WEIGHTS_INDEX, id=fingerprint, ignore=404)
    if not found.get("found"):
        return "missing"
    try:
        source = found["_source"]
        weights, text = source["weights"], unpack(source["tokenizer"])
        vocabulary = parse_tokenizer(text, TOKEN_WEIGHTS_INDEX).get_vocab(with_added_tokens=True)
        if not weights or not all(token in vocabulary and 0 <= w <= MAX_WEIGHT for token, w in weights.items()):
            return "damaged"
        if token_weights.digest(weights) != source["weights_sha256"]:
            return "edited"
        return "stored" if query_fingerprint(text, weights) == fingerprint else "damaged"
    except (BundleError, KeyError, TypeError, ValueError, AttributeError):  # parts are missing or of another type
        return "damaged"


def tokenizer(client: OpenSearch, fingerprint: str) -> Tokenizer | None:
    """The stored tokenizer, the bundle's own with its truncation; None where it is missing or damaged."""
    found: dict[str, Any] = client.get(index=TOKEN_WEIGHTS_INDEX, id=fingerprint, ignore=404)
    try:
        return unpack_tokenizer(found["_source"]["tokenizer"])
    except (BundleError, KeyError, TypeError):
        return None


def remove(client: OpenSearch, fingerprint: str) -> None:
    """Delete a table, and the index with its last one."""
    client.delete(index=TOKEN_WEIGHTS_INDEX, id=fingerprint, refresh=True, ignore=404)
    if client.count(index=TOKEN_WEIGHTS_INDEX, ignore=404).get("count") == 0:
        client.indices.delete(index=TOKEN_WEIGHTS_INDEX, ignore=404)
