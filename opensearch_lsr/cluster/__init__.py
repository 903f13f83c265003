"""All that talks to OpenSearch. Every function takes the opensearch-py client it uses."""
