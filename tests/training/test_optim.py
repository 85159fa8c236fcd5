import pytest

from ferlib.models.networks import build_model
from ferlib.report.model_tables import rate_table
from ferlib.training.optim import freeze_pretrained, make_optimizer
from ferlib.training.recipes import recipe


def learning(model) -> set[str]:
    return {name for name, weights in model.named_parameters() if weights.requires_grad}


def test_stage_one_trains_the_last_layer_of_a_pretrained_network():
    model = build_model("tf_efficientnet_lite2", channels=3)
    freeze_pretrained(model, "", True)
    assert learning(model) == {"classifier.weight", "classifier.bias"}
    freeze_pretrained(model, "", False)
    assert learning(model) == {name for name, _ in model.named_parameters()}


@pytest.mark.parametrize("stem", ["lite", "face"])
def test_stage_one_trains_everything_above_a_pretrained_stem(stem):
    model = build_model("convnext_atto", channels=3, stem=stem)
    freeze_pretrained(model, stem, True)
    assert learning(model) == {name for name, _ in model.named_parameters() if not name.startswith("stem.")}
    freeze_pretrained(model, stem, False)
    assert any(name.startswith("stem.") for name in learning(model))


def test_stage_one_trains_a_random_stem_with_the_last_layer():
    model = build_model("convnext_atto", stem="conv")
    freeze_pretrained(model, "conv", True)
    assert {name.split(".")[0] for name in learning(model)} == {"stem", "head"}


def test_the_rates_are_told_from_the_input_up():
    table = rate_table(recipe("convnext_alone"))
    model = build_model(**recipe("convnext_alone").model_arguments())
    assert table.index[0] == "stem.0.weight"
    assert table.index[-1] == "head.norm.weight"
    assert table["weights"].sum() == sum(weights.numel() for weights in model.parameters())
    assert list(table["in stage one"]) == ["waits"] + ["learns"] * (len(table) - 1)
    assert table["share of the rate"].is_monotonic_increasing
    assert table["share of the rate"].iloc[-1] == 1


def test_custom_cnn_has_an_order_of_layers_too():
    model = build_model("custom_cnn", width=0.25)
    groups = make_optimizer(model, recipe("custom_cnn", layer_decay=0.8)).param_groups
    scales = {id(weights): group["lr_scale"] for group in groups for weights in group["params"]}
    in_order = [scales[id(weights)] for weights in model.parameters()]
    assert in_order == sorted(in_order)
    assert (in_order[-1], len(set(in_order))) == (1.0, 9)
