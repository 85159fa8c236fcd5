"""Who may read the test split, checked in the source of every module: choices are made without it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import nbformat
import numpy as np
import pytest

from ferlib import paths
from ferlib.data.cleaning import build_manifest
from ferlib.training.batches import prepare
from ferlib.training.config import TrainConfig

MODULES = sorted((paths.ROOT / "ferlib").rglob("*.py"))
NOTEBOOKS = sorted(paths.NOTEBOOKS.glob("*.ipynb"))

# (module, function) that may name `load_all`, which gives all three splits; "" is the top of the module.
MAY_LOAD_ALL = {
    ("data.ferplus", "load_train_valid"),
    ("data.check", "check"),
    ("data.cleaning", ""),  # its import
    ("data.cleaning", "manifest_of"),  # only to find copies across splits: it hands the data to `load_manifest`
    ("publishing.publish", "score_test"),
}

# (module, function) that may name `score_test`, the one function that scores on test.
MAY_SCORE_TEST = {
    ("publishing.publish", "publish"),
    ("publishing.publish", "evaluate_model"),  # to check the stored predictions
    ("publishing.publish", "measure_splits"),
}

# The one user of `measure_splits`, which measures on test what is reported of a model when every choice is made.
MAY_MEASURE_TEST = {("study", "run")}

# What selects, and who may use it. Each of these users sees the validation split only.
SELECTS = {
    "fit_temperature": {("study", "_choices")},
    "choose_threshold": {("study", "_choices")},
    "_choices": {("study", "choose")},
    # Which models teach together stands in a recipe; their scores together are only reported, by notebook 03.
    "ensemble": set(),
}

# Names that lead to the test split. No function that selects may mention one.
LEADS_TO_TEST = (
    "test", "load_all", "score_test", "measure_splits", "evaluate_model", "published_predictions", "publish",
)  # fmt: skip
SELECTING_FUNCTIONS = {"study": ("choose", "_choices"), "publishing.publish": ("score_valid",)}
SELECTING_MODULES = (
    "evaluation.calibration", "training.loop", "training.batches", "training.runs", "training.config",
    "training.recipes", "training.distillation", "inference.int8", "publishing.export_check",
)  # fmt: skip


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(paths.ROOT / "ferlib").with_suffix("").parts)


def mentions(tree: ast.AST, name: str, function: str = "") -> Iterator[tuple[str, ast.AST]]:
    """(enclosing top-level function or method, node) wherever `name` is used, imported, or written as a string."""
    for node in ast.iter_child_nodes(tree):
        inside = function
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not function:
            inside = node.name
        named = {
            ast.Name: lambda node: node.id,
            ast.Attribute: lambda node: node.attr,
            ast.alias: lambda node: node.name.split(".")[-1],
            ast.Constant: lambda node: node.value,  # getattr(module, "load_all")
        }.get(type(node))
        if named and named(node) == name:
            yield inside, node
        yield from mentions(node, name, inside)


def users(name: str) -> set[tuple[str, str]]:
    return {
        (name_of(path), function)
        for path in MODULES
        for function, _ in mentions(ast.parse(path.read_text(encoding="utf-8")), name)
    }


def is_for_the_manifest(tree: ast.AST, node: ast.AST) -> bool:
    """Whether `node` is the function of a call whose result goes straight into `load_manifest`."""
    return any(
        isinstance(call, ast.Call)
        and ast.unparse(call.func).split(".")[-1] == "load_manifest"
        and any(isinstance(argument, ast.Call) and argument.func is node for argument in call.args)
        for call in ast.walk(tree)
    )


def test_only_these_load_all_three_splits():
    assert users("load_all") <= MAY_LOAD_ALL
    assert ("data.ferplus", "load_train_valid") in users("load_all")  # the search finds what is there


def test_cleaning_uses_all_splits_only_to_find_copies():
    tree = ast.parse((paths.ROOT / "ferlib" / "data" / "cleaning.py").read_text(encoding="utf-8"))
    nodes = [node for function, node in mentions(tree, "load_all") if function]
    assert nodes
    assert all(is_for_the_manifest(tree, node) for node in nodes)


def test_only_these_score_on_test():
    assert users("score_test") <= MAY_SCORE_TEST


def test_only_the_final_report_measures_on_test():
    assert users("measure_splits") == MAY_MEASURE_TEST


def test_only_these_select():
    for name, allowed in SELECTS.items():
        assert users(name) == allowed


def test_nothing_that_selects_mentions_the_test_split():
    for module, functions in SELECTING_FUNCTIONS.items():
        tree = ast.parse((paths.ROOT / "ferlib" / f"{module.replace('.', '/')}.py").read_text(encoding="utf-8"))
        for function in functions:
            (body,) = [node for node in tree.body if getattr(node, "name", None) == function]
            assert [name for name in LEADS_TO_TEST if list(mentions(body, name))] == []
    for module in SELECTING_MODULES:
        tree = ast.parse((paths.ROOT / "ferlib" / f"{module.replace('.', '/')}.py").read_text(encoding="utf-8"))
        found = {name for name in LEADS_TO_TEST if list(mentions(tree, name))}
        assert found <= ({"test"} if module == "training.batches" else set())  # `prepare` refuses a test row by name


def test_the_choices_are_made_before_test_is_measured():
    """In `study.run` the choice stands first, and what measures test gives nothing back to it."""
    tree = ast.parse((paths.ROOT / "ferlib" / "study.py").read_text(encoding="utf-8"))
    (run,) = [node for node in tree.body if getattr(node, "name", None) == "run"]
    lines = {name: [node.lineno for _, node in mentions(run, name)] for name in ("choose", "measure_splits")}
    assert len(lines["choose"]) == len(lines["measure_splits"]) == 1
    assert lines["choose"] < lines["measure_splits"]
    stored = [node for node in ast.walk(run) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]
    assert [node.id for node in stored].count("chosen") == 1


def test_notebooks_do_not_score_on_test():
    cells = [
        cell.source
        for path in NOTEBOOKS
        for cell in nbformat.read(path, as_version=4).cells
        if cell.cell_type == "code"
    ]
    forbidden = ("score_test", "load_all", "publish(", "recompute", "manifest_of", "measure_splits")
    assert not [source for source in cells if any(name in source for name in forbidden)]


def test_the_readers_are_called_by_the_loader_alone():
    assert {module for module, _ in users("_read_and_cache") | users("_open_cache")} == {"data.ferplus"}
    tree = {name_of(path): ast.parse(path.read_text(encoding="utf-8")) for path in MODULES}
    calls = {
        module
        for module, parsed in tree.items()
        for node in ast.walk(parsed)
        if isinstance(node, ast.Attribute) and ast.unparse(node) == "readers.read"
    }
    assert calls == {"data.ferplus"}


@pytest.mark.parametrize(
    "source",
    [
        "from ferlib.data.ferplus import load_all",
        "from ferlib.data.ferplus import load_all as everything",
        "def choose():\n    return ferplus.load_all()",
        "class A:\n    def f(self):\n        getattr(ferplus, 'load_all')()",
    ],
)
def test_the_search_itself(source):
    assert list(mentions(ast.parse(source), "load_all"))


def test_the_manifest_rule_itself():
    for source, fine in (
        ("m = load_manifest(ferplus.load_all(root))", True),
        ("m = cleaning.load_manifest(load_all(root)) if x else None", True),
        ("data = load_all(root)\nm = load_manifest(data)", False),
        ("fit(load_all(root), load_manifest(x))", False),
    ):
        tree = ast.parse(source)
        assert [is_for_the_manifest(tree, node) for _, node in mentions(tree, "load_all")] == [fine]


class TestPrepare:
    CONFIG = TrainConfig(clean=False)

    def test_a_test_row_is_an_error(self, small):
        with pytest.raises(ValueError, match="must not see the test split"):
            prepare(small, self.CONFIG, None)

    def test_one_test_row_is_enough(self, small):
        one = np.append(np.flatnonzero(small.split != "test"), np.flatnonzero(small.split == "test")[0])
        with pytest.raises(ValueError, match="must not see the test split"):
            prepare(small.where(one), self.CONFIG, None)

    def test_nothing_of_test_reaches_training_through_the_manifest(self, small):
        without = small.where(small.split != "test")
        found = prepare(without, TrainConfig(clean=True), build_manifest(small))
        assert set(found.valid_ids.tolist()) <= set(small.ids[small.split == "valid"].tolist())
        assert len(found.images) < (small.split == "train").sum()
