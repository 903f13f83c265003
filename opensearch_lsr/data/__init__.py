"""Files in: documents to index, BEIR collections."""
