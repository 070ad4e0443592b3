"""From codes to what a press prints: symbols, pages, rows, and their proof. Pure; knows labels' codes, no database."""
