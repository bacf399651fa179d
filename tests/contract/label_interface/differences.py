"""Where this library judges otherwise than the official client, and why. Nothing else differs.

An entry says what is judged otherwise (`where: how` of spoilt.py, as a shell pattern), what the
official client says of it, and why this library does not. An entry that no longer differs fails.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Difference(NamedTuple):
    """Things that the official client `accepts` or `refuses`, unlike this library."""

    names: tuple[str, ...]
    official: str
    why: str


TASKS = [
    Difference(
        tuple(
            f"data *: {how}"
            for how in ("an object", "true", "a list", "a number", "a short list")
        ),
        "accepts",
        "it does not look at types; the server does: an Image is no number",
    ),
    Difference(
        ("data *Labels: missing", "data *Labels: null", "data Choices: missing",
         "data Choices: null", "data TextArea: missing", "data TextArea: null"),
        "accepts",
        "it looks at objects only; the server wants what a control shows of the data too",
    ),
]  # fmt: skip

RESULTS = [
    Difference(
        ("* from_name: null",),
        "accepts",
        "of a config with one control it takes null for its name; the editor finds no control",
    ),
    Difference(
        ("*: as text", "*: true", "score: '0.5'", "score: True"),
        "accepts",
        "its models make a number of a text or of true before they look, but what is stored stays "
        "a text, at which the client's own exports fail",
    ),
    Difference(
        ("Taxonomy: *", "Taxonomy type: upper case", "Taxonomy.taxonomy*: missing",
         "Taxonomy.taxonomy*: no items"),
        "accepts",
        "it wants each step of a path to be somewhere in the tree, not the path; nobody can choose "
        "what is in no tree",
    ),
    Difference(
        ("drawn labels.labels: null",),
        "accepts",
        "its models of shapes do not know the key; without the key it refuses the region as well",
    ),
    Difference(
        ("ChatMessage with toName*",),
        "refuses",
        "it wants the type 'chat' where a <Chat> has a toName; the editor writes 'chatmessage', "
        "as does the client itself where it has none",
    ),
    Difference(
        ("nested Choices*",),
        "refuses",
        "it wants texts; with allowNested the editor stores a path for each choice",
    ),
    Difference(
        ("Pairwise to_name: another tag",),
        "refuses",
        "the editor files a pairwise under its own name, and so does the client's own builder",
    ),
    Difference(
        ("BrushLabels.format: null",),
        "refuses",
        "it takes a mask without a format, but not one with null, which says the same",
    ),
]  # fmt: skip

_RANDOM = "its sample is of steps from anywhere in the tree: see RESULTS"
_NULL = "its sample has null for a <List>, which it refuses itself"
_CONTROL = "its sample is without what a control shows: see TASKS"
WITHOUT_SAMPLE: Mapping[str, str] = {
    "computer-vision/inventory-tracking/config.yml": _CONTROL,
    "computer-vision/visual-genome/config.yml": _CONTROL,
    "generative-ai/llm-ranker/config.yml": _NULL,
    "generative-ai/visual-ranker/config.yml": _NULL,
    "natural-language-processing/taxonomy/config.xml": _RANDOM,
    "natural-language-processing/taxonomy/config.yml": _RANDOM,
    "ranking-and-scoring/asr-hypotheses/config.yml": _CONTROL,
    "ranking-and-scoring/serp-ranking/config.yml": _CONTROL,
    "ranking-and-scoring/text-to-image/config.yml": _CONTROL,
}
"""Templates whose samples by the official client do not fit, and why."""
