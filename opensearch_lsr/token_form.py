"""How vectors name their tokens: by the word, as the vocabulary has it, or by the id, in decimal digits.

Where the cluster encodes into ``rank_features``, ML Commons decodes one id at a time and names features so. Pieces of
byte-level vocabularies (most causal LMs') come out alike then, many of them as "�", and overwrite each other. Vectors
of such an encoder have ids in place of words: in documents, in queries, and as ``sparse_vector`` fields have them
anyway. The tables that people read and edit (``idf.json``, ``lsr-token-weights``) are by token all the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tokenizers import Tokenizer

WORD, ID = "word", "id"


def names(tokenizer: Tokenizer, form: str, size: int) -> list[str]:
    """The name of each token, by id; empty for ids that the vocabulary leaves out.

    Args:
        tokenizer: of the encoder.
        form: ``word`` or ``id``.
        size: of the vocabulary; at least one more than the largest id.
    """
    found = [""] * size
    for token, index in tokenizer.get_vocab(with_added_tokens=True).items():
        found[index] = token if form == WORD else str(index)
    return found


def readable(tokenizer: Tokenizer, form: str, name: str) -> str:
    """A name for people: the text of an id or, where it is a part of a character, the vocabulary's own string."""
    if form == WORD:
        return name
    text = tokenizer.decode([int(name)], skip_special_tokens=False)
    return text if text and "�" not in text else tokenizer.id_to_token(int(name)) or name
