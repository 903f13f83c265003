"""The embedded OpenSearch: what to fetch, which Java, and one node started, watched and stopped. Linux on x86-64."""
