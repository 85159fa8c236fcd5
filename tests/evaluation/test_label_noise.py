import numpy as np

from ferlib.evaluation.label_noise import doubt_table, doubted_labels


def noisy_case(n=400, swapped=20, seed=0, classes=(0, 4, 5)):
    """Confident predictions of the true class; the first `swapped` labels say another one."""
    rng = np.random.default_rng(seed)
    true = rng.choice(classes, n)
    probabilities = rng.dirichlet(np.full(8, 0.2), n) * 0.2 + 0.8 * np.eye(8)[true]
    labels = true.copy()
    labels[:swapped] = np.where(true[:swapped] == classes[0], classes[1], classes[0])
    return probabilities, labels


def test_swapped_labels_are_doubted_and_the_others_are_not():
    probabilities, labels = noisy_case()
    doubted = doubted_labels(probabilities, labels)
    assert doubted[:20].sum() > 10  # the filter is careful by design
    assert doubted[20:].sum() <= 2


def test_unlabelled_images_are_never_doubted():
    probabilities, labels = noisy_case()
    labels[:20] = -1
    assert doubted_labels(probabilities, labels).sum() <= 2
    assert not doubted_labels(probabilities, np.full(400, -1)).any()
    assert not doubted_labels(probabilities[:3], np.array([2, 2, 2])).any()


def test_the_table_counts_by_class_and_by_agreement():
    probabilities, labels = noisy_case()
    votes = np.where(np.arange(400) < 20, 6, 10)
    table = doubt_table(probabilities, labels, votes)
    assert table["n"] == 400
    assert sum(row["images"] for row in table["by_class"].values()) == 400
    assert table["by_agreement"]["6 or 7"]["images"] == 20
    assert table["by_agreement"]["6 or 7"]["doubted"] > 10
    assert sum(row["doubted"] for row in table["by_agreement"].values()) == table["doubted"]
