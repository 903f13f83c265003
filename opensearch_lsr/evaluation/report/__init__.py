"""What a benchmark found, for people: one HTML page, plots, a Markdown table, and rows for the terminal."""
