"""Every figure test has the style of the figures, and leaves none open."""

import matplotlib.pyplot as plt
import pytest

from ferlib import plots


@pytest.fixture(autouse=True)
def closed():
    plots.use_style()
    yield
    plt.close("all")
