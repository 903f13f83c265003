"""Fixtures for migrations: two encoders."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from opensearch_lsr.bundle import Bundle


@pytest.fixture
def old(exported: Callable[..., Bundle]) -> Bundle:
    """What is served at first."""
    return exported("router")


@pytest.fixture
def new(exported: Callable[..., Bundle]) -> Bundle:
    """Another document encoder."""
    return exported("router", "relu")
