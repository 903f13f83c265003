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

    ``factor = (mean / target)^gain · Π (mean / target)^rate``, the product over all updates: in logarithms a controller
    with a proportional and an integral part. Documents that are too long raise λ, ones too short lower it; the product
    rests where they meet the target, so λ itself need only be of the right order; the first part lets go early, as
    tokens that a penalty has silenced hardly ever fire again. A mean counts for at most twice the target and at least
    half of it, product and factor are kept within [1/100, 100]. Ours, for runs compared at equal length.

    Args:
        target: active tokens a document.
        rate: how fast the product moves, from 0 to 1; about 0.01 where every step is an update.
        gain: how much the length of the moment counts, 0 or more.

    Raises:
        InputError: when an argument is out of its range.

    Example: twice too long at rate 1/2 is √2 more, and for the moment twice that; right, √2 more.

        >>> controller = DimsController(target=200, rate=0.5, gain=1)
        >>> round(controller.update(400), 4), round(controller.update(200), 4)
        (2.8284, 1.4142)
    """

    def __init__(self, target: float, rate: float, gain: float = 0.0) -> None:
        if not target > 0:
            raise InputError(f"target of {target} active tokens; it is above 0")
        if not 0 < rate <= 1:
            raise InputError(f"rate {rate} of the active-tokens target; it is above 0 and at most 1")
        if gain < 0:
            raise InputError(f"gain {gain} of the active-tokens target; it is 0 or more")
        self.target, self.rate, self.gain = target, rate, gain
        self.product = self.factor = 1.0

    def update(self, mean_active_dims: float) -> float:
        """The new factor, after a mean over some documents."""
        ratio = min(max(mean_active_dims / self.target, 1 / MAX_RATIO), MAX_RATIO)
        self.product = _bounded(self.product * ratio**self.rate)
        self.factor = _bounded(self.product * ratio**self.gain)
        return self.factor

    def state_dict(self) -> dict[str, float]:
        """What a resumed run needs; the rest is the recipe's."""
        return {"product": self.product}

    def load_state_dict(self, state: Mapping[str, float]) -> None:
        """Go on from a saved state."""
        self.product = self.factor = state["product"]


def _bounded(factor: float) -> float:
    return min(max(factor, 1 / MAX_FACTOR), MAX_FACTOR)
