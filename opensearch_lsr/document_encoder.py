"""Texts → sparse vectors with onnxruntime, on CPU or CUDA."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from opensearch_lsr import token_form
from opensearch_lsr.bundle import TOKENIZER, Bundle
from opensearch_lsr.errors import BundleError, needs_extra
from opensearch_lsr.onnx_file import data_file, external_files
from opensearch_lsr.sparse_vector import SparseVector
from opensearch_lsr.tokenizer_file import load_tokenizer, special_tokens

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

INPUT_IDS, ATTENTION_MASK = "input1.input_ids", "input1.attention_mask"
TOKENS = 2048  # encoded at once, by all cores: bounds what exports before int8-dynamic hold, 122 kB of logits a token
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
STREAM_WINDOW = 512  # texts sorted by length together: enough to batch alike lengths, little to hold


class DocumentEncoder:
    """Encodes documents with a bundle's ONNX graph; safe to share between threads.

    On a CPU each core has a batch of its own, while the texts to come are tokenized; a single text has one core. Each
    call uses all cores, whoever else does. A bundle with int8 arithmetic (``int8-dynamic``) has one document a batch,
    since its vectors would depend on the others, and stays on the CPU.

    Args:
        bundle: an opened bundle.
        providers: onnxruntime execution providers; by default CUDA where onnxruntime-gpu offers it, else CPU.

    Raises:
        MissingExtraError: when onnxruntime is not installed.
        BundleError: when the graph is damaged or does not keep the contract (inputs, output).
    """

    def __init__(self, bundle: Bundle, providers: Sequence[str] | None = None) -> None:
        with needs_extra("onnx", "encoding documents"):
            import numpy
            import onnxruntime
        self._np = numpy
        self.bundle = bundle
        self.max_length = bundle.config.max_length
        self._tokenizer = load_tokenizer(bundle.path / TOKENIZER)
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(self.max_length)
        self._alone = bundle.config.quantization == "int8-dynamic"
        if providers is None:  # CUDA has no such integer arithmetic
            providers = [*([] if self._alone else ["CUDAExecutionProvider"]), "CPUExecutionProvider"]
        self._session = _session(onnxruntime, bundle.onnx, providers)
        self._threads = 1 if self.providers[0] == "CUDAExecutionProvider" else CORES
        vocabulary = self._tokenizer.get_vocab(with_added_tokens=True)
        bundle.check_ids(vocabulary)
        self._names = token_form.names(self._tokenizer, bundle.config.token_form, bundle.config.vocab_size)
        special = {vocabulary[token] for token in special_tokens(self._tokenizer)}
        self._special_ids = [index for index, name in enumerate(self._names) if index in special or not name]

    @classmethod
    def from_pretrained(
        cls, name_or_path: str | Path = "default", providers: Sequence[str] | None = None
    ) -> DocumentEncoder:
        """Load from a bundle: a folder, a Hub name, or ``"default"``; see the class for what is raised."""
        return cls(Bundle.open(name_or_path), providers)

    @property
    def providers(self) -> list[str]:
        """The execution providers in use, the preferred one first."""
        return list(self._session.get_providers())

    def readable(self, name: str) -> str:
        """What a token in a vector stands for; the token itself where vectors have words."""
        return token_form.readable(self._tokenizer, self.bundle.config.token_form, name)

    def encode(self, texts: Sequence[str]) -> list[SparseVector]:
        """Encode texts, in order.

        Args:
            texts: any number of texts; each is cut to the bundle's ``max_length`` tokens.

        Returns:
            One token → weight dict a text, positive weights only, special tokens left out; tokens are words or ids, as
            the bundle's ``token_form`` says. A text's vector does not depend on the texts beside it.
        """
        if isinstance(texts, str):
            raise TypeError("encode takes a list of texts; wrap the one text in a list")
        return [vector for vector, _ in self.encode_stream(texts)]

    def encode_stream(self, texts: Iterable[str]) -> Iterator[tuple[SparseVector, bool]]:
        """Encode a stream in bounded memory, in order; it is read up to 1,024 texts ahead.

        Close it (``contextlib.closing``) to leave it before its end: what was begun is then not encoded to no purpose.

        Yields:
            ``(vector, truncated)`` for each text; ``truncated`` says that the text had more than ``max_length`` tokens.
        """
        remaining = iter(texts)
        pool = ThreadPoolExecutor(self._threads)
        try:
            begun: deque[list[_Begun]] = deque()
            while window := list(islice(remaining, STREAM_WINDOW)):
                begun.append(self._begin(pool, window))
                if len(begun) > 1:  # the next window keeps the cores busy while the caller has this one
                    yield from map(_result, begun.popleft())
            for last in begun:
                yield from map(_result, last)
        finally:
            pool.shutdown(cancel_futures=True)

    def _begin(self, pool: ThreadPoolExecutor, texts: Sequence[str]) -> list[_Begun]:
        """Tokenize texts and hand them out in batches of like lengths, the longest first."""
        encodings = self._tokenizer.encode_batch([text.encode("utf-8", "replace").decode() for text in texts])
        lengths = [len(encoding.ids) for encoding in encodings]
        by_place: dict[int, _Begun] = {}
        for batch in self._batches(sorted(range(len(texts)), key=lambda i: -lengths[i]), lengths):
            vectors = pool.submit(self._run, [encodings[i].ids for i in batch])
            for place, i in enumerate(batch):
                by_place[i] = _Begun(vectors, place, bool(encodings[i].overflowing))
        return [by_place[i] for i in range(len(texts))]

    def _batches(self, order: Sequence[int], lengths: Sequence[int]) -> Iterator[Sequence[int]]:
        """Cut ``order`` (longest first) so that rows × longest stays within a thread's tokens, and each has work."""
        start, share = 0, -(-len(order) // self._threads)
        while start < len(order):
            rows = min(share, max(1, TOKENS // self._threads // max(1, lengths[order[start]])))
            rows = 1 if self._alone else rows
            yield order[start : start + rows]
            start += rows

    def _run(self, rows: list[list[int]]) -> list[SparseVector]:
        np = self._np
        longest = max(1, *(len(row) for row in rows))
        ids = np.zeros((len(rows), longest), dtype=np.int64)
        mask = np.zeros((len(rows), longest), dtype=np.int64)
        for i, row in enumerate(rows):
            ids[i, : len(row)] = row
            mask[i, : len(row)] = 1
        try:
            (weights,) = self._session.run(None, {INPUT_IDS: ids, ATTENTION_MASK: mask})
            if weights.shape != (len(rows), len(self._names)):
                raise ValueError(f"{list(weights.shape)} weights for {len(rows)} texts")
        except Exception as error:  # onnxruntime raises its own C++ exception types
            raise BundleError(f"{self.bundle.onnx}: cannot encode ({error!s:.200}); export the bundle again") from error
        weights[:, self._special_ids] = 0  # bundles made elsewhere may not have zeroed them
        return [self._sparse(row) for row in weights]

    def _sparse(self, row: NDArray[np.float32]) -> SparseVector:
        active = self._np.flatnonzero(row > 0)
        names = self._names
        return {names[index]: weight for index, weight in zip(active.tolist(), row[active].tolist(), strict=True)}


class _Begun(NamedTuple):
    """A text whose batch is being encoded."""

    vectors: Future[list[SparseVector]]
    place: int
    truncated: bool


def _result(begun: _Begun) -> tuple[SparseVector, bool]:
    return begun.vectors.result()[begun.place], begun.truncated


def _session(onnxruntime: Any, path: Path, wanted: Sequence[str]) -> Any:
    available = onnxruntime.get_available_providers()
    chosen = [provider for provider in wanted if provider in available]
    if not chosen:
        raise BundleError(
            f"providers {list(wanted)}: onnxruntime here offers {available}; "
            "for CUDA: pip install 'opensearch-lsr[gpu]'"
        )
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1  # the cores have a batch each: they never wait for each other
    try:
        if others := external_files(path) - {data_file(path).name}:
            raise BundleError(
                f"{path}: has weights in other files, which are not read ({min(others)!r:.100}); a bundle's are in the "
                f"graph or in {data_file(path).name}"
            )
        # onnxruntime tells on stdout that it tries again on a CPU, where it already was
        again = chosen != ["CPUExecutionProvider"]
        session = onnxruntime.InferenceSession(str(path), options, providers=chosen, enable_fallback=again)
        names = [tensor.name for tensor in session.get_inputs()]
    except BundleError:
        raise
    except Exception as error:  # onnxruntime raises its own C++ exception types
        raise BundleError(
            f"{path}: onnxruntime cannot load it ({str(error).splitlines()[0][:200]}); export the bundle again"
        ) from error
    if sorted(names) != sorted([INPUT_IDS, ATTENTION_MASK]) or len(session.get_outputs()) != 1:
        raise BundleError(
            f"{path}: inputs {names}, {len(session.get_outputs())} output(s); an encoder has {INPUT_IDS!r}, "
            f"{ATTENTION_MASK!r} and one output; make it with: opensearch-lsr export"
        )
    return session
