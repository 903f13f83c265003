"""Relevance measures by the field's names."""
