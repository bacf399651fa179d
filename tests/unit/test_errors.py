from __future__ import annotations

import builtins
import json
import pickle

import pytest

from labelstudio_orm import errors
from labelstudio_orm.errors import APIError, LabelStudioError, error_from_response

CLASSES = [
    value
    for value in vars(errors).values()
    if isinstance(value, type) and issubclass(value, LabelStudioError)
]


@pytest.mark.parametrize("cls", CLASSES)
def test_every_error_survives_pickling(cls: type[LabelStudioError]) -> None:
    error = cls("saving Project 5 failed", request="PATCH /api/projects/5/")
    if isinstance(error, APIError):
        error.status, error.validation_errors = 400, {"title": ["too short"]}
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is cls
    assert str(again) == "saving Project 5 failed"
    assert vars(again) == vars(error)


@pytest.mark.parametrize(
    ("name", "builtin"),
    [
        ("BadRequest", "ValueError"),
        ("AuthenticationError", "PermissionError"),
        ("PermissionDenied", "PermissionError"),
        ("NotFound", "LookupError"),
        ("ConnectionFailed", "ConnectionError"),
        ("Timeout", "TimeoutError"),
        ("JobFailed", "RuntimeError"),
        ("DoesNotExist", "LookupError"),
        ("MultipleObjectsReturned", "LookupError"),
        ("FieldError", "ValueError"),
        ("NotSupportedByServer", "NotImplementedError"),
        ("ClientSideFilterWarning", "UserWarning"),
        ("MissingSizeWarning", "UserWarning"),
        ("OldServerWarning", "UserWarning"),
        ("UnknownKeyWarning", "UserWarning"),
    ],
)
def test_each_is_the_fitting_builtin(name: str, builtin: str) -> None:
    assert issubclass(getattr(errors, name), getattr(builtins, builtin))


@pytest.mark.parametrize(
    ("status", "name"),
    [
        (400, "BadRequest"),
        (401, "AuthenticationError"),
        (403, "PermissionDenied"),
        (404, "NotFound"),
        (405, "BadRequest"),
        (409, "Conflict"),
        (410, "NotFound"),
        (413, "BadRequest"),
        (414, "BadRequest"),
        (422, "BadRequest"),
        (429, "RateLimited"),
        (500, "ServerError"),
        (501, "ServerError"),
        (599, "ServerError"),
        (304, "APIError"),
    ],
)
def test_class_by_status(status: int, name: str) -> None:
    error = error_from_response(status, b"", request="GET /api/x")
    assert type(error).__name__ == name
    assert error.status == status
    assert str(error).startswith(f"GET /api/x failed: {status}")


def test_the_message_is_made_of_the_error_envelope() -> None:
    body = {
        "status_code": 400,
        "detail": "Validation error",
        "validation_errors": {
            "title": ["Too short.", "Too plain."],
            "actions": {"0": ["Unknown."]},
            "non_field_errors": ["All wrong."],
            "project": "Incorrect value.",
            "items": [{"data": ["Required."]}, {}],
        },
    }
    error = error_from_response(
        400, json.dumps(body).encode(), request="PATCH /api/projects/5/", doing="saving Project 5"
    )
    assert str(error) == (
        "saving Project 5 failed (PATCH /api/projects/5/): 400 Bad Request: Validation error: "
        "title: Too short.; title: Too plain.; actions.0: Unknown.; All wrong.; "
        "project: Incorrect value.; items[0].data: Required."
    )
    assert error.detail == "Validation error"
    assert error.validation_errors == body["validation_errors"]
    assert error.request == "PATCH /api/projects/5/"


@pytest.mark.parametrize(
    ("body", "shown", "detail", "validation"),
    [
        (
            b'{"label_config": ["unclosed"]}',
            "label_config: unclosed",
            "",
            {"label_config": ["unclosed"]},
        ),
        (b'["no", "never"]', "no; never", "", ["no", "never"]),
        (b'"no"', ": no", "no", None),
        (b'{"detail": "no"}', ": no", "no", None),
        (b'{"detail": {"a": ["b"]}}', "a: b", "", {"a": ["b"]}),
        (b'{"detail": null, "validation_errors": "no"}', ": no", "", ["no"]),
        (b"plain words", "plain words", "plain words", None),
        (b"", "400 Bad Request", "", None),
        (b"null", "400 Bad Request", "", None),
        (b"[" * 100_000, "[[[", "[" * 997 + "...", None),
        (b"\xff\xfe", "\ufffd", "\ufffd\ufffd", None),
    ],
)
def test_a_message_is_made_of_any_body(
    body: bytes, shown: str, detail: str, validation: object
) -> None:
    error = error_from_response(400, body, request="POST /x")
    assert shown in str(error)
    assert error.detail == detail
    assert error.validation_errors == validation


def test_html_page_for_an_unknown_address() -> None:
    page = b"<!DOCTYPE html><html><head><title>\n 404 | Label Studio</title></head><body>x</body>"
    error = error_from_response(404, page, content_type="text/html", request="GET /ls/api/x")
    assert error.detail == "404 | Label Studio"
    assert "base URL may be wrong" in str(error)
    gone = error_from_response(404, b'{"detail": "No Task."}', request="GET /api/tasks/1/")
    assert "base URL" not in str(gone)


def test_messages_are_bounded_when_the_server_echoes_whole_items() -> None:
    item = {"data": {"text": "x" * 100_000}}
    body = {"validation_errors": [{"item": [str(item)]}] * 50, "detail": "y " * 100_000}
    error = error_from_response(400, json.dumps(body).encode(), request="POST /x")
    assert len(str(error)) < 6000
    assert "and more" in str(error)
    wide = {"k" * 10_000: {"j" * 10_000: ["bad"]}}
    assert len(errors.render_validation(wide)) < 500


def test_hint_of_the_caller_comes_last() -> None:
    error = error_from_response(401, b'{"detail": "no"}', request="GET /x", hint="Ask Ann.")
    assert str(error) == "GET /x failed: 401 Unauthorized: no. Ask Ann."
