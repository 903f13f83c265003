"""What happens around a step: λ's clock, the state that the trainer does not keep, the log."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from opensearch_lsr.errors import needs_extra
from opensearch_lsr.training.loss import LSRLoss
from opensearch_lsr.training.run_log import RunLog
from opensearch_lsr.whole_file import whole

with needs_extra("train", "training"):
    import torch
    from safetensors.torch import load_file, save_file
    from transformers import TrainerCallback

LOSS_STATE = "loss_state.safetensors"


class LossClock(TrainerCallback):  # type: ignore[misc]  # transformers is untyped
    """Tells the loss which step it is, and keeps its state (document frequencies, λ's controller) in checkpoints."""

    def __init__(self, loss: LSRLoss, resume_from: Path | None) -> None:
        self.loss, self.resume_from = loss, resume_from

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if self.resume_from is not None:
            _load(self.loss, load_file(self.resume_from / LOSS_STATE))

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.loss.step = state.global_step

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        if state.is_world_process_zero:
            with whole(folder / LOSS_STATE) as draft:  # its presence says that the checkpoint is whole
                save_file(_state(self.loss), draft)


class Log(TrainerCallback):  # type: ignore[misc]  # transformers is untyped
    """Logs what the trainer does, with the loss's own figures."""

    def __init__(self, loss: LSRLoss, log: RunLog) -> None:
        self.loss, self.log = loss, log

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **kwargs: Any) -> None:
        figures = {name: value for name, value in (logs or {}).items() if isinstance(value, int | float)}
        if "loss" in figures:
            figures |= self.loss.take_figures()
        if figures:
            self.log.training(state.global_step, state.max_steps, figures)


def latest(folder: Path) -> Path | None:
    """The last whole checkpoint of a run, or None."""
    whole = [state.parent for state in folder.glob(f"checkpoint-*/{LOSS_STATE}")]
    return max(whole, key=step_of, default=None)


def step_of(found: Path) -> int:
    """The step after which a checkpoint was written."""
    return int(found.name.rpartition("-")[2])


def _state(loss: LSRLoss) -> dict[str, torch.Tensor]:
    state = {name: value.clone() for name, value in loss.state_dict().items() if not name.startswith("model.")}
    steered = loss.controller.state_dict() if loss.controller is not None else {}
    return state | {f"controller.{name}": torch.tensor(value, dtype=torch.float64) for name, value in steered.items()}


def _load(loss: LSRLoss, state: dict[str, torch.Tensor]) -> None:
    if loss.controller is not None:
        loss.controller.load_state_dict(
            {name: float(state.pop(f"controller.{name}")) for name in loss.controller.state_dict()}
        )
    loss.load_state_dict(state, strict=False)
