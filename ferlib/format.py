"""Numbers as text: percent, points, shares and p-values, each with its interval where it has one."""

from collections.abc import Sequence

DASH = "–"
"""Text of a value that is undefined."""


def with_interval(
    value: float | None, interval: Sequence[float] | None, spec: str = ".3f", bound_spec: str | None = None,
    *, join: str = " to ", level: str = "",
) -> str:  # fmt: skip
    """Value and its interval, such as ``0.787 (0.769 to 0.805)``.

    Args:
        value: the value; None: a dash alone.
        interval: its low and high bound; None: a dash alone.
        spec: format of the value.
        bound_spec: format of the bounds; None: that of the value.
        join: text between the bounds.
        level: text before the bounds, such as ``"95 % "``.
    """
    if value is None or interval is None:
        return DASH
    bounds = join.join(format(bound, bound_spec or spec) for bound in interval)
    return f"{format(value, spec)} ({level}{bounds})"


def percent(share: float, digits: int = 1) -> str:
    """Share in percent without the percent sign, such as ``86.5``.

    Args:
        share: value in 0..1.
        digits: decimals.
    """
    return f"{100 * share:.{digits}f}"


def percent_with_interval(
    share: float | None, interval: Sequence[float] | None, digits: int = 2, bound_digits: int = 1,
    join: str = " to ",
) -> str:  # fmt: skip
    """Share and its interval in percent, such as ``85.18 (83.9 to 86.4)``.

    Args:
        share: value in 0..1; None: a dash alone.
        interval: its low and high bound in 0..1; None: a dash alone.
        digits: decimals of the value.
        bound_digits: decimals of the bounds.
        join: text between the bounds.
    """
    return with_interval(_hundredfold(share), _all_hundredfold(interval), f".{digits}f", f".{bound_digits}f", join=join)


def points(difference: float, digits: int = 2) -> str:
    """Difference of two shares in percentage points, with its sign, such as ``+1.25``.

    Args:
        difference: value in -1..1.
        digits: decimals.
    """
    return f"{100 * difference:+.{digits}f}"


def points_with_interval(difference: float, interval: Sequence[float], digits: int = 2, bound_digits: int = 1) -> str:
    """Difference of two shares and its interval in percentage points, such as ``+1.25 (+0.5 to +2.0)``.

    Args:
        difference: value in -1..1.
        interval: its low and high bound.
        digits: decimals of the difference.
        bound_digits: decimals of the bounds.
    """
    return with_interval(100 * difference, _all_hundredfold(interval), f"+.{digits}f", f"+.{bound_digits}f")


def share_with_interval(share: float, interval: Sequence[float]) -> str:
    """Share and its interval in a sentence, such as ``85.18% (95 % 83.93% to 86.42%)``.

    Args:
        share: value in 0..1.
        interval: low and high bound of its 95 % interval.
    """
    return with_interval(share, interval, ".2%", level="95 % ")


def p_value(p: float) -> str:
    """Format a p-value with three decimals, such as ``p = 0.021``, or ``p < 0.001``.

    Args:
        p: the p-value, 0..1.
    """
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def hours(seconds: float) -> str:
    """Format a duration in hours, such as ``1.5 h``.

    Args:
        seconds: the duration.
    """
    return f"{seconds / 3600:.1f} h"


def _hundredfold(share: float | None) -> float | None:
    return None if share is None else 100 * share


def _all_hundredfold(shares: Sequence[float] | None) -> list[float] | None:
    return None if shares is None else [100 * share for share in shares]
