"""What stands around the package agrees with itself: dependencies, make targets, the CI script, the network guard."""

import os
import re
import shutil
import socket
import subprocess
import tomllib

import pytest
import yaml
from network_guard import NetworkBlocked
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from ferlib import paths

PROJECT = tomllib.loads((paths.ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
RANGES = [
    Requirement(line) for line in [*PROJECT["dependencies"], *(line for extra in EXTRAS.values() for line in extra)]
]
LOCKS = {name: (paths.ROOT / name).read_text() for name in ("requirements.lock", "requirements-light.lock")}
LOCK = LOCKS["requirements.lock"]


def pins_of(lock: str) -> list[Requirement]:
    """The packages of a lock, without the hashes that follow each."""
    lines = (line.removesuffix(" \\") for line in lock.splitlines())
    return [Requirement(line) for line in lines if line and not line.startswith(("#", " "))]


PINS = pins_of(LOCK)
LIGHT_EXTRAS = ("notebooks", "app")
ENVIRONMENT = yaml.safe_load((paths.ROOT / "environment.yml").read_text())
MAKEFILE = (paths.ROOT / "Makefile").read_text()
TARGETS = set(re.findall(r"^([a-z]+):", MAKEFILE, flags=re.MULTILINE))
PLATFORMS = {
    "Linux": {"sys_platform": "linux", "os_name": "posix", "platform_system": "Linux", "platform_machine": "x86_64"},
    "macOS": {"sys_platform": "darwin", "os_name": "posix", "platform_system": "Darwin", "platform_machine": "arm64"},
    "Windows": {"sys_platform": "win32", "os_name": "nt", "platform_system": "Windows", "platform_machine": "AMD64"},
}


def pins_for(platform: str, python: str) -> dict[str, str]:
    """Versions by canonical name that pip would install there."""
    place = default_environment() | PLATFORMS[platform]
    place |= {"python_version": python, "python_full_version": f"{python}.7"}
    chosen = [pin for pin in PINS if pin.marker is None or pin.marker.evaluate(place)]
    versions = {canonicalize_name(pin.name): next(iter(pin.specifier)).version for pin in chosen}
    assert len(versions) == len(chosen), "one package, two versions"
    return versions


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
@pytest.mark.parametrize("platform", PLATFORMS)
def test_the_lock_satisfies_every_range(platform, python):
    pins = pins_for(platform, python)
    for required in RANGES:
        version = pins.get(canonicalize_name(required.name), "nothing")
        assert version in required.specifier, f"{required} but the lock has {version}; run 'make lock'"


def test_no_list_names_a_package_twice():
    for listed in (PROJECT["dependencies"], *EXTRAS.values()):
        names = [canonicalize_name(Requirement(line).name) for line in listed]
        assert len(names) == len(set(names)), sorted(name for name in names if names.count(name) > 1)


def test_the_lock_serves_each_platform_its_own():
    assert "triton" in pins_for("Linux", "3.11")
    assert "appnope" in pins_for("macOS", "3.11")
    assert "pywinpty" in pins_for("Windows", "3.11")
    assert not any(name.startswith("nvidia") for name in pins_for("macOS", "3.11"))


@pytest.mark.parametrize("lock", LOCKS.values(), ids=LOCKS)
def test_a_lock_holds_exact_versions_with_hashes_and_nothing_of_one_machine(lock):
    assert [str(pin) for pin in pins_of(lock) if [item.operator for item in pin.specifier] != ["=="]] == []
    assert "/" not in lock  # no address, no index, no folder
    options = {line.split(":")[0].strip() for line in re.findall(r"^\s*-.*", lock, flags=re.MULTILINE)}
    assert options == {"--hash=sha256"}
    for entry in re.split(r"\n(?=\w)", lock)[1:]:
        assert "--hash=sha256:" in entry, entry.splitlines()[0]


def test_the_light_lock_agrees_with_the_full_one_and_has_no_torch():
    light = {f"{pin.name}{pin.specifier}" for pin in pins_of(LOCKS["requirements-light.lock"])}
    assert light <= {f"{pin.name}{pin.specifier}" for pin in PINS}
    names = {canonicalize_name(pin.name) for pin in pins_of(LOCKS["requirements-light.lock"])}
    assert not names & {"torch", "torchvision", "timm", "accelerate", "onnx", "facenet-pytorch", "scikit-image"}
    wanted = [*PROJECT["dependencies"], *(line for extra in LIGHT_EXTRAS for line in EXTRAS[extra])]
    assert {canonicalize_name(Requirement(line).name) for line in wanted} <= names


def test_the_base_installation_is_light():
    names = {canonicalize_name(Requirement(line).name) for line in PROJECT["dependencies"]}
    assert names == {
        "numpy", "pillow", "opencv-python-headless", "onnxruntime", "tqdm", "typer", "lazy-loader", "platformdirs",
        "packaging",
    }  # fmt: skip


def test_the_locks_are_written_by_the_make_target():
    assert all("make lock" in lock.splitlines()[1] for lock in LOCKS.values())
    recipe = MAKEFILE.split("\nCOMPILE")[1].split("\n\n")[0]
    assert "--all-extras --output-file requirements.lock" in recipe
    assert " ".join(f"--extra {extra}" for extra in LIGHT_EXTRAS) in recipe
    assert f">={re.search(r'--python-version ([0-9.]+)', recipe)[1]}" == PROJECT["requires-python"]


def test_the_conda_environment_agrees_with_pyproject():
    conda = [Requirement(line) for line in ENVIRONMENT["dependencies"] if isinstance(line, str)]
    ranges = {canonicalize_name(required.name): required.specifier for required in RANGES}
    ranges |= {"python": SpecifierSet(PROJECT["requires-python"]), "pip": SpecifierSet("")}
    assert [(item.name, item.specifier) for item in conda] == [(item.name, ranges[item.name]) for item in conda]
    assert ENVIRONMENT["name"] == PROJECT["name"] == "ferlib"
    assert ENVIRONMENT["channels"] == ["conda-forge"]
    (pip,) = [line["pip"] for line in ENVIRONMENT["dependencies"] if isinstance(line, dict)]
    assert [set(re.fullmatch(r"-e \.\[(.*)\]", line)[1].split(",")) for line in pip] == [set(EXTRAS)]


def test_every_target_is_explained_and_declared():
    explained = set(re.findall(r"^([a-z]+):.*?## [A-Z]", MAKEFILE, flags=re.MULTILINE))
    phony = set(re.search(r"^\.PHONY: (.*)", MAKEFILE, flags=re.MULTILINE)[1].split())
    assert explained == phony == TARGETS


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_make_alone_lists_every_target():
    listing = subprocess.run(["make"], cwd=paths.ROOT, check=True, capture_output=True, text=True).stdout
    assert set(re.findall(r"^  make ([a-z]+) +[A-Z]", listing, flags=re.MULTILINE)) == TARGETS


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_an_old_python_is_refused_with_a_sentence(tmp_path):
    old = tmp_path / "python3.9"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    for name in ("Makefile", "pyproject.toml", "requirements.lock", "requirements-light.lock"):
        shutil.copy(paths.ROOT / name, tmp_path)
    command = ["make", "setup", f"PYTHON={old}"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode != 0
    assert f"ferlib needs Python 3.11 or newer as {old}; name one with: make setup PYTHON=" in done.stdout
    assert not (tmp_path / ".venv").exists()


@pytest.mark.parametrize(
    "name",
    ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/README.md", "docs/EXPERIMENTS.md", "notebooks/README.md"],
)
def test_documents_name_targets_that_exist(name):
    document = (paths.ROOT / name).read_text()
    named = re.findall(r"`make ([a-z]+)", document) + re.findall(r"^ *(?:\$ )?make ([a-z]+)", document, flags=re.M)
    assert set(named) <= TARGETS


def test_each_notebook_has_its_row():
    rows = re.findall(r"^\| \[(\w+)\]\((\w+)\.ipynb\)", (paths.NOTEBOOKS / "README.md").read_text(), flags=re.M)
    stems = sorted(path.stem for path in paths.NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))
    assert rows == [(stem, stem) for stem in stems]


def test_the_ci_script_runs_the_test_command():
    script = paths.ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert script.read_text().rstrip().endswith("\nmake test")
    assert subprocess.run(["bash", "-n", str(script)]).returncode == 0


@pytest.mark.parametrize("host", ["example.com", "93.184.216.34", "2606:2800::1"])
def test_the_network_is_out_of_reach(host):
    with pytest.raises(NetworkBlocked, match=host):
        socket.getaddrinfo(host, 80)
    with pytest.raises(NetworkBlocked, match=host):
        socket.create_connection((host, 80), timeout=1)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as connection, pytest.raises(NetworkBlocked, match=host):
        connection.connect((host, 80))


def test_loopback_is_within_reach():
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(("localhost", server.getsockname()[1]), timeout=5).close()


def test_a_relative_data_folder_is_found_from_a_notebook(monkeypatch):
    monkeypatch.setenv("FERLIB_DATA", "data/sample")
    for folder in (paths.ROOT, paths.NOTEBOOKS):
        monkeypatch.chdir(folder)
        assert paths.data_root().resolve() == paths.SAMPLE
