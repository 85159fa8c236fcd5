"""Folders beyond one machine: the predictor of `ferlib predict` as an actor of Ray Data's ``map_batches``.

Needs the extra ``ray`` on every machine, and each must see the pictures under the same paths (a shared disk). On one
machine `ferlib predict FOLDER --parquet FILE` does the same with less. Without more, `score_on_ray` starts Ray here;
to use a cluster, start it with ``ray start --head`` on one machine and ``ray start --address=HOST:6379`` on the
others, then give ``address="auto"`` on one of them, or ``"ray://HOST:10001"`` from outside, or set ``RAY_ADDRESS``:

    from ferlib.scoring.on_ray import score_on_ray
    score_on_ray(["/data/pictures"], "rows/", workers=32, address="auto")

The rows are those of `row_files`, with the column `problem`: of a picture that cannot be read one row with its
sentence there and `face` 0, so that no picture is lost without a word. Ray runs a batch again whose machine went away.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from ferlib.errors import FerlibError
from ferlib.faces.pictures import find_pictures
from ferlib.pipeline import load_pipeline
from ferlib.scoring.tables import CSV_COLUMNS, need_pyarrow, parquet_schema, rows_of

PROBLEM = "problem"
_BATCH = 16  # pictures that an actor gets at a time


class PicturePredictor:
    """One actor: loads its pipeline once, then turns batches of paths into rows.

    Args:
        options: of `load_pipeline`.
    """

    def __init__(self, **options: Any) -> None:
        self._pipeline = load_pipeline(**{"threads": 1, **options})

    def __call__(self, batch: dict[str, np.ndarray]) -> Any:
        """``{"source": (N,) paths}`` to a pyarrow table with `CSV_COLUMNS` and ``problem``, a row a face."""
        pyarrow, _ = need_pyarrow()
        rows: list[list] = []
        for source in map(str, batch["source"]):
            try:
                faces = [face.to_dict() for face in self._pipeline(source)]
            except (FerlibError, OSError) as error:
                rows.append([source, 0, *[None] * (len(CSV_COLUMNS) - 2), str(error)])
            else:
                rows += [[*row, None] for row in rows_of(Path(source), faces)]
        schema = parquet_schema().append(pyarrow.field(PROBLEM, pyarrow.string()))
        columns = [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in schema]
        sure = columns[CSV_COLUMNS.index("sure")]
        columns[CSV_COLUMNS.index("sure")] = [None if value is None else bool(value) for value in sure]
        arrays = [pyarrow.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
        return pyarrow.Table.from_arrays(arrays, schema=schema)


def score_on_ray(
    paths: Iterable[str | Path], target: str | Path, *, workers: int = 2, address: str | None = None, **options: Any
) -> int:
    """Score pictures and folders of pictures, and write the rows as Parquet files into a folder; gives the pictures.

    Args:
        paths: pictures, or folders of pictures.
        target: the folder, new or empty; every machine must be able to write there.
        workers: actors, each with one core.
        address: of a cluster, see above; None: ``RAY_ADDRESS``, or Ray on this machine with as many cores as workers.
        options: of `load_pipeline`, such as `model` and `min_face_size`.

    Raises:
        FerlibError: ray or pyarrow is missing, a path holds no pictures, or the folder holds something.
    """
    place = Path(target).resolve()
    if place.exists() and (not place.is_dir() or any(place.iterdir())):
        raise FerlibError(f"{target} is no empty folder; name a new one for the rows.")
    try:
        import ray
    except ImportError as error:
        raise FerlibError("this needs the package ray; install it (pip install 'ferlib[ray]').") from error
    need_pyarrow()
    pictures = list(dict.fromkeys(str(found.resolve()) for path in paths for found in find_pictures(path)))
    started = not ray.is_initialized()
    if started:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray would report each start to its makers
        named = address or os.environ.get("RAY_ADDRESS")
        here: dict[str, Any] = {} if named else {"num_cpus": workers, "include_dashboard": False}
        ray.init(named, log_to_driver=False, **here)
    try:
        actors = ray.data.ActorPoolStrategy(size=workers)
        rows = ray.data.from_items([{"source": name} for name in pictures]).map_batches(
            PicturePredictor, fn_constructor_kwargs=options, batch_size=_BATCH, compute=actors, num_cpus=1
        )
        rows.write_parquet(str(place))
    finally:
        if started:
            ray.shutdown()
    return len(pictures)
