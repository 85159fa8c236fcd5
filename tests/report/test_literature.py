from ferlib.report import literature


def test_models_stand_beside_their_kind():
    assert literature.earlier_accuracy("convnext_atto-seed1") == literature.EARLIER_PROJECT["convnext"]
    assert literature.earlier_accuracy("custom_cnn-seed2") == 0.69
    assert literature.earlier_accuracy("efficientnet_lite2") is None
