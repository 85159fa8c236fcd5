"""What `ferlib bench live` found, as text for people."""

from ferlib.bench.frames import STEPS


def render(found: dict) -> str:
    """All parts that were measured."""
    parts = []
    if "rows" in found:
        parts.append(_frames(found))
    if "classifier" in found:
        parts.append(_engines(found["classifier"]))
    if "accuracy" in found:
        parts.append(_accuracy(found["accuracy"]))
    if "folder" in found:
        parts.append(_folder(found["folder"]))
    return "\n\n".join(parts)


def _frames(found: dict) -> str:
    head = (
        f"{found['model']} on {found['engine']}: milliseconds, median / 95th percentile of {found['rounds']} pictures"
    )
    lines = [head, f"  {'picture':<10}{'faces':>6}{'threads':>8}  {'path':<15}" + "".join(f"{s:>17}" for s in STEPS)]
    for row in found["rows"]:
        size = f"{row['width']}x{row['height']}"
        times = "".join(f"{row[step]['p50']:>9.1f} /{row[step]['p95']:>6.1f}" for step in STEPS)
        lines.append(f"  {size:<10}{row['faces']:>6}{row['threads']:>8}  {row['path']:<15}{times}")
    lines.append("  how many times as fast as the plain paths ours are:")
    for row in found["ratios"]:
        size = f"{row['width']}x{row['height']}"
        times = "".join(f"{row[step]:>16.1f}x" for step in STEPS)
        lines.append(f"  {size:<10}{row['faces']:>6}{row['threads']:>8}  {row['path']} : {row['against']}{times}")
    return "\n".join(lines)


def _engines(found: dict) -> str:
    lines = ["One face on one thread, milliseconds:"]
    lines.append(f"  {'engine':<10}{'median':>9}{'95th':>9}{'first call':>12}{'loading':>10}{'x torch':>9}")
    for name, one in found.items():
        times = f"{one['p50']:>9.2f}{one['p95']:>9.2f}{one['first']:>12.1f}{one['load']:>10.0f}"
        lines.append(f"  {name:<10}{times}{one['times_as_fast_as_torch']:>9.1f}")
    return "\n".join(lines)


def _accuracy(found: dict) -> str:
    kinds = {"our detector beside facenet-pytorch's": found["agreement"]}
    kinds |= {f"following, {name}": values for name, values in found["following"].items()}
    lines = ["What the speed costs:"]
    for name, values in kinds.items():
        told = ", ".join(f"{key} {value:.4g}" for key, value in values.items() if isinstance(value, int | float))
        lines.append(f"  {name}: {told}")
    return "\n".join(lines)


def _folder(found: dict) -> str:
    lines = ["A folder of pictures of 640x480:"]
    for way, one in found["ways"].items():
        speed = f"{one['pictures_per_second']:>8.1f} pictures a second"
        lines.append(f"  {way:<12}{speed}   {found['times_as_fast'][way]:.1f} x the plain loop")
    sizes = ", ".join(f"{value:.0f} MB at {count} pictures" for count, value in found["megabytes"].items() if value)
    return "\n".join([*lines, f"  most memory, threads: {sizes or 'not told by this system'}"])
