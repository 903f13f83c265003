"""The report's tables, with figures already written: page, Markdown and terminal show the same."""
