"""Draw the floors of the package from its imports: `make house` writes `docs/floors.svg`."""

from __future__ import annotations

import ast
import re
import sys
from collections import Counter
from dataclasses import dataclass
from html import escape
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # with pytest

from tests.house.imports import PACKAGE, ROOT, Import, Where, imports, modules

PICTURE = ROOT / "docs" / "floors.svg"

WIDTH, HEIGHT, LEFT, TOP, CELL = 780, 32, 16, 40, 32


@dataclass(frozen=True)
class Floor:
    """Some modules that lie on one height."""

    names: tuple[str, ...]
    text: str

    @property
    def title(self) -> str:
        """The names as the picture shows them."""
        return " · ".join(name.removeprefix("_engine.") for name in self.names)

    def has(self, module: str) -> bool:
        """Return whether a module lies on the floor."""
        inside = module.removeprefix(f"{PACKAGE}.")
        return any(inside == name or inside.startswith(f"{name}.") for name in self.names)


def floors() -> list[Floor]:
    """Return the floors of the import contract in `pyproject.toml`, the highest first."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
    layers = contracts["contracts"][0]["layers"]
    names = [tuple(re.findall(rf"{PACKAGE}\.([\w.]+)", layer)) for layer in layers]
    return [Floor(some, _text(some[0])) for some in names]


def _text(name: str) -> str:
    """Return the first line of the docstring of a module or a package."""
    path = ROOT / PACKAGE / Path(*name.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    said = (ast.get_docstring(ast.parse(path.read_text("utf-8"))) or "") if path.exists() else ""
    return said.partition("\n")[0]


def counted(arrows: list[Import], found: list[Floor]) -> Counter[tuple[int, int]]:
    """Return how many imports there are from each floor to each other one; not for types."""
    places = {
        module: number
        for number, floor in enumerate(found)
        for module in {one for arrow in arrows for one in (arrow.importer, arrow.imported)}
        if floor.has(module)
    }
    return Counter(
        (places[arrow.importer], places[arrow.imported])
        for arrow in arrows
        if arrow.where is not Where.TYPING
        and arrow.importer in places
        and arrow.imported in places
        and places[arrow.importer] != places[arrow.imported]
    )


def picture() -> str:
    """Return the floors as an SVG, and beside each a mark for every other one it imports from.

    It shows no numbers, so that it changes only when the structure does.
    """
    files, found = modules(), floors()
    shapes: list[str] = []
    for number, floor in enumerate(found):
        y = TOP + number * HEIGHT
        shapes += [
            f'<rect x="{LEFT}" y="{y}" width="{WIDTH}" height="{HEIGHT - 4}" rx="4"/>',
            f'<text x="{LEFT + 10}" y="{y + 19}" class="name">{escape(floor.title)}</text>',
            f'<text x="{LEFT + 320}" y="{y + 19}">{escape(_cut(floor.text))}</text>',
            f'<text x="{_column(number)}" y="{TOP - 8}" class="head">{number + 1}</text>',
            f'<text x="{LEFT + WIDTH + 20}" y="{y + 19}" class="head">{number + 1}</text>',
        ]
    for above, below in sorted(counted(imports(files), found)):
        kind = "down" if above < below else "up"
        x, y = _column(below) - CELL // 2, TOP + above * HEIGHT
        shapes.append(
            f'<rect x="{x}" y="{y}" width="{CELL - 3}" height="{HEIGHT - 4}" class="{kind}"/>'
        )
    width, height = _column(len(found)), TOP + len(found) * HEIGHT + 10
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}">',
        STYLE,
        *shapes,
        "</svg>\n",
    ])  # fmt: skip


def _column(number: int) -> int:
    return LEFT + WIDTH + 50 + number * CELL


def _cut(text: str) -> str:
    return text if len(text) <= 68 else text[:67].rsplit(" ", 1)[0] + " …"


STYLE = """<style>
text { font: 12px sans-serif; fill: #222 }
.name { font-weight: bold }
.head { text-anchor: middle; font-size: 10px; fill: #333 }
rect { fill: #f4f6f8; stroke: #9aa5b1 }
.down { fill: #8fb3d9; stroke: none }
.up { fill: #c0392b; stroke: none }
</style>
<rect x="0" y="0" width="100%" height="100%" style="fill: white; stroke: none"/>"""


if __name__ == "__main__":
    PICTURE.write_text(picture(), "utf-8")
    print(PICTURE.relative_to(ROOT))
