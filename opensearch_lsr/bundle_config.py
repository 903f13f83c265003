"""``lsr.json``: what a bundle is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from opensearch_lsr import strict_json, token_form
from opensearch_lsr.errors import BundleError
from opensearch_lsr.stranger_files import bounded

SCHEMA_VERSION = 1
_FINGERPRINT, _NAME = re.compile(r"[0-9a-f]{64}"), re.compile(r"[a-z0-9][a-z0-9.-]{0,99}")


@dataclass(frozen=True)
class Config:
    """``lsr.json``. Lengths are in tokens, special tokens included; fingerprints are SHA-256 in hex."""

    name: str
    version: str
    activation: str
    max_length: int
    vocab_size: int
    query: str
    opset: int
    quantization: str
    document_fingerprint: str
    query_fingerprint: str
    word_form: bool
    parity: Mapping[str, Any] = field(default_factory=dict)
    kept_tokens: int | None = None  # that have weights, where the export was given a vocabulary
    top_k: int | None = None  # tokens that a document keeps, where the export was given how many
    schema_version: int = SCHEMA_VERSION

    def __post_init__(self) -> None:
        """Refuse what no export wrote: these become names in a cluster, and sizes here."""
        for one in fields(self):
            value, kind = getattr(self, one.name), {"str": str, "int": int, "bool": bool}.get(str(one.type))
            if kind and type(value) is not kind:
                raise ValueError(f"{one.name} is {value!r:.50}")
            if kind is int and not 0 < value <= 10_000_000:
                raise ValueError(f"{one.name} is {value!r:.50}")
        fingerprints = self.document_fingerprint, self.query_fingerprint
        if not _NAME.fullmatch(self.name) or not all(map(_FINGERPRINT.fullmatch, fingerprints)):
            raise ValueError(f"name {self.name!r:.50}, fingerprints {fingerprints!r:.100}")

    @property
    def token_form(self) -> str:
        """How its vectors name their tokens; see :mod:`opensearch_lsr.token_form`."""
        return token_form.WORD if self.word_form else token_form.ID


def read(path: Path) -> Config:
    """Read a bundle's ``lsr.json``.

    Raises:
        BundleError: when there is none, it is damaged, or another version's.
    """
    if not path.is_file():
        raise BundleError(
            f"{path.parent}: not a bundle ({path.name} is missing); make one with: "
            "opensearch-lsr export CHECKPOINT -o BUNDLE"
        )
    try:
        values = strict_json.loads(bounded(path, 1, BundleError).read_bytes())
        if values["schema_version"] != SCHEMA_VERSION:
            raise BundleError(
                f"{path}: schema_version {values['schema_version']}, this package reads {SCHEMA_VERSION}; export again"
            )
        config = Config(**values)
    except (ValueError, TypeError, KeyError) as error:
        raise BundleError(f"{path}: damaged ({error}); export the bundle again") from error
    if config.query not in ("table", "encoder"):
        raise BundleError(f"{path}: query is {config.query!r}; it is 'table' or 'encoder'")
    return config
