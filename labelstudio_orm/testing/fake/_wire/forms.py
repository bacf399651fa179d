"""Bodies that are forms, which may contain files."""

from __future__ import annotations

import html
import re
from email.message import Message
from urllib.parse import parse_qsl

from attrs import define, evolve

MULTIPART = "multipart/form-data"
URLENCODED = "application/x-www-form-urlencoded"


@define(frozen=True)
class Upload:
    """A file in a form."""

    name: str
    content: bytes


@define(frozen=True)
class Form:
    """The fields and the files of a form; the last one of each name.

    ``parts`` is the number of its files, including those that another one of their name replaced.
    """

    kind: str
    fields: dict[str, str]
    files: dict[str, Upload]
    parts: int = 0

    def recorded(self) -> dict[str, str]:
        """Return the body in the log of requests, which has only the names of files."""
        return {**self.fields, **{name: file.name for name, file in self.files.items()}}


def parse(kind: str, body: bytes) -> Form | None:
    """Return the form in a body of a content type; None when it is no form."""
    if kind.startswith(URLENCODED):
        pairs = parse_qsl(body.decode(), keep_blank_values=True)
        return Form(URLENCODED, dict(pairs), {})
    if not kind.startswith(MULTIPART):
        return None
    boundary = str(_header(kind).get_boundary()).encode()
    form, parts = Form(MULTIPART, {}, {}), 0
    for part in (b"\r\n" + body).split(b"\r\n--" + boundary)[1:-1]:
        head, _, content = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        for line in head.decode().split("\r\n"):
            field, _, value = line.partition(":")
            if field.lower() == "content-disposition":
                described = _header(value.strip(), "Content-Disposition")
                name = str(described.get_param("name", header="Content-Disposition"))
                file = described.get_filename()
                if file is None:
                    form.fields[name] = content.decode()
                    continue
                parts += 1
                if plain := _plain(file):
                    form.files[name] = Upload(plain, content)
    return evolve(form, parts=parts)


def _plain(name: str) -> str:
    """Return the last segment of a file's name; a file without it is skipped."""
    name = re.split(r"[/\\]", html.unescape(name))[-1]
    name = "".join(sign for sign in name if sign.isprintable())
    return "" if name in (".", "..") else name


def _header(value: str, name: str = "Content-Type") -> Message:
    message = Message()
    message[name] = value
    return message
