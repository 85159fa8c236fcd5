from typer.testing import CliRunner

from ferlib.cli.help import HelpTyper, coloured

SENTENCE = "Count the sheep of a meadow with `sheep` and tell their number, however long the list of animals may get."


def app():
    sheep = HelpTyper(name="sheep")

    @sheep.command("count")
    def count(fast: bool = False):
        pass

    @sheep.command("shear")
    def shear():
        pass

    sheep.registered_commands[0].help = SENTENCE + "\n\nExamples: `sheep count`."
    return sheep


def shown(*arguments):
    result = CliRunner().invoke(app(), arguments)
    return result.exit_code, " ".join(result.output.split())


def test_summaries_are_not_cut_and_have_no_backticks():
    status, text = shown("--help")
    assert status == 0
    assert SENTENCE.replace("`", "") in text
    assert "Examples" not in text


def test_the_help_of_a_command_has_all_of_its_docstring_and_options():
    status, text = shown("count", "--help")
    assert status == 0
    assert "Examples: sheep count." in text
    assert "--fast" in text


def test_no_command_is_wrong_usage_and_prints_the_help():
    status, text = shown()
    assert status == 2
    assert "Commands: count" in text


def test_headings_and_first_columns_are_coloured(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    text = "Usage: sheep COMMAND\n\n  A text.\n\nCommands:\n  count  Count\n         all.\n\n  An epilog: with more."
    assert coloured(text) == (
        "\x1b[1mUsage:\x1b[0m sheep COMMAND\n\n  A text.\n\n\x1b[1mCommands:\x1b[0m\n  \x1b[36mcount\x1b[0m  Count\n"
        "         all.\n\n  An epilog: with more."
    )
    monkeypatch.setenv("NO_COLOR", "1")
    assert coloured(text) == text
