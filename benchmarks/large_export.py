"""Does a causal LM of a billion parameters export, load and encode in 24 GiB? Random weights, each step's peak memory.

    python benchmarks/large_export.py --size 1b --quantize none int4
    python benchmarks/large_export.py --size 0.3b

``1b`` has the shape of Llama-3.2-1B, the others its vocabulary on fewer and narrower layers. Each step is a process of
its own, whose peak (VmHWM) is printed; what it maps from files counts while it is in memory. Prints a table and, as its
last line, one JSON object; exits with 1 when a step took more than ``--limit`` GiB.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

VOCABULARY = 128_256
SIZES: dict[str, dict[str, int]] = {  # hidden and intermediate size, layers, heads, key-value heads
    "1b": {"hidden_size": 2048, "intermediate_size": 8192, "num_hidden_layers": 16, "num_attention_heads": 32},
    "0.6b": {"hidden_size": 1536, "intermediate_size": 6144, "num_hidden_layers": 12, "num_attention_heads": 24},
    "0.3b": {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 12, "num_attention_heads": 16},
    "0.1b": {"hidden_size": 512, "intermediate_size": 2048, "num_hidden_layers": 8, "num_attention_heads": 8},
}
TEXT = "Worn pads, glazed rotors and loose hardware make brakes squeak; dust and moisture do so for a while. "


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SIZES, default="0.3b")
    parser.add_argument("--attention", choices=["causal", "echo", "bidirectional"], default="echo")
    parser.add_argument("--quantize", nargs="+", default=["none", "int4"])
    parser.add_argument("--documents", type=int, default=16)
    parser.add_argument("--limit", type=float, default=24, help="GiB that a step may take")
    parser.add_argument("--folder", type=Path, help="for checkpoint and bundles: 5 GB each [default: a temporary one]")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        folder = Path(name)
        steps = [run("make", make, folder, arguments.size, arguments.attention)]
        for kind in arguments.quantize:
            steps.append(run(f"export, {kind}", export, folder, kind))
            steps.append(run(f"encode, {kind}", encode, folder / kind, arguments.documents))
    print(f"{arguments.size}, {arguments.attention}")
    print(f"{'step':<22}  {'seconds':>7}  {'peak GiB':>8}  {'MB':>7}  {'docs/s':>6}")
    for step in steps:
        rate = f"{step['docs_per_s']:.2f}" if step.get("docs_per_s") else ""
        size = f"{step['bytes'] / 1e6:,.0f}" if step.get("bytes") else ""
        print(f"{step['step']:<22}  {step['seconds']:>7.0f}  {step['peak_gib']:>8.2f}  {size:>7}  {rate:>6}")
    print(json.dumps({"size": arguments.size, "attention": arguments.attention, "steps": steps}))
    sys.exit(max(step["peak_gib"] for step in steps) > arguments.limit)


def run(step: str, work: Any, *arguments: Any) -> dict[str, Any]:
    """What a step gave, in a process of its own, with its seconds and peak memory."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        found = {"step": step, **process.submit(measured, work, *arguments).result()}
    print(f"{step}: {found['seconds']:.0f} s, {found['peak_gib']:.2f} GiB", file=sys.stderr, flush=True)
    return found


def measured(work: Any, *arguments: Any) -> dict[str, Any]:
    started = time.perf_counter()
    result = work(*arguments)
    status = Path("/proc/self/status").read_text(encoding="utf-8").split()
    peak = int(status[status.index("VmHWM:") + 1]) / 2**20
    return {"seconds": time.perf_counter() - started, "peak_gib": peak, **result}


def make(folder: Path, size: str, attention: Any) -> dict[str, Any]:
    """A checkpoint as training leaves it, but for the training."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from opensearch_lsr.training import checkpoint, model
    from opensearch_lsr.training.recipe_model import Model

    tokenizer = make_tokenizer()
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        num_key_value_heads=8,
        tie_word_embeddings=True,
        bos_token_id=0,
        eos_token_id=1,
        **SIZES[size],
    )
    torch.manual_seed(0)
    language_model = LlamaForCausalLM(config)
    with torch.no_grad():  # a token's own embedding is heard, as in a trained one: noise alone has no 4-bit form
        for layer in language_model.model.layers:
            layer.self_attn.o_proj.weight *= 1e-3
            layer.mlp.down_proj.weight *= 1e-3
    parameters = language_model.num_parameters()
    language_model.save_pretrained(folder / "lm")
    del language_model
    tokenizer.save_pretrained(folder / "lm")
    asked = Model(backbone=str(folder / "lm"), attention=attention, token_weights="ones", max_length=128)
    encoder = model.build(asked)
    decoder = checkpoint.document_modules(encoder)[0].auto_model.get_output_embeddings()
    with torch.no_grad():
        decoder.bias[decoder.bias > -100] -= 6  # so that a text has its own tokens, not thousands by chance
    checkpoint.save(encoder, folder / "checkpoint")
    return {"parameters": parameters}


def make_tokenizer() -> Any:
    """Byte-level BPE with as many tokens as Llama 3 has, most of which no text gives."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = ["<|begin|>", "<|end|>", *alphabet]
    tokens += [f"unused{number}" for number in range(VOCABULARY - len(tokens))]
    backend = Tokenizer(models.BPE({token: index for index, token in enumerate(tokens)}, []))
    backend.add_special_tokens(tokens[:2])
    backend.pre_tokenizer, backend.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=backend, bos_token=tokens[0], eos_token=tokens[1])


def export(folder: Path, kind: str) -> dict[str, Any]:
    """A bundle, compared with its checkpoint."""
    from opensearch_lsr.export.export import export as export_bundle

    bundle = export_bundle(folder / "checkpoint", folder / kind, quantize=kind)
    files = {path.name: path.stat().st_size for path in bundle.onnx.parent.iterdir()}
    return {"bytes": sum(files.values()), "files": files, "parity": dict(bundle.config.parity)}


def encode(bundle: Path, documents: int) -> dict[str, Any]:
    """Documents of 128 tokens."""
    from opensearch_lsr import DocumentEncoder

    encoder = DocumentEncoder.from_pretrained(bundle)
    encoder.encode([TEXT])
    started = time.perf_counter()
    encoder.encode([TEXT * 3] * documents)
    return {"docs_per_s": documents / (time.perf_counter() - started)}


if __name__ == "__main__":
    main()
