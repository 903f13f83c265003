"""How much exactness a deployment gives for speed, by name; what each costs is in README.md, measured."""

from __future__ import annotations

from typing import Any

from opensearch_lsr.sparse_vector import Prune

EXACT, BALANCED, FAST = "exact", "balanced", "fast"
PRESETS: dict[str, dict[str, Any]] = {  # name → options of a Deployment
    EXACT: {},
    BALANCED: {"prune": Prune("max_ratio", 0.1)},  # what the documentation of sparse_encoding recommends
    FAST: {"two_step": True},
}
