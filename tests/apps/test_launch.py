import socket

import pytest

from ferlib.apps.page import launch
from ferlib.errors import FerlibError


def options(**given):
    told = launch.arguments(**given)
    assert told[0] == "run"
    return dict(one.removeprefix("--").split("=", 1) for one in told[2:])


def test_it_listens_here_only_and_tells_nobody():
    told = options()
    assert told["server.address"] == "127.0.0.1"
    assert told["browser.gatherUsageStats"] == "false"
    assert told["server.showEmailPrompt"] == "false"
    assert told["browser.serverAddress"] == "localhost"  # or Streamlit asks a machine outside for our address
    assert 200 < int(told["server.maxUploadSize"]) < 500


def test_port_theme_and_window():
    told = options(port=9000, dark=True, browser=False)
    assert (told["server.port"], told["theme.base"], told["server.headless"]) == ("9000", "dark", "true")
    assert options()["theme.base"] == "light"


def test_every_option_is_one_that_streamlit_knows():
    config = pytest.importorskip("streamlit.config", reason="the extra app is not installed")
    assert set(options()) <= set(config._config_options_template)


def test_streamlit_is_told_all_this(monkeypatch):
    cli = pytest.importorskip("streamlit.web.cli", reason="the extra app is not installed")
    told = []
    monkeypatch.setattr(cli, "main", lambda arguments, **rest: told.append(arguments))
    launch.serve(port=9000, browser=False)
    assert told == [launch.arguments(9000, False, False)]


def test_a_port_that_is_taken_is_one_sentence():
    pytest.importorskip("streamlit_webrtc", reason="the extra app is not installed")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(FerlibError, match=f"port {port} is taken or not allowed; choose another with --port"):
            launch.serve(port=port)


def test_missing_packages_are_named_with_the_way_out(monkeypatch):
    monkeypatch.setattr(launch, "find_spec", lambda module: None)
    with pytest.raises(FerlibError) as told:
        launch.serve()
    assert "needs streamlit and streamlit-webrtc" in str(told.value)
    assert "ferlib app --notebook" in str(told.value)
