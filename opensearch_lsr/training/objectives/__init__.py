"""What pulls the student's scores: one objective a file, ``(student, teacher, positive, mask) → scalar``.

All take the same matrices, so that they can be summed: student and teacher scores float32 [queries, candidates],
``positive`` int64 [queries] (the column of each query's own document) and ``mask`` bool [queries, candidates], False
where a pair is no candidate.
"""
