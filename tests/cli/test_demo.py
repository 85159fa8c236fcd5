import io

import numpy as np
from fakes import FakeDetector
from PIL import Image

from ferlib.cli.demo import run_demo
from ferlib.data.labels import EMOTIONS
from ferlib.pipeline import EmotionPipeline


class Happy:
    def predict_proba(self, faces):
        return np.tile(np.eye(8, dtype=np.float32)[EMOTIONS.index("happy")], (len(faces), 1))


def test_demo_prints_a_table_and_leaves_a_picture(tmp_path):
    out, one_face = io.StringIO(), FakeDetector((180.0, 60.0, 270.0, 170.0))
    written = run_demo(tmp_path / "new" / "demo.png", pipeline=EmotionPipeline(one_face, Happy()), out=out)
    assert "1 face" in out.getvalue()
    assert "happy" in out.getvalue()
    with Image.open(written) as picture:
        assert picture.height >= 512
