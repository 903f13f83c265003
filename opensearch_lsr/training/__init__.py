"""Document encoders, trained: recipes, losses, teachers, negatives, on sentence-transformers."""
