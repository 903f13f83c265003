"""One record of training data → checked rows: a query, its documents (the positive first), a teacher's scores."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from opensearch_lsr.data.documents import text_of
from opensearch_lsr.errors import InputError

FORMS = 'a line is {"query", "pos", "negs"} or {"query", "docs", "scores"}'
_MAX_SCORE = 3.4e38  # of a float32, in which scores are used

Checked = tuple[str, list[str], list[float] | None]


def parse(line: bytes) -> Iterator[Checked]:
    """Read one JSON line.

    Args:
        line: ``{"query": text, "pos": text or texts, "negs": texts}``, which gives a row for each positive, or
            ``{"query": text, "docs": texts, "scores": numbers}``, whose best score (the first of equals) is the
            positive.

    Yields:
        ``(query, documents, scores)``.

    Raises:
        InputError: saying what is wrong and the remedy, but not where: the caller knows.
    """
    try:
        record = json.loads(line.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise InputError(f"not UTF-8 ({error.reason}); save the file as UTF-8") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"not JSON ({error}); {FORMS}") from error
    if not isinstance(record, dict):
        raise InputError(f"holds {type(record).__name__}, not an object; {FORMS}")
    if "query" not in record:
        raise InputError(f'no "query"; {FORMS}')
    if ("docs" in record) == ("pos" in record):
        raise InputError(f'{"both" if "docs" in record else "neither"} "pos" and "docs"; {FORMS}')
    if "docs" in record:
        yield _scored(record["query"], _texts(record["docs"], "docs"), record.get("scores"))
        return
    for key in record:  # negatives that go unread would not be missed until the model is bad
        if key != "negs" and key.lower().startswith("neg"):
            raise InputError(f'has "{key}"; negatives are read from "negs" only, rename or remove it')
    yield from pairs(record["query"], record["pos"], [record.get("negs", [])])


def pairs(query: Any, positives: Any, negatives: Sequence[Any]) -> Iterator[Checked]:
    """A row for each positive; a negative that equals one of them is left out.

    Args:
        query: a text.
        positives: a text or a list of texts.
        negatives: any number of the same.

    Raises:
        InputError: saying what is wrong and the remedy.
    """
    own = [document(text) for text in _texts(positives, "pos")]
    others = [document(text) for group in negatives for text in _texts(group, "negs")]
    if not own:
        raise InputError('no documents in "pos"; give at least the one that answers the query')
    for positive in own:
        yield checked(query, [positive, *(text for text in others if text not in own)])


def checked(query: Any, documents: Sequence[Any], scores: Sequence[Any] | None = None) -> Checked:
    """Check a row and strip its texts; a document that comes again within it is left out.

    Raises:
        InputError: for an empty text, no documents, or scores that are not as many finite numbers.
    """
    texts = [document(text) for text in documents]
    if not texts:
        raise InputError("no documents; give at least the one that answers the query")
    query = _text(query, "the query")
    first = {text: position for position, text in reversed(list(enumerate(texts)))}
    kept = sorted(first.values())
    if scores is not None:
        _check_scores(scores, len(texts))
        scores = [float(scores[position]) for position in kept]
    return query, [texts[position] for position in kept], scores


def document(value: Any) -> str:
    """A document's text, trimmed as the cluster trims it.

    Raises:
        InputError: when it is no text, or empty.
    """
    _text(value, "a document")
    return text_of({"text": value}, ("text",))


def _scored(query: Any, texts: list[Any], scores: Any) -> Checked:
    if not isinstance(scores, list):
        raise InputError('no "scores" beside "docs"; give a list with one number a document')
    if not texts:
        raise InputError('no documents in "docs"; give at least the one that answers the query')
    _check_scores(scores, len(texts))
    best = max(range(len(texts)), key=lambda position: scores[position])
    order = [best, *(position for position in range(len(texts)) if position != best)]
    return checked(query, [texts[position] for position in order], [scores[position] for position in order])


def _check_scores(scores: Sequence[Any], count: int) -> None:
    if len(scores) != count:
        raise InputError(f"{len(scores)} scores for {count} documents; give one score a document")
    for position, score in enumerate(scores, start=1):
        if isinstance(score, bool) or not isinstance(score, int | float) or not abs(score) < _MAX_SCORE:
            raise InputError(f"score {position} is {str(score)[:40]}; scores are finite numbers")


def _texts(value: Any, key: str) -> list[Any]:
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list):
        raise InputError(f'"{key}" holds {type(value).__name__}; give a text or a list of texts')
    return texts


def _text(value: Any, what: str) -> str:
    if not isinstance(value, str):
        raise InputError(f"{what} is {type(value).__name__}, not a text")
    if not value.strip():
        raise InputError(f"{what} is empty; give it text or leave the line out")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InputError(f"{what} is not UTF-8 ({error.reason}): half a character; remove it") from error
    return value.strip()
