"""``python -m labelstudio_orm`` is the command ``labelstudio-orm``."""

from ._cli import main

if __name__ == "__main__":
    raise SystemExit(main())
