"""Documents with onnxruntime."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from opensearch_lsr import DocumentEncoder
from opensearch_lsr.bundle import Bundle
from opensearch_lsr.document_encoder import STREAM_WINDOW
from opensearch_lsr.errors import BundleError, MissingExtraError

TEXTS = ["fix the leak", "", "tea", "water " * 500, "a dog, a cat and a horse in the garden of the house"]


@pytest.fixture(scope="module")
def encoder(tiny: Bundle) -> DocumentEncoder:
    return DocumentEncoder(tiny)


def test_alone_in_a_batch_and_streamed_a_text_has_the_same_vector(encoder: DocumentEncoder) -> None:
    together = encoder.encode(TEXTS)
    streamed = list(encoder.encode_stream(iter(TEXTS)))
    for i, text in enumerate(TEXTS):
        assert encoder.encode([text])[0] == pytest.approx(together[i], abs=1e-5)
        assert streamed[i][0] == pytest.approx(together[i], abs=1e-5)
    assert [truncated for _, truncated in streamed] == [False, False, False, True, False]


def test_many_windows_in_order(encoder: DocumentEncoder) -> None:
    texts = [TEXTS[i % 3] + " water" * (i % 7) for i in range(2 * STREAM_WINDOW + 3)]
    expected = {text: encoder.encode([text])[0] for text in dict.fromkeys(texts)}
    for text, (vector, _) in zip(texts, encoder.encode_stream(iter(texts)), strict=True):
        assert vector == pytest.approx(expected[text], abs=1e-5)


def test_a_stream_is_read_two_windows_ahead_and_can_be_left(encoder: DocumentEncoder) -> None:
    read: list[int] = []
    stream = encoder.encode_stream(read.append(i) or "water leak" for i in range(5 * STREAM_WINDOW))  # type: ignore[func-returns-value]
    next(stream)
    assert len(read) == 2 * STREAM_WINDOW
    stream.close()
    assert len(read) == 2 * STREAM_WINDOW


def test_an_error_while_encoding_reaches_the_caller(tiny: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = DocumentEncoder(tiny)

    def broken(rows: list[list[int]]) -> list[dict[str, float]]:
        raise MemoryError("no room")

    monkeypatch.setattr(encoder, "_run", broken)
    with pytest.raises(MemoryError, match="no room"):
        encoder.encode(TEXTS)


def test_shared_by_threads(encoder: DocumentEncoder) -> None:
    alone = encoder.encode(TEXTS)
    with ThreadPoolExecutor(4) as threads:
        for together in threads.map(encoder.encode, [TEXTS] * 12):
            assert all(one == pytest.approx(two, abs=1e-5) for one, two in zip(together, alone, strict=True))


def test_weights_are_positive_and_special_tokens_absent(encoder: DocumentEncoder) -> None:
    for vector in encoder.encode(TEXTS):
        assert all(weight > 0 for weight in vector.values())
        assert not {"[CLS]", "[SEP]", "[PAD]", "[UNK]", "[MASK]"} & set(vector)


def test_the_default_encoder_expands() -> None:
    vector = DocumentEncoder.from_pretrained("default").encode(["The physician treated the child's fever."])[0]
    assert "physician" in vector
    assert "doctor" in vector


def test_nothing_and_a_bare_string(encoder: DocumentEncoder) -> None:
    assert encoder.encode([]) == []
    with pytest.raises(TypeError, match="list of texts"):
        encoder.encode("fix the leak")


def test_odd_text(encoder: DocumentEncoder) -> None:
    assert len(encoder.encode(["\x00\ud800", "中文 – “x”", "w" * 5000, "x y " * 250_000])) == 4


def test_a_provider_that_is_not_there(tiny: Bundle) -> None:
    with pytest.raises(BundleError, match=r"providers \['TPUExecutionProvider'\]: onnxruntime here offers"):
        DocumentEncoder(tiny, providers=["TPUExecutionProvider"])


def test_a_truncated_graph_is_one_line(tiny: Bundle, tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    shutil.copytree(tiny.path, folder)
    data = (folder / "onnx" / "model.onnx").read_bytes()
    (folder / "onnx" / "model.onnx").write_bytes(data[: len(data) // 2])
    with pytest.raises(BundleError, match="onnxruntime cannot load it") as caught:
        DocumentEncoder.from_pretrained(folder)
    assert "\n" not in str(caught.value)


def test_wrong_input_names_are_refused(tiny: Bundle, tmp_path: Path) -> None:
    import onnx

    folder = tmp_path / "bundle"
    shutil.copytree(tiny.path, folder)
    path = folder / "onnx" / "model.onnx"
    model = onnx.load(path)
    for node in model.graph.node:
        node.input[:] = ["ids" if name == "input1.input_ids" else name for name in node.input]
    model.graph.input[0].name = "ids"
    onnx.save(model, path)
    with pytest.raises(
        BundleError, match=r"inputs \['ids', 'input1.attention_mask'\].*make it with: opensearch-lsr export"
    ):
        DocumentEncoder.from_pretrained(folder)


def test_without_onnxruntime_the_pip_line_is_given(tiny: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "onnxruntime", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'opensearch-lsr\[onnx\]'"):
        DocumentEncoder(tiny)
