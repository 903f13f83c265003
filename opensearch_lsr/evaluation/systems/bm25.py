"""BM25: a ``match`` over title and text as one field, the baseline.

    score(q, d) = Σ_{t ∈ q} idf(t) · tf / (tf + k1 · (1 − b + b · |d| / avgdl))

Lucene's BM25 with its defaults, k1 = 1.2 and b = 0.75. What it finds depends on the analyzer more than on anything
else: ``english`` stems and drops stop words, ``standard`` does neither. Title and text are searched as one field
(``copy_to``), as in BEIR's and Anserini's flat baselines.
"""

from __future__ import annotations

from typing import Any, ClassVar

from opensearch_lsr.evaluation.context import Context
from opensearch_lsr.evaluation.storage import Record, Storage
from opensearch_lsr.evaluation.systems.system import System

K1, B = 1.2, 0.75
BODY = "body"


class EnglishText(Storage):
    """What a user of BM25 has: the documents, and one searchable field."""

    name = "text-english"
    analyzer: ClassVar[str] = "english"

    def body(self) -> dict[str, Any]:
        part = {"type": "text", "index": False, "copy_to": BODY}
        whole = {"type": "text", "analyzer": self.analyzer, "similarity": "bm25"}
        return {
            "settings": {"similarity": {"bm25": {"type": "BM25", "k1": K1, "b": B}}},
            "mappings": {"dynamic": "strict", "properties": {"title": part, "text": part, BODY: whole}},
        }

    def source(self, record: Record) -> dict[str, Any]:
        return {"title": record.title, "text": record.text}


class StandardText(EnglishText):
    """The same with OpenSearch's default analyzer."""

    name = "text-standard"
    analyzer = "standard"


class BM25(System):
    """BM25 with stemming: its best foot in English."""

    name = "bm25"
    title = "BM25 (english)"
    text: ClassVar[type[EnglishText]] = EnglishText

    def __init__(self, context: Context) -> None:
        super().__init__(context, self.text(context))

    @property
    def parameters(self) -> dict[str, Any]:
        return {
            "query": "match",
            "field": BODY,
            "of": ["title", "text"],
            "analyzer": self.text.analyzer,
            "k1": K1,
            "b": B,
        }

    def encode(self, text: str) -> str:
        return text

    def query(self, encoded: str, size: int) -> dict[str, Any]:
        return {"match": {BODY: encoded}}


class BM25Standard(BM25):
    """BM25 as it is without any choice."""

    name = "bm25-standard"
    title = "BM25 (standard)"
    text = StandardText
