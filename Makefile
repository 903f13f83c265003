# Nothing before these but Python 3.11+, make and a shell.
PYTHON ?= python3
BIN := .venv/bin
NODE ?= default

.PHONY: quickstart test lint audit docs clean

quickstart: .venv/quickstart  ## embedded OpenSearch, default encoder, sample corpus, searches, BM25 beside it
	$(BIN)/opensearch-lsr quickstart --name $(NODE)

test: .venv/development  ## all tests, the slow ones included
	$(BIN)/pytest

lint: .venv/development  ## style, types, layers, docs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

audit: .venv/development  ## known vulnerabilities among the dependencies
	$(BIN)/python .ci/audit.py

docs: .venv/development  ## write docs/cli.md from --help
	$(BIN)/python docs/write_cli.py

.venv:
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip

.venv/quickstart: pyproject.toml | .venv
	$(BIN)/python -m pip install --quiet --editable '.[onnx,local,eval]'
	touch $@

.venv/development: pyproject.toml | .venv
	$(BIN)/python -m pip install --quiet --editable '.[all]' --group dev
	touch $@

clean:
	rm -rf .venv
