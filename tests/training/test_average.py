import torch

from ferlib.models.networks import build_model
from ferlib.training.average import WeightAverage


def test_the_average_follows_the_weights_and_their_statistics():
    model = build_model("custom_cnn", width=0.125)
    average = WeightAverage(model, 0.9)
    before = average.snapshot()
    for value in model.state_dict().values():
        value.add_(1)
    average.update(model, 1000)  # the warm-up, (1 + step) / (10 + step), is over
    for name, value in average.state_dict().items():
        step = 0.1 if value.dtype.is_floating_point else 1
        assert torch.allclose(value.double(), before[name].double() + step, atol=1e-6), name
    average.update(model, 0)  # the decay begins at 1 / 10
    weight = "head.bias"
    expected = 0.1 * (before[weight] + 0.1) + 0.9 * model.state_dict()[weight]
    assert torch.allclose(average.state_dict()[weight], expected)


def test_without_decay_the_average_is_the_last_weights():
    model = build_model("custom_cnn", width=0.125)
    average = WeightAverage(model, 0.0)
    model.head.bias.data.add_(1)
    average.update(model, 500)
    assert all(torch.equal(value, model.state_dict()[name]) for name, value in average.snapshot().items())


def test_a_restored_average_goes_on_and_a_snapshot_stays():
    model = build_model("custom_cnn", width=0.125)
    average, restored = WeightAverage(model, 0.9), WeightAverage(build_model("custom_cnn", width=0.125), 0.9)
    restored.load_state_dict(average.state_dict())
    snapshot = average.snapshot()
    model.head.bias.data.add_(1)
    for each in (average, restored):
        each.update(model, 1000)
    assert torch.equal(average.state_dict()["head.bias"], restored.state_dict()["head.bias"])
    assert not torch.equal(average.state_dict()["head.bias"], snapshot["head.bias"])
    assert not average.model.training
