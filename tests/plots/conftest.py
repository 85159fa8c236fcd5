"""Every figure test has the style of the figures, and leaves none open."""

import matplotlib.pyplot as plt
import pytest

from ferlib.plots import style


@pytest.fixture(autouse=True)
def closed():
    style.use_style()
    yield
    plt.close("all")
