"""The data that a model is scored on is what it was trained on, with the leaks that were known then."""

import pytest

from ferlib.errors import FerlibError
from ferlib.publishing.splits import open_same_data


@pytest.mark.parametrize(("config", "version"), [({}, 1), ({"manifest_version": 1}, 1), ({"manifest_version": 2}, 2)])
def test_the_leaks_are_those_of_the_version_that_the_settings_name(project, drawn, config, version):
    data_set = open_same_data(drawn.content_hash, config, "the run x was trained on")
    assert data_set.manifest_version == version


@pytest.mark.parametrize("content_hash", ["", "other"])
def test_other_data_is_refused(project, content_hash):
    with pytest.raises(FerlibError, match="the run x was trained on other data than FERLIB_DATA has now"):
        open_same_data(content_hash, {}, "the run x was trained on")
