"""One command per file: each module holds a click command of its own name, which imports heavy modules when it runs."""
