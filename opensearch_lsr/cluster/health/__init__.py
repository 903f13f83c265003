"""What ``doctor`` looks at, a module a subject; :mod:`opensearch_lsr.cluster.health.doctor` lists them."""
