"""OpenSearch 3.6.0, the default."""

from __future__ import annotations

from opensearch_lsr.local.additions import BREAK_ITERATORS, DJL_0_31_1
from opensearch_lsr.local.artifacts import Artifact
from opensearch_lsr.local.release import Release

_VERSION = "3.6.0"
_PLUGIN = "org.opensearch.plugin"

RELEASE = Release(
    version=_VERSION,
    server=Artifact(
        "org.opensearch.distribution.integ-test-zip", "opensearch", _VERSION, "zip", 161609640,
        "a91faa1dc1cadc78cb278b4f63847e19e1627a4e9de698e14e7efc14ee37b286",
    ),
    plugins=(
        Artifact(
            _PLUGIN, "opensearch-job-scheduler", f"{_VERSION}.0", "zip", 368626,
            "f81d0aa9fc850b18f803292bd7ae68bd33561f6c1d12db0f68529d40eddcee24",
        ),
        Artifact(
            _PLUGIN, "opensearch-knn", f"{_VERSION}.0", "zip", 6015541,
            "ac392ca28a39b3bf290648a422ef30cb149dda2963a9d7feb26060e932341c9a",
        ),
        Artifact(
            _PLUGIN, "opensearch-ml-plugin", f"{_VERSION}.0", "zip", 390566619,
            "c051d436fe1936da1477bb999db829eb2bc92b12989e376c300d0a874fb90f9d",
        ),
        Artifact(
            _PLUGIN, "neural-search", f"{_VERSION}.0", "zip", 12095213,
            "6ef1b206e79391e2e36268e32dc34d27fd8b8a59a8eb0a7393c97d53b038e433",
        ),
    ),
    libraries=BREAK_ITERATORS,
    natives=DJL_0_31_1,
)  # fmt: skip
