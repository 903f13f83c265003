"""A bundle is written whole or not at all, and says what it is."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from tiny_checkpoint import SPECIALS, make_checkpoint
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from opensearch_lsr.bundle import DEFAULT, Bundle
from opensearch_lsr.cli.export import export as command
from opensearch_lsr.document_encoder import DocumentEncoder
from opensearch_lsr.errors import CheckpointError, ParityError
from opensearch_lsr.export import parity
from opensearch_lsr.export.export import export, word_form


@pytest.mark.parametrize(("layout", "query"), [("router", "table"), ("mlm", "table"), ("siamese", "encoder")])
def test_what_is_in_it(layout: str, query: str, exported: Callable[..., Bundle]) -> None:
    bundle = exported(layout)
    bundle.verify()
    config = bundle.config
    assert (config.query, config.opset, config.max_length, config.vocab_size) == (query, 17, 64, 311)
    assert config.word_form
    assert (bundle.path / "idf.json").is_file() == (query == "table")
    assert not list(bundle.path.rglob("*.safetensors"))
    truncation = json.loads((bundle.path / "tokenizer.json").read_text(encoding="utf-8"))["truncation"]
    assert truncation["max_length"] == 64


@pytest.mark.parametrize("layout", ["router", "mlm"])
def test_special_tokens_weigh_nothing(layout: str, exported: Callable[..., Bundle]) -> None:
    weights = exported(layout).weights
    assert [weights[token] for token in SPECIALS] == [0] * len(SPECIALS)
    assert weights["dog"] > 0


def test_the_trained_table_goes_before_idf_json(exported: Callable[..., Bundle], tmp_path: Path) -> None:
    folder = make_checkpoint(tmp_path / "checkpoint")
    (folder / "idf.json").write_text(json.dumps({"dog": 99.0}), encoding="utf-8")
    assert export(folder, tmp_path / "bundle").weights == exported().weights


def test_the_card(exported: Callable[..., Bundle]) -> None:
    card = (exported(quantize="int8").path / "README.md").read_text(encoding="utf-8")
    assert "# router-log1p-relu" in card
    assert "largest difference, int8 and float32" in card
    assert "not stated by the checkpoint" in card
    assert "backbone" not in card  # nor that


def test_equal_checkpoints_give_equal_fingerprints(
    exported: Callable[..., Bundle], checkpoint_folder: Callable[..., Path], tmp_path: Path
) -> None:
    again = export(checkpoint_folder(), tmp_path / "again", name="other", version="2.0.0")
    assert again.config.document_fingerprint == exported().config.document_fingerprint
    assert again.config.query_fingerprint == exported().config.query_fingerprint
    assert (again.config.name, again.config.version) == ("other", "2.0.0")


def test_max_length(checkpoint_folder: Callable[..., Path], tmp_path: Path) -> None:
    bundle = export(checkpoint_folder(), tmp_path / "short", max_length=8)
    assert bundle.config.max_length == 8
    first, second = DocumentEncoder(bundle).encode(["dog " * 6 + "cat", "dog " * 6])
    assert first == second


def test_a_failed_export_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, checkpoint_folder: Callable[..., Path], tmp_path: Path
) -> None:
    monkeypatch.setattr(parity, "TOLERANCE", -1.0)
    with pytest.raises(ParityError):
        export(checkpoint_folder(), tmp_path / "bundle")
    assert not list(tmp_path.iterdir())


def test_what_is_there_is_kept(checkpoint_folder: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "home.txt").write_text("dear")
    with pytest.raises(CheckpointError, match="exists and is not a bundle"):
        export(checkpoint_folder(), tmp_path / "letters", overwrite=True)
    assert (tmp_path / "letters" / "home.txt").read_text() == "dear"


def test_overwrite(monkeypatch: pytest.MonkeyPatch, checkpoint_folder: Callable[..., Path], tmp_path: Path) -> None:
    folder = checkpoint_folder("router", "relu")
    target = tmp_path / "bundle"
    target.mkdir()  # an empty folder may be filled
    export(folder, target, version="1")
    with pytest.raises(CheckpointError, match="add --overwrite"):
        export(folder, target, version="2")
    with monkeypatch.context() as patch:
        patch.setattr(parity, "TOLERANCE", -1.0)
        with pytest.raises(ParityError):
            export(folder, target, version="2", overwrite=True)
    assert Bundle.open(target).config.version == "1"
    assert export(folder, target, version="2", overwrite=True).config.version == "2"
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def test_word_form_needs_every_id_to_decode_to_itself() -> None:
    tokenizer = Tokenizer(models.BPE({"Ġa": 0, "a": 1, "Ã": 2}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel()
    tokenizer.decoder = decoders.ByteLevel()
    assert not word_form(tokenizer)


def test_the_command(checkpoint_folder: Callable[..., Path], tmp_path: Path) -> None:
    arguments = [str(checkpoint_folder()), "-o", str(tmp_path / "bundle"), "--quantize", "int8", "--name", "tiny"]
    result = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    assert "largest difference, alone and in a batch" in result.output
    assert result.output.strip().endswith(f"opensearch-lsr deploy {tmp_path / 'bundle'} --alias docs --field text")
    result = CliRunner().invoke(command, [*arguments, "--overwrite", "--json"], catch_exceptions=False)
    assert json.loads(result.stdout)["name"] == "tiny"


def test_without_the_extra_it_says_what_to_install(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['torch'] = None; from opensearch_lsr.cli.main import main; "
        f"sys.argv = ['opensearch-lsr', 'export', {str(tmp_path)!r}, '-o', 'bundle']; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1 and "pip install 'opensearch-lsr[export]'" in done.stderr


def test_help_has_an_example() -> None:
    result = CliRunner().invoke(command, ["-h"])
    assert "opensearch-lsr export my-checkpoint -o my-bundle --quantize int8" in result.output


def test_the_default_encoder() -> None:
    bundle = Bundle.open("default")
    bundle.verify()
    assert bundle.config.quantization == "int8" and bundle.config.word_form
    assert sum(path.stat().st_size for path in DEFAULT.rglob("*") if path.is_file()) < 30e6
    (vector,) = DocumentEncoder(bundle).encode(["Replacing a worn faucet washer"])
    assert "faucet" in vector or "washer" in vector or "wash" in vector
