"""Folders beyond one machine: the predictor of `ferlib predict` as an actor of Ray Data's ``map_batches``.

Needs the extra ``ray`` on every machine, and each must see the pictures under the same paths (a shared disk). On one
machine `ferlib predict FOLDER --parquet FILE` does the same with less. Without more, `score_on_ray` starts Ray here;
to use a cluster, start it with ``ray start --head`` on one machine and ``ray start --address=HOST:6379`` on the
others, then give ``address="auto"`` on one of them, or ``"ray://HOST:10001"`` from outside, or set ``RAY_ADDRESS``:

    from ferlib.scoring.on_ray import score_on_ray
    score_on_ray(["/data/pictures"], "rows/", workers=32, address="auto")

The rows are those of `ferlib.scoring.tables`, with the column `problem`: a picture that cannot be read has one row
with its sentence there and `face` 0, so that no picture is lost without a word. Ray runs a batch again whose machine
went away.
"""

import os
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from ferlib.errors import FerlibError
from ferlib.faces.left_out import LeftOut
from ferlib.faces.pictures import find_pictures
from ferlib.packages import need
from ferlib.pipeline import load_pipeline
from ferlib.scoring.tables import CSV_COLUMNS, arrow_columns, need_pyarrow, parquet_schema, rows_of

PROBLEM = "problem"
_PICTURES_AT_ONCE = 16  # that an actor gets


class PicturePredictor:
    """One actor: loads its pipeline once, then turns batches of paths into rows.

    Args:
        options: of `load_pipeline`.
    """

    def __init__(self, **options: Any) -> None:
        self._pipeline = load_pipeline(**{"threads": 1, **options})

    def __call__(self, batch: dict[str, np.ndarray]) -> Any:
        """Score a batch of pictures.

        Args:
            batch: ``{"source": (N,) paths}``.

        Returns:
            A pyarrow table with `CSV_COLUMNS` and ``problem``, a row a face.
        """
        pyarrow, _ = need_pyarrow()
        rows: list[list] = []
        for source in map(str, batch["source"]):
            try:
                faces = self._pipeline(source)
            except (FerlibError, OSError) as error:
                rows.append([source, 0, *[None] * (len(CSV_COLUMNS) - 2), str(error)])
            else:
                rows += [[*row, None] for row in rows_of(source, faces)]
        schema = parquet_schema().append(pyarrow.field(PROBLEM, pyarrow.string()))
        return pyarrow.Table.from_arrays(arrow_columns(rows, schema), schema=schema)


def score_on_ray(
    paths: Iterable[str | Path], target: str | Path, *, workers: int = 2, address: str | None = None, **options: Any
) -> int:
    """Score pictures and folders of pictures, and write the rows as Parquet files into a folder.

    Args:
        paths: pictures, or folders of pictures.
        target: the folder, new or empty; every machine must be able to write there.
        workers: actors, each with one core.
        address: of a cluster, see above; None: ``RAY_ADDRESS``, or Ray on this machine with as many cores as workers.
        options: of `load_pipeline`, such as `model` and `min_face_size`.

    Returns:
        The number of pictures.

    Raises:
        FerlibError: ray or pyarrow is missing, a path holds no pictures, or the folder holds something.
    """
    folder = Path(target).resolve()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FerlibError(f"{target} is no empty folder; name a new one for the rows.")
    ray = need("ray", "Scoring on several machines", "ray")
    need_pyarrow()
    left_out = LeftOut()
    folders = (find_pictures(path, left_out=left_out) for path in paths)
    pictures = list(dict.fromkeys(str(picture.resolve()) for folder in folders for picture in folder))
    if left_out:
        warnings.warn(f"left out of the folders: {left_out.summary()}", stacklevel=2)
    started_here = not ray.is_initialized()
    if started_here:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray would report each start to its makers
        cluster = address or os.environ.get("RAY_ADDRESS")
        local: dict[str, Any] = {} if cluster else {"num_cpus": workers, "include_dashboard": False}
        ray.init(cluster, log_to_driver=False, **local)
    try:
        actors = ray.data.ActorPoolStrategy(size=workers)
        rows = ray.data.from_items([{"source": name} for name in pictures]).map_batches(
            PicturePredictor, fn_constructor_kwargs=options, batch_size=_PICTURES_AT_ONCE, compute=actors, num_cpus=1
        )
        rows.write_parquet(str(folder))
    finally:
        if started_here:
            ray.shutdown()
    return len(pictures)
