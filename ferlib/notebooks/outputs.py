"""Outputs of committed notebooks: the results, and nothing that differs between two equal runs."""

import base64
import io
import re

import nbformat
from nbformat import NotebookNode
from PIL import Image

from ferlib.plots.png import chart_png

KERNEL = "python3"
WIDGET = "application/vnd.jupyter.widget-view+json"


def normalise_notebook(notebook: NotebookNode) -> NotebookNode:
    """Remove what differs between two runs with the same results; sources, ids, counts and outputs stay.

    Of the metadata only cell tags and a fixed kernel name stay (no times, no papermill or widget state). Standard error
    is dropped, and so are widgets, whose model ids are random and which show nothing without their state.

    Args:
        notebook: an executed notebook, which is not changed.

    Returns:
        The normalised copy.
    """
    notebook = nbformat.from_dict(notebook)
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    notebook.metadata = nbformat.from_dict(
        {"kernelspec": {"display_name": "Python 3", "name": KERNEL}, "language_info": {"name": "python"}}
    )
    for cell in notebook.cells:
        tags = list(cell.metadata.get("tags", []))
        cell.metadata = nbformat.from_dict({"tags": tags} if tags else {})
        if cell.cell_type == "code":
            cell.outputs = _stable_outputs(cell.outputs)
    nbformat.validate(notebook)
    return notebook


def _stable_outputs(outputs: list[NotebookNode]) -> list[NotebookNode]:
    stable: list[NotebookNode] = []
    for output in outputs:
        if output.get("name") == "stderr" or WIDGET in output.get("data", {}):
            continue
        output.pop("transient", None)
        if "image/png" in output.get("data", {}):
            output.data["image/png"] = _shrink_png(output.data["image/png"])
        if output.output_type == "stream" and stable and stable[-1].output_type == "stream":
            stable[-1].text += output.text  # where a stream is cut into messages depends on timing
        else:
            stable.append(output)
    for output in stable:
        if output.output_type == "stream":
            output.text = re.sub(r"[^\n]*\r(?!\n)", "", output.text)  # a line that was overwritten on the screen
    return stable


def _shrink_png(encoded: str) -> str:
    """Make a PNG in base64 smaller, where `chart_png` does."""
    with Image.open(io.BytesIO(base64.b64decode(encoded))) as image:
        smaller = base64.b64encode(chart_png(image)).decode()
    return min(encoded, smaller, key=len)
