"""A model's files, zipped and sent to ML Commons in chunks."""

from __future__ import annotations

import hashlib
import time
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from opensearchpy import OpenSearch

from opensearch_lsr.cluster import models
from opensearch_lsr.errors import ClusterError

CHUNK_BYTES = 10_000_000  # what ML Commons expects of every chunk but the last
REGISTERED_WITHIN = 60.0  # seconds after the last chunk


def pack(files: Mapping[str, Path]) -> IO[bytes]:
    """Zip files flat, the same bytes for the same content."""
    archive = TemporaryFile()  # noqa: SIM115 - the caller closes it
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as zipped:
        for name, path in files.items():
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            zipped.writestr(entry, path.read_bytes())
    return archive


def register(
    client: OpenSearch,
    name: str,
    version: str,
    function: str,
    archive: IO[bytes],
    on_chunk: Callable[[int, int], None] = lambda sent, total: None,
    model_format: str = "ONNX",
) -> str:
    """Register a model and send its zip in chunks; what an interrupted upload left is removed first.

    Args:
        client: the cluster.
        name: the model's name, unique to its content.
        version: shown by ML Commons.
        function: ``SPARSE_ENCODING`` or ``SPARSE_TOKENIZE``.
        archive: the zip, from :func:`pack`.
        on_chunk: called with (bytes sent, bytes in all).
        model_format: of the zip's model, as ML Commons calls it.

    Returns:
        The model's id.

    Raises:
        ClusterError: when the cluster took every chunk and did not finish the model.
    """
    for leftover in models.find(client, name):
        models.remove(client, leftover)
    size = archive.seek(0, 2)
    archive.seek(0)
    content_hash = hashlib.file_digest(archive, "sha256").hexdigest()  # type: ignore[arg-type]
    total_chunks = -(-size // CHUNK_BYTES)
    model_id: str = client.plugins.ml.register_model_meta(
        body={
            "name": name,
            "version": version,
            "model_group_id": models.ensure_group(client),
            "description": "made by opensearch-lsr",
            "model_format": model_format,
            "function_name": function,
            "model_content_size_in_bytes": size,
            "model_content_hash_value": content_hash,
            "total_chunks": total_chunks,
        }
    )["model_id"]
    archive.seek(0)
    for number in range(total_chunks):
        chunk = archive.read(CHUNK_BYTES)
        client.transport.perform_request(
            "POST",
            f"/_plugins/_ml/models/{model_id}/upload_chunk/{number}",
            body=chunk,
            # ML Commons reads raw bytes but takes no other content type
            headers={"content-type": "application/json"},
            params={"request_timeout": 120},
        )
        on_chunk(min(size, (number + 1) * CHUNK_BYTES), size)
    _wait_until_usable(client, name)
    return model_id


def _wait_until_usable(client: OpenSearch, name: str) -> None:
    """ML Commons acknowledges the last chunk before it writes that the model is whole."""
    deadline = time.monotonic() + REGISTERED_WITHIN
    while not models.usable(client, name):
        if time.monotonic() > deadline:
            raise ClusterError(
                f"model {name}: uploaded, but not registered after {REGISTERED_WITHIN:g} s; "
                "look at the node's log, then run it again"
            )
        time.sleep(0.1)
