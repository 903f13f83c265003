"""Teachers: who scores the pairs that the student learns from, one kind a file."""
