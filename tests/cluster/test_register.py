"""Sending a model's files to ML Commons."""

from __future__ import annotations

from dataclasses import replace

import pytest
from opensearchpy import OpenSearch

from opensearch_lsr import deploy
from opensearch_lsr.bundle import Bundle
from opensearch_lsr.cluster import models, register
from opensearch_lsr.cluster.deployment import Deployment
from opensearch_lsr.errors import ClusterError

pytestmark = pytest.mark.cluster


def test_a_model_that_is_registered_late(
    client: OpenSearch, tiny: Bundle, alias: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ML Commons acknowledges the last chunk before it writes the model's state: here it takes a while."""
    find, late = models.find, [3]

    def lagging(client: OpenSearch, name: str) -> list[models.Model]:
        found = find(client, name)
        if found and late[0]:
            late[0] -= 1
            return [replace(model, state="REGISTERING") for model in found]
        return found

    monkeypatch.setattr(models, "find", lagging)
    deploy(client, tiny, alias=alias, fields=["text"])
    assert late == [0]
    assert models.find(client, Deployment(tiny, alias, ("text",)).model_name)[0].state == "DEPLOYED"


def test_a_model_that_is_never_registered(client: OpenSearch, tiny: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "usable", lambda *_: None)
    monkeypatch.setattr(register, "REGISTERED_WITHIN", 0.2)
    name = "lsr-never-registered"
    with (
        register.pack({"model.onnx": tiny.onnx}) as archive,
        pytest.raises(ClusterError, match="not registered after 0.2 s"),
    ):
        register.register(client, name, "1.0.0", "SPARSE_ENCODING", archive, lambda *_: None)
    for model in models.find(client, name):
        models.remove(client, model)
