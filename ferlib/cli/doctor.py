"""``ferlib doctor``: what is installed and found here, and what to do about what is not."""

import os
import platform
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement  # onnxruntime brings it

from ferlib import paths
from ferlib.errors import FerlibError
from ferlib.text import table

STATES = ("ok", "note", "problem")
"""States of a finding. ``note``: something optional is missing. ``problem``: something that ferlib needs is missing."""

PURPOSES = {
    "app": "the application in the browser, ferlib app",
    "dev": "tests and checks; only the browser tests use Chromium",
    "fetch": "ferlib data fetch",
    "notebooks": "the notebooks as published, and figures",
    "openvino": "another engine for the classifier",
    "parquet": "tables as Parquet",
    "ray": "folders beyond one machine",
    "train": "training, and models beside the shipped one",
    "video": "videos, ferlib predict clip.mp4",
}
"""Purpose of each extra."""

_SIGNS = {"ok": "ok", "note": "--", "problem": "!!"}


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    Attributes:
        name: what was looked at.
        state: one of `STATES`.
        found: what was found.
        advice: what to do about it; empty when all is well.
    """

    name: str
    state: str
    found: str
    advice: str = ""


def examine() -> list[Finding]:
    """Run all checks, in the order of the report; a check that fails by itself is a problem too."""
    checks: tuple[Callable[[], list[Finding]], ...] = (
        check_versions, check_packages, check_torch, check_weights, check_detector, check_data_set, check_camera,
        check_extras, check_folders,
    )  # fmt: skip
    findings: list[Finding] = []
    for check in checks:
        try:
            findings += check()
        except Exception as error:  # a broken package may raise anything when it is imported
            name = check.__name__.removeprefix("check_").replace("_", " ")
            advice = _reinstall("run 'make setup' again")
            findings.append(Finding(name, "problem", f"{type(error).__name__}: {error}", advice))
    return findings


def is_healthy(findings: list[Finding]) -> bool:
    """Tell whether nothing that is needed is missing.

    Args:
        findings: as `examine` returns them.
    """
    return all(finding.state != "problem" for finding in findings)


def as_dict(findings: list[Finding]) -> dict:
    """Convert the report into what ``--json`` prints.

    Args:
        findings: as `examine` returns them.
    """
    return {"healthy": is_healthy(findings), "findings": [asdict(finding) for finding in findings]}


def render_findings(findings: list[Finding]) -> str:
    """Render the report as text without colours: a line a finding, and below it what to do.

    Args:
        findings: as `examine` returns them.
    """
    rows = []
    for finding in findings:
        rows.append((_SIGNS[finding.state], finding.name, finding.found))
        if finding.advice:
            rows.append(("", "", f"-> {finding.advice}"))
    problems = sum(finding.state == "problem" for finding in findings)
    verdict = f"{problems} problem{'s' if problems > 1 else ''}, marked !!."
    lines = table(None, rows, ("<", "<", "<"), indent="")
    return "\n".join([*lines, "", verdict if problems else "All that is needed is here."])


def check_versions() -> list[Finding]:
    """Give the versions of ferlib, Python and the system."""
    versions = f"ferlib {metadata.version('ferlib')}, Python {platform.python_version()}"
    return [Finding("versions", "ok", f"{versions}, {platform.platform(terse=True)}")]


def check_packages() -> list[Finding]:
    """Check that the dependencies are installed, and in their ranges."""
    needed = [requirement for requirement in _requirements() if _applies(requirement, "")]
    complaints = [complaint for requirement in needed if (complaint := _complaint(requirement))]
    if complaints:
        advice = _reinstall("run 'make setup', or: pip install -e .")
        return [Finding("packages", "problem", "; ".join(complaints), advice)]
    return [Finding("packages", "ok", f"all {len(needed)} that are needed")]


def check_torch() -> list[Finding]:
    """Give version, GPU and threads of torch, which only training needs, and check that torchvision fits."""
    try:
        import torch
    except ModuleNotFoundError:
        return [Finding("torch", "note", "not installed; only training and further models need it", _install("train"))]
    import torchvision

    try:
        torchvision.ops.nms(torch.zeros(0, 4), torch.zeros(0), 0.5)
    except (RuntimeError, AttributeError) as error:
        pair = f"{torch.__version__}, with torchvision {torchvision.__version__} that does not fit ({error})"
        return [Finding("torch", "problem", pair, "install the pair of requirements.lock: 'make setup'")]
    build = f"CUDA {torch.version.cuda}" if torch.version.cuda else "CPU"
    gpu = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "no GPU in use"
    threads = f"{torch.get_num_threads()} of {os.cpu_count()} threads"
    return [Finding("torch", "ok", f"{torch.__version__} ({build} build), {gpu}, {threads}")]


def check_weights() -> list[Finding]:
    """Check the files of each model that is here, and load the default one as ``ferlib predict`` does."""
    from ferlib.inference.loading import load_classifier
    from ferlib.models import checkpoints

    again = _reinstall("get it again: git checkout ferlib/weights data/checkpoints")
    names, findings = checkpoints.available(), []
    if checkpoints.DEFAULT_MODEL not in names:
        missing = f"{checkpoints.DEFAULT_MODEL} is not in {paths.relative(paths.WEIGHTS)}"
        findings.append(Finding("weights", "problem", missing, again))
    for name in names:
        try:
            about, _ = checkpoints.describe(name)
            if name == checkpoints.DEFAULT_MODEL:
                load_classifier(name)
        except FerlibError as error:
            findings.append(Finding("weights", "problem", str(error), again))
        else:
            accuracy = about.get("scores", {}).get("valid", {}).get("accuracy")
            summary = name if accuracy is None else f"{name}, {accuracy:.1%} of valid"
            findings.append(Finding("weights", "ok", summary))
    return findings


def check_detector() -> list[Finding]:
    """Load the nets of MTCNN, which come with the package."""
    from ferlib.faces.detector import FaceDetector

    try:
        FaceDetector()
    except FerlibError as error:
        again = _reinstall("get it again: git checkout ferlib/weights")
        return [Finding("face detector", "problem", str(error), again)]
    return [Finding("face detector", "ok", "MTCNN's three nets")]


def check_data_set() -> list[Finding]:
    """Look for FER2013+, which only training, evaluation anew and the full notebooks need."""
    from ferlib.data.readers import detect_form, lacking

    advice = "'ferlib data fetch' gets it, 'ferlib data check' looks at what you have"
    is_named = bool(os.environ.get("FERLIB_DATA"))
    try:
        root = paths.data_root()
        form = detect_form(root)
        if complaint := lacking(root, form):
            return [Finding("data set", "problem", f"{form} in {root}, but {complaint}", advice)]
        return [Finding("data set", "ok", f"{form} in {root}")]
    except FerlibError as error:
        return [Finding("data set", "problem" if is_named else "note", str(error), advice)]


def check_camera() -> list[Finding]:
    """Try the camera of this machine; the applications use the browser's, wherever that runs."""
    if sys.platform.startswith("linux") and not any(Path("/dev").glob("video*")):
        advice = "plug one in; photos and videos need none, and a remote browser brings its own"
        return [Finding("camera", "note", "none at this machine", advice)]
    import cv2

    capture = cv2.VideoCapture(0)
    try:
        if capture.isOpened() and capture.read()[0]:
            return [Finding("camera", "ok", "camera 0 gives pictures")]
    finally:
        capture.release()
    advice = "close other programs that use it, and look at the rights: group 'video', or the privacy settings"
    return [Finding("camera", "note", "camera 0 gives no picture", advice)]


def check_extras() -> list[Finding]:
    """Check the optional packages, extra by extra; Chromium, which only the browser tests need, is not looked for."""
    findings = []
    for extra in metadata.metadata("ferlib").get_all("Provides-Extra") or []:
        needed = [r for r in _requirements() if _applies(r, extra) and not _applies(r, "")]
        complaints = [complaint for requirement in needed if (complaint := _complaint(requirement))]
        purpose, name = PURPOSES.get(extra, ""), f"extra {extra}"
        if complaints:
            findings.append(Finding(name, "note", f"{'; '.join(complaints)} ({purpose})", _install(extra)))
        else:
            findings.append(Finding(name, "ok", purpose))
    return findings


def check_folders() -> list[Finding]:
    """Check that runs and caches can be written."""
    folder = paths.RUNS
    nearest = next(path for path in (folder, *folder.parents) if path.exists())
    if os.access(nearest, os.W_OK):
        return [Finding("folders", "ok", f"{paths.relative(folder)} can be written")]
    advice = "change its rights, or set FERLIB_HOME to a folder of your own"
    return [Finding("folders", "problem", f"{nearest} cannot be written", advice)]


def _install(extra: str) -> str:
    """Command that installs an extra."""
    return f'pip install -e ".[{extra}]"' if paths.IN_CHECKOUT else f"pip install 'ferlib[{extra}]'"


def _reinstall(in_checkout: str) -> str:
    """Advice for a damaged installation: `in_checkout`, or elsewhere to install the package again."""
    return in_checkout if paths.IN_CHECKOUT else "install it again: pip install --force-reinstall ferlib"


def _requirements() -> list[Requirement]:
    return [Requirement(line) for line in metadata.requires("ferlib") or []]


def _applies(requirement: Requirement, extra: str) -> bool:
    """Tell whether a package is needed on this machine, with that extra."""
    return requirement.marker is None or requirement.marker.evaluate({"extra": extra})


def _complaint(requirement: Requirement) -> str:
    """Describe what is wrong with a package; empty when nothing is."""
    try:
        version = metadata.version(requirement.name)
    except metadata.PackageNotFoundError:
        return f"{requirement.name} is not installed"
    if not requirement.specifier.contains(version, prereleases=True):
        return f"{requirement.name} is {version}, not {requirement.specifier}"
    return ""
