"""Text → token weights → ``neural_sparse`` clause: a tokenizer lookup, no inference.

Needs ``tokenizers`` and nothing else. :meth:`QueryEncoder.from_cluster` reads the tokenizer and the table from the
cluster an application already talks to; it only calls the client it is given.
"""

from __future__ import annotations

import base64
import gzip
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from itertools import islice
from math import inf
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, Any

from opensearch_lsr import query_table, token_form
from opensearch_lsr.bundle import TOKENIZER, Bundle
from opensearch_lsr.errors import BundleError, DeploymentError
from opensearch_lsr.sparse_vector import Prune, SparseVector, strongest
from opensearch_lsr.tokenizer_file import load_tokenizer, parse_tokenizer

if TYPE_CHECKING:
    from tokenizers import Tokenizer

TOKEN_WEIGHTS_INDEX = "lsr-token-weights"
MAX_CLAUSES = 1024  # indices.query.bool.max_clause_count, one clause a token
BATCH = 1024  # queries that are tokenized at once


class QueryEncoder:
    """Encodes queries by lookup; safe to share between threads.

    Args:
        tokenizer: the encoder's tokenizer (its truncation is switched off: queries are never cut).
        weights: the weight of each token id; tokens that weigh 0 do not match.
        fingerprint: the query fingerprint this encoder was made from.
        form: how vectors name their tokens, ``word`` or ``id`` (:mod:`opensearch_lsr.token_form`).
    """

    def __init__(
        self, tokenizer: Tokenizer, weights: Sequence[float], fingerprint: str, form: str = token_form.WORD
    ) -> None:
        self._take(tokenizer, weights, fingerprint, form)
        self._origin: tuple[Any, str] | None = None  # client and alias
        self._check_every = self._next_check = inf
        self._checking = Lock()

    @property
    def fingerprint(self) -> str:
        """The query fingerprint of what this encoder looks up at present."""
        return self._side[2]

    @classmethod
    def from_pretrained(cls, name_or_path: str = "default") -> QueryEncoder:
        """Load from a bundle: a folder, a Hub name, or ``"default"``.

        The first time its table is checked and kept by token id in ``$XDG_CACHE_HOME/opensearch-lsr``; see
        :mod:`opensearch_lsr.query_table`.

        Raises:
            BundleError: when the bundle is missing, damaged, or a bi-encoder.
        """
        bundle = Bundle.open(name_or_path)
        tokenizer = load_tokenizer(bundle.path / TOKENIZER)
        config = bundle.config
        return cls(tokenizer, query_table.load(bundle, tokenizer), config.query_fingerprint, config.token_form)

    @classmethod
    def from_cluster(cls, client: Any, alias: str, check_every: float | None = 60.0) -> QueryEncoder:
        """Load the query side of what ``alias`` serves, from the cluster itself, and follow it when that changes.

        Args:
            client: an opensearch-py client, or anything with its ``indices.get_mapping`` and ``get``.
            alias: the alias (or index) that was deployed.
            check_every: seconds after which the next encoding asks the cluster whether the alias has another query side
                now; others go on meanwhile, and in between nothing is sent. When the cluster does not answer, what was
                loaded stays. None: never.

        Raises:
            DeploymentError: when the index behind the alias was not deployed by this package, or is a bi-encoder's.
        """
        encoder = cls(*_query_side(client, alias))
        encoder._origin = client, alias
        if check_every is not None:
            encoder._check_every, encoder._next_check = check_every, monotonic() + check_every
        return encoder

    def refresh(self) -> bool:
        """Take the query side that the alias has now, if that is another one; False for encoders not from a cluster.

        Raises:
            DeploymentError: as :meth:`from_cluster`; what was loaded stays.
        """
        if self._origin is None:
            return False
        found, form = _identity(*self._origin)
        if found == self.fingerprint:
            return False
        self._take(*_stored(*self._origin, found), form)
        return True

    def readable(self, name: str) -> str:
        """What a token in a vector stands for; the token itself where vectors have words."""
        tokenizer, _, _, form = self._side
        return token_form.readable(tokenizer, form, name)

    def encode(self, text: str) -> SparseVector:
        """Look up each distinct token of ``text``; an empty dict when none has a weight."""
        if monotonic() > self._next_check:
            self._check()
        tokenizer, weights, _, form = self._side
        try:
            found = tokenizer.encode(text, add_special_tokens=False)
        except TypeError:
            found = tokenizer.encode(encodable(text), add_special_tokens=False)
        return _look_up(tokenizer, weights, form, found.ids)

    def encode_batch(self, texts: Iterable[str]) -> list[SparseVector]:
        """:meth:`encode` of each text, tokenized on all cores."""
        if monotonic() > self._next_check:
            self._check()
        tokenizer, weights, _, form = self._side
        vectors: list[SparseVector] = []
        rest = iter(texts)
        while batch := list(islice(rest, BATCH)):
            try:
                found = tokenizer.encode_batch_fast(batch, add_special_tokens=False)
            except TypeError:
                found = tokenizer.encode_batch_fast([*map(encodable, batch)], add_special_tokens=False)
            vectors += [_look_up(tokenizer, weights, form, one.ids) for one in found]
        return vectors

    def neural_sparse(self, text: str, field: str, prune: Prune | None = None) -> dict[str, Any]:
        """The query clause for ``text`` on ``field``, ready for a search body's ``query``.

        A text with more than 1,024 distinct tokens keeps the strongest 1,024, the cluster's clause limit. A text
        without any known token matches nothing.
        """
        tokens = self.encode(text)
        if prune is not None:
            tokens = prune(tokens)
        if len(tokens) > MAX_CLAUSES:
            tokens = dict(strongest(tokens)[:MAX_CLAUSES])
        if not tokens:
            return {"match_none": {}}
        return {"neural_sparse": {field: {"query_tokens": tokens}}}

    def _take(self, tokenizer: Tokenizer, weights: Sequence[float], fingerprint: str, form: str) -> None:
        tokenizer.no_truncation()
        tokenizer.no_padding()
        self._side = tokenizer, weights, fingerprint, form  # one object: no thread sees half of a change

    def _check(self) -> None:
        """Look whether the alias has another query side; one thread does, the others go on."""
        if self._checking.acquire(blocking=False):
            try:
                self._next_check = monotonic() + self._check_every
                with suppress(Exception):  # whatever the client raises: searching tells what is wrong, with its reason
                    self.refresh()
            finally:
                self._checking.release()


def _look_up(tokenizer: Tokenizer, weights: Sequence[float], form: str, ids: Iterable[int]) -> SparseVector:
    word: Callable[[int], str] = tokenizer.id_to_token  # type: ignore[assignment]  # never None: ids are its own
    name = word if form == token_form.WORD else str
    return {name(index): weight for index in ids if (weight := weights[index])}


def _identity(client: Any, alias: str) -> tuple[str, str]:
    """Fingerprint and token form of the query side that an alias has now."""
    found = client.indices.get_mapping(index=alias, ignore=404)
    if "error" in found:
        raise DeploymentError(f"{alias}: no such alias; run: opensearch-lsr deploy BUNDLE --alias {alias}")
    metas = [index["mappings"].get("_meta", {}).get("lsr") for index in found.values()]
    meta = metas[0] if len(metas) == 1 else None
    if not meta:
        raise DeploymentError(
            f"{alias}: not deployed by opensearch-lsr (no _meta.lsr); run: opensearch-lsr deploy BUNDLE --alias {alias}"
        )
    if meta["query"] != "table":
        raise DeploymentError(
            f"{alias}: a bi-encoder, queries need its model: send query_text (the search pipeline adds the model)"
        )
    return str(meta["query_fingerprint"]), str(meta.get("token_form", token_form.WORD))


def _query_side(client: Any, alias: str) -> tuple[Tokenizer, Sequence[float], str, str]:
    fingerprint, form = _identity(client, alias)
    try:
        return *_stored(client, alias, fingerprint), form
    except DeploymentError:
        again, form = _identity(client, alias)
        if again == fingerprint:
            raise
        return *_stored(client, alias, again), form  # replaced in between


def _stored(client: Any, alias: str, fingerprint: str) -> tuple[Tokenizer, Sequence[float], str]:
    """The tokenizer, the weights by token id, and the fingerprint again."""
    stored = client.get(index=TOKEN_WEIGHTS_INDEX, id=fingerprint, ignore=404)
    if not stored.get("found"):
        raise DeploymentError(
            f"{alias}: its token weights are gone from {TOKEN_WEIGHTS_INDEX}; run deploy again to store them"
        )
    tokenizer = unpack_tokenizer(stored["_source"]["tokenizer"])
    return tokenizer, query_table.by_id(tokenizer, stored["_source"]["weights"]), fingerprint


def encodable(text: str) -> str:
    """Without lone surrogates, which no tokenizer and no request takes."""
    return text.encode("utf-8", "replace").decode()


def pack_tokenizer(tokenizer_json: str) -> str:
    """A tokenizer as the cluster stores it: gzip, then base64 (field type ``binary``)."""
    return base64.b64encode(gzip.compress(tokenizer_json.encode(), mtime=0)).decode()


def unpack_tokenizer(packed: str) -> Tokenizer:
    """The tokenizer that :func:`pack_tokenizer` stored; see :func:`unpack` for what is raised."""
    return parse_tokenizer(unpack(packed), TOKEN_WEIGHTS_INDEX)


def unpack(packed: str) -> str:
    """The inverse of :func:`pack_tokenizer`.

    Raises:
        BundleError: when the stored text is damaged.
    """
    try:
        return gzip.decompress(base64.b64decode(packed)).decode()
    except (ValueError, OSError, EOFError) as error:
        raise BundleError(
            f"{TOKEN_WEIGHTS_INDEX}: the stored tokenizer is damaged ({error}); run deploy again"
        ) from error
