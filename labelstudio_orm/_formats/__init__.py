"""Files in the formats of other programs, written from regions and read as items for an import."""

from typing import TYPE_CHECKING

from .._engine.values.lazy import importer

if TYPE_CHECKING:
    from . import coco as coco
    from . import conll as conll
    from . import jsonl as jsonl
    from . import masks as masks
    from . import voc as voc
    from . import yolo as yolo
else:
    __getattr__ = importer(__name__)
