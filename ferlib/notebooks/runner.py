"""Run the notebooks: with a profile's parameters into copies (papermill), or in place with their defaults.

Three profiles: *published* has no parameters (the defaults read ``data/published``), *smoke* and *full* take theirs
from ``notebooks/params/<profile>.yaml``. Such a file has one section ``common`` and one for each notebook's stem::

    common: {DATA: drawn, RESULTS_DIR: data/runs/smoke}
    02_baselines: {EPOCHS: 1}

A notebook gets those common parameters that it has, then its own section. Every name is checked before anything runs.
Also ``python -m ferlib.notebooks smoke --only 01_data_cleaning`` and ``python -m ferlib.notebooks refresh``.
"""

import argparse
import os
import shutil
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import nbformat
import papermill
import yaml
from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from papermill.exceptions import PapermillExecutionError

from ferlib import paths
from ferlib.errors import FerlibError
from ferlib.files import atomic_path
from ferlib.notebooks.outputs import KERNEL, normalise_notebook

PROFILES = ("published", "smoke", "full")
CELL_SECONDS = 600  # a cell of a quick profile that takes longer hangs; the full profile trains for hours
AT_ONCE = 2  # notebooks of the published profile: one of them keeps about one core busy
WRITTEN_TO = ("RESULTS_DIR", "FIGURES_DIR")  # parameters that name folders, relative to the project's root
KERNEL_ARGUMENTS = ["--log-level=ERROR"]  # its warnings go past the notebook to the terminal and tell a reader nothing
_NO_KERNEL = "the kernel did not start ({}); close other heavy programs and run it again."
_STOPS = (PapermillExecutionError, CellExecutionError, CellTimeoutError, DeadKernelError)


def discover_notebooks() -> list[Path]:
    """Notebooks, ``notebooks/NN_name.ipynb``, in their order.

    Raises:
        FerlibError: there are none.
    """
    notebooks = sorted(paths.NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))
    if not notebooks:
        raise FerlibError(f"{paths.relative(paths.NOTEBOOKS)} holds no NN_name.ipynb; check out the whole repository.")
    return notebooks


def profile_parameters(profile: str) -> dict[str, dict[str, Any]]:
    """Parameters that each notebook gets in a profile.

    Args:
        profile: one of `PROFILES`.

    Returns:
        Stem of the notebook -> name -> value.

    Raises:
        FerlibError: the YAML names a notebook or a parameter that does not exist (papermill itself would only warn, and
            a mistyped name would run the published settings), or a notebook that is run with other settings would
            write its results anywhere but under ``data/runs``.
    """
    known = {path.stem: _declared(path) for path in discover_notebooks()}
    if profile == "published":
        return {stem: {} for stem in known}
    source = paths.NOTEBOOKS / "params" / f"{profile}.yaml"
    sections = _read_sections(source, profile)
    common = sections.pop("common", {})
    for stem, section in sections.items():
        if stem not in known:
            raise FerlibError(f"{paths.relative(source)} has a section {stem!r}, but there is no such notebook.")
        _refuse_unknown(source, f"section {stem!r}", set(section) - known[stem], known[stem])
    everywhere = set().union(*known.values())
    _refuse_unknown(source, "section 'common'", set(common) - everywhere, everywhere)
    merged = {
        stem: {name: value for name, value in common.items() if name in names} | sections.get(stem, {})
        for stem, names in known.items()
    }
    for stem, names in known.items():
        _check_folders(source, stem, names, merged[stem])
    return merged


def run_notebooks(profile: str, names: Sequence[str] | None = None, out_dir: str | Path | None = None) -> list[Path]:
    """Run copies of notebooks with the parameters of a profile; the notebooks themselves stay as they are.

    Published ones need nothing of each other and run two at a time; in the other profiles, one after the other, a
    notebook reads what those before it wrote. A smoke run of all notebooks first empties its results folders, so that
    no notebook can use results of an earlier run.

    Args:
        profile: one of `PROFILES`.
        names: stems such as ``"01_data_cleaning"``; None: all, in order.
        out_dir: folder of the copies; None: ``data/runs/notebooks/<profile>``.

    Returns:
        The executed copies.

    Raises:
        FerlibError: a notebook failed, and no other was begun after it; the sentence names the cell and the error.
    """
    out_dir = Path(out_dir or paths.RUNS / "notebooks" / profile).resolve()
    if out_dir == paths.NOTEBOOKS.resolve():
        raise FerlibError("copies would replace the notebooks themselves; name another folder for them.")
    chosen = _choose(names)
    values = profile_parameters(profile)
    _check_kernel()
    if profile == "smoke" and names is None:
        for folder in {value[name] for value in values.values() for name in WRITTEN_TO if name in value}:
            shutil.rmtree(paths.ROOT / folder, ignore_errors=True)
    out_dir.mkdir(parents=True, exist_ok=True)
    runs = [(path, values[path.stem], out_dir / path.name, profile) for path in chosen]
    with _kernel_environment():
        if profile == "published" and len(runs) > 1:
            _run_together(runs)
        else:
            for run in runs:
                _run_one(*run)
    return [copy for _, _, copy, _ in runs]


def refresh_notebooks(names: Sequence[str] | None = None) -> list[Path]:
    """Execute committed notebooks in place with their defaults, each in a clean kernel, and normalise them.

    Args:
        names: stems such as ``"01_data_cleaning"``; None: all, in order.

    Returns:
        The notebooks written.

    Raises:
        FerlibError: a notebook failed; it stays as it was.
    """
    chosen = _choose(names)
    _check_kernel()
    for path in chosen:
        started = time.monotonic()
        notebook = nbformat.read(path, as_version=4)
        client = NotebookClient(
            notebook,
            kernel_name=KERNEL,
            timeout=CELL_SECONDS,
            record_timing=False,
            extra_arguments=KERNEL_ARGUMENTS,
            resources={"metadata": {"path": str(paths.NOTEBOOKS)}},
        )
        try:
            with _kernel_environment():
                client.execute()
        except _STOPS as error:
            raise FerlibError(
                f"{_failure_sentence(path.stem, notebook, error)}; the notebook was left as it was."
            ) from error
        except RuntimeError as error:
            raise FerlibError(f"{path.stem}: {_NO_KERNEL.format(error)}") from error
        with atomic_path(path) as temporary:
            temporary.write_text(nbformat.writes(normalise_notebook(notebook)).rstrip("\n") + "\n", encoding="utf-8")
        print(f"{path.stem}: refreshed in {time.monotonic() - started:.0f} s", flush=True)
    return chosen


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line of ``python -m ferlib.notebooks``.

    Args:
        arguments: its arguments; None: those of the process.

    Returns:
        The exit status: 0, or 1 with one sentence on standard error after a FerlibError.
    """
    parser = argparse.ArgumentParser(prog="python -m ferlib.notebooks", description="Run the notebooks.")
    parser.add_argument("what", choices=(*PROFILES, "refresh"), help="a profile, or refresh the committed notebooks")
    parser.add_argument("--only", metavar="NAME", nargs="+", help="only these, for instance 01_data_cleaning")
    options = parser.parse_args(arguments)
    try:
        if options.what == "refresh":
            refresh_notebooks(options.only)
        else:
            run_notebooks(options.what, options.only)
    except FerlibError as error:
        print(f"ferlib: {error}", file=sys.stderr)
        return 1
    return 0


def _run_together(runs: Iterable[tuple[Path, dict[str, Any], Path, str]]) -> None:
    """Run notebooks in processes of their own, `AT_ONCE` at a time; after a failure no other one begins."""
    waiting = iter(runs)
    running: set[Future[None]] = set()
    with ProcessPoolExecutor(AT_ONCE) as pool:
        while True:
            # Not all at once: the pool begins what it has been given even after a failure.
            running |= {pool.submit(_run_one, *run) for run in islice(waiting, AT_ONCE - len(running))}
            if not running:
                return
            ended, running = wait(running, return_when=FIRST_COMPLETED)
            for future in ended:
                future.result()


def _run_one(path: Path, values: dict[str, Any], copy: Path, profile: str) -> None:
    started = time.monotonic()
    copy.unlink(missing_ok=True)  # a copy of an earlier run must not be taken for this one's
    try:
        papermill.execute_notebook(
            path,
            copy,
            parameters=values,
            kernel_name=KERNEL,
            cwd=path.parent,
            progress_bar=False,
            extra_arguments=KERNEL_ARGUMENTS,
            execution_timeout=None if profile == "full" else CELL_SECONDS,
        )
    except _STOPS as error:
        sentence = _failure_sentence(path.stem, nbformat.read(copy, as_version=4), error)
        raise FerlibError(f"{sentence}; the traceback is in {paths.relative(copy)}.") from error
    except RuntimeError as error:
        raise FerlibError(f"{path.stem}: {_NO_KERNEL.format(error)}") from error
    print(f"{path.stem}: {profile} run in {time.monotonic() - started:.0f} s", flush=True)


def _choose(names: Sequence[str] | None) -> list[Path]:
    known = {path.stem: path for path in discover_notebooks()}
    for name in names or ():
        if name not in known:
            raise FerlibError(f"There is no notebook {name!r}; choose from {', '.join(known)}.")
    return [path for stem, path in known.items() if names is None or stem in names]


def _declared(path: Path) -> set[str]:
    try:
        return set(papermill.inspect_notebook(path))
    except ValueError as error:  # papermill cannot tell the language
        raise FerlibError(f"{path.name} names no kernel; run 'make refresh', which writes it.") from error


def _read_sections(source: Path, profile: str) -> dict[str, dict[str, Any]]:
    if profile not in PROFILES or not source.is_file():
        raise FerlibError(f"There is no profile {profile!r}; choose from {', '.join(PROFILES)}.")
    try:
        sections = yaml.safe_load(source.read_text(encoding="utf-8")) or {}
    except yaml.YAMLError as error:
        raise FerlibError(f"{paths.relative(source)} is not YAML ({str(error).splitlines()[-1].strip()}).") from error
    sections = {key: value or {} for key, value in sections.items()} if isinstance(sections, dict) else None
    if sections is None or not all(isinstance(section, dict) for section in sections.values()):
        raise FerlibError(f"{paths.relative(source)} must hold 'common:' and notebook sections of NAME: value lines.")
    return sections


def _refuse_unknown(source: Path, where: str, unknown: set[str], known: set[str]) -> None:
    if unknown:
        raise FerlibError(
            f"{paths.relative(source)}, {where}: {', '.join(sorted(unknown))} is no parameter of a notebook it is"
            f" meant for; known are {', '.join(sorted(known)) or 'none'}."
        )


def _check_folders(source: Path, stem: str, declared: set[str], values: dict[str, Any]) -> None:
    for name in declared.intersection(WRITTEN_TO):
        folder = (paths.ROOT / str(values.get(name, ""))).resolve()
        if paths.RUNS.resolve() not in folder.parents:
            raise FerlibError(
                f"{paths.relative(source)} must set {name} of {stem} to a folder under data/runs,"
                " because only published runs write elsewhere."
            )


def _check_kernel() -> None:
    """Check that the kernel is this interpreter's: another project's kernelspec of the same name may hide ours."""
    advice = "run 'python -m ipykernel install --sys-prefix' in the project's environment."
    try:
        program = KernelSpecManager().get_kernel_spec(KERNEL).argv[0]
    except NoSuchKernel as error:
        raise FerlibError(f"Jupyter has no kernel {KERNEL!r}; {advice}") from error
    if os.path.isabs(program) and os.path.dirname(program) != os.path.dirname(sys.executable):
        raise FerlibError(f"The Jupyter kernel {KERNEL!r} belongs to another Python ({program}); {advice}")


@contextmanager
def _kernel_environment() -> Iterator[None]:
    """Environment of kernels, without `MPLBACKEND`: set for scripts, it would leave the figures out of the outputs."""
    backend = os.environ.pop("MPLBACKEND", None)
    os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")  # no debugger warning on the terminal
    try:
        yield
    finally:
        if backend is not None:
            os.environ["MPLBACKEND"] = backend


def _failure_sentence(stem: str, notebook: NotebookNode, error: Exception) -> str:
    """Name the cell that stopped a notebook, and the last line of its error."""
    ran = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.execution_count]
    failed = [cell for cell in ran if any(output.output_type == "error" for output in cell.outputs)]
    cell = (failed or ran or [None])[-1]
    where = f"cell {cell.id} (In [{cell.execution_count}])" if cell else "its first cell"
    if isinstance(error, CellTimeoutError):  # first, because the interrupted cell also shows a KeyboardInterrupt
        reason = f"no end after {CELL_SECONDS} s"
    elif failed:
        output = next(output for output in cell.outputs if output.output_type == "error")
        reason = f"{output.ename}: {(output.evalue.strip().splitlines() or [''])[-1]}"
    else:
        reason = "the kernel died, perhaps for want of memory"
    return f"{stem} stopped in {where}: {reason.rstrip('.: ')}"
