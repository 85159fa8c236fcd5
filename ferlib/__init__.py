"""Facial emotion recognition: the FER2013+ protocol, training, evaluation and a live pipeline.

The two calls most people need::

    pipeline = ferlib.load_pipeline()
    for face in pipeline("photo.jpg"):
        print(face.emotion, face.confidence, face.box)

The public names stand in ``__init__.pyi``; each is imported when it is first used, so that ``import ferlib`` and
``ferlib --help`` answer at once. Warnings go to the logger ``ferlib``.
"""

import logging

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
logging.getLogger(__name__).addHandler(logging.NullHandler())
