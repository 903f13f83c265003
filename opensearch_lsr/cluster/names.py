"""What things are called in the cluster."""

from __future__ import annotations

from opensearch_lsr.errors import InputError


def check_alias(alias: str) -> None:
    """Refuse what OpenSearch takes for no name of an index.

    Raises:
        InputError: saying what one is.
    """
    if not alias or alias != alias.lower() or alias[0] in "-_+." or any(c in alias for c in ' "*\\<>|,/?#:'):
        raise InputError(
            f'alias {alias!r}: lower case, no spaces or any of " * \\ < > | , / ? # : and not starting with - _ + .'
        )


def ingest_pipeline(index: str) -> str:
    """The ingest pipeline of an index."""
    return f"lsr-{index}"


def search_pipeline(index: str) -> str:
    """The search pipeline of an index."""
    return f"lsr-{index}-search"


def document_model(name: str, fingerprint: str) -> str:
    """The document model of a bundle, shared by all that deploy it."""
    return f"lsr-{name}-{fingerprint[:8]}"


def query_model(name: str, fingerprint: str) -> str:
    """The SPARSE_TOKENIZE model of a bundle's query side."""
    return f"lsr-{name}-query-{fingerprint[:8]}"
