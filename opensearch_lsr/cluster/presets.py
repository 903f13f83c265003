"""How much exactness a deployment gives for speed, by name; what each costs is in README.md, measured."""

from __future__ import annotations

from typing import Any

from opensearch_lsr.sparse_vector import Prune

EXACT, BALANCED, FAST = "exact", "balanced", "fast"
PRESETS: dict[str, dict[str, Any]] = {  # name → options of a Deployment
    EXACT: {},
    # 0.1 of documents is what sparse_encoding's documentation recommends; weaker query tokens hardly change a ranking
    BALANCED: {"prune": Prune("max_ratio", 0.1), "prune_query": Prune("max_ratio", 0.3)},
    FAST: {"two_step": True},
}
