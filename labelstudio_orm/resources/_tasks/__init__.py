"""What is done with many tasks at once: imports, exports, actions, predictions."""

from typing import TYPE_CHECKING

from ..._engine.values.lazy import importer

if TYPE_CHECKING:
    from . import actions as actions
    from . import agreeing as agreeing
    from . import annotating as annotating
    from . import annotation as annotation
    from . import creation as creation
    from . import deletion as deletion
    from . import exports as exports
    from . import formats as formats
    from . import media as media
    from . import predictions as predictions
    from . import promoting as promoting
    from . import reassigning as reassigning
    from . import sampling as sampling
    from . import showing as showing
    from . import stored as stored
    from . import updating as updating
    from . import uploading as uploading
else:
    __getattr__ = importer(__name__)
