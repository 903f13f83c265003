"""One encoder inside ML Commons: as our ONNX graphs and as TorchScript, the official way, side by side.

    python benchmarks/in_cluster.py CHECKPOINT --max-length 128

Each model is first deployed alone on a fresh embedded OpenSearch, compared with the checkpoint in torch and weighed
(growth of the node's memory, whose Java heap is all touched at the start). Then all are deployed on one node and take
turns at the same texts in random order, one prediction a document as in the ingest pipeline: one request after another
for latency, a client for each core for documents a second.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from encoding import CORES, SHARED, read

from opensearch_lsr.cluster import models, register
from opensearch_lsr.cluster.connect import connect
from opensearch_lsr.local.node import Node

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

    from opensearch_lsr.export.graph import DocumentGraph

QUANTIZATIONS = ("none", "int8", "int8-dynamic")
TORCHSCRIPT = "TorchScript"
FUNCTION = "SPARSE_ENCODING"
HEAP = "2g"
SAME = 1e-3  # of the largest weight, in float32; what quantisation costs is quantization.py's question


@dataclass
class System:
    """A model in the cluster, and what was measured of it."""

    model: models.Model
    mebibytes: float
    difference: float
    milliseconds: list[float] = field(default_factory=list)
    per_s: list[float] = field(default_factory=list)


def main() -> None:
    """Print the table; as its last line one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", help="sentence-transformers folder: a masked LM and SpladePooling")
    parser.add_argument("--corpus", type=Path, default=SHARED / "collections" / "scifact" / "corpus.jsonl")
    parser.add_argument("--max-length", type=int, default=128)
    parser.add_argument("--chunk", type=int, default=32, help="documents a turn")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()

    texts = read(arguments.corpus, arguments.chunk * (arguments.rounds + 1))
    with tempfile.TemporaryDirectory() as folder:
        archives = packed(arguments, Path(folder))
        expected = reference(arguments, texts[: arguments.chunk])
        systems = {name: weigh(name, files, texts[: arguments.chunk], expected) for name, files in archives.items()}
        with node() as (client, _):
            for name, files in archives.items():
                systems[name].model = deployed(client, name, files)
            take_turns(client, systems, texts, arguments)
    report(systems, arguments)


def take_turns(
    client: OpenSearch, systems: Mapping[str, System], texts: list[str], arguments: argparse.Namespace
) -> None:
    """All models at the same chunks; the first does not count."""
    for number in range(arguments.rounds + 1):
        chunk = texts[number * arguments.chunk : (number + 1) * arguments.chunk]
        for name in random.sample(list(systems), len(systems)):
            turn(client, systems[name], chunk, counts=number > 0)


@contextmanager
def node() -> Iterator[tuple[OpenSearch, int]]:
    """A node of the benchmark's own."""
    embedded = Node("bench-in-cluster")
    embedded.stop(wipe=True)
    try:
        info = embedded.start(heap=HEAP)
        yield connect(info.url), info.pid
    finally:
        embedded.stop(wipe=True)


def packed(arguments: argparse.Namespace, folder: Path) -> dict[str, Mapping[str, Path]]:
    """What each model's zip holds."""
    from opensearch_lsr.export.export import export

    found: dict[str, Mapping[str, Path]] = {}
    for kind in QUANTIZATIONS:
        bundle = export(arguments.checkpoint, folder / kind, quantize=kind, max_length=arguments.max_length)
        found[f"ONNX, {kind}"] = {"model.onnx": bundle.onnx, "tokenizer.json": bundle.path / "tokenizer.json"}
    script = folder / "model.pt"
    trace(arguments, script)
    return {TORCHSCRIPT: {"model.pt": script, "tokenizer.json": folder / "none" / "tokenizer.json"}, **found}


def graph(arguments: argparse.Namespace) -> DocumentGraph:
    """The checkpoint in torch."""
    from opensearch_lsr.export import graph as graphs
    from opensearch_lsr.export.checkpoint import Checkpoint

    return graphs.build(Checkpoint.open(arguments.checkpoint, max_length=arguments.max_length)).eval()


def trace(arguments: argparse.Namespace, path: Path) -> None:
    """As ML Commons takes a sparse encoder: a dictionary in, a dictionary out."""
    import torch

    class Named(torch.nn.Module):
        def __init__(self, encoder: torch.nn.Module) -> None:
            super().__init__()
            self.encoder = encoder

        def forward(self, given: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
            return {"output": self.encoder(given["input_ids"], given["attention_mask"])}

    ids = torch.ones(1, 12, dtype=torch.long)
    warnings.simplefilter("ignore")  # tracing is deprecated, and what ML Commons reads
    with torch.no_grad():
        traced = torch.jit.trace(
            Named(graph(arguments)), ({"input_ids": ids, "attention_mask": ids},), strict=False, check_trace=False
        )
    torch.jit.save(traced, str(path))


def reference(arguments: argparse.Namespace, texts: list[str]) -> list[dict[str, float]]:
    """The texts' vectors by the checkpoint in torch."""
    import torch

    from opensearch_lsr.export.checkpoint import Checkpoint

    tokenizer = Checkpoint.open(arguments.checkpoint, max_length=arguments.max_length).tokenizer
    module, found = graph(arguments), []
    for text in texts:
        ids = torch.tensor([tokenizer.encode(text).ids])
        with torch.no_grad():
            (weights,) = module(ids, torch.ones_like(ids))
        found.append({str(tokenizer.id_to_token(i)): float(weights[i]) for i in weights.nonzero().flatten().tolist()})
    return found


def deployed(client: OpenSearch, name: str, files: Mapping[str, Path]) -> models.Model:
    """Uploaded, and on the node."""
    registered = "lsr-" + name.lower().replace(", ", "-")  # DJL finds no model whose name has a comma
    with register.pack(files) as archive:
        form = "TORCH_SCRIPT" if name == TORCHSCRIPT else "ONNX"
        identifier = register.register(client, registered, "1", FUNCTION, archive, model_format=form)
    model = models.Model(identifier, registered, "REGISTERED")
    models.deploy(client, model)
    return model


def weigh(name: str, files: Mapping[str, Path], texts: list[str], expected: list[dict[str, float]]) -> System:
    """Alone on a node: what its answers and its memory are."""
    with node() as (client, pid):
        before, difference = native_mebibytes(pid), 0.0
        model = deployed(client, name, files)
        for text, vector in zip(texts, expected, strict=True):
            (answer,) = models.predict(client, model.model_id, FUNCTION, [text])
            largest = max(abs(answer.get(t, 0.0) - vector.get(t, 0.0)) for t in answer.keys() | vector.keys())
            difference = max(difference, largest / max(vector.values()))
        if difference > SAME and "int8" not in name:
            raise SystemExit(f"{name}: its answers differ from torch's by up to {difference:.1%} of the largest weight")
        return System(model, native_mebibytes(pid) - before, difference)


def native_mebibytes(pid: int) -> float:
    """Anonymous memory of the node, its Java heap (all of it touched at the start) included."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").split()
    return int(status[status.index("RssAnon:") + 1]) / 1024


def turn(client: OpenSearch, system: System, texts: list[str], counts: bool) -> None:
    """A chunk of documents, one by one and then by several clients."""

    def ask(text: str) -> float:
        started = time.perf_counter()
        models.predict(client, system.model.model_id, FUNCTION, [text])
        return (time.perf_counter() - started) * 1000

    alone = [ask(text) for text in texts]
    started = time.perf_counter()
    with ThreadPoolExecutor(CORES) as pool:
        list(pool.map(ask, texts))
    seconds = time.perf_counter() - started
    if counts:
        system.milliseconds += alone
        system.per_s.append(len(texts) / seconds)


def report(systems: Mapping[str, System], arguments: argparse.Namespace) -> None:
    """The table."""
    print(f"\nML Commons on {CORES} cores, documents of at most {arguments.max_length} tokens,")
    print(f"medians of {arguments.rounds} turns of {arguments.chunk} documents.\n")
    print(f"{'':22}{'docs/s':>8}{'ratio':>8}{'p50 ms':>9}{'MiB':>7}{'differs':>9}")
    figures = {}
    base = systems[TORCHSCRIPT]
    for name, system in systems.items():
        rate, delay = statistics.median(system.per_s), statistics.median(system.milliseconds)
        ratio = statistics.median(own / other for own, other in zip(system.per_s, base.per_s, strict=True))
        print(f"{name:22}{rate:8.1f}{ratio:7.2f}x{delay:9.1f}{system.mebibytes:7.0f}{system.difference:9.2%}")
        figures[name] = {
            "documents_per_s": rate,
            "to_torchscript": ratio,
            "p50_ms": delay,
            "mebibytes": system.mebibytes,
            "difference": system.difference,
        }
    print(json.dumps({"max_length": arguments.max_length, "cores": CORES, "systems": figures}))


if __name__ == "__main__":
    main()
