"""``ferlib doctor``: what is installed and found here, and what to do about what is not."""

import os
import platform
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement  # matplotlib and accelerate bring it

from ferlib import paths
from ferlib.errors import FerlibError

STATES = ("ok", "note", "problem")
"""``note``: something optional is missing. ``problem``: something that ferlib needs."""

PURPOSES = {
    "app": "the application in the browser, ferlib app",
    "dev": "tests and checks; only the browser tests use Chromium",
    "fetch": "ferlib data fetch",
    "openvino": "another engine for the classifier",
    "parquet": "tables as Parquet",
    "ray": "folders beyond one machine",
    "transfer": "training from weights learnt elsewhere",
}


@dataclass(frozen=True)
class Finding:
    """One line of the report."""

    name: str
    state: str  # one of `STATES`
    found: str
    advice: str = ""  # what to do; empty when all is well


def examine() -> list[Finding]:
    """Everything that is looked at, in the order of the report; a check that fails by itself is a problem too."""
    checks: tuple[Callable[[], list[Finding]], ...] = (
        versions, packages, torch_build, weights, detector, data_set, camera, extras, writable,
    )  # fmt: skip
    found: list[Finding] = []
    for check in checks:
        try:
            found += check()
        except Exception as error:  # a broken package may raise anything when it is imported
            what = check.__name__.replace("_", " ")
            found.append(Finding(what, "problem", f"{type(error).__name__}: {error}", "run 'make setup' again"))
    return found


def healthy(findings: list[Finding]) -> bool:
    """True when nothing that is needed is missing."""
    return all(one.state != "problem" for one in findings)


def as_dict(findings: list[Finding]) -> dict:
    """JSON-ready."""
    return {"healthy": healthy(findings), "findings": [asdict(one) for one in findings]}


def render(findings: list[Finding]) -> str:
    """Text for people, without colours: a line a finding, and below it what to do."""
    signs = {"ok": "ok", "note": "--", "problem": "!!"}
    wide = max(len(one.name) for one in findings)
    lines = []
    for one in findings:
        lines.append(f"{signs[one.state]}  {one.name:<{wide}}  {one.found}")
        if one.advice:
            lines.append(f"    {'':<{wide}}  -> {one.advice}")
    bad = sum(one.state == "problem" for one in findings)
    lines += ["", "All that is needed is here." if bad == 0 else f"{bad} problem{'s' if bad > 1 else ''}, marked !!."]
    return "\n".join(lines)


def versions() -> list[Finding]:
    """Of ferlib, Python and the system."""
    told = f"ferlib {metadata.version('ferlib')}, Python {platform.python_version()}, {platform.platform(terse=True)}"
    return [Finding("versions", "ok", told)]


def packages() -> list[Finding]:
    """The dependencies of pyproject.toml: installed, and in their ranges."""
    wanted = [one for one in _requirements() if _applies(one, "")]
    bad = [said for one in wanted if (said := _lacking(one))]
    if bad:
        return [Finding("packages", "problem", "; ".join(bad), "run 'make setup', or: pip install -e .")]
    return [Finding("packages", "ok", f"all {len(wanted)} that are needed")]


def torch_build() -> list[Finding]:
    """Version, GPU and threads of torch, and whether torchvision fits."""
    import torch
    import torchvision

    try:
        torchvision.ops.nms(torch.zeros(0, 4), torch.zeros(0), 0.5)
    except (RuntimeError, AttributeError) as error:
        told = f"{torch.__version__}, with torchvision {torchvision.__version__} that does not fit ({error})"
        return [Finding("torch", "problem", told, "install the pair of requirements.lock: 'make setup'")]
    built = f"CUDA {torch.version.cuda}" if torch.version.cuda else "CPU"
    gpu = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "no GPU in use"
    threads = f"{torch.get_num_threads()} of {os.cpu_count()} threads"
    return [Finding("torch", "ok", f"{torch.__version__} ({built} build), {gpu}, {threads}")]


def weights() -> list[Finding]:
    """The shipped checkpoints, each loaded; the default one is needed."""
    from ferlib.models import checkpoints

    names, findings = checkpoints.available(), []
    if checkpoints.DEFAULT_MODEL not in names:
        told = f"{checkpoints.DEFAULT_MODEL} is not in {paths.relative(paths.CHECKPOINTS)}"
        findings.append(Finding("weights", "problem", told, "get it again: git checkout data/checkpoints"))
    for name in names:
        try:
            loaded = checkpoints.load(name)
        except FerlibError as error:
            findings.append(Finding("weights", "problem", str(error), "git checkout data/checkpoints"))
        else:
            accuracy = loaded.about.get("scores", {}).get("valid", {}).get("accuracy")
            told = name if accuracy is None else f"{name}, {accuracy:.1%} of valid"
            findings.append(Finding("weights", "ok", told))
    return findings


def detector() -> list[Finding]:
    """The weights of MTCNN, which come with facenet-pytorch."""
    import facenet_pytorch

    folder = Path(facenet_pytorch.__file__).parent / "data"
    lost = [name for name in ("pnet.pt", "rnet.pt", "onet.pt") if not (folder / name).is_file()]
    if lost:
        again = "pip install --force-reinstall --no-deps facenet-pytorch==2.5.3"
        return [Finding("face detector", "problem", f"without {', '.join(lost)}", again)]
    return [Finding("face detector", "ok", "MTCNN's three nets")]


def data_set() -> list[Finding]:
    """FER2013+, which only training, evaluation anew and the full notebooks need."""
    from ferlib.data.readers import detect_form, lacking

    get = "'ferlib data fetch' gets it, 'ferlib data check' looks at what you have"
    named = bool(os.environ.get("FERLIB_DATA"))
    try:
        root = paths.data_root()
        form = detect_form(root)
        if wrong := lacking(root, form):
            return [Finding("data set", "problem", f"{form} in {root}, but {wrong}", get)]
        return [Finding("data set", "ok", f"{form} in {root}")]
    except FerlibError as error:
        return [Finding("data set", "problem" if named else "note", str(error), get)]


def camera() -> list[Finding]:
    """A camera at this machine; the applications use the browser's, wherever that runs."""
    if sys.platform.startswith("linux") and not any(Path("/dev").glob("video*")):
        other = "plug one in; photos and videos need none, and a remote browser brings its own"
        return [Finding("camera", "note", "none at this machine", other)]
    import cv2

    capture = cv2.VideoCapture(0)
    try:
        if capture.isOpened() and capture.read()[0]:
            return [Finding("camera", "ok", "camera 0 gives pictures")]
    finally:
        capture.release()
    why = "close other programs that use it, and look at the rights: group 'video', or the privacy settings"
    return [Finding("camera", "note", "camera 0 gives no picture", why)]


def extras() -> list[Finding]:
    """The optional packages, extra by extra; Chromium is needed by the browser tests only, so it is not looked for."""
    findings = []
    for extra in metadata.metadata("ferlib").get_all("Provides-Extra") or []:
        wanted = [one for one in _requirements() if _applies(one, extra) and not _applies(one, "")]
        bad = [said for one in wanted if (said := _lacking(one))]
        purpose = PURPOSES.get(extra, "")
        name = f"extra {extra}"
        if bad:
            findings.append(Finding(name, "note", f"{'; '.join(bad)} ({purpose})", f'pip install -e ".[{extra}]"'))
        else:
            findings.append(Finding(name, "ok", purpose))
    return findings


def writable() -> list[Finding]:
    """Whether runs and caches can be written."""
    folder = paths.RUNS
    nearest = next(path for path in (folder, *folder.parents) if path.exists())
    if os.access(nearest, os.W_OK):
        return [Finding("folders", "ok", f"{paths.relative(folder)} can be written")]
    return [Finding("folders", "problem", f"{nearest} cannot be written", "change its rights, or clone into your home")]


def _requirements() -> list[Requirement]:
    return [Requirement(line) for line in metadata.requires("ferlib") or []]


def _applies(wanted: Requirement, extra: str) -> bool:
    """Whether it is wanted on this machine, with that extra."""
    return wanted.marker is None or wanted.marker.evaluate({"extra": extra})


def _lacking(wanted: Requirement) -> str:
    """What is wrong with a package, empty when nothing is."""
    try:
        version = metadata.version(wanted.name)
    except metadata.PackageNotFoundError:
        return f"{wanted.name} is not installed"
    if not wanted.specifier.contains(version, prereleases=True):
        return f"{wanted.name} is {version}, not {wanted.specifier}"
    return ""
