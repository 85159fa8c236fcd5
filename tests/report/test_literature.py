from ferlib.report import literature


def test_models_stand_beside_their_kind():
    assert literature.study("convnext_atto-seed1") == literature.STUDY["convnext"]
    assert literature.study("custom_cnn-seed2") == 0.69
    assert literature.study("efficientnet_lite2") is None
