"""The encoder bundle: the folder that is deployed.

::

    onnx/model.onnx   [batch, sequence] ids and mask → [batch, vocabulary] float32, pooled and activated; weights above
                      2 GB lie in model.onnx.data beside it
    tokenizer.json    with its truncation written in
    idf.json          weight of every token, special tokens 0 (absent for a bi-encoder: ``query: encoder``)
    lsr.json          what it is: name, version, activation, max length, quantisation, parity, fingerprints
    README.md         the model card

Two fingerprints (SHA-256) say what may be compared: vectors only with vectors of the same *document* fingerprint
(ONNX with its data + tokenizer), queries only with the same *query* fingerprint (tokenizer + table).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from opensearch_lsr import bundle_config, token_form, token_weights
from opensearch_lsr.bundle_config import Config
from opensearch_lsr.errors import BundleError
from opensearch_lsr.given_path import given_path
from opensearch_lsr.onnx_file import data_file
from opensearch_lsr.stranger_files import inside
from opensearch_lsr.tokenizer_file import load_tokenizer, read_text, special_tokens

if TYPE_CHECKING:
    from tokenizers import Tokenizer

DEFAULT = Path(__file__).parent / "default_encoder"
ONNX, TOKENIZER, TABLE, CONFIG, CARD = "onnx/model.onnx", "tokenizer.json", "idf.json", "lsr.json", "README.md"
ONNX_DATA = "onnx/model.onnx.data"
_HUB_FILES = [ONNX, ONNX_DATA, TOKENIZER, TABLE, CONFIG, CARD]


@dataclass(frozen=True)
class Bundle:
    """A bundle on disk: its folder and what ``lsr.json`` says of it."""

    path: Path
    config: Config

    @classmethod
    def open(cls, name_or_path: str | Path) -> Bundle:
        """Open and check a bundle.

        Raises:
            BundleError: naming the file that is missing, partial or damaged.
        """
        path = resolve(name_or_path)
        config = bundle_config.read(inside(path, CONFIG, BundleError))
        needed = [ONNX, TOKENIZER] + ([TABLE] if config.query == "table" else [])
        for name in needed:
            if not inside(path, name, BundleError).is_file():
                raise BundleError(f"{path}: {name} is missing; export the bundle again")
        inside(path, ONNX_DATA, BundleError)
        return cls(path, config)

    @property
    def onnx(self) -> Path:
        return self.path / ONNX

    @property
    def onnx_data(self) -> Path | None:
        """Where the weights lie that the graph's own file is too small for; None where it has them all."""
        path = data_file(self.onnx)
        return path if path.is_file() else None

    @property
    def document_key(self) -> str:
        """The first 8 digits of the document fingerprint, as used in the names of what is deployed."""
        return self.config.document_fingerprint[:8]

    @cached_property
    def tokenizer(self) -> Tokenizer:
        return load_tokenizer(self.path / TOKENIZER)

    @cached_property
    def weights(self) -> token_weights.TokenWeights:
        """The query-side table, checked against the vocabulary.

        Raises:
            BundleError: for a bi-encoder, which has none, and for a table that does not fit.
        """
        if self.config.query != "table":
            raise BundleError(f"{self.path}: a bi-encoder bundle (query: encoder) has no token weights")
        table = token_weights.load(self.path / TABLE)
        vocabulary = self.tokenizer.get_vocab(with_added_tokens=True)
        self.check_ids(vocabulary)
        token_weights.check(table, vocabulary, special_tokens(self.tokenizer), str(self.path / TABLE))
        return table

    def check_ids(self, vocabulary: Mapping[str, int]) -> None:
        """Refuse token ids beyond what ``lsr.json`` says: tables of weights have a place for each.

        Raises:
            BundleError: when there is one.
        """
        if max(vocabulary.values(), default=-1) >= self.config.vocab_size:
            raise BundleError(f"{self.path}: {TOKENIZER} has more tokens than lsr.json says; export the bundle again")

    @cached_property
    def names(self) -> list[str]:
        """What each token id is called in vectors; empty for ids that the vocabulary leaves out."""
        return token_form.names(self.tokenizer, self.config.token_form, self.config.vocab_size)

    @cached_property
    def named_weights(self) -> Mapping[str, float]:
        """The table by what vectors call its tokens; see :attr:`weights` for what is raised."""
        if self.config.word_form:
            return self.weights
        ids = self.tokenizer.get_vocab(with_added_tokens=True)
        return {str(ids[token]): weight for token, weight in self.weights.items()}

    def verify(self) -> None:
        """Compare the files with their fingerprints: what is deployed must be what was exported.

        Raises:
            BundleError: when a file changed since the export.
        """
        tokenizer = read_text(self.path / TOKENIZER)
        if document_fingerprint(self.onnx, tokenizer) != self.config.document_fingerprint:
            raise BundleError(
                f"{self.path}: {ONNX}, its data or {TOKENIZER} is not what was exported (fingerprint differs); "
                "export again"
            )
        if self.config.query == "table" and query_fingerprint(tokenizer, self.weights) != self.config.query_fingerprint:
            raise BundleError(
                f"{self.path}: {TOKENIZER} or {TABLE} is not what was exported (fingerprint differs); export again"
            )


def resolve(name_or_path: str | Path) -> Path:
    """The folder of a bundle: ``"default"`` (shipped), a path, or the name of a Hub repository (``owner/name``).

    Raises:
        BundleError: when there is no such folder and no such repository.
    """
    if str(name_or_path) == "default":
        return DEFAULT
    path = given_path(name_or_path)
    if path.is_dir():
        return path
    text = str(name_or_path)
    if path.exists() or not _is_hub_name(text):
        raise BundleError(f"{text}: no such folder; give a bundle's folder, a Hub name (owner/name) or 'default'")
    return _from_hub(text, _HUB_FILES)


def _is_hub_name(text: str) -> bool:
    return text.count("/") == 1 and not text.startswith((".", "/", "~"))


def _from_hub(name: str, files: list[str]) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, allow_patterns=files))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        raise BundleError(f"{name}: no such folder, and the Hub did not give it ({type(error).__name__})") from error


def open_tokenizer(source: str) -> Tokenizer:
    """The tokenizer of a bundle or checkpoint folder, a ``tokenizer.json``, a Hub repository, or ``"default"``.

    It cuts and pads nothing.

    Raises:
        BundleError: when there is none.
    """
    path = DEFAULT if source == "default" else given_path(source)
    if path.is_dir():  # a Router's tokenizers lie in its modules' folders
        found = [TOKENIZER, *sorted(str(file.relative_to(path)) for file in path.glob(f"*/{TOKENIZER}"))]
        path = inside(path, next((name for name in found if (path / name).is_file()), TOKENIZER), BundleError)
    elif not path.exists() and _is_hub_name(source):
        path = _from_hub(source, [TOKENIZER]) / TOKENIZER
    tokenizer = load_tokenizer(path)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def document_fingerprint(onnx: Path, tokenizer: str) -> str:
    """SHA-256 over the ONNX file, its data file if there is one, and the tokenizer."""
    digest = hashlib.sha256()
    data = data_file(onnx)
    for path in (onnx, data) if data.is_file() else (onnx,):
        with path.open("rb") as file:
            hashlib.file_digest(file, lambda: digest)
    digest.update(tokenizer.encode())
    return digest.hexdigest()


def query_fingerprint(tokenizer: str, weights: Mapping[str, float]) -> str:
    """SHA-256 over the tokenizer and the non-zero weights."""
    return hashlib.sha256(tokenizer.encode() + token_weights.digest(weights).encode()).hexdigest()
