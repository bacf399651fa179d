"""What can be said of a result without its labelling config."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelstudio_orm.config import Span, check_result, regions_without_size

GOOD: dict[str, Any] = {
    "id": "a",
    "from_name": "mood",
    "to_name": "text",
    "type": "choices",
    "value": {"choices": ["Calm"]},
}
RELATION = {"type": "relation", "from_id": "a", "to_id": "b", "direction": "right"}
BOX = {**GOOD, "type": "rectanglelabels", "value": {"x": 1, "rectanglelabels": ["Boat"]}}
SIZE = {"original_width": 90, "original_height": 60}

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


@pytest.mark.parametrize(
    "result", [[], [GOOD], [GOOD, {**GOOD, "id": "b"}, RELATION], (GOOD,), [{**GOOD, "value": {}}]]
)
def test_regions_are_let_through(result: Any) -> None:
    check_result(result)


@pytest.mark.parametrize(
    ("result", "error", "said"),
    [
        ("Calm", TypeError, "result: a list of regions is needed, not 'Calm'; make regions with"),
        ({"mood": "Calm"}, TypeError, r"result: a list .*config.regions\({name: value}\)"),
        (None, TypeError, "result: a list"),
        (["Calm"], TypeError, r"result\[0\]: a region is a dict, not 'Calm'; .*\.choice\("),
        ([GOOD, Span(0, 1)], TypeError, r"result\[1\]: a region is a dict, not Span"),
        ([GOOD, [GOOD]], TypeError, r"result\[1\]"),
        ([{**GOOD, "value": "Calm"}], TypeError, r"result\[0\]\.value: a dict is needed"),
        ([{**GOOD, "value": None}], TypeError, r"result\[0\]\.value: a dict is needed, not None"),
        *(
            ([{**GOOD, key: 5}], TypeError, rf"result\[0\]\.{key}: a text is needed, not 5")
            for key in ("from_name", "to_name", "type")
        ),
        *(
            ([{k: v for k, v in one.items() if k != key}], ValueError, f"without '{key}', which")
            for one, keys in (
                (GOOD, ("from_name", "to_name", "type", "value")),
                (RELATION, ("from_id", "to_id")),
            )
            for key in keys
        ),
    ],
)
def test_what_is_no_region_is_named_with_the_way_out(
    result: Any, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        check_result(result)


def test_the_error_names_the_place_that_it_was_given() -> None:
    with pytest.raises(TypeError, match=r"item 3, annotations\[1\]: result\[0\]"):
        check_result([5], "item 3, annotations[1]: result")


@given(anything)
def test_any_other_result_raises_type_or_value_error(result: Any) -> None:
    assert isinstance(regions_without_size(result), list)
    if result in ([], ()):
        return
    with pytest.raises((TypeError, ValueError), match="result"):
        check_result(result)


@pytest.mark.parametrize(
    ("region", "lacks"),
    [
        (BOX, True),
        ({**BOX, **SIZE}, False),
        ({**BOX, **SIZE, "original_height": None}, True),
        ({**BOX, "type": "PolygonLabels"}, True),
        ({**BOX, "type": "keypoint"}, True),
        ({**BOX, "type": "videorectangle"}, False),
        ({**BOX, "type": "ocrlabels"}, False),
        ({**BOX, "value": None}, False),
        (GOOD, False),
        (RELATION, False),
        (None, False),
    ],
)
def test_shapes_on_an_image_without_its_size(region: Any, lacks: bool) -> None:
    assert regions_without_size([GOOD, region]) == ([1] if lacks else [])
