"""One command a file: each module holds a click command of its own name and imports heavy things inside."""
