"""A causal language model as the document side's first module (CSPLADE, arXiv 2504.10816).

``attention`` says how a position comes to see the whole text:

=================  =====================================================  ==============================
``causal``         not at all: a position sees what stands before it      ``B x₁ … xₙ E``
``echo``           the text is read twice, the second copy is pooled      ``B x₁ … xₙ E B x₁ … xₙ E``
``bidirectional``  the causal mask is removed; padding stays hidden       ``B x₁ … xₙ E``
=================  =====================================================  ==============================

Logits at position i are about token i + 1, so they are moved one place: **row j of what this module gives belongs to
token j**, as with a masked LM, and pooling, copying and masking need not know. x₁'s row comes from B, E's (what would
follow, having seen everything) from xₙ. Nothing is about B; its row repeats x₁'s, which changes no maximum.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self, get_args

from opensearch_lsr.errors import CheckpointError, needs_extra
from opensearch_lsr.training import lora

with needs_extra("train", "training"):
    import torch
    from safetensors.torch import load_file, save_file
    from sentence_transformers.base.modules import Transformer
    from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

Attention = Literal["causal", "echo", "bidirectional"]
OWN = "causal.safetensors"  # the decoder's bias, and in a run that goes on the LoRA matrices


class CausalTransformer(Transformer):  # type: ignore[misc]  # sentence-transformers is untyped
    """``input_ids`` and ``attention_mask`` [batch, sequence] → ``token_embeddings``, logits [batch, sequence, vocab].

    The projection gets a bias, float32 [vocab], that language models do not have: it keeps special tokens silent and
    says how many others fire. The folder holds a plain causal LM beside it, which ``transformers`` opens. It is no
    class of sentence-transformers', so a checkpoint with it loads with ``trust_remote_code=True`` only.

    Args:
        model_name_or_path: folder of a causal LM of ``transformers``.
        attention: see the module.
        lora: rank, alpha and dropout of the adapters that are trained in place of the weights, or None.
        options: of sentence-transformers' ``Transformer``.

    Raises:
        CheckpointError: for another attention.
    """

    config_keys: list[str] = [*Transformer.config_keys, "attention", "lora"]  # noqa: RUF012  # as the base class

    def __init__(
        self,
        model_name_or_path: str,
        *,
        attention: Attention = "causal",
        lora: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> None:
        if attention not in get_args(Attention):
            raise CheckpointError(f"{model_name_or_path}: attention {attention!r}; it is causal, echo or bidirectional")
        self.attention: Attention = attention
        self.lora: dict[str, Any] | None = None
        # The task says where the output goes; flattened batches would lose the copies.
        super().__init__(model_name_or_path, **options | {"transformer_task": "fill-mask", "unpad_inputs": False})
        decoder = self.model.get_output_embeddings()
        if decoder.bias is None:
            decoder.bias = torch.nn.Parameter(torch.zeros(decoder.out_features))
        if lora is not None:
            self.add_lora(**lora)

    def _load_model(
        self, model_name_or_path: str, task: str, config: Any, backend: str, is_peft_model: bool, **options: Any
    ) -> Any:
        if backend != "torch" or is_peft_model:
            raise CheckpointError(f"{model_name_or_path}: {backend} or an adapter; give the model with its weights")
        both = self.attention == "bidirectional"
        if both:
            config.is_causal = False  # for the mask …
        model = AutoModelForCausalLM.from_pretrained(model_name_or_path, config=config, **options)
        for module in model.modules() if both else ():
            if hasattr(module, "is_causal"):
                module.is_causal = False  # … and for SDPA, which makes its own where nothing is padded
        return model

    def use_tokenizer(self, tokenizer: PreTrainedTokenizerFast) -> None:
        """Read texts with another tokenizer than the folder's."""
        self.processor = self.input_formatter.processor = tokenizer

    @property
    def copies(self) -> int:
        """How often a text is read."""
        return 2 if self.attention == "echo" else 1

    def forward(self, features: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        """Rows of the (last copy of the) text; row j belongs to token j."""
        ids = features["input_ids"]
        features["token_embeddings"] = self.rows(ids, features["attention_mask"])[:, -ids.shape[1] :]
        return features

    def rows(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Rows of all copies.

        Args:
            input_ids: int64 [batch, sequence], padded on the right.
            attention_mask: int64 [batch, sequence].

        Returns:
            [batch, copies · sequence, vocab] (or hidden size, where the decoder is skipped).
        """
        options = {}
        if self.copies > 1:  # padding between the copies is hidden, and positions are counted without it
            input_ids = torch.cat([input_ids] * self.copies, dim=1)
            attention_mask = torch.cat([attention_mask] * self.copies, dim=1)
            options["position_ids"] = attention_mask.cumsum(dim=1) - attention_mask
        logits = self.model(input_ids=input_ids, attention_mask=attention_mask, **options).logits
        each = logits.chunk(self.copies, dim=1)
        return torch.cat([part for copy in each for part in (copy[:, :1], copy[:, :-1])], dim=1)

    def add_lora(self, rank: int, alpha: int, dropout: float) -> None:
        """Freeze the weights and train adapters, and the bias, in their place."""
        lora.add(self.model, rank, alpha, dropout)
        self.model.get_output_embeddings().bias.requires_grad_(True)
        self.lora = {"rank": rank, "alpha": alpha, "dropout": dropout}

    def merge_lora(self) -> None:
        """Add what the adapters learned to the weights, float32; nothing where there are none."""
        if self.lora is not None:
            lora.merge(self.model)
            self.lora = None

    def _own(self) -> dict[str, torch.Tensor]:
        """What a plain causal LM does not hold."""
        bias = self.model.get_output_embeddings().bias
        names = {name for name, parameter in self.model.named_parameters() if parameter is bias}
        state: dict[str, torch.Tensor] = self.model.state_dict()
        return {name: value for name, value in state.items() if name in names or lora.MARK in name}

    def save(self, output_path: str, *args: Any, safe_serialization: bool = True, **kwargs: Any) -> None:
        """Write the causal LM, its tokenizer, ``causal.safetensors`` and the configuration."""
        own = self._own()
        plain = {
            name.replace(lora.BASE, "."): value for name, value in self.model.state_dict().items() if name not in own
        }
        self.model.save_pretrained(output_path, state_dict=plain, safe_serialization=safe_serialization)
        self.processor.save_pretrained(output_path)
        self.save_config(output_path)
        save_file({name: value.contiguous() for name, value in own.items()}, Path(output_path) / OWN)

    @classmethod
    def load(cls, model_name_or_path: str, subfolder: str = "", **options: Any) -> Self:
        """Load what :meth:`save` wrote, from a folder or the Hub.

        Raises:
            CheckpointError: when ``causal.safetensors`` is missing or does not fit.
        """
        module: Self = super().load(model_name_or_path, subfolder=subfolder, **options)
        where = {name: options[name] for name in ("token", "cache_folder", "revision") if name in options}
        local = options.get("local_files_only", False)
        # AutoTokenizer would go by the kind of model, and Qwen's class makes its own normalizer.
        module.use_tokenizer(
            PreTrainedTokenizerFast.from_pretrained(
                model_name_or_path,
                subfolder=subfolder,
                local_files_only=local,
                cache_dir=options.get("cache_folder"),
                **{name: value for name, value in where.items() if name != "cache_folder"},
            )
        )
        file = cls.load_file_path(
            model_name_or_path, filename=OWN, subfolder=subfolder, local_files_only=local, **where
        )
        own = {} if file is None else load_file(file)
        if own.keys() != module._own().keys():
            raise CheckpointError(f"{model_name_or_path}: {OWN} is missing or another model's; save it again")
        module.model.load_state_dict(own, strict=False)
        return module
