"""The checkpoint's model card: what was trained, on what, how, and what came of it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from opensearch_lsr.data.training_set import TrainingSet
from opensearch_lsr.training.checkpoint import OURS
from opensearch_lsr.training.recipe import Recipe

_CARD = """\
---
{licence}library_name: sentence-transformers
tags:
- sparse-encoder
- opensearch-lsr
pipeline_tag: feature-extraction
---

# {name}

{kind}, trained by opensearch-lsr {version} (`opensearch-lsr train`, seed {seed}; the whole recipe is below).

Backbone: {backbone}

```python
from sentence_transformers import SparseEncoder

model = SparseEncoder("{name}"{trust})
```

```
opensearch-lsr export {name} -o {name}-bundle --quantize int8
```

## Data

{queries:,} queries and {documents:,} documents in {rows:,} rows:

{data}

{notes}

## Dev splits

Thinned splits, to compare checkpoints of this run with; no test results.

{figures}

## Recipe

```toml
{recipe}
```
"""
_NO_NOTES = "What the backbone was trained on is not stated; the recipe's `notes` are the place to say it."
_SHOWN = ("ndcg@10", "mrr@10", "recall@100", "active_dims", "avg_flops")


def write(
    folder: Path,
    recipe: Recipe,
    recipe_text: str,
    data: TrainingSet,
    figures: Mapping[str, float],
    modules: Sequence[str] = (),
) -> None:
    """Write ``README.md`` into a checkpoint.

    Args:
        folder: the checkpoint.
        recipe: what was run.
        recipe_text: its TOML, machine paths and all taken out.
        data: what it learned from.
        figures: of the dev splits, by sentence-transformers' names.
        modules: class names of the document side.
    """
    licence = re.search(r"^licen[cs]e:\s*([\w.+-]+)", recipe.notes, re.MULTILINE | re.IGNORECASE)
    sources = [*recipe.data.train, *recipe.data.hub, *recipe.data.pseudo_queries]
    text = _CARD.format(
        licence=f"license: {licence.group(1)}\n" if licence else "",
        name=recipe.name,
        kind=_kind(recipe, "LexicalPrior" in modules),
        version=version("opensearch-lsr"),
        seed=recipe.seed,
        backbone=_name(recipe.model.backbone),
        trust=", trust_remote_code=True" if {kind.__name__ for kind in OURS.values()} & set(modules) else "",
        queries=len(data.queries),
        documents=len(data.documents),
        rows=len(data.rows),
        data="\n".join(f"- {_name(source)}" for source in sources),
        notes=recipe.notes.strip() or _NO_NOTES,
        figures=_table(figures),
        recipe=recipe_text.strip(),
    )
    (folder / "README.md").write_text(text, encoding="utf-8")


def _name(source: str) -> str:
    """A folder's or file's own, without the machine's path; a Hub name as it is."""
    return Path(source).name if Path(source).is_absolute() else source


def _kind(recipe: Recipe, prior: bool) -> str:
    side = "an inference-free" if recipe.model.query == "table" else "a Siamese (query and document encoded)"
    return f"This is {side} learned sparse encoder{' with a lexical prior' if prior else ''}"


def _table(figures: Mapping[str, float]) -> str:
    shown = {name: value for name, value in figures.items() if name.lower().endswith(_SHOWN)}
    if not shown:
        return "None were asked for."
    return "| | |\n|---|---|\n" + "\n".join(f"| {name} | {value:.4f} |" for name, value in shown.items())
