"""Bodies of requests: JSON, or a form."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from . import forms
from .answers import Failure, failure
from .forms import Form


def parse(headers: Mapping[str, str], body: bytes) -> tuple[Any, Form | None, Failure | None]:
    """Return the JSON of a body, or its form, or why it has neither."""
    kind = headers.get("content-type", "")
    if not body:
        return None, forms.parse(kind, body) if kind.startswith(forms.URLENCODED) else None, None
    if headers.get("content-encoding"):
        text = "JSON parse error - 'utf-8' codec can't decode byte"
        return None, None, failure(400, text)
    form = forms.parse(kind, body)
    if form is not None:
        return None, form, None
    if not kind.startswith("application/json"):
        return None, None, failure(415, f'Unsupported media type "{kind}" in request.')
    try:
        return json.loads(body, parse_constant=_refuse), None, None
    except ValueError as error:
        return None, None, failure(400, f"JSON parse error - {error}")


def _refuse(constant: str) -> Any:
    raise ValueError(f"Out of range float values are not JSON compliant: {constant!r}")
