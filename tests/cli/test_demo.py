import io

import numpy as np
from PIL import Image

from ferlib.cli.demo import run_demo
from ferlib.data.labels import EMOTIONS
from ferlib.faces.detector import Detection
from ferlib.pipeline import EmotionPipeline


class Happy:
    def predict_proba(self, faces):
        return np.tile(np.eye(8, dtype=np.float32)[EMOTIONS.index("happy")], (len(faces), 1))


def one_face(image):
    points = np.array([[200, 110], [245, 108], [222, 135], [205, 150], [240, 150]], np.float32)
    return [Detection((180.0, 60.0, 270.0, 170.0), points, 0.99)]


def test_demo_prints_a_table_and_leaves_a_picture(tmp_path):
    out = io.StringIO()
    written = run_demo(tmp_path / "new" / "demo.png", pipeline=EmotionPipeline(one_face, Happy()), out=out)
    assert "1 face" in out.getvalue()
    assert "happy" in out.getvalue()
    with Image.open(written) as picture:
        assert picture.height >= 512
