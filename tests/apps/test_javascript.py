"""The browser's JavaScript without a browser: ``node --test`` on tests/javascript."""

import shutil
import subprocess

import pytest

from ferlib import paths
from ferlib.apps.jupyter.camera import SCRIPTS

FOLDER = paths.ROOT / "tests" / "javascript"
NODE = shutil.which("node")


@pytest.mark.slow
@pytest.mark.skipif(NODE is None, reason="no Node.js; on Debian: apt install nodejs")
def test_the_javascript_tests_pass():
    files = sorted(str(path) for path in FOLDER.glob("*.test.mjs"))
    assert len(files) >= 4
    done = subprocess.run([NODE, "--test", *files], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


def test_they_join_the_files_as_the_widget_does():
    names = ", ".join(f'"{name}"' for name in SCRIPTS)
    assert f"CAMERA = [{names}];" in (FOLDER / "load.mjs").read_text(encoding="utf-8")
