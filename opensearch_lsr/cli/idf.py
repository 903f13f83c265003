"""``opensearch-lsr idf``: corpus → query-side table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from opensearch_lsr import token_weights
from opensearch_lsr.cli.options import json_option
from opensearch_lsr.cli.output import emit_json, progress, table

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from opensearch_lsr.data.documents import Document, Reject

TEXTS_A_STEP = 512
SHOWN = 10


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("corpus")
@click.option(
    "-o", "--output", required=True, metavar="IDF.json", type=click.Path(path_type=Path), help="File to write."
)
@click.option(
    "--tokenizer",
    "source",
    default="default",
    show_default=True,
    help="Whose vocabulary: a bundle or checkpoint folder, a tokenizer.json, a Hub name, or default.",
)
@click.option(
    "--field",
    "fields",
    multiple=True,
    default=("title", "text"),
    show_default=True,
    help="A text field; may come again.",
)
@click.option(
    "--smooth-with",
    metavar="FOLDER|IDF.json",
    type=click.Path(path_type=Path),
    help=f"A table that counts for {token_weights.PRIOR_DOCUMENTS:,} more documents: for a small corpus.",
)
@json_option
def idf(
    corpus: str, output: Path, source: str, fields: tuple[str, ...], smooth_with: Path | None, as_json: bool
) -> None:
    """Weigh every token of the vocabulary by its rarity in a CORPUS.

    CORPUS is JSON Lines (also .gz), a BEIR folder, or - for standard input. The weight is Lucene's IDF,
    ln(1 + (N - df + 0.5) / (df + 0.5)); special tokens weigh 0. A line that cannot be read is named and not counted.

    \b
    Example:
      opensearch-lsr idf corpus.jsonl -o idf.json
      opensearch-lsr idf corpus.jsonl -o idf.json --tokenizer my-checkpoint --smooth-with my-checkpoint
    """
    from opensearch_lsr.bundle import open_tokenizer
    from opensearch_lsr.data import documents
    from opensearch_lsr.errors import InputError
    from opensearch_lsr.tokenizer_file import special_tokens
    from opensearch_lsr.whole_file import whole

    if not output.resolve().parent.is_dir():
        raise InputError(f"{output}: its folder does not exist; make it first")
    tokenizer = open_tokenizer(source)
    vocabulary, specials = tokenizer.get_vocab(with_added_tokens=True), special_tokens(tokenizer)
    vocabulary = dict(sorted(vocabulary.items(), key=lambda entry: entry[1]))  # the table's order, the same each time
    prior = None if smooth_with is None else _prior(smooth_with, vocabulary, specials)
    count = _Count()
    with progress() as report:
        accepted = count.accepted(documents.read(corpus, fields), lambda done: report("documents", done, 0))
        tokens = _tokens(tokenizer, vocabulary, (documents.text_of(d.source, fields) for d in accepted))
        weights = token_weights.from_corpus(count.noted(tokens), vocabulary, specials)
    if count.rejected > SHOWN:
        click.echo(f"not counted: {count.rejected - SHOWN:,} more lines", err=True)
    if not count.documents:
        raise InputError(f"{corpus}: no document with text in {', '.join(fields)}; name its fields with --field")
    if prior is not None:
        weights = token_weights.smoothed(weights, count.documents, prior, specials)
    with whole(output) as draft:
        token_weights.save(weights, draft)
    _show(weights, count, specials, output, as_json)


@dataclass
class _Count:
    """What passed by on the way from the corpus to the table."""

    documents: int = 0
    seen: set[str] = field(default_factory=set)
    rejected: int = 0

    def accepted(self, items: Iterable[Document | Reject], on_read: Callable[[int], None]) -> Iterator[Document]:
        from opensearch_lsr.data.documents import Reject

        for item in items:
            if isinstance(item, Reject):
                self.rejected += 1
                if self.rejected <= SHOWN:
                    click.echo(f"not counted: {item}", err=True)
                continue
            self.documents += 1
            if self.documents % TEXTS_A_STEP == 0:
                on_read(self.documents)
            yield item

    def noted(self, documents: Iterable[set[str]]) -> Iterator[set[str]]:
        for tokens in documents:
            self.seen |= tokens
            yield tokens


def _tokens(tokenizer: Tokenizer, vocabulary: Mapping[str, int], texts: Iterator[str]) -> Iterator[set[str]]:
    names = {index: token for token, index in vocabulary.items()}
    while step := list(islice(texts, TEXTS_A_STEP)):
        for encoding in tokenizer.encode_batch_fast(step, add_special_tokens=False):
            yield {names[index] for index in set(encoding.ids)}


def _prior(path: Path, vocabulary: Mapping[str, int], specials: list[str]) -> dict[str, float]:
    from opensearch_lsr.bundle import TABLE

    path = path / TABLE if path.is_dir() else path
    prior = token_weights.load(path)
    token_weights.check({**prior, **dict.fromkeys(specials, 0.0)}, vocabulary, specials, str(path))
    return prior


def _show(weights: Mapping[str, float], count: _Count, specials: list[str], output: Path, as_json: bool) -> None:
    order = sorted(count.seen.difference(specials), key=lambda token: (weights[token], token))
    lightest, heaviest = order[:SHOWN], order[::-1][:SHOWN]
    if as_json:
        summary: dict[str, Any] = {
            "path": str(output),
            "documents": count.documents,
            "rejected": count.rejected,
            "tokens": len(weights),
            "tokens_seen": len(order),
            "lightest": {token: weights[token] for token in lightest},
            "heaviest": {token: weights[token] for token in heaviest},
        }
        emit_json(summary)
        return
    pairs = zip(lightest, heaviest, strict=True)
    table(["lightest", "weight", "heaviest", "weight"], [(a, weights[a], b, weights[b]) for a, b in pairs])
    click.echo(f"{output}: {len(weights):,} tokens, {len(order):,} of them in {count.documents:,} documents")
