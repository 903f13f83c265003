"""Queries without the words they share with their document: what is left only expansion can match.

Pseudo-queries, and many labelled ones, share most of their words with the document that answers them, so lexical
matching fits them and little is learned from them about words that are not there. "does aspirin thin the blood?" of
"Aspirin keeps platelets from sticking" becomes "thin blood".
"""

from __future__ import annotations

import re

from opensearch_lsr.data.pseudo_queries import STOP_WORDS

SMALLEST = 2  # words, or nothing is asked
_WORD = re.compile(r"\w+")


def words(text: str) -> set[str]:
    """The words of a text, in lower case."""
    return {word.lower() for word in _WORD.findall(text)}


def unmatched(query: str, document: set[str]) -> str | None:
    """What is left of a query.

    Args:
        query: its text.
        document: the :func:`words` of the document that answers it.

    Returns:
        Its content words that the document lacks, in order; None when fewer than two are left, or nothing was shared.

    Example:

        >>> unmatched("does aspirin thin the blood?", words("Aspirin keeps platelets from sticking"))
        'thin blood'
    """
    content = [word for word in _WORD.findall(query) if word.lower() not in STOP_WORDS]
    left = [word for word in content if word.lower() not in document]
    return " ".join(left) if SMALLEST <= len(left) < len(content) else None
