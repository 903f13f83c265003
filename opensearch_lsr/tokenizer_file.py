"""Reading a ``tokenizer.json``, which may be a stranger's."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from opensearch_lsr.errors import BundleError
from opensearch_lsr.stranger_files import bounded

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_PROBE = f"water \u6c34\u2603\ue000 e\u0301 {'a' * 200}"


def load_tokenizer(path: Path) -> Tokenizer:
    """Read a ``tokenizer.json``.

    Raises:
        BundleError: when the file is missing or damaged.
    """
    if not path.is_file():
        raise BundleError(f"{path}: not found")
    return parse_tokenizer(read_text(path), str(path))


def read_text(path: Path) -> str:
    """The JSON, unparsed.

    Raises:
        BundleError: when it is no text, or larger than tokenizers are.
    """
    try:
        return bounded(path, 100, BundleError).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise BundleError(f"{path}: not a tokenizer ({error.reason} at byte {error.start})") from error


def parse_tokenizer(text: str, source: str) -> Tokenizer:
    """Read a tokenizer from its JSON; ``source`` is named when it is damaged.

    Raises:
        BundleError: when the text is no tokenizer.
    """
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_str(text)
        tokenizer.encode(_PROBE)  # else the first query shows that it has no token for what it does not know
        return tokenizer
    except BaseException as error:  # tokenizers raises bare Exception; a panic of its Rust is not even that
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        raise BundleError(f"{source}: not a tokenizer ({error})") from error


def special_tokens(tokenizer: Tokenizer) -> list[str]:
    """The tokens marked special, such as [CLS]: they weigh 0 on both sides."""
    return [added.content for added in tokenizer.get_added_tokens_decoder().values() if added.special]
