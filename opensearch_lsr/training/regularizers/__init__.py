"""What keeps documents short: one penalty a file, documents float32 [N, vocab] ≥ 0 → scalar; λ is applied outside."""
