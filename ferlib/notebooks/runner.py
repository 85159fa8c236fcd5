"""Run the notebooks: with a profile's parameters into copies (papermill), or in place with their defaults.

``python -m ferlib.notebooks smoke --only 01_data_cleaning`` and ``python -m ferlib.notebooks refresh``.
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
from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from papermill.exceptions import PapermillExecutionError

from ferlib import paths
from ferlib.errors import FerlibError
from ferlib.files import atomic_path
from ferlib.notebooks.outputs import KERNEL, normalise_notebook
from ferlib.notebooks.profiles import PROFILES, WRITTEN_TO, discover_notebooks, profile_parameters

CELL_SECONDS = 600  # a cell of a quick profile that takes longer hangs; the full profile trains for hours
AT_ONCE = 2  # notebooks of the published profile: one of them keeps about one core busy
KERNEL_ARGUMENTS = ["--log-level=ERROR"]  # its warnings go past the notebook to the terminal and tell a reader nothing
_NO_KERNEL = "the kernel did not start ({}); close other heavy programs and run it again."
_STOPS = (PapermillExecutionError, CellExecutionError, CellTimeoutError, DeadKernelError)


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
        The exit status: 0; 1 with one sentence on standard error after a FerlibError; 130 after Ctrl-C.
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
    except KeyboardInterrupt:
        print("ferlib: stopped.", file=sys.stderr)
        return 130
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
