"""Who may read the test split, checked in the source of every module: choices are made without it."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import nbformat
import numpy as np
import pytest

from ferlib import paths
from ferlib.data.data_set import DataSet
from ferlib.training.batches import prepare
from ferlib.training.config import TrainConfig

MODULES = sorted((paths.ROOT / "ferlib").rglob("*.py"))
NOTEBOOKS = sorted(paths.NOTEBOOKS.glob("*.ipynb"))

# What gives or scores the test split, and the only rooms that may name it.
LOADERS = ("load_all", "load_fer2013", "open_folder", "all_splits", "score_test", "measure_splits")
ROOMS = ("data", "publishing")

IMPORT = "import"  # the function that an import at the top of a module counts as

# (module, function) that may name `load_all`, which gives all three splits, of a folder or of a `DataFolder`.
MAY_LOAD_ALL = {
    ("data.ferplus", "load_train_valid"),
    ("data.ferplus", "load_all"),
    ("data.data_set", "open_data_set"),
    ("data.data_set", "by_label_file"),
}

# (module, function) that may open a folder without saying which splits are read.
MAY_OPEN_FOLDERS = {("data.ferplus", "load_all"), ("data.data_set", "open_data_set")}

# (module, function) that may name `all_splits`, the part of an open data set that holds test; "" is the class body.
MAY_NAME_ALL_SPLITS = {
    ("data.data_set", ""),
    ("data.data_set", "source"),
    ("data.data_set", "content_hash"),
    ("data.data_set", "train_valid"),
    ("data.data_set", "manifest"),
    ("data.check", "check"),
    ("data.fer2013", "load_fer2013"),
    ("publishing.splits", "score_test"),
}

# (module, function) that may name `score_test`, the one function that scores on test.
MAY_SCORE_TEST = {
    ("publishing.publish", "publish"),
    ("publishing.rescore", "evaluate_model"),  # to check the stored predictions
    ("publishing.splits", "measure_splits"),
}

# The one user of `measure_splits`, which measures on test what is reported of a model when every choice is made.
MAY_MEASURE_TEST = {("publishing.study", "run_study")}

# What selects, and who may use it. Each of these users sees the validation split only.
SELECTS = {
    "fit_temperature": {
        ("publishing.study", "_fit_choices"),
        ("evaluation.reading", "choose_reading"),
        ("training.distillation", "calibrate"),
    },
    "choose_threshold": {("publishing.thresholds", "fit_threshold"), ("evaluation.reading", "choose_reading")},
    "choose_reading": {("publishing.thresholds", "fit_reading")},
    "fit_reading": {("publishing.study", "_fit_choices"), ("publishing.thresholds", "choose_again")},
    "fit_threshold": {("publishing.study", "_fit_choices"), ("publishing.thresholds", "choose_again")},
    "_fit_choices": {("publishing.study", "choose_on_valid")},
    # Which models teach together stands in a recipe; their scores together are only reported, by notebook 03.
    "ensemble": set(),
}

# Names that lead to the test split. No function that selects may mention one.
LEADS_TO_TEST = ("test", *LOADERS, "evaluate_model", "published_predictions", "publish")
SELECTING_FUNCTIONS = {
    "publishing.study": ("choose_on_valid", "_fit_choices"), "publishing.splits": ("score_valid",),
    "publishing.thresholds": ("fit_threshold", "fit_reading"),
}  # fmt: skip
SELECTING_MODULES = (
    "models.temperature",
    "evaluation.calibration",
    "evaluation.reading",
    "inference.int8",
    "publishing.export_check",
)
SELECTING_ROOMS = ("training",)


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(paths.ROOT / "ferlib").with_suffix("").parts)


def parse(module: str) -> ast.Module:
    return tree_of(paths.ROOT / "ferlib" / f"{module.replace('.', '/')}.py")


NAME_OF = {
    ast.Name: lambda node: node.id,
    ast.Attribute: lambda node: node.attr,
    ast.alias: lambda node: node.name.split(".")[-1],
    ast.Constant: lambda node: node.value,  # getattr(module, "load_all")
}


def named_nodes(tree: ast.AST, function: str = "") -> Iterator[tuple[str, str, ast.AST]]:
    """(name, enclosing function or method, node) of all that is used, imported, or written as a string."""
    for node in ast.iter_child_nodes(tree):
        inside = function
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not function:
            inside = node.name
        elif isinstance(node, ast.alias) and not function:
            inside = IMPORT
        if type(node) in NAME_OF and isinstance(name := NAME_OF[type(node)](node), str):
            yield name, inside, node
        yield from named_nodes(node, inside)


@cache
def index(tree: ast.AST) -> dict[str, list[tuple[str, ast.AST]]]:
    places: dict[str, list[tuple[str, ast.AST]]] = {}
    for name, function, node in named_nodes(tree):
        places.setdefault(name, []).append((function, node))
    return places


def mentions(tree: ast.AST, name: str) -> list[tuple[str, ast.AST]]:
    """(enclosing function or method, node) wherever `name` is used, imported, or written as a string.

    The enclosing function is the outermost one, "" outside every function, and `IMPORT` for an import there.
    """
    return index(tree).get(name, [])


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def users(name: str) -> set[tuple[str, str]]:
    """(module, function) that mention `name`; imports are left out in modules where a function mentions it too."""
    everywhere = {(name_of(path), function) for path in MODULES for function, _ in mentions(tree_of(path), name)}
    using = {module for module, function in everywhere if function != IMPORT}
    return {(module, function) for module, function in everywhere if function != IMPORT or module not in using}


def mentioned_by(tree: ast.AST) -> set[str]:
    return {name for name in LEADS_TO_TEST if list(mentions(tree, name))}


def is_for_the_manifest(tree: ast.AST, node: ast.AST) -> bool:
    """Whether `node`, or the call of the function `node`, goes straight into `load_manifest`."""
    return any(
        isinstance(call, ast.Call)
        and ast.unparse(call.func).split(".")[-1] == "load_manifest"
        and any(
            argument is node or (isinstance(argument, ast.Call) and argument.func is node) for argument in call.args
        )
        for call in ast.walk(tree)
    )


def is_without_test(tree: ast.AST, node: ast.AST) -> bool:
    """Whether `without_test` is called at once on `node`, or on the result of the function `node`."""
    return any(
        isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr == "without_test"
        and (call.func.value is node or (isinstance(call.func.value, ast.Call) and call.func.value.func is node))
        for call in ast.walk(tree)
    )


@pytest.mark.slow
def test_only_data_and_publishing_name_what_gives_the_test_split():
    named = {(name, module) for name in LOADERS for module, _ in users(name)}
    assert {(name, module) for name, module in named if module.split(".")[0] not in ROOMS} == set()
    assert {name for name, _ in named} == set(LOADERS)  # the search finds what is there


@pytest.mark.slow
def test_only_these_load_all_three_splits():
    assert users("load_all") <= MAY_LOAD_ALL
    assert ("data.ferplus", "load_train_valid") in users("load_all")
    assert users("open_folder") <= MAY_OPEN_FOLDERS


def test_only_these_name_the_part_of_a_data_set_with_test():
    assert users("all_splits") <= MAY_NAME_ALL_SPLITS
    assert ("data.data_set", "train_valid") in users("all_splits")


def test_the_manifest_uses_all_splits_only_to_find_copies():
    tree = parse("data.data_set")
    nodes = [node for function, node in mentions(tree, "all_splits") if function == "manifest"]
    assert nodes
    assert all(is_for_the_manifest(tree, node) for node in nodes)


def test_train_and_valid_leave_test_out_at_once():
    for module, name in (("data.ferplus", "load_all"), ("data.data_set", "all_splits")):
        tree = parse(module)
        nodes = [node for function, node in mentions(tree, name) if function in ("load_train_valid", "train_valid")]
        assert nodes
        assert all(is_without_test(tree, node) for node in nodes)


def test_only_these_score_on_test():
    assert users("score_test") <= MAY_SCORE_TEST


def test_only_the_final_report_measures_on_test():
    assert users("measure_splits") == MAY_MEASURE_TEST


def test_only_these_select():
    for name, allowed in SELECTS.items():
        assert users(name) == allowed


def test_nothing_that_selects_mentions_the_test_split():
    for module, functions in SELECTING_FUNCTIONS.items():
        for function in functions:
            (body,) = [node for node in parse(module).body if getattr(node, "name", None) == function]
            assert mentioned_by(body) == set()
    rooms = [name_of(path) for path in MODULES if name_of(path).split(".")[0] in SELECTING_ROOMS]
    assert len(rooms) > 5
    for module in (*SELECTING_MODULES, *rooms):
        allowed = {"test"} if module == "training.batches" else set()  # `prepare` refuses a test row by name
        assert mentioned_by(parse(module)) <= allowed


def test_a_threshold_is_chosen_again_before_the_predictions_on_test_are_read():
    (choose,) = [node for node in parse("publishing.thresholds").body if getattr(node, "name", None) == "choose_again"]
    (chosen,) = [node.lineno for _, node in mentions(choose, "fit_threshold")]
    assert chosen < min(node.lineno for _, node in mentions(choose, "test"))


def test_the_choices_are_made_before_test_is_measured():
    """In `study.run_study` the choice stands first, and what measures test gives nothing back to it."""
    (run,) = [node for node in parse("publishing.study").body if getattr(node, "name", None) == "run_study"]
    choose, measure = "choose_on_valid", "measure_splits"
    lines = {name: [node.lineno for _, node in mentions(run, name)] for name in (choose, measure)}
    assert len(lines[choose]) == len(lines[measure]) == 1
    assert lines[choose] < lines[measure]
    (choice,) = [node for node in ast.walk(run) if isinstance(node, ast.Assign) and list(mentions(node, choose))]
    (target,) = choice.targets
    assert isinstance(target, ast.Name)
    stored = [node for node in ast.walk(run) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]
    assert [node.id for node in stored].count(target.id) == 1


def test_notebooks_do_not_score_on_test():
    cells = [
        cell.source
        for path in NOTEBOOKS
        for cell in nbformat.read(path, as_version=4).cells
        if cell.cell_type == "code"
    ]
    forbidden = (*LOADERS, "publish(", "recompute")
    assert not [source for source in cells if any(name in source for name in forbidden)]


def test_the_readers_are_called_by_the_loader_alone():
    assert {module for module, _ in users("_read_and_cache") | users("_open_cache")} == {"data.ferplus"}
    calls = {
        name_of(path)
        for path in MODULES
        for _, node in mentions(tree_of(path), "read")
        if ast.unparse(node) == "readers.read"
    }
    assert calls == {"data.ferplus"}


@pytest.mark.parametrize(
    "source",
    [
        "from ferlib.data.ferplus import load_all",
        "from ferlib.data.ferplus import load_all as everything",
        "rows = open_folder(root).load_all()",
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
        ("fit(load_all(root).where(load_manifest(x)))", False),
    ):
        tree = ast.parse(source)
        assert [is_for_the_manifest(tree, node) for _, node in mentions(tree, "load_all")] == [fine]


def test_the_train_valid_rule_itself():
    for source, fine in (
        ("data = load_all(root).without_test()", True),
        ("data = load_all(root)", False),
        ("data = fit(load_all(root)).without_test()", False),
        ("data = self.without_test(load_all(root))", False),
    ):
        tree = ast.parse(source)
        assert [is_without_test(tree, node) for _, node in mentions(tree, "load_all")] == [fine]


def test_imports_count_where_no_function_uses_them():
    tree = ast.parse("from ferlib.data.ferplus import load_all\n\ndef f():\n    return load_all()\n\nDATA = load_all()")
    assert [function for function, _ in mentions(tree, "load_all")] == [IMPORT, "f", ""]


class TestPrepare:
    CONFIG = TrainConfig(clean=False)

    def test_a_test_row_is_an_error(self, small):
        with pytest.raises(ValueError, match="must not see the test split"):
            prepare(small, self.CONFIG, None)

    def test_one_test_row_is_enough(self, small):
        rows = np.append(np.flatnonzero(small.split != "test"), np.flatnonzero(small.split == "test")[0])
        with pytest.raises(ValueError, match="must not see the test split"):
            prepare(small.where(rows), self.CONFIG, None)

    def test_nothing_of_test_reaches_training_through_the_manifest(self, small):
        data_set = DataSet(small)
        prepared = prepare(data_set.train_valid, TrainConfig(clean=True), data_set.manifest)
        assert set(prepared.valid_ids.tolist()) <= set(small.ids[small.split == "valid"].tolist())
        assert len(prepared.images) < (small.split == "train").sum()
