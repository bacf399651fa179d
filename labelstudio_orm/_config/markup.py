"""The XML of a labelling config as a flat list of elements with their positions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from attrs import field, frozen

from .._engine.values.brief import cut

_DECLARATION = re.compile(r"[\ufeff\s]*(<\?xml\s.*?\?>)\s*", re.DOTALL)


@frozen(eq=False)
class Element:
    """One start tag of the config: its attributes, its position and the element around it.

    ``line`` and ``column`` are counted from 1, in characters of the text as given. ``kind`` is the
    tag in lower case: the labelling editor takes tags in any case.
    """

    tag: str
    kind: str
    attributes: Mapping[str, str]
    line: int
    column: int
    parent: Element | None = field(repr=False)

    def __str__(self) -> str:
        return f"<{cut(self.tag, 40)}> at line {self.line}, column {self.column}"

    def ancestors(self) -> Iterator[Element]:
        """Yield the elements around this one, innermost first."""
        element = self.parent
        while element is not None:
            yield element
            element = element.parent


def without_declaration(xml: str) -> str:
    r"""Return a config without a byte order mark and an XML declaration.

    A file may begin with them, but a text has no encoding, and servers refuse one that names it.

    >>> without_declaration('<?xml version="1.0" encoding="UTF-8"?>\n<View/>')
    '<View/>'
    """
    found = _DECLARATION.match(xml)
    return xml[found.end() :] if found else xml.removeprefix("\ufeff")


def elements(xml: str) -> list[Element]:
    """Return every element of ``xml`` in document order.

    Raises ValueError with line and column for broken XML, and for a document type declaration,
    which the server refuses as well.
    """
    # lazy: start-up time. ElementTree does not know where an element stands, expat does.
    from xml.parsers import expat

    if not isinstance(xml, str):
        raise TypeError(f"a labelling config must be a str, not {type(xml).__name__}")
    parser = expat.ParserCreate()
    found: list[Element] = []
    around: list[Element] = []

    def start(tag: str, attributes: dict[str, str]) -> None:
        parent = around[-1] if around else None
        line, column = parser.CurrentLineNumber, parser.CurrentColumnNumber + 1
        around.append(Element(tag, tag.lower(), attributes, line, column, parent))
        found.append(around[-1])

    def end(_tag: str) -> None:
        around.pop()

    def doctype(*_: object) -> None:
        raise ValueError(
            "a labelling config must not have a <!DOCTYPE>: "
            f"line {parser.CurrentLineNumber}, column {parser.CurrentColumnNumber + 1}"
        )

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.StartDoctypeDeclHandler = doctype
    try:
        parser.Parse(xml, True)
    except expat.ExpatError as error:
        raise ValueError(
            f"the labelling config is not well-formed XML: {expat.ErrorString(error.code)}: "
            f"line {error.lineno}, column {error.offset + 1}"
        ) from None
    return found
