"""Measured speeds for the README, in Markdown."""

from ferlib.report.readme_tables import table_row


def speed_markdown(live: dict, camera: dict, train: dict) -> str:
    """Time of a frame of 640x480 as a Markdown table, with a note on one face, a folder, the browser and training.

    Args:
        live: ``bench_live.json``, or empty.
        camera: ``bench_camera.json``, or empty.
        train: ``bench_train.json``, or empty.
    """
    sizes = {row["width"] for row in live.get("rows", ())}
    if 640 not in sizes:
        return "Frame times are not published yet; `ferlib bench live` measures your machine."
    threads = max(row["threads"] for row in live["rows"])
    rows = [row for row in live["rows"] if (row["width"], row["threads"]) == (640, threads)]
    paths_of: dict[int, dict[str, dict]] = {}
    for row in rows:
        paths_of.setdefault(row["faces"], {})[row["path"]] = row["total"]
    names = list(next(iter(paths_of.values())))
    lines = [table_row("faces", *(f"{name}, ms" for name in names)), "|---:|" + "---:|" * len(names)]
    lines += [
        table_row(str(faces), *(f"{total[name]['p50']:.1f} ({total[name]['p95']:.1f})" for name in names))
        for faces, total in paths_of.items()
    ]
    engines = ", ".join(f"{row['p50']:.1f} in {name}" for name, row in live["classifier"].items())
    lines += [
        "",
        f"Milliseconds a frame of 640x480, median and, in brackets, 95th percentile of {live['rounds']} frames in "
        f"turns; `{live['model']}` on {threads} threads of an idle machine with {live['cores']} cores. *Plain* is "
        "facenet-pytorch with its defaults and torch without compilation; *40 px* gives it our smallest face; "
        "*followed* looks for faces where they just were, and everywhere now and then. The classifier alone, one face "
        f"on one thread, in turns with the others: {engines}.",
    ]
    lines[-1] += _folder_sentence(live) + _camera_sentence(camera) + _training_sentence(train)
    return "\n".join(lines)


def _folder_sentence(live: dict) -> str:
    if "folder" not in live:
        return ""
    return f" Folders are read {max(live['folder']['times_as_fast'].values()):.1f} times as fast as in the plain loop."


def _camera_sentence(camera: dict) -> str:
    trips = []
    for name, run in camera.get("runs", {}).items():
        if "face" in name:
            median, high = run["milliseconds_p50_p95"]["round trip"]
            rate = f"{run['answers_a_second']:.1f} round trips a second with {name}"
            trips.append(f"{rate} (median {median:.0f}, 95th percentile {high:.0f} ms)")
    if not trips:
        return ""
    return f" In notebook 05 in Chromium, whose camera gives 30 frames a second: {', '.join(trips)}."


def _training_sentence(train: dict) -> str:
    if not train:
        return ""
    ratios = train["times_as_fast"]
    best = max((name for name in ratios if "usual" not in name), key=lambda name: ratios[name])
    loop, usual = best.removeprefix("ours, "), train["pictures_per_second"]["usual"]
    exact = best.removesuffix(", bf16")
    if exact != best and exact in ratios:
        loop += f"; {ratios[exact]:.1f} times in full precision"
    return (
        f" Training `{train['recipe']}` goes {ratios[best]:.1f} times as fast ({loop}) as the usual loop of PNG "
        f"files and a DataLoader, which learns from {usual:.0f} pictures a second on the {train['cores']} cores of "
        "the machine that measured this; `ferlib bench train` has each part's share."
    )
