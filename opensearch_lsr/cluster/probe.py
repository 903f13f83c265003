"""A deployed model must give what the bundle gives here: a few predictions compared with the local encoder."""

from __future__ import annotations

from collections.abc import Callable

from opensearch_lsr.bundle import Bundle
from opensearch_lsr.document_encoder import DocumentEncoder
from opensearch_lsr.errors import DeploymentError
from opensearch_lsr.query_encoder import QueryEncoder
from opensearch_lsr.sparse_vector import SparseVector, by_contribution

Predict = Callable[[list[str]], list[dict[str, float]]]
Check = Callable[[Bundle, Predict, str], None]
TOLERANCE = 1e-3
TOLERANCES = {"int8-dynamic": 0.05}  # an activation in the middle between two integers may be rounded either way
TEXTS = [
    "A squeaking noise while braking usually means that the brake pads are worn.",
    "e.g. 3.5 °C, naïve café, 中文 – and “quotes”",
    "sparse",
]


def documents(bundle: Bundle, predict: Predict, name: str) -> None:
    """Compare the document model with onnxruntime here.

    Raises:
        DeploymentError: naming the token that differs most.
    """
    tolerance = TOLERANCES.get(bundle.config.quantization, TOLERANCE)
    local, remote = DocumentEncoder(bundle).encode(TEXTS), predict(TEXTS)
    if bundle.config.top_k:  # which of its weakest entries a vector keeps may be decided by a rounding
        surest = [_strongest(vector, bundle) for vector in local]
        remote = [{token: there.get(token, 0.0) for token in here} for here, there in zip(surest, remote, strict=True)]
        local = surest
    _compare(local, remote, name, tolerance)


def queries(bundle: Bundle, predict: Predict, name: str) -> None:
    """Compare the tokenizer model with the lookup here; see :func:`documents` for what is raised."""
    encoder = QueryEncoder.from_pretrained(str(bundle.path))
    known = set().union(*encoder.encode_batch(TEXTS))
    # ML Commons gives tokens without a weight (special ones) 1.0; documents never have them
    predicted = [{token: weight for token, weight in vector.items() if token in known} for vector in predict(TEXTS)]
    _compare(encoder.encode_batch(TEXTS), predicted, name, TOLERANCE)


def difference(local: list[SparseVector], remote: list[dict[str, float]], tolerance: float = TOLERANCE) -> str | None:
    """The token that weighs most differently here and in the cluster, in the first of :data:`TEXTS` with one."""
    for text, here, there in zip(TEXTS, local, remote, strict=True):
        gaps = {token: abs(here.get(token, 0.0) - there.get(token, 0.0)) for token in here.keys() | there.keys()}
        worst = max(gaps, key=gaps.__getitem__, default="")
        if gaps and gaps[worst] > tolerance:
            weights = f"{there.get(worst, 0.0):.4f} in the cluster and {here.get(worst, 0.0):.4f} here"
            return f"token {worst!r} of {text!r} weighs {weights}"
    return None


def _strongest(vector: SparseVector, bundle: Bundle) -> SparseVector:
    """The entries of a cut vector that another runtime keeps, too: all but a quarter of what it may keep."""
    if len(vector) < (k := bundle.config.top_k or 0):
        return vector
    table = bundle.named_weights if bundle.config.query == "table" else dict.fromkeys(vector, 1.0)
    return {token: vector[token] for token, _ in by_contribution(vector, table)[: k * 3 // 4]}


def _compare(local: list[SparseVector], remote: list[dict[str, float]], name: str, tolerance: float) -> None:
    found = difference(local, remote, tolerance)
    if found:
        raise DeploymentError(f"model {name}: {found}; the model was removed again")
