"""Average the weights of document encoders that were trained from the same start.

    python benchmarks/default_encoder/average.py CHECKPOINT CHECKPOINT … -o FOLDER [--beta 0.5]

The average of models that were fine-tuned from one start is often better than each of them (model soups, arXiv
2203.05482). The tokenizer, the token weights and the lexical prior are the first checkpoint's.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

WEIGHTS = "model.safetensors"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoints", type=Path, nargs="+", metavar="CHECKPOINT")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--beta", type=float, help="start the lexical prior anew, with this weight")
    asked = parser.parse_args()
    shutil.copytree(asked.checkpoints[0], asked.output, ignore=shutil.ignore_patterns("run"))
    average(asked.checkpoints, asked.output)
    if asked.beta is not None:
        restart(asked.output, asked.beta)
    print(asked.output)


def module(checkpoint: Path, kind: str) -> Path:
    """The folder of a document module: an older sentence-transformers called the encoder's MLMTransformer."""
    (found,) = checkpoint.glob(f"document_*_*{kind}")
    return found


def average(checkpoints: list[Path], output: Path) -> None:
    """Write the mean of the encoders' weights into a copy of the first."""
    first, *others = (load_file(module(one, "Transformer") / WEIGHTS) for one in checkpoints)
    total = {name: weights.double() for name, weights in first.items()}
    for other in others:
        for name, weights in other.items():
            total[name] += weights
    mean = {name: (weights / len(checkpoints)).float().contiguous() for name, weights in total.items()}
    save_file(mean, module(output, "Transformer") / WEIGHTS, metadata={"format": "pt"})


def restart(output: Path, beta: float, drop_below: float = 1.5, k: float = 1.2, b: float = 0.75) -> None:
    """Set the prior back to what it is before training; k and b are stored before softplus and sigmoid."""
    tokens = Tokenizer.from_file(str(module(output, "Transformer") / "tokenizer.json")).get_vocab()
    prior = module(output, "LexicalPrior") / WEIGHTS
    weights = load_file(prior)
    weights["scale"] = torch.zeros_like(weights["scale"])
    for token, weight in json.loads((output / "idf.json").read_text()).items():
        if weight >= drop_below:
            weights["scale"][tokens[token]] = beta
    weights["raw_k"] = torch.full_like(weights["raw_k"], k).expm1().log()
    weights["raw_b"] = torch.full_like(weights["raw_b"], b).logit()
    save_file(weights, prior)


if __name__ == "__main__":
    main()
