"""Runs of one recipe that differ in their seed."""

from ferlib.report.seeds import seed_families


def test_runs_of_one_recipe_belong_together():
    assert seed_families([]) == {}
    assert seed_families([("net", 5), ("other", 5)]) == {}
    assert seed_families([("net", 5), ("other", 5), ("net-seed1", 5)]) == {"net": [0, 2]}


def test_those_of_one_schedule_are_a_family_of_their_own():
    runs = [("net-seed1", 2), ("net", 5), ("net-seed2", 2)]
    assert seed_families(runs) == {"net": [0, 1, 2], "net, 2 epochs": [0, 2]}
