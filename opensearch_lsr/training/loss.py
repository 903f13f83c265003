"""The loss that sentence-transformers' trainer calls: ranking objectives on candidate scores, and a sparsity term."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal

from opensearch_lsr.errors import needs_extra
from opensearch_lsr.training import processes
from opensearch_lsr.training.regularizers.flops import Flops
from opensearch_lsr.training.schedules import DimsController, Schedule

with needs_extra("train", "training"):
    import torch
    from sentence_transformers import SparseEncoder


class LSRLoss(torch.nn.Module):
    """``Σ_o weight_o · objective_o(S, T) + λ(step) · R(documents) + λ_q(step) · FLOPS(queries)``.

    S are dot products of query and document vectors, T the teachers' scores of the same pairs, looked up by the texts'
    indices (the labels), so that any two texts of a batch can be candidates of each other.

    Args:
        model: the encoder.
        queries: query columns of a batch; the others hold documents, the positive first.
        objectives: (weight, objective) pairs.
        teacher: scores pairs of texts, or None.
        regularizer: R.
        weight: λ on documents.
        query_weight: λ on queries; 0 with a table.
        schedule: λ's course.
        controller: steers λ to a number of active tokens, or None.
        candidates: ``batch``: all documents of the batch are every query's candidates; ``own``: those of its example.
        known: query index → documents that answer it; a query's positives are no candidates beside each other.
    """

    def __init__(
        self,
        model: SparseEncoder,
        queries: int,
        objectives: Sequence[tuple[float, Any]],
        teacher: Any,
        regularizer: torch.nn.Module,
        weight: float,
        query_weight: float,
        schedule: Schedule,
        controller: DimsController | None,
        candidates: Literal["batch", "own"],
        known: Mapping[int, Collection[int]] | None = None,
    ) -> None:
        super().__init__()
        self.model = model
        self.queries = queries
        self.objectives = objectives
        self.teacher = teacher
        self.regularizer = regularizer
        self.query_regularizer = Flops()  # thresholds and document frequencies are the documents' own
        self.weight, self.query_weight = weight, query_weight
        self.schedule, self.controller = schedule, controller
        self.candidates = candidates
        self.known = {query: frozenset(found) for query, found in (known or {}).items() if len(found) > 1}
        self.step = 0  # of the optimiser; the trainer's callback sets it
        self._watched: dict[str, torch.Tensor] = {}  # sums of what is worth watching, over the batches not taken yet
        self._batches = 0

    def forward(self, features: Sequence[dict[str, Any]], labels: torch.Tensor) -> dict[str, torch.Tensor]:
        """Score a batch.

        Args:
            features: one tokenized column each, query columns first.
            labels: int64 [batch, columns], index of each text.

        Returns:
            The terms, weighted; the trainer sums and logs them.
        """
        queries = self._encode(features[: self.queries])
        documents = self._encode(in_one(features[self.queries :]))
        batch = len(labels)
        query_ids, document_ids = labels[:, : self.queries].T.reshape(-1), labels[:, self.queries :].T.reshape(-1)
        student = queries @ documents.T
        example = torch.arange(batch, device=student.device)
        positive = example.repeat(self.queries)
        mask = self._mask(positive, example.repeat(len(features) - self.queries), query_ids, document_ids)
        target = None
        if self.teacher is not None:
            target = self.teacher.scores(query_ids.tolist(), document_ids.tolist(), mask.cpu()).to(student.device)
        terms: dict[str, torch.Tensor] = {}
        for weight, objective in self.objectives:
            name, value = type(objective).__name__, weight * objective(student, target, positive, mask)
            terms[name] = terms[name] + value if name in terms else value
        terms["regularizer"] = self._sparsity(queries, documents)
        self._watch(queries, documents, student, target, positive, mask)
        return terms

    def _encode(self, columns: Sequence[dict[str, Any]]) -> torch.Tensor:
        return torch.cat([self.model(column)["sentence_embedding"].float() for column in columns])

    def _mask(
        self, owner: torch.Tensor, example: torch.Tensor, query_ids: torch.Tensor, document_ids: torch.Tensor
    ) -> torch.Tensor:
        """[Q, D]: which documents are a query's candidates; a text counts once, the positive in its own column."""
        column = torch.arange(len(document_ids), device=owner.device)
        own = column == owner.unsqueeze(1)  # the first document column holds the positives
        mask = torch.ones_like(own)
        if self.candidates == "own":
            mask = owner.unsqueeze(1) == example.unsqueeze(0)
        mask &= document_ids[owner].unsqueeze(1) != document_ids
        same = (document_ids.unsqueeze(1) == document_ids).triu(1)
        mask &= mask.float() @ same.float() == 0
        listed = document_ids.tolist()
        for row, query in enumerate(query_ids.tolist()):
            if query in self.known:
                answers = self.known[query]
                mask[row, [place for place, document in enumerate(listed) if document in answers]] = False
        return mask | own

    def _sparsity(self, queries: torch.Tensor, documents: torch.Tensor) -> torch.Tensor:
        scheduled = factor = self.schedule.at(self.step)
        if self.controller is not None:
            if self.training and scheduled >= 1:  # before, λ has had no chance to hold the length
                self.controller.update(float(processes.mean((documents > 0).sum(dim=1).float().mean())))
            factor *= self.controller.factor
        term: torch.Tensor = factor * self.weight * self.regularizer(documents)
        if self.query_weight:
            term = term + scheduled * self.query_weight * self.query_regularizer(queries)
        return term

    @torch.no_grad()
    def _watch(
        self,
        queries: torch.Tensor,
        documents: torch.Tensor,
        student: torch.Tensor,
        target: torch.Tensor | None,
        positive: torch.Tensor,
        mask: torch.Tensor,
    ) -> None:
        hidden = student.masked_fill(~mask, -torch.inf)
        best = hidden.argmax(dim=1)
        found = {
            "active_dims": (documents > 0).sum(dim=1).float().mean(),
            "query_active_dims": (queries > 0).sum(dim=1).float().mean(),
            "positive_first": (best == positive).float().mean(),
        }
        if target is not None:
            agreed = best == target.nan_to_num(-torch.inf).masked_fill(~mask, -torch.inf).argmax(dim=1)
            found["teacher_agreement"] = agreed.float().mean()
        self._watched = {name: self._watched.get(name, 0) + value for name, value in found.items()}
        self._batches += 1

    def take_figures(self) -> dict[str, float]:
        """Means over the batches since the last call: active dims, and shares of queries.

        Returns:
            ``active_dims`` and ``query_active_dims`` in tokens; ``positive_first``, the share of queries that rank
            their own document first; and ``teacher_agreement``, that of those that rank the teacher's first first.
        """
        means = {name: float(total) / self._batches for name, total in self._watched.items()}
        self._watched, self._batches = {}, 0
        return means


def in_one(columns: Sequence[dict[str, Any]]) -> Sequence[dict[str, Any]]:
    """Columns of documents as one: fewer and larger products, and the embeddings' gradient is summed once.

    Args:
        columns: int64 [batch, width] under each of a tokenizer's names, each as wide as its longest text.

    Returns:
        One column [batch · columns, widest], what is new masked; or the columns as they are, where they have no mask
        (flash attention takes a batch as one long row).
    """
    if not all("attention_mask" in column for column in columns):
        return columns
    widest = max(column["attention_mask"].shape[1] for column in columns)
    merged = dict(columns[0])
    for name, value in columns[0].items():
        if torch.is_tensor(value):
            rows = [torch.nn.functional.pad(column[name], (0, widest - column[name].shape[1])) for column in columns]
            merged[name] = torch.cat(rows)
    return [merged]
