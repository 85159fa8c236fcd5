import pytest

from ferlib.publishing.store import published_metrics
from ferlib.report import studies, tables


@pytest.fixture(scope="module")
def models():
    return studies.load()


def test_rates_and_their_absence():
    assert tables.rate({"accuracy": 0.8518, "interval": [0.839, 0.864]}) == "85.18 (83.90 to 86.40)"
    assert tables.rate({}) == tables.rate({"accuracy": None, "interval": None}) == "–"
    assert tables.plain({"value": None, "interval": None}) == "–"
    assert tables.plain({"value": 0.5, "interval": [0.25, 0.75]}) == "0.500 (0.250 to 0.750)"


def test_the_tables_hold_the_published_numbers(models):
    one = studies.shown(models)
    metrics = published_metrics(one.name)["test"]
    table = tables.scores(models)
    assert table.loc["accuracy (%)", one.name].startswith(f"{100 * metrics['all']['accuracy']:.2f} (")
    assert table.loc["images", one.name] == f"{metrics['all']['n']:,}"
    leaks = tables.leaks(models)
    assert leaks.loc[one.name, "leak-free (%)"].startswith(f"{100 * metrics['leak_free']['accuracy']:.2f} (")
    majority = tables.protocols(one).loc[("label.csv", "majority", 8)]
    assert majority["n"] == metrics["all"]["n"]
    assert len(tables.protocols(one)) >= 6
    assert list(tables.human(one).columns) == ["valid", "test"]


def test_the_worst_change_comes_first(models):
    table = tables.worst_changes(studies.shown(models))
    assert len(table) == 10
    lost = [float(cell.split(": ")[1]) for cell in table["strength 5"]]
    assert lost == sorted(lost, reverse=True)
    found = studies.shown(models).study["test"]["robustness"]
    worst = next(row for name, row in found["changes"].items() if table.index[0].startswith(name))
    points = 100 * (found["clean"]["accuracy"] - worst["accuracy"][0])
    assert table["strength 1"].iloc[0] == f"{worst['strengths'][0]:g}: {points:.1f}"
    live = tables.live_path(models).loc[studies.shown(models).name]
    assert live.index[0] == "as they are"
    cost = studies.shown(models).study["test"]["live_path"][0]["cost"]["difference"]
    assert live["cost (points)"].iloc[0].startswith(f"{100 * cost:.2f} (")
    assert "80 % most confident: right (%)" in tables.confidence(models).index


def test_differences_are_in_points_with_the_first_model_on_top(models):
    table, rows = tables.differences(models), studies.differences(models)
    assert list(table.index) == [(row["first"], row["second"]) for row in rows]
    assert table["difference, points"].iloc[0] == f"{100 * rows[0]['difference']:+.2f}"
    low, high = rows[0]["interval"]
    assert table["95 % interval"].iloc[0] == f"{100 * low:+.1f} to {100 * high:+.1f}"
    alone = tables.differences(models[:1])
    assert alone.empty
    assert list(alone.columns) == list(table.columns)
