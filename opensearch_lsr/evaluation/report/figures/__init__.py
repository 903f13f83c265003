"""The plots, one module each: ``caption(results)``, empty without data, and ``draw(canvas, results)``."""
