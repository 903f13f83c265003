"""Tiny checkpoints and their bundles, each made once a session."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from tiny_checkpoint import Layout, make_checkpoint

from opensearch_lsr.bundle import Bundle
from opensearch_lsr.export.export import export


@pytest.fixture(scope="session")
def checkpoint_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """``checkpoint_folder(layout, activation)``: a folder to read, not to change."""

    @cache
    def make(layout: Layout = "router", activation: str = "log1p_relu") -> Path:
        return make_checkpoint(tmp_path_factory.mktemp(layout) / f"{layout}-{activation}", layout, activation)

    return make


@pytest.fixture(scope="session")
def exported(checkpoint_folder: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Bundle]:
    """``exported(layout, activation, quantize)``: the bundle of such a checkpoint."""

    @cache
    def make(layout: Layout = "router", activation: str = "log1p_relu", quantize: str = "none") -> Bundle:
        return export(
            checkpoint_folder(layout, activation),
            tmp_path_factory.mktemp("bundles") / "bundle",
            quantize=quantize,
            activation=activation if layout == "mlm" else None,
        )

    return make
