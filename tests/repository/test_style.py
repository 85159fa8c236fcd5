"""The project's rules for notebooks, modules and tracked files, read from the files themselves."""

import ast
import re
import statistics
import struct
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
import pytest
from IPython.core.inputtransformer2 import TransformerManager
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from ferlib import paths

NOTEBOOKS = sorted(paths.NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))
MODULES = sorted((paths.ROOT / "ferlib").rglob("*.py"))
# Modules that are run as commands; all others return what they have to say.
MAY_PRINT = {"cli.main", "notebooks.runner", "publishing.shipping", "publishing.thresholds", "report.readme"}
LAST_PAGE = ("what we found", "what it does not show", "next")

# Written in two parts, so that this file does not hold what it looks for.
FORBIDDEN = {
    "a folder of one machine": "|".join(f"/{name}/" for name in ("work", "root", r"home/\w+", r"Users/\w+", "opt")),
    "a package host": r"\b(?:pypi|pythonhosted|download\.pytorch|registry\.npmjs|conda\.anaconda)" + r"\.org",
    "the data folder of one machine": r"\bshared" + "/",
}  # fmt: skip
MAY_NAME_THE_DATA_FOLDER = {".ci/run"}  # it looks for the data set beside the clone
FLEETING = {
    "path": r"(?<![\w.])/(?:home|root|tmp|usr|var|opt|Users|mnt|work)/|\b[A-Z]:\\",
    "time": r"\b\d{1,2}:\d\d:\d\d\b|\[\d\d:\d\d<|\bit/s\b|Wall time|CPU times|\b20\d\d-\d\d-\d\dT",
    "device": r"\b(?:cuda|mps)(?::\d+)?\b|device\(type=|\bdevice:? *cpu\b|NVIDIA|GeForce|Intel\(R\)|AMD Ryzen",
    "memory address": r"\b0x[0-9a-f]{6,}",
}


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def code_lines(cell: NotebookNode) -> int:
    lines = [line.strip() for line in cell.source.splitlines()]
    return sum(bool(line) and not line.startswith("#") for line in lines)


def tree_of(cell: NotebookNode) -> ast.Module:
    return ast.parse(TransformerManager().transform_cell(cell.source))


def tagged(notebook: NotebookNode, tag: str) -> list[NotebookNode]:
    return [cell for cell in code_cells(notebook) if tag in cell.metadata.get("tags", [])]


def outputs(notebook: NotebookNode) -> list[NotebookNode]:
    return [output for cell in code_cells(notebook) for output in cell.outputs]


def texts(notebook: NotebookNode) -> Iterator[str]:
    for output in outputs(notebook):
        yield output.get("text", "")
        for kind, value in output.get("data", {}).items():
            if kind.startswith("text/"):
                yield value


def definitions(notebook: NotebookNode) -> Iterator[str]:
    for cell in code_cells(notebook):
        for node in ast.walk(tree_of(cell)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                yield f"{cell.id} defines {node.name}; move it into ferlib"
            if isinstance(node, ast.Attribute) and ast.unparse(node) == "sys.path":
                yield f"{cell.id} uses {ast.unparse(node)}; ferlib is an installed package"


def first_page(notebook: NotebookNode) -> Iterator[str]:
    first = notebook.cells[0]
    if first.cell_type != "markdown" or not first.source.startswith("# "):
        yield "the first cell is no markdown title"


def parameter_cell(notebook: NotebookNode) -> Iterator[str]:
    cells = tagged(notebook, "parameters")
    if len(cells) != 1:
        yield f"{len(cells)} cells are tagged parameters"
    for statement in (statement for cell in cells for statement in tree_of(cell).body):
        if not is_constant(statement):
            yield f"parameters: {ast.unparse(statement)} is no UPPER_CASE literal"


def is_constant(statement: ast.stmt) -> bool:
    if not isinstance(statement, ast.Assign) or not isinstance(statement.targets[0], ast.Name):
        return False
    try:
        ast.literal_eval(statement.value)
    except ValueError:
        return False
    return len(statement.targets) == 1 and re.fullmatch(r"[A-Z][A-Z0-9_]*", statement.targets[0].id) is not None


def amount_of_code(notebook: NotebookNode) -> Iterator[str]:
    lines = [code_lines(cell) for cell in code_cells(notebook)]
    if not 40 <= sum(lines) <= 120:
        yield f"{sum(lines)} code lines, not 40 to 120"
    if statistics.median(lines) > 6:
        yield f"the median cell has {statistics.median(lines)} lines, more than 6"
    if max(lines) > 25:
        yield f"a cell has {max(lines)} lines, more than 25"
    if len(notebook.cells) > 45:
        yield f"{len(notebook.cells)} cells, more than 45"


def amount_of_prose(notebook: NotebookNode) -> Iterator[str]:
    words = sum(len(cell.source.split()) for cell in notebook.cells if cell.cell_type == "markdown")
    if not 600 <= words <= 1500:
        yield f"{words} words of prose, not 600 to 1500"


def amount_of_output(notebook: NotebookNode) -> Iterator[str]:
    size = len(nbformat.writes(notebook).encode())
    if size > 300_000:
        yield f"{size} bytes, more than 300,000"
    images = sum(any(kind.startswith("image/") for kind in output.get("data", {})) for output in outputs(notebook))
    if images > 6:
        yield f"{images} images, more than 6"
    if any(output.get("name") == "stderr" or output.output_type == "error" for output in outputs(notebook)):
        yield "standard error among the outputs"


def lasting_outputs(notebook: NotebookNode) -> Iterator[str]:
    for text in texts(notebook):
        for name, pattern in FLEETING.items():
            if match := re.search(pattern, text):
                yield f"a {name} among the outputs: {match.group()!r}"


def execution_order(notebook: NotebookNode) -> Iterator[str]:
    counts = [cell.execution_count for cell in code_cells(notebook)]
    if counts != list(range(1, len(counts) + 1)):
        yield f"execution counts {counts} are not 1 to {len(counts)}; run 'make refresh'"


def readable_ids(notebook: NotebookNode) -> Iterator[str]:
    for cell in notebook.cells:
        random = re.fullmatch(r"[0-9a-f-]{8,}", cell.id) and re.search(r"\d", cell.id)
        if random or not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", cell.id):
            yield f"cell id {cell.id!r} says nothing; use words-with-hyphens"


def last_page(notebook: NotebookNode) -> Iterator[str]:
    end = "\n".join(cell.source for cell in notebook.cells[-8:] if cell.cell_type == "markdown")
    headings = " / ".join(re.findall(r"^(?:#+ |\*\*)(.+)", end.lower(), flags=re.MULTILINE))
    if not re.search(".*".join(LAST_PAGE), headings):
        yield f"the last page has the headings {headings!r}, not {LAST_PAGE} in this order"
    if "Exercises: (1)" not in end:
        yield "the last page has no exercises"


def checked_facts(notebook: NotebookNode) -> Iterator[str]:
    if not tagged(notebook, "nbval-check-output"):
        yield "no cell is tagged nbval-check-output, so its committed numbers are never checked"


RULES = [
    definitions, first_page, parameter_cell, amount_of_code, amount_of_prose, amount_of_output, lasting_outputs,
    execution_order, readable_ids, last_page, checked_facts,
]  # fmt: skip


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook(path: Path, rule: Callable):
    assert list(rule(nbformat.read(path, as_version=4))) == []


def example(good: bool) -> NotebookNode:
    """A small notebook that keeps every rule, or one that breaks each of them."""
    if good:
        cells = [new_markdown_cell("# Title\n\n" + "word " * 700, id="title")]
        cells.append(new_code_cell("SIZE = -3\nNAME = 'x'", id="parameters", metadata={"tags": ["parameters"]}))
        cells += [new_code_cell("\n".join(["print(SIZE)"] * 5), id=f"step-{number}") for number in range(10)]
        cells[-1].metadata.tags = ["nbval-check-output"]
        cells[-1].outputs = [new_output("stream", name="stdout", text="64 x 0.5 in 1,024 / 3:1\n")]
        cells.append(
            new_markdown_cell("## What we found\n\n**What it does not show**\n\n## Next\n\nExercises: (1) x", id="end")
        )
        for count, cell in enumerate(cells[1:-1], 1):
            cell.execution_count = count
    else:
        source = "import sys\nsys.path\ndef f():\n    pass\n" + "x = 1\n" * 50
        cells = [new_code_cell(source, id="8f14e45f", metadata={"tags": ["parameters"]})]
        traces = ("under /tmp/x", "took 0:00:12", "on cuda:0", "at 0x7f3a2b1c")
        cells[0].outputs = [new_output("stream", name="stderr", text=text) for text in traces]
    return new_notebook(cells=cells)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_each_rule_tells_a_good_notebook_from_a_bad_one(rule: Callable):
    assert list(rule(example(good=True))) == []
    assert list(rule(example(good=False))) != []


def test_every_fleeting_output_is_noticed():
    problems = " ".join(lasting_outputs(example(good=False)))
    assert all(f"a {name} among" in problems for name in FLEETING)


def name_of(path: Path) -> str:
    """``scoring.pictures`` for ferlib/scoring/pictures.py."""
    parts = path.relative_to(paths.ROOT / "ferlib").with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def code_problems(source: str, name: str) -> list[str]:
    problems = []
    if source.count("\n") > 300:
        problems.append(f"{source.count(chr(10))} lines, more than 300")
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno - node.lineno >= 60:
            problems.append(f"{node.name} has {node.end_lineno - node.lineno + 1} lines, more than 60")
        if isinstance(node, ast.ExceptHandler) and is_silent(node):
            problems.append(f"line {node.lineno} swallows every error")
        if isinstance(node, ast.ImportFrom) and node.level:
            problems.append(f"line {node.lineno} imports relatively; write the whole name")
        prints = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
        if prints and name not in MAY_PRINT:
            problems.append(f"line {node.lineno} prints; a library module returns what it has to say")
    return problems


def is_silent(handler: ast.ExceptHandler) -> bool:
    broad = handler.type is None or ast.unparse(handler.type) in ("Exception", "BaseException")
    empty = all(isinstance(node, ast.Pass | ast.Continue | ast.Expr) for node in handler.body)
    return broad and empty and not any(isinstance(node, ast.Call) for node in ast.walk(handler))


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_module(path: Path):
    assert code_problems(path.read_text(encoding="utf-8"), name_of(path)) == []


def test_the_module_rules_themselves():
    bad = (
        "from . import x\ndef f():\n    try:\n        print()\n    except Exception:\n        pass\n"
        + "    x = 1\n" * 300
    )
    problems = code_problems(bad, "data.votes")
    assert sorted(problem.split()[-1] for problem in problems) == ["300", "60", "error", "name", "say"]
    assert code_problems("try:\n    print()\nexcept OSError:\n    pass\n", "cli.main") == []


def test_the_modules_that_may_print_exist():
    assert {name_of(path) for path in MODULES} >= MAY_PRINT


def tracked_files() -> list[Path]:
    """Files that git tracks; without git (an unpacked archive) all but what git would ignore."""
    command = ["git", "ls-files", "-z", "--cached"]
    if (paths.ROOT / ".git").exists():
        listed = subprocess.run(command, cwd=paths.ROOT, check=True, capture_output=True, text=True).stdout
        return [path for name in listed.split("\0") if name and (path := paths.ROOT / name).is_file()]
    ignored = {".venv", "__pycache__", "raw", "interim", "processed", "runs", ".pytest_cache", ".ruff_cache"}
    visible = (path for path in paths.ROOT.rglob("*") if not ignored.intersection(path.relative_to(paths.ROOT).parts))
    return [path for path in visible if path.is_file()]


def words_out_of_place(name: str, content: str) -> Iterator[str]:
    for what, pattern in FORBIDDEN.items():
        match = re.search(pattern, content)
        if match and not (name in MAY_NAME_THE_DATA_FOLDER and what.startswith("the data")):
            yield f"{name} names {what}: {match.group()!r}"


@pytest.mark.slow
def test_no_tracked_file_names_a_machine_or_a_package_host():
    texts = {path: path.read_bytes() for path in tracked_files()}
    readable = {path: content.decode(errors="replace") for path, content in texts.items() if b"\0" not in content}
    named = {path.relative_to(paths.ROOT).as_posix(): content for path, content in readable.items()}
    assert [problem for name, content in named.items() for problem in words_out_of_place(name, content)] == []


def test_words_out_of_place_are_noticed():
    text = "x = '/" + "root/x'; https://" + "pypi" + ".org; ../shared" + "/data"
    assert len(list(words_out_of_place("ferlib/x.py", text))) == 3
    assert len(list(words_out_of_place(".ci/run", text))) == 2


def test_nothing_of_fer2013_is_tracked():
    files = {path.relative_to(paths.ROOT): path for path in tracked_files()}
    labels = [name for name in files if name.name.endswith("label.csv") or name.name == "fer2013new.csv"]
    faces = [name for name, path in files.items() if name.suffix == ".png" and png_size(path) == (48, 48)]
    assert (labels, [name for name in faces if paths.SAMPLE not in files[name].parents]) == ([], [])


def png_size(path: Path) -> tuple[int, int]:
    """Width and height in pixels, which stand at bytes 16 to 24 of every PNG (its IHDR chunk)."""
    return struct.unpack(">II", path.read_bytes()[16:24])


def undocumented(source: str) -> Iterator[str]:
    """Public functions, classes and methods without a docstring; the module itself too."""
    tree = ast.parse(source)
    if not ast.get_docstring(tree):
        yield "the module"
    places: list[tuple[str, ast.AST]] = [("", tree)]
    while places:
        prefix, place = places.pop()
        for node in ast.iter_child_nodes(place):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) or node.name.startswith("_"):
                continue
            setter = any(
                ast.unparse(decorator).endswith(".setter") for decorator in node.decorator_list
            )  # its property says it
            if not ast.get_docstring(node) and not setter:
                yield f"{prefix}{node.name}"
            if isinstance(node, ast.ClassDef):
                places.append((f"{prefix}{node.name}.", node))


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_every_public_name_is_documented(path: Path):
    assert list(undocumented(path.read_text(encoding="utf-8"))) == []


def test_undocumented_names_are_noticed():
    source = "class A:\n  def f(self): ...\n  def _g(self): ...\ndef h():\n  'Says.'\n  def inner(): ...\n"
    assert list(undocumented(source)) == ["the module", "A", "A.f"]
