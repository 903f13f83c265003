"""Documents a second: sentence-transformers in torch, its ONNX backend, and our bundles, side by side.

    python benchmarks/encoding.py CHECKPOINT --max-length 128
    python benchmarks/encoding.py CHECKPOINT --max-length 512 --onnx-backend VENV/bin/python

Each system is a process of its own, all with the same cores; they take turns at the same chunks of real text of mixed
lengths, in random order, and a chunk before does not count. The ONNX backend needs an older sentence-transformers:

    python -m venv VENV && VENV/bin/pip install 'sentence-transformers[onnx]<6'

The roofline: the arithmetic of a document of the mean length (projection included), and what share of this machine's
own matrix products, measured in the same run, the documents a second come to.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

SHARED = Path(__file__).parent.parent.parent / "shared"
TORCH, BACKEND = "sentence-transformers, torch", "sentence-transformers, ONNX"
QUANTIZATIONS = ("none", "int8", "int8-dynamic")
CORES = len(os.sched_getaffinity(0))


def main() -> None:
    """Print the table; as its last line one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", help="sentence-transformers folder: a masked LM and SpladePooling")
    parser.add_argument("--corpus", type=Path, default=SHARED / "collections" / "scifact" / "corpus.jsonl")
    parser.add_argument("--max-length", type=int, default=128)
    parser.add_argument("--chunk", type=int, default=64, help="documents a turn")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--onnx-backend", metavar="PYTHON", help="of a venv with sentence-transformers[onnx]<6")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        work(arguments.worker, arguments.checkpoint, arguments.max_length)
        return

    texts = read(arguments.corpus, arguments.chunk * (arguments.rounds + 1))
    if len(texts) < arguments.chunk * (arguments.rounds + 1):
        raise SystemExit(f"{arguments.corpus}: {len(texts)} documents are too few for so many chunks; lower --chunk")
    with tempfile.TemporaryDirectory() as folder:
        systems = {TORCH: (sys.executable, "torch", arguments.checkpoint)}
        if arguments.onnx_backend:
            systems[BACKEND] = (arguments.onnx_backend, "onnx", arguments.checkpoint)
        for kind in QUANTIZATIONS:
            systems[f"ours, {kind}"] = (sys.executable, "ours", export(arguments, Path(folder) / kind, kind))
        workers = {name: Worker(*started, arguments.max_length) for name, started in systems.items()}
        rates: dict[str, list[float]] = {name: [] for name in workers}
        for number in range(arguments.rounds + 1):
            chunk = texts[number * arguments.chunk : (number + 1) * arguments.chunk]
            for name in random.sample(list(workers), len(workers)):
                seconds = workers[name].encode(chunk)
                if number:
                    rates[name].append(len(chunk) / seconds)
        memory = {name: worker.stop() for name, worker in workers.items()}
        report(rates, memory, shape(Path(folder) / "none", texts), arguments)


class Worker:
    """A process that encodes what it is given and says how long it took."""

    def __init__(self, python: str, kind: str, model: str, length: int) -> None:
        command = [python, __file__, model, "--worker", kind, "--max-length", str(length)]
        environment = os.environ | {"OMP_NUM_THREADS": str(CORES), "TOKENIZERS_PARALLELISM": "true"}
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        self._answer()

    def encode(self, texts: Sequence[str]) -> float:
        """Seconds for these texts."""
        return float(self._ask(list(texts)))

    def stop(self) -> float:
        """Peak memory in MiB."""
        peak = float(self._ask(None))
        self._process.wait()
        return peak

    def _ask(self, question: Any) -> Any:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> Any:
        assert self._process.stdout
        for line in self._process.stdout:
            if line.startswith("> "):
                return json.loads(line[2:])
        raise SystemExit(f"{' '.join(map(str, self._process.args))} ended")  # type: ignore[arg-type]


def work(kind: str, model: str, length: int) -> None:
    """The other side of :class:`Worker`; needs nothing but the system's own packages."""
    encode = encode_ours(model) if kind == "ours" else encode_theirs(kind, model, length)
    print("> 0", flush=True)
    for line in sys.stdin:
        texts = json.loads(line)
        if texts is None:
            break
        started = time.perf_counter()
        encode(texts)
        print(f"> {time.perf_counter() - started}", flush=True)
    status = Path("/proc/self/status").read_text(encoding="utf-8").split()
    print(f"> {int(status[status.index('VmHWM:') + 1]) / 1024}", flush=True)  # the process's own, unlike ru_maxrss


def encode_ours(model: str) -> Callable[[list[str]], Any]:
    """A bundle, by the package."""
    from opensearch_lsr import DocumentEncoder

    return DocumentEncoder.from_pretrained(model).encode


def encode_theirs(backend: str, model: str, length: int) -> Callable[[list[str]], Any]:
    """A checkpoint's masked LM and pooling, by the sentence-transformers that is installed."""
    from sentence_transformers import SparseEncoder

    folder = max(Path(model).rglob("model.safetensors"), key=lambda path: path.stat().st_size).parent
    try:
        from sentence_transformers.base.modules import Transformer
        from sentence_transformers.sparse_encoder.modules import SpladePooling

        transformer = Transformer(str(folder), transformer_task="fill-mask")
    except ImportError:  # before 6
        from sentence_transformers.sparse_encoder.models import MLMTransformer, SpladePooling

        transformer = MLMTransformer(str(folder), backend=backend)
    encoder = SparseEncoder(modules=[transformer, SpladePooling()], device="cpu")
    encoder.max_seq_length = length
    return lambda texts: encoder.encode_document(texts, batch_size=32, show_progress_bar=False)


def export(arguments: argparse.Namespace, folder: Path, kind: str) -> str:
    """A bundle of the checkpoint."""
    from opensearch_lsr.export.export import export as export_bundle

    bundle = export_bundle(arguments.checkpoint, folder, quantize=kind, max_length=arguments.max_length)
    return str(bundle.path)


def read(corpus: Path, count: int) -> list[str]:
    """Title and text of the first documents."""
    with corpus.open(encoding="utf-8") as file:
        rows = [json.loads(line) for line, _ in zip(file, range(count), strict=False)]
    return [f"{row.get('title', '')} {row['text']}".strip() for row in rows]


def shape(bundle: Path, texts: Sequence[str]) -> dict[str, float]:
    """Tokens of a document in the mean, and the GFLOP of its matrix products."""
    import onnx

    from opensearch_lsr.bundle import Bundle

    lengths = [len(encoding.ids) for encoding in Bundle.open(bundle).tokenizer.encode_batch(list(texts))]
    model = onnx.load(str(Bundle.open(bundle).onnx))
    sizes = {tensor.name: tensor.dims for tensor in model.graph.initializer}
    linear = [dims for name, dims in sizes.items() if len(dims) == 2 and (".layer." in name or ".transform." in name)]
    vocabulary, hidden = next(dims for name, dims in sizes.items() if name.endswith("word_embeddings.weight"))
    layers = sum(name.endswith("attention.output.dense.weight") for name in sizes)
    a_token = 2 * (sum(rows * columns for rows, columns in linear) + vocabulary * hidden)
    if not layers:
        raise SystemExit(f"{bundle}: its arithmetic is counted by BERT's names, and there are none")
    attention = [4 * length * length * hidden * layers for length in lengths]
    gflop = [(length * a_token + more) / 1e9 for length, more in zip(lengths, attention, strict=True)]
    return {"tokens": statistics.mean(lengths), "gflop": statistics.mean(gflop)}


def peak(int8: bool) -> float:
    """Billions of operations a second of this machine's best matrix product, by onnxruntime on all cores."""
    import numpy as np
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    size = 2048
    kind, numbers = (TensorProto.UINT8, np.uint8) if int8 else (TensorProto.FLOAT, np.float32)
    weight = numpy_helper.from_array(np.ones((size, size), np.int8 if int8 else np.float32), "weight")
    node = helper.make_node("MatMulInteger" if int8 else "MatMul", ["input", "weight"], ["output"])
    graph = helper.make_graph(
        [node],
        "product",
        [helper.make_tensor_value_info("input", kind, [size, size])],
        [helper.make_tensor_value_info("output", TensorProto.INT32 if int8 else TensorProto.FLOAT, [size, size])],
        [weight],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = CORES
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    inputs, best = {"input": np.ones((size, size), numbers)}, float("inf")
    for _ in range(10):
        started = time.perf_counter()
        session.run(None, inputs)
        best = min(best, time.perf_counter() - started)
    return 2 * size**3 / best / 1e9


def report(
    rates: dict[str, list[float]], memory: dict[str, float], of: dict[str, float], arguments: argparse.Namespace
) -> None:
    """The table."""
    peaks = {"float32": peak(int8=False), "int8": peak(int8=True)}
    print(f"\n{CORES} cores, documents of {of['tokens']:.0f} tokens in the mean (at most {arguments.max_length}),")
    print(f"{of['gflop']:.2f} GFLOP each; matrix products here: {peaks['float32']:.0f} GFLOP/s in float32,")
    print(f"{peaks['int8']:.0f} in int8. Medians of {arguments.rounds} turns of {arguments.chunk} documents.\n")
    print(f"{'':32}{'docs/s':>8}{'to torch':>10}{'to ONNX':>9}{'of peak':>9}{'MiB':>7}")
    figures = {}
    for name, found in rates.items():
        rate = statistics.median(found)
        share = rate * of["gflop"] / peaks["int8" if name.endswith("dynamic") else "float32"]
        to = {other: ratio(found, rates[other]) if other in rates else None for other in (TORCH, BACKEND)}
        cells = "".join(
            f"{'–' if value is None else f'{value:.2f}x':>{width}}"
            for value, width in zip(to.values(), (10, 9), strict=True)
        )
        print(f"{name:32}{rate:8.1f}{cells}{share:9.0%}{memory[name]:7.0f}")
        figures[name] = {"documents_per_s": rate, "to_torch": to[TORCH], "to_onnx": to[BACKEND], "of_peak": share}
    print(json.dumps({"max_length": arguments.max_length, "cores": CORES, **of, "peaks": peaks, "systems": figures}))


def ratio(one: Sequence[float], other: Sequence[float]) -> float:
    """The median of the ratios at the same chunk."""
    return statistics.median(a / b for a, b in zip(one, other, strict=True))


if __name__ == "__main__":
    main()
