"""A face in words: label, numbered headings and the summary of a picture, the same on every surface."""

from collections.abc import Sequence

from ferlib.pipeline import Face


def label(face: Face) -> str:
    """Format the answer for one face: emotion and confidence such as ``"happy 98 %"``, or ``"not sure"``.

    Every surface shows this text: tags on pictures, cards, pages, summaries and the live view in the browser.
    A column that holds the emotion alone shows `Face.label`, where the words "not sure" stand.

    Args:
        face: the face.
    """
    return f"{face.label} {100 * face.confidence:.0f} %" if face.sure else face.label


def heading(face: Face, number: int | None = None) -> str:
    """Format the label of one of several faces, such as ``"2 · happy 98 %"``.

    Args:
        face: the face.
        number: its place among the faces of the picture, counted from 1; None leaves the number out.
    """
    return label(face) if number is None else f"{number} · {label(face)}"


def labels(faces: Sequence[Face], *, numbered: bool) -> list[str]:
    """Format the labels of all faces of a picture.

    Args:
        faces: the faces, in the order of their numbers.
        numbered: put a number before each label; a single face has none.
    """
    return [heading(face, index if numbered and len(faces) > 1 else None) for index, face in enumerate(faces, 1)]


def summarise(name: str, faces: Sequence[Face]) -> str:
    """Summarise a picture in one sentence, such as ``"photo.jpg: 2 faces, happy 98 %, not sure."``.

    Args:
        name: name of the picture.
        faces: its faces, possibly none.
    """
    if not faces:
        return f"{name}: no face found."
    return f"{name}: {len(faces)} face{'s' if len(faces) > 1 else ''}, {', '.join(labels(faces, numbered=False))}."
