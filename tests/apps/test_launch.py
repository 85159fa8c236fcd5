import socket

import pytest

from ferlib.apps.page import launch
from ferlib.errors import FerlibError


def options(**given):
    flags = launch.arguments(**given)
    assert flags[0] == "run"
    return dict(flag.removeprefix("--").split("=", 1) for flag in flags[2:])


def test_it_listens_here_only_and_tells_nobody():
    flags = options()
    assert flags["server.address"] == "127.0.0.1"
    assert flags["browser.gatherUsageStats"] == "false"
    assert flags["server.showEmailPrompt"] == "false"
    assert flags["browser.serverAddress"] == "localhost"  # or Streamlit asks a machine outside for our address
    assert 200 < int(flags["server.maxUploadSize"]) < 500


def test_port_theme_and_window():
    flags = options(port=9000, dark=True, browser=False)
    assert (flags["server.port"], flags["theme.base"], flags["server.headless"]) == ("9000", "dark", "true")
    assert options()["theme.base"] == "light"


def test_every_option_is_one_that_streamlit_knows():
    config = pytest.importorskip("streamlit.config", reason="the extra app is not installed")
    assert set(options()) <= set(config._config_options_template)


def test_streamlit_is_told_all_this(monkeypatch):
    cli = pytest.importorskip("streamlit.web.cli", reason="the extra app is not installed")
    calls = []
    monkeypatch.setattr(cli, "main", lambda arguments, **rest: calls.append(arguments))
    launch.serve(port=9000, browser=False)
    assert calls == [launch.arguments(9000, False, False)]


def test_a_port_that_is_taken_is_one_sentence():
    pytest.importorskip("streamlit_webrtc", reason="the extra app is not installed")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(FerlibError, match=f"port {port} is taken or not allowed; choose another with --port"):
            launch.serve(port=port)


def test_missing_packages_are_named_with_the_way_out(monkeypatch):
    monkeypatch.setattr(launch, "find_spec", lambda module: None)
    with pytest.raises(FerlibError) as raised:
        launch.serve()
    assert "needs streamlit and streamlit-webrtc" in str(raised.value)
    assert "ferlib app --notebook" in str(raised.value)
