"""The data that a model is scored on is what it was trained on, with the leaks that were known then."""

import pytest

from ferlib.errors import FerlibError
from ferlib.publishing.splits import open_same_data


@pytest.mark.parametrize(("record", "version"), [({}, 1), ({"manifest_version": 1}, 1), ({"manifest_version": 2}, 2)])
def test_the_leaks_are_those_of_the_version_that_the_record_names(project, drawn, record, version):
    data_set = open_same_data({"data_hash": drawn.content_hash, **record}, "the run x was trained on")
    assert data_set.manifest_version == version


@pytest.mark.parametrize("record", [{}, {"data_hash": "other"}])
def test_other_data_is_refused(project, record):
    with pytest.raises(FerlibError, match="the run x was trained on other data than FERLIB_DATA has now"):
        open_same_data(record, "the run x was trained on")
