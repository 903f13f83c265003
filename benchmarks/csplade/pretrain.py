"""Small decoders, from scratch: a byte-level BPE tokenizer and Llama-style language models of two sizes.

    LSR_COLLECTIONS=../shared/collections LSR_WORK=~/csplade python benchmarks/csplade/pretrain.py

$LSR_WORK/decoders/tokenizer   8,192 tokens, learned from the texts
$LSR_WORK/decoders/small       2 layers of 128
$LSR_WORK/decoders/medium      4 layers of 256

Texts: the documents of squad-sent, scitldr, scifact, boolq-valtest and medquad. No queries, nothing of a test set but
the in-domain one's documents. What is there is kept; a killed run goes on from its last checkpoint.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    Trainer,
    TrainerCallback,
    TrainingArguments,
    set_seed,
)
from transformers.trainer_callback import PrinterCallback

from opensearch_lsr.data.documents import read_titled
from opensearch_lsr.errors import InputError, LSRError
from opensearch_lsr.whole_file import whole

SOURCES = ("squad-sent", "scitldr", "scifact", "boolq-valtest", "medquad")
VOCABULARY, END = 8192, "<|endoftext|>"
LENGTH, BATCH = 128, 16  # tokens of a sequence, sequences of a step
SEED = 1


@dataclass(frozen=True)
class Size:
    """Of a decoder.

    Attributes:
        layers: of the network.
        width: of its hidden states.
        steps: it is trained for.
    """

    layers: int
    width: int
    steps: int


SIZES = {"small": Size(2, 128, 3600), "medium": Size(4, 256, 3600)}


class Texts(torch.utils.data.Dataset[dict[str, torch.Tensor]]):
    """All texts as one row of tokens, cut into sequences."""

    def __init__(self, tokens: np.ndarray) -> None:
        self.rows = tokens[: len(tokens) // LENGTH * LENGTH].reshape(-1, LENGTH)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        ids = torch.from_numpy(self.rows[index].astype(np.int64))
        return {"input_ids": ids, "labels": ids}


class Curve(TrainerCallback):  # type: ignore[misc]  # transformers is untyped
    """Prints and keeps the loss."""

    def __init__(self, name: str) -> None:
        self.name, self.points = name, list[tuple[int, float]]()
        self.started = time.monotonic()

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **kwargs: Any) -> None:
        if logs and "loss" in logs:
            self.points.append((state.global_step, float(logs["loss"])))
            seconds = time.monotonic() - self.started
            print(
                f"{self.name}: {state.global_step}/{state.max_steps}, loss {logs['loss']:.2f}, {seconds:.0f} s",
                flush=True,
            )


def main() -> None:
    """Make what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, help="another number, for a trial")
    arguments = parser.parse_args()
    try:
        pretrain(arguments.steps)
    except LSRError as error:
        sys.exit(f"error: {error}")


def pretrain(steps: int | None = None) -> None:
    """Tokenizer and decoders, in $LSR_WORK.

    Raises:
        InputError: when LSR_COLLECTIONS or LSR_WORK is not set, or holds decoders of another number of steps.
    """
    for name in ("LSR_COLLECTIONS", "LSR_WORK"):
        if not os.environ.get(name):
            raise InputError(f"{name} is not set; see {Path(__file__).parent / 'README.md'}")
    collections, folder = Path(os.environ["LSR_COLLECTIONS"]), Path(os.environ["LSR_WORK"]) / "decoders"
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "tokenizer" / "tokenizer.json").is_file():
        make_tokenizer(collections).save_pretrained(folder / "tokenizer")
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder / "tokenizer")
    if not (folder / "tokens.npy").is_file():
        rows = tokenizer(list(texts(collections)))["input_ids"]
        tokens = np.concatenate([np.array([*row, tokenizer.eos_token_id], dtype=np.uint16) for row in rows])
        with whole(folder / "tokens.npy") as draft:
            np.save(draft, tokens)
    tokens = np.load(folder / "tokens.npy", mmap_mode="r")
    print(f"{len(tokens):,} tokens of {len(SOURCES)} collections", flush=True)
    for name, size in SIZES.items():
        asked, done = steps or size.steps, folder / name / "curve.json"
        if not done.is_file():
            train(name, size, asked, tokens, tokenizer, folder / name)
        elif (trained := json.loads(done.read_text(encoding="utf-8"))["steps"]) != asked:
            raise InputError(f"{folder / name}: was trained for {trained} steps, not {asked}; set another LSR_WORK")


def texts(collections: Path) -> Iterator[str]:
    """Titles and texts of the documents."""
    for source in SOURCES:
        for _, title, text in read_titled(collections / source):
            yield f"{title} {text}".strip()


def make_tokenizer(collections: Path) -> PreTrainedTokenizerFast:
    """Byte-level BPE over lower-cased texts: some of the collections come so."""
    backend = Tokenizer(models.BPE())
    backend.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator(texts(collections), trainer)
    return PreTrainedTokenizerFast(tokenizer_object=backend, bos_token=END, eos_token=END)


def train(name: str, size: Size, steps: int, tokens: np.ndarray, tokenizer: Any, folder: Path) -> None:
    """Next-token prediction; ``curve.json``, written last, says that the decoder is whole."""
    set_seed(SEED)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=size.width,
        intermediate_size=3 * size.width,
        num_hidden_layers=size.layers,
        num_attention_heads=size.width // 64,
        max_position_embeddings=2 * LENGTH,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        use_cache=False,
    )
    model = LlamaForCausalLM(config)
    curve = Curve(name)
    arguments = TrainingArguments(
        output_dir=str(folder / "run"),
        max_steps=steps,
        per_device_train_batch_size=BATCH,
        learning_rate=2e-3,
        lr_scheduler_type="cosine",
        warmup_steps=min(50, steps // 4),
        weight_decay=0.1,
        bf16=True,
        use_cpu=not torch.cuda.is_available(),
        logging_steps=max(1, steps // 40),
        save_steps=max(1, steps // 8),
        save_total_limit=1,
        seed=SEED,
        report_to="none",
        disable_tqdm=True,
        dataloader_num_workers=0,
    )
    trainer = Trainer(model=model, args=arguments, train_dataset=Texts(tokens), callbacks=[curve])
    trainer.remove_callback(PrinterCallback)
    trainer.train(resume_from_checkpoint=any((folder / "run").glob("checkpoint-*/trainer_state.json")) or None)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    losses = [(entry["step"], entry["loss"]) for entry in trainer.state.log_history if "loss" in entry]
    with whole(folder / "curve.json") as draft:
        draft.write_text(
            json.dumps({"parameters": model.num_parameters(), "steps": steps, "loss": losses}), encoding="utf-8"
        )


if __name__ == "__main__":
    main()
