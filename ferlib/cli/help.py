"""Help texts: whole sentences in plain columns, with colours on a terminal.

Typer would draw boxes with rich, whose import takes as long as everything else of ``ferlib --help`` together.
"""

import os
import re
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

_HEADING = re.compile(r"(\w+):")
_TERM = re.compile(r"  (\S+(?: \S+)*)")  # first column of a row; two spaces end it


class HelpTyper(typer.Typer):
    """Group of commands whose help is printed without rich.

    Args:
        options: as `typer.Typer` takes them.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(
            cls=_HelpGroup, no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False, **options
        )

    def command(self, name: str | None = None, **options: Any) -> Any:
        """Make the decorator that adds a command.

        Args:
            name: name of the command.
            options: as `typer.Typer.command` takes them.
        """
        return super().command(name, cls=_HelpCommand, **options)


class _PlainHelp:
    """Part of a command that makes its docstring its help; typer has click's classes under changing names."""

    help: str | None
    short_help: str | None

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.help, self.short_help = _help_texts(self.help)

    def get_help(self, ctx: Any) -> str:
        """Format the help."""
        return coloured(super().get_help(ctx))  # type: ignore[misc]  # of the class that it is mixed into


class _HelpCommand(_PlainHelp, TyperCommand):
    """Single command."""


class _HelpGroup(_PlainHelp, TyperGroup):
    """Group of commands, which its help names with their summaries."""


def _help_texts(docstring: str | None) -> tuple[str, str]:
    """Help of a command without Markdown's backticks, and its summary, which is never cut."""
    text = (docstring or "").replace("`", "")
    return text, " ".join(text.partition("\n\n")[0].split())


def coloured(text: str) -> str:
    """Colour the headings and the first column of the tables of a help text, unless ``NO_COLOR`` is set.

    Args:
        text: help as click formats it. Where the output is no terminal, the colours are dropped when it is printed.
    """
    if os.environ.get("NO_COLOR"):
        return text
    lines, is_table = [], False
    for line in text.splitlines():
        if heading := _HEADING.match(line):
            is_table = heading[1] != "Usage"
            line = typer.style(heading[0], bold=True) + line[heading.end() :]
        elif not line:
            is_table = False
        elif is_table and (term := _TERM.match(line)):
            line = "  " + typer.style(term[1], fg="cyan") + line[term.end() :]
        lines.append(line)
    return "\n".join(lines)
