import json

from ferlib.live import bench_detector


def test_the_command_prints_json_with_ratios(monkeypatch, capsys, make):
    monkeypatch.setattr("ferlib.learning.classifier.load_classifier", lambda name: make.classifier())
    arguments = ["--rounds", "1", "--faces", "1", "--threads", "1", "--size", "320", "240"]
    assert bench_detector.main(arguments) == 0
    found = json.loads(capsys.readouterr().out)
    (detector,), (frames,) = found["detector"], found["frames"]
    assert detector["ratio"] == detector["torch"] / detector["onnx"]
    assert detector["faces"] == frames["faces"] == 1
    assert frames["followed"]["n"] == 5 * bench_detector.DETECT_EVERY
    assert frames["plain"]["p50"] <= frames["plain"]["p95"]


def test_turns_leave_the_first_one_out():
    calls = []
    taken = bench_detector.in_turns({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, 2)
    assert calls == ["a", "b"] * 3
    assert [len(values) for values in taken.values()] == [2, 2]
