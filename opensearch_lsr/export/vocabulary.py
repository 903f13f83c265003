"""A vocabulary of a corpus' own: the tokens that its words give, and no others, on both sides.

Ids and tokenizer stay what they are; all other tokens weigh 0 in the table and have columns of 0, which are not
computed. So postings are shorter, encoding is faster (the projection is half of a small encoder's arithmetic), and a
query has exactly the tokens that documents can have.
"""

from __future__ import annotations

from pathlib import Path

from tokenizers import Tokenizer

from opensearch_lsr.errors import CheckpointError


def left_out(tokenizer: Tokenizer, file: Path) -> list[int]:
    """The ids of all tokens that a file's lines do not give.

    Args:
        tokenizer: of the encoder.
        file: UTF-8; each line is a token of the vocabulary (``##ing``), a word, or any text.

    Raises:
        CheckpointError: when the file cannot be read or holds nothing.
    """
    try:
        with file.open(encoding="utf-8") as lines:
            texts = [text for line in lines if (text := line.strip())]
    except (OSError, UnicodeDecodeError) as error:
        raise CheckpointError(f"{file}: cannot be read as a vocabulary ({error})") from error
    whole = Tokenizer.from_str(tokenizer.to_str())
    whole.no_truncation()
    ids = tokenizer.get_vocab(with_added_tokens=True)
    kept = {ids[text] for text in texts if text in ids}
    for encoding in whole.encode_batch([text for text in texts if text not in ids], add_special_tokens=False):
        kept.update(encoding.ids)
    if not kept:
        raise CheckpointError(f"{file}: holds no words; give a file with a token, word or text a line")
    return sorted(set(ids.values()) - kept)
