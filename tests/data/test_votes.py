"""The FER+ rules against examples worked out by hand from their description, and what must hold for any votes."""

import numpy as np
import pytest

from ferlib.data.labels import EMOTIONS, VOTE_COLUMNS
from ferlib.data.votes import (
    MODES,
    REASONS,
    count_kept,
    drop_reasons,
    emotion_shares,
    hard_labels,
    share_targets,
    targets,
)

SOFT = ("crossentropy", "probability")


def row(**votes: int) -> np.ndarray:
    """(1, 10) votes by the column's name."""
    assert set(votes) <= set(VOTE_COLUMNS)
    return np.array([[votes.get(column, 0) for column in VOTE_COLUMNS]], dtype=np.uint8)


def kept(mode: str, **votes: int) -> dict[str, float]:
    """The target as ``{emotion: share}``, nought left out."""
    target = targets(row(**votes), mode)[0]
    return {name: round(float(share), 4) for name, share in zip(EMOTIONS, target, strict=True) if share}


def reason(mode: str, **votes: int) -> str:
    reason = drop_reasons(row(**votes), mode)[0]
    assert bool(reason) == (kept(mode, **votes) == {})
    return reason


@pytest.fixture(scope="module")
def any_votes() -> np.ndarray:
    """Ten taggers over ten columns, from unanimous to evenly spread; some with fewer taggers, one with none."""
    rng = np.random.default_rng(7)
    votes = [rng.multinomial(rng.integers(1, 11), rng.dirichlet(np.full(10, spread))) for spread in [0.1, 0.3, 1] * 700]
    return np.array([*votes, np.zeros(10)], dtype=np.uint8)


class TestMajority:
    def test_more_than_half_of_what_remains(self):
        assert kept("majority", happiness=6, sadness=4) == {"happy": 1}

    def test_exactly_half_is_not_enough(self):
        assert reason("majority", happiness=5, sadness=5) == "no majority"
        assert reason("majority", happiness=4, sadness=2, fear=2) == "no majority"

    def test_single_votes_do_not_count(self):
        # 4 of 10, but 4 of 6 once the four single votes are gone
        assert kept("majority", anger=4, fear=2, sadness=1, disgust=1, contempt=1, unknown=1) == {"angry": 1}

    def test_unknown_and_no_face_count_in_the_sum(self):
        assert reason("majority", neutral=4, unknown=2, NF=2) == "no majority"
        assert kept("majority", neutral=5, unknown=2, NF=2) == {"neutral": 1}

    def test_unknown_or_no_face_may_win(self):
        assert reason("majority", unknown=6, happiness=4) == "unknown"
        assert reason("majority", NF=10) == "not a face"

    def test_nothing_left(self):
        assert reason("majority", happiness=1, sadness=1, fear=1) == "no votes"
        assert reason("majority") == "no votes"


@pytest.mark.parametrize("mode", SOFT)
class TestCrossentropy:
    def test_stops_at_three_quarters(self, mode):
        assert kept(mode, neutral=8, sadness=2) == {"neutral": 1}

    def test_below_three_quarters_the_next_one_is_taken(self, mode):
        assert kept(mode, neutral=7, sadness=3) == {"neutral": 0.7, "sad": 0.3}

    def test_exactly_three_quarters_is_enough(self, mode):
        assert kept(mode, neutral=6, sadness=2) == {"neutral": 1}

    def test_single_votes_do_not_count(self, mode):
        assert kept(mode, neutral=6, sadness=2, anger=1, fear=1) == {"neutral": 1}

    def test_three_emotions_at_most(self, mode):
        assert kept(mode, neutral=3, sadness=2, fear=2) == {"neutral": 0.4286, "sad": 0.2857, "fear": 0.2857}

    def test_ties_are_taken_together(self, mode):
        assert kept(mode, happiness=5, surprise=5) == {"happy": 0.5, "surprise": 0.5}

    def test_more_than_three_in_a_tie(self, mode):
        assert reason(mode, neutral=4, anger=2, fear=2, disgust=2) == "votes too spread"
        assert reason(mode, anger=2, fear=2, disgust=2, sadness=2) == "votes too spread"

    def test_unknown_ends_the_collecting(self, mode):
        # 7 of 12 are collected when "unknown" has its turn, so sadness stays out
        assert kept(mode, neutral=7, unknown=3, sadness=2) == {"neutral": 1}

    def test_an_emotion_that_ties_with_unknown_still_comes_in(self, mode):
        assert kept(mode, neutral=6, unknown=2, sadness=2) == {"neutral": 0.75, "sad": 0.25}

    def test_half_collected_before_unknown_is_not_enough(self, mode):
        assert reason(mode, neutral=5, unknown=3, sadness=2) == "votes too spread"
        assert kept(mode, neutral=6, unknown=4) == {"neutral": 1}

    def test_unknown_or_no_face_leads(self, mode):
        assert reason(mode, unknown=6, happiness=4) == "unknown"
        assert reason(mode, NF=8, happiness=2) == "not a face"

    def test_unknown_leads_with_too_few(self, mode):
        assert reason(mode, unknown=4, happiness=3, sadness=3) == "votes too spread"

    def test_an_emotion_in_a_tie_with_unknown(self, mode):
        # taken together with "unknown", which ends it: half of the votes is not more than half
        assert reason(mode, happiness=5, unknown=5) == "votes too spread"
        assert kept(mode, happiness=4, sadness=4, unknown=2) == {"happy": 0.5, "sad": 0.5}

    def test_nothing_left(self, mode):
        assert reason(mode, happiness=1) == "no votes"


class TestMultiTarget:
    def test_everything_from_thirty_percent(self):
        assert kept("multi_target", anger=4, fear=3, sadness=3) == {"angry": 0.4, "fear": 0.3, "sad": 0.3}

    def test_below_thirty_percent(self):
        assert kept("multi_target", anger=8, fear=2) == {"angry": 1}

    def test_exactly_thirty_percent_of_fewer_votes(self):
        # 3 of 10 is in, 2 of 7 is not
        assert kept("multi_target", anger=5, fear=2) == {"angry": 1}

    def test_half_is_not_enough(self):
        assert reason("multi_target", anger=5, fear=2, sadness=2) == ""  # 5 of 9
        assert reason("multi_target", anger=4, fear=2, sadness=2) == "votes too spread"  # 4 of 8
        assert reason("multi_target", anger=2, fear=2, sadness=2, disgust=2, neutral=2) == "votes too spread"

    def test_unknown_or_no_face_leads(self):
        assert reason("multi_target", unknown=6, anger=4) == "unknown"
        assert reason("multi_target", NF=7, anger=3) == "not a face"

    def test_unknown_is_no_part_of_the_target(self):
        assert kept("multi_target", anger=6, unknown=4) == {"angry": 1}

    def test_nothing_left(self):
        assert reason("multi_target", anger=1, fear=1) == "no votes"


class TestArgmax:
    def test_top_of_the_emotions_with_nothing_removed(self):
        assert kept("argmax", fear=1) == {"fear": 1}
        assert kept("argmax", unknown=7, fear=2, sadness=1) == {"fear": 1}

    def test_the_first_column_of_a_tie(self):
        assert kept("argmax", neutral=5, happiness=5) == {"neutral": 1}

    def test_no_emotion_at_all(self):
        assert reason("argmax", unknown=4, NF=6) == "no emotion"
        assert reason("argmax") == "no emotion"


@pytest.mark.parametrize("mode", MODES)
class TestAnyVotes:
    def test_a_row_sums_to_one_or_is_dropped(self, any_votes, mode):
        sums = targets(any_votes, mode).sum(axis=1, dtype=np.float64)
        assert np.allclose(sums[sums > 0], 1, atol=1e-6)
        assert 0 < (sums == 0).mean() < 1

    def test_shape_and_type(self, any_votes, mode):
        distributions = targets(any_votes, mode)
        assert (distributions.shape, distributions.dtype) == ((len(any_votes), 8), np.float32)
        assert targets(any_votes[:0], mode).shape == (0, 8)

    def test_dropped_has_a_reason_and_kept_has_none(self, any_votes, mode):
        reasons = drop_reasons(any_votes, mode)
        assert set(reasons.tolist()) <= {"", *REASONS}
        assert ((reasons == "") == targets(any_votes, mode).any(axis=1)).all()

    def test_one_or_at_most_three_emotions(self, any_votes, mode):
        most = 1 if mode in ("majority", "argmax") else 3
        assert (targets(any_votes, mode) > 0).sum(axis=1).max() == most

    def test_an_emotion_without_votes_is_no_target(self, any_votes, mode):
        assert not (targets(any_votes, mode) > 0)[emotion_shares(any_votes) == 0].any()

    def test_the_votes_stay_as_they_were(self, any_votes, mode):
        before = any_votes.copy()
        targets(any_votes, mode)
        assert (any_votes == before).all()

    def test_small_unsigned_numbers_do_not_overflow(self, any_votes, mode):
        assert (targets(any_votes, mode) == targets(any_votes.astype(np.int64), mode)).all()

    def test_hard_labels_and_counts_agree_with_the_targets(self, any_votes, mode):
        labels = hard_labels(any_votes, mode)
        distributions = targets(any_votes, mode)
        assert (labels[~distributions.any(axis=1)] == -1).all()
        assert (labels[distributions.any(axis=1)] == distributions[distributions.any(axis=1)].argmax(axis=1)).all()
        assert count_kept(any_votes, mode).tolist() == [int((labels == index).sum()) for index in range(8)]


def test_the_two_soft_modes_share_the_target(any_votes):
    assert (targets(any_votes, "crossentropy") == targets(any_votes, "probability")).all()


def test_a_majority_also_leads_the_soft_target(any_votes):
    labels, soft = hard_labels(any_votes), targets(any_votes, "crossentropy")
    both = (labels >= 0) & soft.any(axis=1)
    assert both.sum() > 500
    assert (soft[both].argmax(axis=1) == labels[both]).all()


def test_every_reason_is_reachable(any_votes):
    reasons = {str(name) for mode in MODES for name in drop_reasons(any_votes, mode)}
    assert reasons == {"", *REASONS}


def test_emotion_shares():
    shares = emotion_shares(np.concatenate([row(happiness=3, sadness=1, unknown=6), row(NF=10)]))
    assert shares[0].tolist() == [0, 0, 0, 0, 0.75, 0, 0.25, 0]
    assert not shares[1].any()


def test_targets_of_all_votes(any_votes):
    single = share_targets(row(happiness=7, contempt=1, unknown=2))
    assert single[0].tolist() == pytest.approx([0, 1 / 8, 0, 0, 7 / 8, 0, 0, 0])
    assert not share_targets(row(happiness=5, unknown=3, NF=2)).any()  # emotions hold half of the votes
    assert share_targets(row(happiness=6, unknown=4)).any()
    every = share_targets(any_votes)
    assert every.dtype == np.float32
    prevail = every.any(axis=1)
    assert np.allclose(every[prevail].sum(axis=1), 1, atol=1e-6)
    assert (every[prevail] == emotion_shares(any_votes)[prevail].astype(np.float32)).all()
    assert prevail.tolist() == (any_votes[:, :8].sum(axis=1) > any_votes[:, 8:].sum(axis=1)).tolist()


@pytest.mark.parametrize("votes", [np.zeros((3, 8)), np.zeros(10), np.zeros((2, 10, 1))])
def test_votes_of_another_shape(votes):
    with pytest.raises(ValueError, match="must be"):
        targets(votes, "majority")


def test_unknown_mode():
    with pytest.raises(ValueError, match="unknown mode 'plurality'"):
        drop_reasons(row(happiness=10), "plurality")
