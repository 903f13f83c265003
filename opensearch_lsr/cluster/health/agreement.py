"""Index, pipelines and models agree: what was made together is still what works together."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from opensearchpy import OpenSearch

from opensearch_lsr.cluster import models, pipelines
from opensearch_lsr.cluster.deployed import Deployed
from opensearch_lsr.cluster.health.check import Check, deploy_again
from opensearch_lsr.cluster.preflight import Finding

_SHOWN = 3  # differences of a pipeline that are named


def of_pipelines(client: OpenSearch, target: Deployed) -> Iterator[Check]:
    """Each pipeline is bound to the index, and is what deploy sends: model, fingerprint and all else."""
    settings = client.indices.get_settings(index=target.index, flat_settings=True)[target.index]["settings"]
    for kind, name in pipelines.names(target):
        bound = settings.get(pipelines.binding(kind))
        findings = [] if bound == name else [_unbound(target, kind, name, bound)]
        found = pipelines.stored(client, kind, name)
        if found is None:
            findings.append(Finding(f"{kind} pipeline {name} is missing", deploy_again(target)))
        elif changed := list(_differences(found, _expected(client, target, kind, found))):
            problem = f"{kind} pipeline {name} is not what deploy sends: {'; '.join(changed[:_SHOWN])}"
            problem += f"; {len(changed) - _SHOWN} more" if len(changed) > _SHOWN else ""
            by_hand = "it was edited" if target.keeps_text_hashes else "it was edited, or an earlier version made it"
            findings.append(Finding(problem, f"{by_hand}; to replace it: {deploy_again(target)}"))
        yield Check(f"{kind} pipeline", f"{name}, of encoder {target.document_key}", findings, {"bound": bound})


def _unbound(target: Deployed, kind: str, name: str, bound: str | None) -> Finding:
    what = "documents are not encoded" if kind == "ingest" else "searches do without it"
    body = json.dumps({pipelines.binding(kind): name})
    return Finding(
        f"{target.index}: {pipelines.binding(kind)} is {bound or 'not set'}, not {name}: {what}",
        f"PUT /{target.index}/_settings {body}",
    )


def _expected(client: OpenSearch, target: Deployed, kind: str, found: dict[str, Any]) -> dict[str, Any]:
    """What deploy would send; where a model was uploaded twice, either copy is right."""
    name = target.pipeline_model(kind)
    if name is None:
        return pipelines.body(target, kind, None)
    ids = [model.model_id for model in models.find(client, name) if model.state in models.USABLE]
    used = next((one for one in ids if one in json.dumps(found)), None)
    return pipelines.body(target, kind, used or next(iter(ids), f"(model {name} is missing)"))


def _differences(found: Any, expected: Any, path: str = "") -> Iterator[str]:
    """Where two JSON values differ, outermost first, as ``path is …, not …``."""
    if isinstance(found, dict) and isinstance(expected, dict):
        for key in sorted(found.keys() | expected.keys()):
            inner = f"{path}.{key}" if path else key
            if key not in found or key not in expected:
                yield f"{inner} is {'missing' if key in expected else 'there and should not be'}"
            else:
                yield from _differences(found[key], expected[key], inner)
    elif isinstance(found, list) and isinstance(expected, list) and len(found) == len(expected):
        for place, pair in enumerate(zip(found, expected, strict=True)):
            yield from _differences(*pair, f"{path}[{place}]")
    elif found != expected:
        yield f"{path} is {_short(found)}, not {_short(expected)}"


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:59] + "…"
