"""JSON as its standard has it, whoever wrote it: what is read can be written, and sent, again."""

from __future__ import annotations

import json
import math
from typing import Any


def loads(text: str | bytes) -> Any:
    """Read JSON; bytes are UTF-8, and a byte order mark, which Windows' editors write, is passed over.

    ``json`` itself also takes NaN, and numbers and halves of characters that no request can carry.

    Raises:
        UnicodeError: for bytes that are no UTF-8, and for an escape that is half a character.
        ValueError: for all else that is no JSON, lists and objects that are too deep in each other among it.
    """
    text = (text if isinstance(text, str) else text.decode("utf-8")).removeprefix("\ufeff")
    try:
        value = _DECODER.decode(text)
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    return value


def _finite(text: str) -> float:
    if math.isfinite(number := float(text)):
        return number
    raise ValueError(f"{text[:20]} is no number")


_DECODER = json.JSONDecoder(parse_float=_finite, parse_constant=_finite)
