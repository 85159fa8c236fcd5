"""Marks of the tests that open Chromium, and playwright's `expect`, which waits for what it asserts."""

import pytest
from chromium import CHROMIUM, PATIENCE

MARKS = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium; on Debian: apt install chromium"),
]
expect = pytest.importorskip("playwright.sync_api", reason="playwright is not installed").expect
expect.set_options(timeout=1000 * PATIENCE)
