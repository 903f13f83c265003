"""Checkpoint → bundle: torch masked LM to ONNX, quantised if asked, compared with its origin (extra ``export``)."""
