"""The command line: words to functions."""

from ferlib.cli.main import app, main

__all__ = ["app", "main"]
