"""The shipped bundle's weights as a checkpoint again, so that it can be exported otherwise or trained on.

    LSR_START=../shared/checkpoints/minilm-l6-trial1 python benchmarks/default_encoder/restore.py -o FOLDER

int8 weights are multiplied out to float32; they are what the bundle computes with, and the two must agree in the tokens
that the bundle keeps of a document. The start's folder gives the configuration and the tokenizer.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper

from opensearch_lsr.bundle import Bundle
from opensearch_lsr.data.documents import read_titled
from opensearch_lsr.document_encoder import DocumentEncoder
from opensearch_lsr.training import checkpoint, model, recipe_model

AVERAGE_LENGTH = 120.0  # of the prior: a constant in the graph, in run1.toml, and in the card
SAMPLE = Path(model.__file__).parents[1] / "samples" / "handbook"
CLOSE = 1e-4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", nargs="?", default="default")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FOLDER")
    asked = parser.parse_args()
    bundle = Bundle.open(asked.bundle)
    if bundle.config.quantization != "int8":
        sys.exit(f"error: {bundle.path}: its weights are {bundle.config.quantization}; only int8 ones are read here")
    encoder = model.build(
        recipe_model.Model(
            backbone=os.environ["LSR_START"],
            max_length=bundle.config.max_length,
            logs=2,
            lexical_prior=recipe_model.Prior(average_length=AVERAGE_LENGTH),
        )
    )
    transformer, *_, prior = checkpoint.document_modules(encoder)
    values = multiplied_out(bundle.onnx)
    if "head.bias" in values:  # the export's own head has it
        values["model.cls.predictions.bias"] = values["head.bias"]
    prior.load_state_dict({name: values.pop(f"prior.{name}") for name in ("scale", "raw_k", "raw_b")})
    missing, unexpected = transformer.model.load_state_dict(
        {name.removeprefix("model."): value for name, value in values.items() if name.startswith("model.")},
        strict=False,
    )
    tied = {"cls.predictions.decoder.weight", "cls.predictions.decoder.bias"}
    if unexpected or set(missing) - tied:
        sys.exit(f"error: the start is of another shape: {[*unexpected, *set(missing) - tied]}")
    transformer.model.tie_weights()
    encoder.eval()
    texts = [f"{title} {text}" for _, title, text in read_titled(SAMPLE)]
    difference = furthest(
        encoder.encode_document(texts, convert_to_sparse_tensor=False), DocumentEncoder(bundle), texts
    )
    if difference > CLOSE:
        sys.exit(f"error: differs from the bundle by {difference:.2g}")
    checkpoint.save(encoder, asked.output)
    print(f"{asked.output}: weights of {len(texts)} documents differ from the bundle's by {difference:.1e} at most")


def multiplied_out(file: Path) -> dict[str, torch.Tensor]:
    """Initializers by their names in torch, int8 ones times their scales."""
    initializers = onnx.load(file).graph.initializer
    arrays = {one.name.removeprefix("whole."): numpy_helper.to_array(one) for one in initializers}
    found = {}
    for name, array in arrays.items():
        if name.endswith(".int8"):
            bare = name.removesuffix(".int8")
            found[bare] = torch.from_numpy(array.astype(np.float32) * arrays[f"{bare}.scale"])
        elif f"{name.removesuffix('.scale')}.int8" not in arrays:
            found[name] = torch.from_numpy(array.copy())
    return found


def furthest(vectors: torch.Tensor, encoder: DocumentEncoder, texts: list[str]) -> float:
    """The largest difference of a weight that the bundle keeps."""
    vocabulary = encoder.bundle.tokenizer.get_vocab()
    pairs = zip(vectors, encoder.encode(texts), strict=True)
    return max(
        abs(float(dense[vocabulary[token]]) - weight) for dense, sparse in pairs for token, weight in sparse.items()
    )


if __name__ == "__main__":
    main()
