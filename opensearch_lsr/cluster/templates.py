"""The JSON that is sent: ``pipelines/*.json`` with their placeholders filled.

One source for the package and for people with curl. In a wheel the folder is ``opensearch_lsr/_pipelines``; an editable
install does not see that copy, hence the fallback to the repository's.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

_PACKAGED = Path(__file__).parent.parent / "_pipelines"
FOLDER = _PACKAGED if _PACKAGED.is_dir() else Path(__file__).parents[2] / "pipelines"
_PLACEHOLDER = re.compile(r"\$\{(\w+)\}")


def load(name: str, **values: Any) -> dict[str, Any]:
    """Read ``pipelines/<name>.json`` and fill ``${key}``; a string that is only a placeholder takes any value."""
    body: dict[str, Any] = _fill(json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8")), values)
    return body


def _fill(node: Any, values: dict[str, Any]) -> Any:
    if isinstance(node, dict):
        return {key: _fill(value, values) for key, value in node.items()}
    if isinstance(node, list):
        return [_fill(value, values) for value in node]
    if not isinstance(node, str):
        return node
    whole = _PLACEHOLDER.fullmatch(node)
    if whole:
        return values[whole[1]]
    return _PLACEHOLDER.sub(lambda match: str(values[match[1]]), node)
