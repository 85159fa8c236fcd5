import pytest

from ferlib import studies, tables
from ferlib.learning.publication import published_metrics


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
    assert table["strength 5"].is_monotonic_decreasing
    assert tables.live_path(models).loc[studies.shown(models).name].index[0] == "as they are"
    assert "80 % most confident: right (%)" in tables.confidence(models).index
