"""What the arg-max head saves: it and sentence-transformers' SpladePooling on the same batch, interleaved.

    python benchmarks/head.py --json head.json
    python benchmarks/head.py --backbone $LSR_MINILM --rounds 9

32 documents of 128 tokens, the decoder's bias set so that about 200 entries a document fire. The default backbone is a
random BERT of MiniLM-L6's size (384 × 6 layers, 30,522 tokens). Times are medians in milliseconds; bytes are the peak
of what one forward and backward pass of the head alone allocates, as torch's profiler sees it.
"""

from __future__ import annotations

import argparse
import copy
import json
import statistics
import string
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from sentence_transformers import SparseEncoder
from sentence_transformers.sparse_encoder.modules import SpladePooling
from tokenizers import Tokenizer, models
from transformers import BertConfig, BertForMaskedLM, PreTrainedTokenizerFast
from transformers.utils import logging as transformers_logging

from opensearch_lsr.training import checkpoint, head, model, recipe_model

Features = dict[str, torch.Tensor]
Case = Callable[[], object]
SPECIALS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
VOCABULARY = 30_522
ALL = string.ascii_lowercase + string.digits
GOALS = {"head float32": 2.5, "step float32": 1.5}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbone", type=Path, help="folder of a masked LM or transformer; default: a random one")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--length", type=int, default=128)
    parser.add_argument("--active", type=int, default=200, help="entries a document")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()

    transformers_logging.disable_progress_bar()
    torch.manual_seed(1)
    with tempfile.TemporaryDirectory() as folder:
        backbone = arguments.backbone or random_backbone(Path(folder))
        theirs = model.build(recipe_model.Model(str(backbone), token_weights="ones", logs=1, head="logits"))
    batch = {
        "input_ids": torch.randint(len(SPECIALS) + 1000, VOCABULARY, (arguments.batch, arguments.length)),
        "attention_mask": torch.ones(arguments.batch, arguments.length, dtype=torch.int64),
    }
    hidden = fire(theirs, batch, arguments.active)
    ours = head.install(copy.deepcopy(theirs))
    result = {
        "batch": arguments.batch,
        "length": arguments.length,
        "active_dims": float((pooled(theirs, hidden, batch, ours=False) > 0).sum(dim=1).float().mean()),
        "threads": torch.get_num_threads(),
        "rounds": arguments.rounds,
        "gradient_difference": gradient_difference(theirs, hidden, batch),
        "head_bytes": [peak(head_case(theirs, hidden, batch, ours=which, bf16=False)) for which in (False, True)],
        "milliseconds": {
            name: interleaved(*cases, arguments.rounds) for name, cases in cases_of(theirs, ours, hidden, batch)
        },
    }
    report(result)
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def random_backbone(folder: Path) -> Path:
    """A BertForMaskedLM of MiniLM-L6's size over made-up tokens."""
    names = (
        a + b + c + d for a in string.ascii_lowercase for b in string.ascii_lowercase for c in "aeiou" for d in ALL
    )
    tokens = [*SPECIALS, *(next(names) for _ in range(VOCABULARY - len(SPECIALS)))]
    vocabulary = {token: index for index, token in enumerate(tokens)}
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.WordPiece(vocab=vocabulary, unk_token="[UNK]")),
        **{
            name: f"[{name[:-6].upper()}]"
            for name in ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token")
        },
    )
    size = {"hidden_size": 384, "num_hidden_layers": 6, "num_attention_heads": 12, "intermediate_size": 1536}
    BertForMaskedLM(BertConfig(vocab_size=VOCABULARY, **size)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@torch.no_grad()
def fire(encoder: SparseEncoder, batch: Features, active: int) -> torch.Tensor:
    """Shift the decoder's bias until ``active`` entries a document fire; the head's input, [batch, length, size]."""
    lm = checkpoint.document_modules(encoder)[0].auto_model.eval()
    decoder = lm.get_output_embeddings()
    with head.skipped(decoder):
        hidden: torch.Tensor = lm(**batch).logits
    maxima = torch.cat([decoder(document).amax(dim=0, keepdim=True) for document in hidden])
    # Midway between two entries: one at exactly 0 would fire or not by the rounding of either head.
    decoder.bias -= maxima.flatten().topk(active * len(hidden) + 1).values[-2:].mean()
    return hidden


def pooled(encoder: SparseEncoder, hidden: torch.Tensor, batch: Features, ours: bool) -> torch.Tensor:
    """The head alone: [batch, vocab]."""
    decoder = checkpoint.document_modules(encoder)[0].auto_model.get_output_embeddings()
    mask = batch["attention_mask"]
    if ours:
        fast = torch.is_autocast_enabled("cpu")
        with torch.autocast("cpu", enabled=False):
            return torch.log1p(head.MaxLogits.apply(hidden, mask, decoder.weight, decoder.bias, fast))
    # in training mode, as in a step: out of it, SpladePooling works in place
    features = SpladePooling("max").train()({"token_embeddings": decoder(hidden), "attention_mask": mask})
    vector: torch.Tensor = features["sentence_embedding"]
    return vector


def head_case(encoder: SparseEncoder, hidden: torch.Tensor, batch: Features, ours: bool, bf16: bool) -> Case:
    """Forward and backward of the head alone, returning the gradients of hidden states, weight and bias."""
    decoder = checkpoint.document_modules(encoder)[0].auto_model.get_output_embeddings()
    upstream = torch.rand(len(hidden), decoder.out_features)

    def run() -> list[torch.Tensor]:
        states = hidden.detach().requires_grad_()
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            vector = pooled(encoder, states, batch, ours)
        score = (vector.float() * upstream).sum()
        return list(torch.autograd.grad(score, [states, decoder.weight, decoder.bias]))

    return run


def encode(encoder: SparseEncoder, batch: Features) -> torch.Tensor:
    """The document side: [batch, vocab]."""
    features: dict[str, Any] = dict(batch)
    for module in checkpoint.document_modules(encoder):
        features = module(features)
    vector: torch.Tensor = features["sentence_embedding"]
    return vector


def step_case(encoder: SparseEncoder, batch: Features, bf16: bool) -> Case:
    """A whole training step: encoder and head, forward and backward, AdamW."""
    optimiser = torch.optim.AdamW(encoder.parameters(), lr=1e-7)  # so that as many entries go on firing
    upstream = torch.rand(len(batch["input_ids"]), VOCABULARY)

    def run() -> None:
        encoder.train()
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            vector = encode(encoder, batch)
        optimiser.zero_grad()
        (vector.float() * upstream[:, : vector.shape[1]]).mean().backward()  # type: ignore[no-untyped-call]
        optimiser.step()

    return run


def inference_case(encoder: SparseEncoder, batch: Features) -> Case:
    """A whole forward pass without gradients, float32."""

    def run() -> None:
        encoder.eval()
        with torch.inference_mode():
            encode(encoder, batch)

    return run


def cases_of(
    theirs: SparseEncoder, ours: SparseEncoder, hidden: torch.Tensor, batch: Features
) -> list[tuple[str, tuple[Case, Case]]]:
    """What is timed: a name, and the two cases that take turns."""
    found: list[tuple[str, tuple[Case, Case]]] = []
    for name, bf16 in (("float32", False), ("bfloat16", True)):
        heads = [head_case(theirs, hidden, batch, ours=which, bf16=bf16) for which in (False, True)]
        found.append((f"head {name}", (heads[0], heads[1])))
        found.append((f"step {name}", (step_case(theirs, batch, bf16), step_case(ours, batch, bf16))))
    found.append(("inference float32", (inference_case(theirs, batch), inference_case(ours, batch))))
    return found


def interleaved(theirs: Case, ours: Case, rounds: int) -> list[float]:
    """Median milliseconds of both, in turns, each first every other round; one round of warm-up."""
    times: dict[Case, list[float]] = {theirs: [], ours: []}
    for turn in range(rounds + 1):
        for case in (theirs, ours) if turn % 2 else (ours, theirs):
            started = time.perf_counter()
            case()
            if turn:
                times[case].append((time.perf_counter() - started) * 1000)
    return [statistics.median(times[theirs]), statistics.median(times[ours])]


def peak(case: Case) -> int:
    """Most bytes that a case holds at a time, over what was there before."""
    case()
    activities = [torch.profiler.ProfilerActivity.CPU]
    with torch.profiler.profile(activities=activities, profile_memory=True) as profile:
        case()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "trace.json"
        profile.export_chrome_trace(str(file))
        events: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))["traceEvents"]
    changes = sorted((event["ts"], event["args"]["Bytes"]) for event in events if event.get("name") == "[memory]")
    held = most = 0
    for _, change in changes:
        held += change
        most = max(most, held)
    return most


def gradient_difference(encoder: SparseEncoder, hidden: torch.Tensor, batch: Features) -> float:
    """Largest difference of a gradient (hidden states, weight, bias), over the largest of that gradient; float32."""
    found = []
    for which in (False, True):
        torch.manual_seed(2)  # the same upstream gradient
        found.append(head_case(encoder, hidden, batch, ours=which, bf16=False)())
    pairs = zip(*found, strict=True)
    return max(float((one - other).abs().max() / one.abs().max()) for one, other in pairs)


def report(result: dict[str, Any]) -> None:
    print(
        f"{result['batch']} × {result['length']} tokens, {result['active_dims']:.0f} active dims, "
        f"{result['threads']} threads, median of {result['rounds']}"
    )
    print(f"{'':<20}  {'SpladePooling':>13}  {'arg-max':>8}  {'ratio':>6}  goal")
    for name, (theirs, ours) in result["milliseconds"].items():
        goal = f"≥ {GOALS[name]}" if name in GOALS else ""
        print(f"{name:<20}  {theirs:>10,.0f} ms  {ours:>5,.0f} ms  {theirs / ours:>5.2f}x  {goal}")
    theirs, ours = result["head_bytes"]
    print(f"{'head tensors':<20}  {theirs / 1e6:>10,.0f} MB  {ours / 1e6:>5,.0f} MB  {ours / theirs:>6.3f}  ≤ 0.25")
    print(f"largest gradient difference, of the largest gradient: {result['gradient_difference']:.1e}")


if __name__ == "__main__":
    main()
