"""Every error that a user can cause, as one tree.

::

    LSRError                    one clear line: what is wrong, where, and the remedy
    ├── InputError              a file, line or text that cannot be used
    ├── BundleError             an encoder bundle that is missing, partial or damaged
    ├── CheckpointError         a checkpoint that cannot be exported
    │   └── ParityError         the exported graph does not equal the checkpoint
    ├── MissingExtraError       an optional dependency that is not installed
    ├── ClusterError            OpenSearch is unreachable, refuses, or is not as needed
    │   ├── PreflightError      what a deployment needs and the cluster lacks
    │   └── DeploymentError     what is deployed does not fit what was asked
    └── NodeError               the embedded OpenSearch could not be fetched, started or stopped

The command line prints the message and exits with 1. Anything that is not an ``LSRError`` is a defect.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

_LONGEST = 1500  # characters of a message; its end, which has the remedy, is kept


class LSRError(Exception):
    """Base of the tree; its message is one line a user can act on."""

    def __str__(self) -> str:
        """The message in one line, whatever is in names and values of a file: no control characters, not endless."""
        line = " ".join(super().__str__().split())
        if len(line) > _LONGEST:
            line = f"{line[: _LONGEST // 2]} … {line[-_LONGEST // 2 :]}"
        return line if line.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line)


class InputError(LSRError):
    """A file, line or text that cannot be used."""


class BundleError(LSRError):
    """An encoder bundle that is missing, partial or damaged."""


class CheckpointError(LSRError):
    """A checkpoint that cannot be exported."""


class ParityError(CheckpointError):
    """The exported graph does not equal the checkpoint it came from."""


class MissingExtraError(LSRError):
    """An optional dependency that is not installed."""


class ClusterError(LSRError):
    """OpenSearch is unreachable, refuses, or is not as needed."""


class PreflightError(ClusterError):
    """What a deployment needs and the cluster lacks."""


class DeploymentError(ClusterError):
    """What is deployed does not fit what was asked."""


class NodeError(LSRError):
    """The embedded OpenSearch could not be fetched, started or stopped."""


@contextmanager
def needs_extra(extra: str, purpose: str) -> Iterator[None]:
    """Turn the ImportError of an optional dependency into its pip line.

    Use it around the imports themselves: ``with needs_extra("onnx", "encoding documents"): import onnxruntime``.

    Raises:
        MissingExtraError: when an import inside the block fails because a module is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"{purpose} needs {error.name}, which is not installed: pip install 'opensearch-lsr[{extra}]'"
        ) from error
