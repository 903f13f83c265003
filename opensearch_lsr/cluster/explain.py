"""Why a document matched: the tokens it shares with the query."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from opensearchpy import OpenSearch
from opensearchpy.exceptions import NotFoundError

from opensearch_lsr.cluster import chunks
from opensearch_lsr.cluster.chunks import CHUNK_VECTOR, CHUNKS_FIELD
from opensearch_lsr.cluster.deployed import deployed
from opensearch_lsr.cluster.deployment import VECTOR_FIELD
from opensearch_lsr.data.documents import text_of
from opensearch_lsr.errors import DeploymentError
from opensearch_lsr.query_encoder import QueryEncoder
from opensearch_lsr.sparse_vector import dot, strongest


@dataclass(frozen=True)
class Contribution:
    """One shared token: ``score = query_weight · document_weight``; ``text`` is what a token id stands for."""

    token: str
    query_weight: float
    document_weight: float
    score: float
    text: str


@dataclass(frozen=True)
class Explanation:
    """The tokens that a query and a document share, the largest contribution first.

    The contributions add up to the score of a plain search, apart from rank_features' rounding of document weights
    (≤ 0.4 %). Where documents have a vector for each chunk, they are of the best: the ``chunk``-th, from 1, of
    ``chunks``. ``text`` is what it was made from; None when the document's text has other chunks now.
    """

    contributions: list[Contribution]
    chunk: int = 1
    chunks: int = 1
    text: str | None = None


def explain(client: OpenSearch, alias: str, text: str, document: str) -> Explanation:
    """Why a document matches a query, or how much of it does.

    Raises:
        DeploymentError: when the alias has no such document or no token weights.
    """
    target = deployed(client, alias)
    encoder = QueryEncoder.from_cluster(client, alias)
    query = encoder.encode(text)
    if target.prune_query:
        query = target.prune_query(query)
    wanted = [*target.fields, VECTOR_FIELD, CHUNKS_FIELD]
    try:
        source = client.get(index=target.index, id=document, _source_includes=wanted)["_source"]
    except NotFoundError as error:
        raise DeploymentError(f"{alias}: has no document {document!r}") from error
    read = text_of(source, target.fields)
    if not target.chunk:
        return Explanation(contributions(query, source.get(VECTOR_FIELD, {}), encoder.readable), text=read)
    vectors = [chunk[CHUNK_VECTOR] for chunk in source.get(CHUNKS_FIELD, [])]
    if not vectors:
        return Explanation([])
    best = max(range(len(vectors)), key=lambda place: dot(query, vectors[place]))
    texts = chunks.split(read, target.chunk)
    its = texts[best] if len(texts) == len(vectors) else None
    return Explanation(contributions(query, vectors[best], encoder.readable), best + 1, len(vectors), its)


def contributions(
    query: Mapping[str, float], document: Mapping[str, float], readable: Callable[[str], str] = str
) -> list[Contribution]:
    """The tokens that two vectors share, the largest contribution first; ``readable`` gives a token's text."""
    scores = {token: weight * document[token] for token, weight in query.items() if token in document}
    return [
        Contribution(token, query[token], document[token], score, readable(token)) for token, score in strongest(scores)
    ]
