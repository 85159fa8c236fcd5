"""The emotions of both label sets: their order, their colours, and other people's names for them."""

EMOTIONS = ("angry", "contempt", "disgust", "fear", "happy", "neutral", "sad", "surprise")
"""Alphabetical; the index in this tuple is the class index everywhere."""

INDEX = {name: index for index, name in enumerate(EMOTIONS)}

MEANT_EMOTIONS = tuple(name for name in EMOTIONS if name != "contempt")
"""The seven classes of FER2013's own labels, which say what a face was meant to show, in the order of `EMOTIONS`."""

MEANT_INDEX = {name: index for index, name in enumerate(MEANT_EMOTIONS)}

EMOTION_OF_MEANT = tuple(EMOTIONS.index(name) for name in MEANT_EMOTIONS)
"""Class index of each of the seven: ``probabilities[:, EMOTION_OF_MEANT]`` is in the order of `MEANT_EMOTIONS`."""

KAGGLE_EMOTIONS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
"""Emotion of each code, 0 to 6, in the column ``emotion`` of Kaggle's ``fer2013.csv`` (Goodfellow et al. 2013)."""

VOTE_COLUMNS = (
    "neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt", "unknown", "NF",
)  # fmt: skip
"""Columns of the FER+ label files in their order (Barsoum et al. 2016); NF is "not a face"."""

UNKNOWN_COLUMN, NOT_A_FACE_COLUMN = VOTE_COLUMNS.index("unknown"), VOTE_COLUMNS.index("NF")
"""Vote columns that name no emotion; they come after the eight that do."""

EMOTION_OF_COLUMN = ("neutral", "happy", "surprise", "sad", "angry", "disgust", "fear", "contempt")
"""Class name of each of the first eight vote columns."""

COLUMN_OF_EMOTION = tuple(EMOTION_OF_COLUMN.index(name) for name in EMOTIONS)
"""Vote column of each class: ``votes[:, COLUMN_OF_EMOTION]`` is in class order."""

COLOURS = {
    "angry": "#D55E00",
    "contempt": "#999933",
    "disgust": "#009E73",
    "fear": "#7F4FA3",
    "happy": "#E6A700",
    "neutral": "#7A7A7A",
    "sad": "#0072B2",
    "surprise": "#CC79A7",
}
"""Colour of each class, after Okabe and Ito's colour-blind-safe palette; readable on white and on near-black."""

_OTHER_NAMES = {
    "angry": ("anger", "an"),
    "contempt": ("contemptuous", "co"),
    "disgust": ("disgusted", "di"),
    "fear": ("fearful", "afraid", "scared", "fe", "af"),
    "happy": ("happiness", "joy", "ha"),
    "neutral": ("neutrality", "normal", "ne"),
    "sad": ("sadness", "unhappy", "sa"),
    "surprise": ("surprised", "surprize", "su"),
}
_ALIASES = {alias: name for name, aliases in _OTHER_NAMES.items() for alias in (name, *aliases)}


def emotion_of_folder(name: str) -> str | None:
    """Recognise the emotion that a folder is named after.

    Case, digits and separators do not count. The names are those of FER2013, CK+, RAF-DB, AffectNet, JAFFE and KDEF
    folders as people unpack them.

    Args:
        name: name of the folder.

    Returns:
        One of `EMOTIONS`, or None.

    Examples:
        >>> emotion_of_folder("3_Happiness")
        'happy'
    """
    letters = "".join(character for character in name.lower() if character.isalpha())
    return _ALIASES.get(letters)
