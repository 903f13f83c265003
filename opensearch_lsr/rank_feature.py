"""Weights in the few digits that ``rank_features`` keep of them, so that less is sent and stored.

Lucene's FeatureField keeps the upper 17 bits of a weight's float32: eight of its exponent, eight after the binary
point, the rest cut off. 256 numbers between 1 and 2 are all there are, so ``0.72731286`` and ``0.728`` are the same
feature; written with all their digits, vectors would be most of an index's ``_source``.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from functools import cache

from opensearch_lsr.sparse_vector import SparseVector

CUT = 15  # bits of a float32 that are not kept
TOO_LARGE = 3.3e38  # near float32's largest
_FLOAT, _BITS = struct.Struct("<f"), struct.Struct("<I")


def kept(weight: float) -> int:
    """The 17 bits that a rank feature keeps of a weight above 0."""
    bits: int = _BITS.unpack(_FLOAT.pack(weight))[0]
    return bits >> CUT


def short(vector: Mapping[str, float]) -> SparseVector:
    """The same features in at most four digits a weight; weights differ by 0.4 % at most.

    Args:
        vector: token → weight above 0; what float32 does not hold stays as it is, for the cluster to refuse.
    """
    return {token: _shortest(kept(weight)) if weight < TOO_LARGE else weight for token, weight in vector.items()}


@cache
def _shortest(bits: int) -> float:
    """The shortest number of which ``bits`` are kept: from the middle of those, four digits always reach one."""
    middle: float = _FLOAT.unpack(_BITS.pack((bits << CUT) + (1 << (CUT - 1))))[0]
    return next(number for number in (float(f"{middle:.{digits}g}") for digits in range(1, 10)) if kept(number) == bits)
