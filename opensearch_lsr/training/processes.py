"""Several processes of one run (``torchrun``), where the trainer leaves it to us."""

from __future__ import annotations

from opensearch_lsr.errors import needs_extra

with needs_extra("train", "training"):
    import torch
    import torch.distributed as distributed


def mean(value: torch.Tensor) -> torch.Tensor:
    """The mean of a tensor over all processes, the same on each, without a gradient; itself where there is one."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return value
    total = value.detach().clone()
    distributed.all_reduce(total)
    return total / distributed.get_world_size()
