"""Checks of the notebooks' parameters: a value that cannot be honoured is an error in the cell after them."""

from pathlib import Path

from ferlib.errors import FerlibError


def check_share(name: str, value: float) -> None:
    """Check a parameter that is a share.

    Args:
        name: name of the parameter.
        value: its value, between 0 and 1, both excluded.

    Raises:
        FerlibError: it is no such number.
    """
    if not isinstance(value, int | float) or not 0 < value < 1:
        raise FerlibError(f"{name} = {value!r} is no share; set it to a number above 0 and below 1.")


def check_count(name: str, value: int, minimum: int = 1) -> None:
    """Check a parameter that is a whole number.

    Args:
        name: name of the parameter.
        value: its value.
        minimum: smallest value that makes sense.

    Raises:
        FerlibError: it is no whole number, or below `minimum`.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < minimum:
        raise FerlibError(f"{name} = {value!r} does not work; set it to a whole number from {minimum} on.")


def demo_source(source: str | int) -> str | int | None:
    """Return the source that `SOURCE` names, as `LiveDemo` takes it.

    Args:
        source: "browser", "device", a camera's number, "none", or the path of a video, a picture or a folder.

    Returns:
        The source; None for "none".

    Raises:
        FerlibError: it is none of these.
    """
    if source == "none":
        return None
    is_number = isinstance(source, int) and not isinstance(source, bool)
    if is_number or source in ("browser", "device") or (isinstance(source, str) and Path(source).exists()):
        return source
    raise FerlibError(
        f"SOURCE = {source!r} is no source of pictures; choose 'browser', 'device' or 'none', or the path of a video, "
        "a picture or a folder that is here."
    )
