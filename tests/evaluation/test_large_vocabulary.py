"""SEISMIC on a vocabulary whose ids are too large for it: the tokens that occur are counted anew."""

from __future__ import annotations

from typing import Any

import pytest
from bench_context import sample_context

from opensearch_lsr.bundle import Bundle
from opensearch_lsr.evaluation.storage import Record
from opensearch_lsr.evaluation.systems import seismic
from opensearch_lsr.evaluation.systems.seismic import Seismic, SeismicIndex


@pytest.fixture
def context(tiny: Bundle, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(seismic, "IDS", 300)  # of 311 tokens
    return sample_context(None, "run", tiny, tmp_path, occurring=["water", "tap", "dog"])  # no cluster is asked


def test_tokens_that_occur_are_numbered(context: Any, tiny: Bundle) -> None:
    index = SeismicIndex(context)
    record = Record("d1", "", "text", {"dog": 1.0, "water": 2.0})
    assert index.source(record)["lsr_vector"] == {"2": 1.0, "0": 2.0}
    system = Seismic(context)
    system.prepare()
    assert system.encode("dog water snow") == {
        "2": pytest.approx(tiny.weights["dog"]),
        "0": pytest.approx(tiny.weights["water"]),
    }
    assert system.parameters["renumbered_ids"] == 3


def test_too_many_of_them_are_refused(context: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seismic, "IDS", 2)
    assert Seismic(context).missing() == "its documents have 3 different tokens, and SEISMIC tells 2 apart"
