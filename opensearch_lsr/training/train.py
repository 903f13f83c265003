"""A recipe, run: data → teachers → batches → encoder → sentence-transformers' trainer → checkpoint."""

from __future__ import annotations

import json
import logging
import os
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from opensearch_lsr import settings_file
from opensearch_lsr.data.training_set import TrainingSet
from opensearch_lsr.errors import InputError, needs_extra
from opensearch_lsr.training import (
    adaptation,
    batches,
    callbacks,
    card,
    checkpoint,
    dev_splits,
    examples,
    learned_queries,
    model,
    terms,
)
from opensearch_lsr.training.kept_plan import KeptPlan
from opensearch_lsr.training.lexical_prior import LexicalPrior
from opensearch_lsr.training.recipe import Recipe
from opensearch_lsr.training.run_log import OnLog, RunLog

with needs_extra("train", "training"):
    import numpy as np
    import torch
    from accelerate import PartialState
    from sentence_transformers import SparseEncoder, SparseEncoderTrainer, SparseEncoderTrainingArguments
    from sentence_transformers.sparse_encoder.modules import SparseStaticEmbedding
    from transformers import set_seed
    from transformers.trainer_callback import PrinterCallback

RUN = "run"  # beside the checkpoint: the recipe, the plan, the log, checkpoints to resume from, teachers' scores


@dataclass(frozen=True)
class Trained:
    """Where the checkpoint is, and the last figures of its dev splits."""

    path: Path
    figures: dict[str, float]


@checkpoint.no_bars()  # the log says how far it is
def train(
    recipe: Recipe,
    output: Path,
    *,
    resume: bool = False,
    on_step: Callable[[str], object] = lambda step: None,
    on_progress: terms.OnProgress = lambda what, done, total: None,
    on_log: OnLog = lambda step, steps, figures: None,
) -> Trained:
    """Train an encoder.

    Args:
        recipe: what to do.
        output: the checkpoint's folder; ``run/`` in it holds what a resumed run needs and may be deleted afterwards.
        resume: go on from the last whole checkpoint of the same recipe in ``output``. The result is that of a run
            that was never interrupted.
        on_step: called with a line about each part of the work.
        on_progress: called with what is being done, how much of it is, and of how much: teachers' texts.
        on_log: called with step, steps and figures, means since the last call: loss terms, active dims, agreement with
            the teacher; or those of the dev splits.

    Raises:
        InputError: for data, a recipe or an output folder that cannot be used.
        CheckpointError: for a backbone that cannot be used.
    """
    logging.getLogger("sentence_transformers").setLevel(logging.ERROR)
    # The first process encodes for the teachers and writes; the others read what it wrote.
    process = PartialState(cpu=not torch.cuda.is_available())
    with process.main_process_first():
        run = _prepare(recipe, output, resume)
    set_seed(recipe.seed)
    dev = dev_splits.evaluator(recipe.evaluation, recipe.seed, recipe.model.max_length)
    on_step("reading data")
    data = examples.gather(recipe, on_step)
    kept = KeptPlan(run, data, _processes())
    rows = kept.load() if resume else None  # before hours of teachers on what may be other data
    on_step(f"asking {len(recipe.teachers)} teachers")
    with process.main_process_first():
        teacher, vectors = terms.teachers(recipe, data, run / "teachers", on_progress)
    if rows is None:
        on_step(f"drawing {recipe.training.steps:,} batches from {len(data.documents):,} documents")
        rows = _draw(recipe, data, vectors)
        if process.is_main_process:
            kept.save(rows)
    on_step(f"building the encoder from {recipe.model.backbone}")
    set_seed(recipe.seed)  # again: a teacher that is opened draws numbers, one that is cached does not
    encoder = model.build(recipe.model).to("cuda" if torch.cuda.is_available() else "cpu")
    if recipe.training.gradient_checkpointing:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # transformers has a new name for it
            encoder.gradient_checkpointing_enable({"use_reentrant": False})  # frozen weights below need no gradient
    last = callbacks.latest(run)
    log = RunLog(run, on_log, callbacks.step_of(last) if last else 0) if process.is_main_process else None
    asked = recipe.adaptation
    wanted = model.has_new_head(encoder) if asked.steps is None else asked.steps > 0
    if wanted and last is None:
        on_step("adapting the backbone")
        on_adaptation: OnLog = log.adaptation if log else lambda step, steps, figures: None
        adaptation.adapt(encoder, data.documents, asked, recipe.seed, recipe.training.bf16, on_adaptation)
    figures = _optimise(recipe, encoder, data, rows, teacher, dev, run, last, on_step, log)
    if not process.is_main_process:
        return Trained(output, figures)
    on_step(f"writing {output}")
    checkpoint.save(encoder, output)
    names = [type(module).__name__ for module in checkpoint.document_modules(encoder)]
    card.write(output, recipe, settings_file.text(recipe), data, figures, names)
    return Trained(output, figures)


def _prepare(recipe: Recipe, output: Path, resume: bool) -> Path:
    """The run's folder, with its recipe in it; refuses to mix runs."""
    run = output / RUN
    file = run / "recipe.json"
    text = json.dumps(asdict(recipe), indent=2, ensure_ascii=False)
    if resume:
        if not file.is_file():
            raise InputError(f"{output}: holds no run to resume; leave --resume out")
        if file.read_text(encoding="utf-8") != text:
            raise InputError(f"{output}: holds a run of another recipe ({file}); choose another output")
    elif callbacks.latest(run) is not None:
        raise InputError(f"{output}: holds a run; go on with --resume, or choose another output")
    elif (output / "modules.json").exists():
        raise InputError(f"{output}: holds a checkpoint; choose another output")
    run.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return run


def _draw(recipe: Recipe, data: TrainingSet, vectors: np.ndarray | None) -> np.ndarray:
    """Batches for every process, topical ones by a teacher's vectors or by words."""
    if vectors is None and recipe.batches.random_share < 1:
        vectors = examples.topics(data, recipe.seed)
    steps = recipe.training.steps * _processes()
    return batches.plan(batches.examples(data), recipe.batches, steps, recipe.seed, vectors)


def _optimise(
    recipe: Recipe,
    encoder: SparseEncoder,
    data: TrainingSet,
    rows: np.ndarray,
    teacher: Any,
    dev: Any,
    run: Path,
    last: Path | None,
    on_step: Callable[[str], object],
    log: RunLog | None,
) -> dict[str, float]:
    shape, plan = recipe.batches, recipe.training
    loss = terms.loss(recipe, encoder, teacher, data)
    arguments = _arguments(recipe, encoder, run, dev is not None and plan.evaluate_every > 0)
    watch = [callbacks.LossClock(loss, last), *([callbacks.Log(loss, log)] if log else [])]
    table = checkpoint.query_table(encoder)
    if table is not None and recipe.model.learn_query_weights:
        watch.append(learned_queries.KeptInRange(table))
    transformer = checkpoint.document_modules(encoder)[0]
    transformer.max_seq_length = plan.train_length or recipe.model.max_length
    if plan.dropout is not None:
        for module in encoder.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = plan.dropout
    trainer = _Trainer(
        model=encoder,
        args=arguments,
        train_dataset=batches.dataset(data, rows, shape.queries),
        loss=loss,
        evaluator=dev,
        callbacks=watch,
    )
    trainer.remove_callback(PrinterCallback)
    on_step(f"training for {plan.steps:,} steps" + (f" from {last.name}" if last else ""))
    trainer.train(resume_from_checkpoint=str(last) if last else None)
    transformer.max_seq_length = recipe.model.max_length
    encoder.eval()
    return {} if dev is None else {key: float(value) for key, value in dev(encoder).items()}


class _Trainer(SparseEncoderTrainer):  # type: ignore[misc]
    def get_decay_parameter_names(self, model: Any) -> list[str]:
        """Weight decay is for the network: a query table or prior that no example asks for stays as it is."""
        kept = {
            f"{name}.{own}"
            for name, module in model.named_modules()
            if isinstance(module, SparseStaticEmbedding | LexicalPrior)
            for own, _ in module.named_parameters()
        }
        return [name for name in super().get_decay_parameter_names(model) if name not in kept]

    def add_model_card_callback(self, default_args_dict: dict[str, Any]) -> None:
        """None: it encodes samples of the data set before training; the card is ours."""


def _arguments(recipe: Recipe, encoder: SparseEncoder, run: Path, evaluate: bool) -> SparseEncoderTrainingArguments:
    plan, shape = recipe.training, recipe.batches
    return SparseEncoderTrainingArguments(
        output_dir=str(run),
        per_device_train_batch_size=shape.size,
        max_steps=plan.steps,
        learning_rate=plan.learning_rate,
        warmup_steps=plan.warmup,
        weight_decay=plan.weight_decay,
        bf16=plan.bf16,
        seed=recipe.seed,
        data_seed=recipe.seed,
        use_cpu=not torch.cuda.is_available(),
        batch_sampler=batches.in_order,
        router_mapping=_routes(recipe),
        learning_rate_mapping=terms.learning_rates(recipe, encoder),
        save_strategy="steps",
        save_steps=plan.checkpoint_every,
        save_total_limit=2,
        eval_strategy="steps" if evaluate else "no",
        eval_steps=plan.evaluate_every or None,
        logging_steps=plan.log_every,
        disable_tqdm=True,
        report_to="none",
        dataloader_num_workers=0,
        remove_unused_columns=False,
        # transformers would say True, and then a learned table, used by queries only, is "ready twice".
        ddp_find_unused_parameters=False,
    )


def _processes() -> int:
    """Of ``torchrun``; each takes batches of its own."""
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    if processes == 1 and torch.cuda.device_count() > 1:
        raise InputError(
            f"{torch.cuda.device_count()} GPUs: run torchrun --nproc-per-node N -m opensearch_lsr.cli train …, "
            "or choose one with CUDA_VISIBLE_DEVICES=0"
        )
    return processes


def _routes(recipe: Recipe) -> dict[str, str]:
    if recipe.model.query == "encoder":
        return {}
    queries = {f"query_{n + 1}": "query" for n in range(recipe.batches.queries)}
    return queries | {f"document_{n + 1}": "document" for n in range(recipe.batches.documents)}
