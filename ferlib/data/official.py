"""Published counts and hashes of FER2013+."""

OFFICIAL_COUNTS = {"train": 28_558, "valid": 3_579, "test": 3_573}
"""Images of each split of FER2013+ (Barsoum et al. 2016, the label.csv files of their repository)."""

OFFICIAL_HASHES = {
    "7c0af58ee6b3c74c40ddbe8ed95289515dda10d7127131329381867104efbcde": "label.csv",
    "716950196a5dd3978c3934a4086fb2d6a2188f2fd132769ac52c95eb9ee68aac": "fer2013new.csv",
}
"""Label file by the content hash of the official images with its votes."""
