"""Cost: the index, how fast documents go in, and what the encoder's vectors are like."""

from __future__ import annotations

from opensearch_lsr.evaluation.report import amounts, reading
from opensearch_lsr.evaluation.report.reading import Part, number, text
from opensearch_lsr.evaluation.report.tables.table import Cell, Table, table


def space(results: Part, collection: Part) -> Table | None:
    """Index bytes by system, a document and against the baseline, vectors apart."""
    titles, found = reading.titles(results, text(collection, "name")), reading.measured(collection)
    base = text(collection, "baseline", reading.BASELINE)
    documents, other = number(collection, "documents"), number(found.get(base, {}), "index_bytes")
    rows = []
    for name in (name for name in titles if name in found):
        system = found[name]
        whole, vectors = number(system, "index_bytes"), number(system, "vector_bytes")
        cells = [
            titles[name],
            amounts.size(whole),
            amounts.size(reading.bytes_per_document(collection, system)),
            amounts.size(reading.ratio(vectors, documents)),
            amounts.times(reading.ratio(whole, other)),
            amounts.plain(number(system, "ingest_documents_per_s")),
            amounts.count(number(system, "clipped_weights")),
        ]
        rows.append((name == base, cells))
    columns = ["system", "index", "a document", "of it vectors", f"to {titles.get(base, base)}", "indexed documents/s"]
    columns.append("clipped weights")
    return table(f"{text(collection, 'name')} · {amounts.count(documents)} documents", columns, rows)


def ingest(results: Part) -> Table | None:
    """Documents a second from text to searchable, by who encodes."""
    said = {"none": "text only", "client": "encoded by the client", "cluster": "encoded by the cluster"}
    rows = []
    for collection in reading.parts(results, "collections"):
        modes = {text(mode, "mode"): number(mode, "documents_per_s") for mode in reading.parts(collection, "ingest")}
        rows.append((False, [text(collection, "name"), *(amounts.plain(modes.get(mode)) for mode in said)]))
    return table("Documents a second, from text to searchable", ["collection", *said.values()], rows)


def vectors(results: Part) -> Table | None:
    """How many tokens documents and queries have, how many meet, and the longest posting list."""
    rows = []
    for collection in reading.parts(results, "collections"):
        found = reading.mapping(collection, "vectors")
        keys = ("active_dims", "query_active_dims", "flops", "longest_posting", "encode_documents_per_s")
        dims, query_dims, flops, longest, speed = (number(found, key) for key in keys)
        share = reading.ratio(longest, number(collection, "documents"))
        token = text(found, "longest_posting_token")
        where = [f"“{token}”"] if token else []
        where += [f"{share:.0%} of documents"] if share is not None else []
        cells = [
            Cell(text(collection, "name")),
            Cell(amounts.plain(dims)),
            Cell(amounts.plain(query_dims)),
            Cell(amounts.plain(flops)),
            Cell(amounts.count(longest), ", ".join(where)),
            Cell(amounts.plain(speed)),
        ]
        rows.append((False, cells))
    columns = [
        "collection",
        "tokens a document",
        "tokens a query",
        "FLOPS",
        "longest posting list",
        "encoded documents/s",
    ]
    return table("The encoder’s vectors", columns, rows)
