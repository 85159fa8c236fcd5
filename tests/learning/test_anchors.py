from ferlib.learning import anchors


def test_models_stand_beside_their_kind():
    assert anchors.study("convnext_atto-seed1") == anchors.STUDY["convnext"]
    assert anchors.study("custom_cnn-seed2") == 0.69
    assert anchors.study("efficientnet_lite2") is None
