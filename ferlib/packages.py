"""Optional packages: imported where they are needed, with one sentence for people where they are missing."""

from importlib import import_module
from types import ModuleType

from ferlib.errors import FerlibError


def need(package: str, purpose: str, extra: str | None = None) -> ModuleType:
    """Import an optional package.

    Args:
        package: name to import, such as ``"pyarrow.parquet"``; the last module is what comes back.
        purpose: what needs it, the beginning of a sentence ("Parquet", "the engine 'openvino'").
        extra: extra of ferlib that brings it; None when the package is installed by its own name.

    Returns:
        The module.

    Raises:
        FerlibError: the package is not installed; the sentence says how to get it.
    """
    try:
        return import_module(package)
    except ImportError as error:
        name = package.partition(".")[0]
        requirement = f"'ferlib[{extra}]'" if extra else name
        raise FerlibError(f"{purpose} needs the package {name}; install it: pip install {requirement}") from error
