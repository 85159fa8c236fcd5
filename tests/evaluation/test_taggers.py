import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.stats import entropy

from ferlib.data.labels import INDEX
from ferlib.data.votes import emotion_shares
from ferlib.evaluation import taggers

# neutral, happiness, surprise, sadness, anger, disgust, fear, contempt, unknown, NF
HAPPY8 = [0, 8, 2, 0, 0, 0, 0, 0, 0, 0]
SAD_TIED = [5, 0, 0, 5, 0, 0, 0, 0, 0, 0]
CLEAR = [10, 0, 0, 0, 0, 0, 0, 0, 0, 0]
CONTEMPT = [0, 0, 0, 0, 0, 0, 0, 9, 1, 0]


def vote(*rows):
    return np.array(rows, np.uint8)


def test_the_human_line_by_hand():
    line = taggers.human_line(vote(HAPPY8, CLEAR, SAD_TIED))  # the tie has no majority and does not count
    assert line["n"] == 2
    assert line["against_majority"] == pytest.approx((0.8 + 1.0) / 2)
    assert line["against_others"] == pytest.approx((0.8 + 1.0) / 2)


def test_a_tie_of_the_others_counts_by_its_share():
    votes = vote([5, 4, 0, 0, 0, 0, 0, 0, 0, 0])  # taking one away from the five leaves 4 : 4
    assert taggers.human_line(votes)["against_others"] == pytest.approx(5 / 9 * 0.5)
    assert taggers.human_line(vote(SAD_TIED)) == {"n": 0, "against_majority": None, "against_others": None}


def test_distances_agree_with_scipy():
    rng = np.random.default_rng(0)
    votes = rng.multinomial(10, np.full(10, 0.1), 50).astype(np.uint8)
    probabilities, shares = rng.dirichlet(np.ones(8), 50), emotion_shares(votes)
    scores = taggers.distribution_scores(probabilities, votes)
    assert scores["floor"] == pytest.approx(entropy(shares, axis=1).mean(), abs=1e-9)
    assert scores["kl"] == pytest.approx(entropy(shares, probabilities, axis=1).mean(), abs=1e-9)
    assert scores["js"] == pytest.approx((jensenshannon(shares, probabilities, axis=1) ** 2).mean(), abs=1e-9)
    assert scores["soft_cross_entropy"] == pytest.approx(scores["floor"] + scores["kl"], abs=1e-12)


def test_a_model_that_gives_the_votes_reaches_the_floor():
    votes = vote(HAPPY8, CLEAR)
    scores = taggers.distribution_scores(emotion_shares(votes), votes)
    assert scores["kl"] == pytest.approx(0)
    assert scores["js"] == pytest.approx(0)
    assert taggers.distribution_scores(np.ones((1, 8)) / 8, vote([0] * 9 + [10])) == {"n": 0}


def test_accuracy_is_counted_by_how_many_taggers_agreed():
    probabilities = np.eye(8)[[INDEX["happy"], INDEX["sad"], INDEX["sad"]]]
    rows = taggers.accuracy_by_agreement(probabilities, vote(HAPPY8, CLEAR, SAD_TIED))
    assert [(row["n"], row["accuracy"], row["human"]) for row in rows] == [(1, 1.0, 0.8), (1, 0.0, 1.0)]


def test_each_protocol_has_its_own_images():
    ids = np.array(["a", "b", "c", "d"])
    votes = vote(HAPPY8, CLEAR, SAD_TIED, CONTEMPT)
    probabilities = np.eye(8)[[INDEX["happy"], INDEX["neutral"], INDEX["sad"], INDEX["contempt"]]] * 0.5 + 0.0625
    files = {"label.csv": {"ids": ids, "votes": votes}, "other.csv": {"ids": ids[[1, 0]], "votes": votes[[1, 1]]}}
    rows = taggers.protocol_table(probabilities, ids, files)
    scores = {(row["labels"], row["rule"], row["classes"]): (row["n"], row["accuracy"]) for row in rows}
    assert len(rows) == 10
    assert scores["label.csv", "majority", 8] == (3, 1.0)
    assert scores["label.csv", "multi_target", 8] == (4, 1.0)  # sad is one of the two
    assert scores["label.csv", "argmax", 8] == (4, 0.75)  # of the tie neutral comes first
    assert scores["label.csv", "majority", 7] == (2, 1.0)
    assert scores["other.csv", "majority", 8] == (2, 0.5)  # joined by name, not by place


def test_seven_classes_never_name_contempt():
    probabilities = np.eye(8)[[INDEX["contempt"]]] * 0.6
    probabilities[0, INDEX["happy"]] = 0.4
    files = {"label.csv": {"ids": np.array(["a"]), "votes": vote(HAPPY8)}}
    assert taggers.protocol_table(probabilities, np.array(["a"]), files)[-1]["accuracy"] == 1.0


def test_a_protocol_without_images_has_no_accuracy():
    files = {"label.csv": {"ids": np.array(["a"]), "votes": vote([0] * 9 + [10])}}
    rows = taggers.protocol_table(np.ones((1, 8)) / 8, np.array(["a"]), files)
    assert [(row["n"], row["accuracy"]) for row in rows] == [(0, None)] * 5
