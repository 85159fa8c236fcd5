"""Marks of the tests that open Chromium."""

import pytest
from chromium import CHROMIUM

MARKS = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium; on Debian: apt install chromium"),
]
