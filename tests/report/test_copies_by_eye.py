import pytest

from ferlib import paths
from ferlib.errors import FerlibError
from ferlib.report.copies_by_eye import estimate_recall, pair_table, read_record

RECORD = {
    "pairs": [
        {"kind": "near", "least": 0.8, "below": 0.9, "taken": True, "looked_at": 10, "same": 8, "different": 1},
        {"kind": "mirrored", "least": 0.6, "below": 0.7, "taken": False, "looked_at": 4, "same": 1, "different": 3},
    ],
    "recall": {"split": "valid", "images": 100, "missed": 10},
}


def test_a_row_for_each_range():
    table = pair_table(RECORD)
    assert table.index.tolist() == [("near", "0.80 to 0.90"), ("mirrored", "0.60 to 0.70")]
    assert table.to_numpy().tolist() == [["yes", 10, 8, 1, 1], ["no", 4, 1, 3, 0]]


def test_recall_counts_what_the_leak_free_images_hide():
    recall = estimate_recall(RECORD, {"images": 300, "of_images": 1300})
    assert (recall.found, recall.missed, recall.images) == (300, 100, 100)
    assert recall.share == pytest.approx(0.75)
    # Wilson's interval of 10 of 100 is 5.52 to 17.44 %, so that 55.2 to 174.4 of 1,000 images are missed.
    assert recall.interval == pytest.approx((300 / 474.4, 300 / 355.2), abs=2e-4)


def test_the_published_record_adds_up():
    record = read_record(paths.PUBLISHED)
    assert record["search"] == 2
    for row in record["pairs"]:
        assert 0 <= row["same"] + row["different"] <= row["looked_at"]
        assert row["pairs"] is None or row["looked_at"] <= row["pairs"]


def test_a_missing_record_is_a_sentence(tmp_path):
    with pytest.raises(FerlibError, match=r"holds no readable copies_by_eye\.json; check the repository out again"):
        read_record(tmp_path)
