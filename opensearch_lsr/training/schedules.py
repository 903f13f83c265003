"""How λ, the weight of a regulariser, moves over a run: by the step, or by what the documents look like."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from opensearch_lsr.errors import InputError

Kind = Literal["constant", "linear", "quadratic", "cosine"]

MAX_RATIO = 2.0  # one update follows the mean no further than this: a batch of untrained, dense vectors is no measure
MAX_FACTOR = 100.0  # and all of them together no further than this, or its inverse


@dataclass(frozen=True)
class Schedule:
    """A factor on λ that rises from 0 to 1 over the first ``steps`` steps and stays there.

    With ``x = min(1, step / steps)``: ``constant`` 1, ``linear`` x, ``quadratic`` x² (SPLADE, 2107.05720: the ranking
    is learned before it is thinned out), ``cosine`` (1 − cos πx) / 2.

    Args:
        kind: one of the four.
        steps: T; 0 for the full λ from the start.

    Raises:
        InputError: when the kind is another, or the steps are negative.

    Example:
        >>> [Schedule("quadratic", 100).at(step) for step in (0, 50, 100, 200)]
        [0.0, 0.25, 1.0, 1.0]
    """

    kind: Kind
    steps: int

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise InputError(f"schedule {self.kind!r}; it is one of {', '.join(get_args(Kind))}")
        if self.steps < 0:
            raise InputError(f"schedule over {self.steps} steps; it is 0 or more")

    def at(self, step: int) -> float:
        """The factor of a step, counted from 0."""
        done = min(1.0, step / self.steps) if self.steps else 1.0
        match self.kind:
            case "constant":
                return 1.0
            case "linear":
                return done
            case "quadratic":
                return done**2
            case "cosine":
                return (1 - math.cos(math.pi * done)) / 2


class DimsController:
    """A factor on λ that steers the mean number of active tokens a document to a target.

    ``factor ← factor · (mean / target)^rate`` at each update: documents that are too long raise λ, ones too short lower
    it, and it rests where they meet the target. In logarithms this is an integral controller, so λ itself need only be
    of the right order. One update's ratio is kept within [1/2, 2] and the factor within [1/100, 100]. Ours, for runs
    that are compared at equal document length.

    Args:
        target: active tokens a document.
        rate: how fast, from 0 to 1; about 0.01 where every step is an update.

    Raises:
        InputError: when an argument is out of its range.

    Example: twice too long at rate 1/2 is √2 more; right, no more.

        >>> controller = DimsController(target=200, rate=0.5)
        >>> round(controller.update(400), 4), round(controller.update(200), 4)
        (1.4142, 1.4142)
    """

    def __init__(self, target: float, rate: float) -> None:
        if not target > 0:
            raise InputError(f"target of {target} active tokens; it is above 0")
        if not 0 < rate <= 1:
            raise InputError(f"rate {rate} of the active-tokens target; it is above 0 and at most 1")
        self.target = target
        self.rate = rate
        self.factor = 1.0

    def update(self, mean_active_dims: float) -> float:
        """The new factor, after a mean over some documents."""
        ratio = min(max(mean_active_dims / self.target, 1 / MAX_RATIO), MAX_RATIO)
        self.factor = min(max(self.factor * ratio**self.rate, 1 / MAX_FACTOR), MAX_FACTOR)
        return self.factor

    def state_dict(self) -> dict[str, float]:
        """What a resumed run needs; target and rate are the recipe's."""
        return {"factor": self.factor}

    def load_state_dict(self, state: Mapping[str, float]) -> None:
        """Go on from a saved state."""
        self.factor = state["factor"]
