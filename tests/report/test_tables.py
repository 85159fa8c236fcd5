import pytest

from ferlib import paths
from ferlib.publishing import ledger
from ferlib.publishing.store import published_metrics
from ferlib.report import studies, tables


@pytest.fixture(scope="module")
def models():
    return studies.load_studies()


def test_an_accuracy_has_its_interval_or_is_a_dash():
    assert tables.accuracy_with_interval({"accuracy": 0.8518, "interval": [0.839, 0.864]}) == "85.18 (83.90 to 86.40)"
    assert tables.accuracy_with_interval({}) == "–"
    assert tables.accuracy_with_interval({"accuracy": None, "interval": None}) == "–"


@pytest.mark.slow
def test_the_tables_hold_the_published_numbers(models):
    model = studies.shown_model(models)
    metrics = published_metrics(model.name)["test"]
    table = tables.scores_by_model(models)
    assert table.loc["accuracy (%)", model.name].startswith(f"{100 * metrics['all']['accuracy']:.2f} (")
    assert table.loc["images", model.name] == f"{metrics['all']['n']:,}"
    reads = ledger.read_ledger(paths.PUBLISHED / ledger.LEDGER_NAME)
    assert table.loc["reads of test", model.name] == str(sum(read.model == model.name for read in reads))
    assert "reads of test" not in tables.scores_by_model(models, "valid").index
    leaks = tables.accuracy_by_leak(models)
    assert leaks.loc[model.name, "leak-free (%)"].startswith(f"{100 * metrics['leak_free']['accuracy']:.2f} (")
    majority = tables.accuracy_by_protocol(model).loc[("label.csv", "majority", 8)]
    assert majority["n"] == metrics["all"]["n"]
    assert len(tables.accuracy_by_protocol(model)) >= 6
    assert list(tables.human_table(model).columns) == ["valid", "test"]


def test_the_worst_change_comes_first(models):
    table = tables.worst_changes(studies.shown_model(models))
    assert len(table) == 10
    lost = [float(cell.split(": ")[1]) for cell in table["strength 5"]]
    assert lost == sorted(lost, reverse=True)
    robustness = studies.shown_model(models).study["test"]["robustness"]
    worst = next(row for name, row in robustness["changes"].items() if table.index[0].startswith(name))
    points = 100 * (robustness["clean"]["accuracy"] - worst["accuracy"][0])
    assert table["strength 1"].iloc[0] == f"{worst['strengths'][0]:g}: {points:.1f}"
    live = tables.live_path_costs(models).loc[studies.shown_model(models).name]
    assert live.index[0] == "as they are"
    cost = studies.shown_model(models).study["test"]["live_path"][0]["cost"]["difference"]
    assert live["cost (points)"].iloc[0].startswith(f"{100 * cost:.2f} (")
    assert "80 % most confident: right (%)" in tables.confidence_by_model(models).index


@pytest.mark.slow
def test_differences_are_in_points_with_the_first_model_on_top(models):
    table, rows = tables.differences_by_pair(models), studies.paired_differences(models)
    assert list(table.index) == [(row["first"], row["second"]) for row in rows]
    assert table["difference, points"].iloc[0] == f"{100 * rows[0]['difference']:+.2f}"
    low, high = rows[0]["interval"]
    assert table["95 % interval"].iloc[0] == f"{100 * low:+.1f} to {100 * high:+.1f}"
    alone = tables.differences_by_pair(models[:1])
    assert alone.empty
    assert list(alone.columns) == list(table.columns)
