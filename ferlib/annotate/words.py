"""A face in words: labels, headings and summaries, the same on every surface."""

from collections.abc import Sequence

from ferlib.pipeline import Face


def labels(faces: Sequence[Face], *, numbered: bool) -> list[str]:
    """Such as ``"happy 98 %"`` or ``"not sure 43 %"``, with a number when asked for and there are several faces."""
    texts = [f"{face.label} {100 * face.confidence:.0f} %" for face in faces]
    return [f"{index}  {text}" for index, text in enumerate(texts, 1)] if numbered and len(texts) > 1 else texts


def summarise(name: str, faces: list[Face]) -> str:
    """One sentence, such as ``"photo.jpg: 2 faces, happy 98 %, not sure."``."""
    if not faces:
        return f"{name}: no face found."
    said = [f"{one.emotion} {100 * one.confidence:.0f} %" if one.sure else one.label for one in faces]
    return f"{name}: {len(faces)} face{'s' if len(faces) > 1 else ''}, {', '.join(said)}."


def heading(face: Face, number: int | None = None) -> str:
    """Such as ``"2 · happy 98.1 %"``, or ``"not sure (sad 43.0 %)"``."""
    told = f"{face.emotion} {100 * face.confidence:.1f} %"
    told = told if face.sure else f"not sure ({told})"
    return told if number is None else f"{number} · {told}"
