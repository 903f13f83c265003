"""Inference-free learned sparse retrieval for OpenSearch.

The names below are loaded on first use, so that ``import opensearch_lsr`` costs nothing.
"""

from __future__ import annotations

TYPE_CHECKING = False  # type checkers take the name for true; importing typing for it would cost 15 ms
if TYPE_CHECKING:
    from opensearch_lsr.cluster.deploy import deploy as deploy
    from opensearch_lsr.cluster.migrate import migrate as migrate
    from opensearch_lsr.cluster.rollback import rollback as rollback
    from opensearch_lsr.document_encoder import DocumentEncoder as DocumentEncoder
    from opensearch_lsr.errors import LSRError as LSRError
    from opensearch_lsr.query_encoder import QueryEncoder as QueryEncoder

_HOMES = {
    "DocumentEncoder": "opensearch_lsr.document_encoder",
    "LSRError": "opensearch_lsr.errors",
    "QueryEncoder": "opensearch_lsr.query_encoder",
    "deploy": "opensearch_lsr.cluster.deploy",
    "migrate": "opensearch_lsr.cluster.migrate",
    "rollback": "opensearch_lsr.cluster.rollback",
}
__all__ = ["DocumentEncoder", "LSRError", "QueryEncoder", "__version__", "deploy", "migrate", "rollback"]


def __getattr__(name: str) -> object:
    if name == "__version__":
        from importlib.metadata import version

        return version("opensearch-lsr")
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
