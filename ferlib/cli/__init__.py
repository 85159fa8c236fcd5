"""The command line: words to functions. `main.main` is the entry point."""
