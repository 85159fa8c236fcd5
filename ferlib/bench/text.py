"""Text of `ferlib bench live` for people."""

from ferlib.bench.frames import STEPS
from ferlib.text import table


def render_live(measured: dict) -> str:
    """Render the result of ``ferlib bench live`` as a few lines for people.

    Args:
        measured: frames, engines, accuracy and folders, as far as they were measured.
    """
    parts = []
    if "rows" in measured:
        parts.append(_frames_text(measured))
    if "classifier" in measured:
        parts.append(_engines_text(measured["classifier"]))
    if "accuracy" in measured:
        parts.append(_accuracy_text(measured["accuracy"]))
    if "folder" in measured:
        parts.append(_folder_text(measured["folder"]))
    return "\n\n".join(parts)


def _frames_text(measured: dict) -> str:
    rounds = measured["rounds"]
    title = f"{measured['model']} on {measured['engine']}: milliseconds, median / 95th percentile of {rounds} pictures"
    rows = [
        (
            f"{row['width']}x{row['height']}", row["faces"], row["threads"], f"  {row['path']}",
            *(f"{row[step]['p50']:.1f} /{row[step]['p95']:>6.1f}" for step in STEPS),
        )
        for row in measured["rows"]
    ]  # fmt: skip
    headers = ("picture", "faces", "threads", "  path", *STEPS)
    lines = [title, *table(headers, rows, ("<10", ">6", ">8", "<17", *(">17" for _ in STEPS)), gap="")]
    lines.append("  how many times as fast as the plain paths ours are:")
    for row in measured["ratios"]:
        size = f"{row['width']}x{row['height']}"
        times = "".join(f"{row[step]:>16.1f}x" for step in STEPS)
        lines.append(f"  {size:<10}{row['faces']:>6}{row['threads']:>8}  {row['path']} : {row['against']}{times}")
    return "\n".join(lines)


def _engines_text(engines: dict) -> str:
    rows = [
        (
            engine, f"{row['p50']:.2f}", f"{row['p95']:.2f}", f"{row['first']:.1f}", f"{row['load']:.0f}",
            f"{row['times_as_fast_as_torch']:.1f}",
        )
        for engine, row in engines.items()
    ]  # fmt: skip
    headers = ("engine", "median", "95th", "first call", "loading", "x torch")
    lines = table(headers, rows, ("<10", ">9", ">9", ">12", ">10", ">9"), gap="")
    return "\n".join(["One face on one thread, milliseconds:", *lines])


def _accuracy_text(accuracy: dict) -> str:
    comparisons = {"our detector beside facenet-pytorch's": accuracy["agreement"]}
    comparisons |= {f"following, {name}": values for name, values in accuracy["following"].items()}
    lines = ["What the speed costs:"]
    for name, values in comparisons.items():
        numbers = ", ".join(f"{key} {value:.4g}" for key, value in values.items() if isinstance(value, int | float))
        lines.append(f"  {name}: {numbers}")
    return "\n".join(lines)


def _folder_text(folder: dict) -> str:
    lines = ["A folder of pictures of 640x480:"]
    for way, row in folder["ways"].items():
        speed = f"{row['pictures_per_second']:>8.1f} pictures a second"
        lines.append(f"  {way:<12}{speed}   {folder['times_as_fast'][way]:.1f} x the plain loop")
    sizes = ", ".join(f"{value:.0f} MB at {count} pictures" for count, value in folder["megabytes"].items() if value)
    return "\n".join([*lines, f"  most memory, threads: {sizes or 'not told by this system'}"])
