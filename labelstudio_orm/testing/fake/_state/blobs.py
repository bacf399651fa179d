"""The places of storages: where in ``FakeLabelStudio.blobs`` they have their objects.

A bucket, folder or server exists when something is in it; an address that ends with a slash makes
an empty one: ``fake.blobs["s3://bucket/"] = b""``.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Mapping
from typing import Any

from attrs import define

from .addresses import refusal
from .state import State
from .store import Row


class Unreachable(Exception):
    """A storage cannot be used as it is set up.

    Attributes:
        text: Why.
        shown: The message that other operations of the server have for it, if it differs.
        refused: Whether the server refuses even to try.
    """

    def __init__(self, text: str, shown: str | None = None, *, refused: bool = False) -> None:
        super().__init__(text)
        self.text, self.shown, self.refused = text, shown or text, refused


@define(frozen=True)
class Place:
    """Where the storages of one type have their objects."""

    scheme: str
    root: Callable[[Row], str]
    """The address of a bucket, folder or database, with a slash at its end."""
    prefix: Callable[[Row], str]
    """What the keys begin with that are imported."""
    target: Callable[[Row], str]
    """What the keys begin with that are exported."""
    check: Callable[[State, Row, bool], None]
    """Raises ``Unreachable``. The last argument is whether it is an export storage."""

    def address(self, fields: Row, key: str) -> str:
        """Return the address of an object."""
        return self.root(fields) + key

    def keys(self, blobs: Mapping[str, bytes], fields: Row) -> list[str]:
        """Return the keys of the objects to import, in their order."""
        root, prefix = self.root(fields), self.prefix(fields)
        found = [
            address.removeprefix(root)
            for address in blobs
            if address.startswith(root + prefix) and not address.endswith("/")
        ]
        if self.scheme == "redis":
            return found
        if not fields.get("recursive_scan"):
            found = [key for key in found if "/" not in key[len(prefix) :]]
        found.sort(key=(lambda key: (posixpath.basename(key), key)) if self.is_local else None)
        return self._filtered(found, fields.get("regex_filter"))

    def _filtered(self, keys: list[str], regex: str | None) -> list[str]:
        if not regex:
            return keys
        pattern = re.compile(regex)
        named = posixpath.basename if self.is_local else str
        return [key for key in keys if pattern.match(named(key))]

    @property
    def is_local(self) -> bool:
        """Whether the keys are paths of files."""
        return self.scheme == "localfiles"

    def shown_key(self, fields: Row, key: str) -> str:
        """Return a key as the server shows it."""
        return self.root(fields).removeprefix("localfiles://") + key if self.is_local else key


def _exists(fake: State, address: str) -> bool:
    return any(other.startswith(address) for other in fake.blobs)


def _folder(fields: Row) -> str:
    prefix = str(fields.get("prefix") or "")
    return prefix.rstrip("/") + "/" if prefix else ""


def _under_prefix(fields: Row) -> str:
    prefix = str(fields.get("prefix") or "")
    return prefix + "/" if prefix else ""


# --- local files ----------------------------------------------------------------------------------


def local_path(value: Any) -> str:
    """Return a normalised path."""
    text = str(value or "").strip().replace("\\", "/")
    return posixpath.normpath(text) if text else ""


def _check_local(fake: State, fields: Row, export: bool) -> None:
    path, root = local_path(fields.get("path")), local_path(fake.local_files_root)
    if not path:
        raise Unreachable("Path must be set for Local Files storage")
    if path != root and not _exists(fake, f"localfiles://{path}/"):
        raise Unreachable(f'Absolute local path "{path}" does not exist')
    why = f'LOCAL_FILES_DOCUMENT_ROOT="{root}" by security reasons.'
    example = f'For example: "{posixpath.join(root, "dataset1")}".'
    if path == root:
        text = (
            f'Absolute local path "{path}" cannot be the same as {why} Please add a subdirectory. '
        )
        raise Unreachable(text + example)
    if not path.startswith(root.rstrip("/") + "/"):
        text = f'Absolute local path "{path}" must be a subdirectory of {why}'
        raise Unreachable(f"{text} {example}")


# --- clouds ---------------------------------------------------------------------------------------


def _check_s3(fake: State, fields: Row, export: bool) -> None:
    bucket, prefix = fields.get("bucket"), str(fields.get("prefix") or "")
    if not bucket:
        raise Unreachable("expected string or bytes-like object, got 'NoneType'")
    if not _exists(fake, f"s3://{bucket}/"):
        raise Unreachable(f"Cannot find bucket {bucket} in S3")
    if prefix and not export and not _exists(fake, f"s3://{bucket}/{prefix}"):
        raise Unreachable(f"s3://{bucket}/{prefix} not found.")


def _check_gcs(fake: State, fields: Row, export: bool) -> None:
    bucket, prefix = fields.get("bucket"), str(fields.get("prefix") or "")
    if bucket is None:
        raise Unreachable("Cannot determine path without bucket name.")
    if not bucket:
        raise Unreachable("string index out of range")
    if not _exists(fake, f"gs://{bucket}/"):
        query = "projection=noAcl&prettyPrint=false"
        url = f"https://storage.googleapis.com/storage/v1/b/{bucket}?{query}"
        text = f"GET {url}: The specified bucket does not exist."
        raise Unreachable(text, f"404 {text}")
    if prefix and not export and not _exists(fake, f"gs://{bucket}/{prefix}"):
        raise Unreachable(f"No blobs found in {bucket}/{prefix} or prefix doesn't exist")


def _check_azure(fake: State, fields: Row, export: bool) -> None:
    container, prefix = fields.get("container"), str(fields.get("prefix") or "")
    if not fields.get("account_name") or not fields.get("account_key"):
        raise Unreachable(
            "Azure account name and key must be set using environment variables "
            "AZURE_BLOB_ACCOUNT_NAME and AZURE_BLOB_ACCOUNT_KEY or account_name and account_key "
            "fields."
        )
    if not container:
        raise Unreachable("The specified resource name contains invalid characters.")
    if not _exists(fake, f"azure-blob://{container}/"):
        text = f"Container not found: {container}"
        raise Unreachable(text, f"'{text}'")
    if prefix and not export and not _exists(fake, f"azure-blob://{container}/{prefix}"):
        raise Unreachable(f"azure-blob://{container}/{prefix} not found.")


def _check_redis(fake: State, fields: Row, export: bool) -> None:
    server = _redis_server(fields)
    reason = refusal(fake, f"redis://{server}")
    if reason:
        raise Unreachable(reason, refused=True)
    if not _exists(fake, f"redis://{server}/"):
        text = f"Error 111 connecting to {server}. Connection refused."
        raise Unreachable("Can't connect to Redis server.", text)


def _redis_server(fields: Row) -> str:
    return f"{fields.get('host') or 'localhost'}:{fields.get('port') or 6379}"


def _nothing(fields: Row) -> str:
    return ""


PLACES = {
    "s3": Place(
        scheme="s3",
        root=lambda fields: f"s3://{fields['bucket']}/",
        prefix=_folder,
        target=_under_prefix,
        check=_check_s3,
    ),
    "gcs": Place(
        scheme="gs",
        root=lambda fields: f"gs://{fields['bucket']}/",
        prefix=_folder,
        target=_under_prefix,
        check=_check_gcs,
    ),
    "azure": Place(
        scheme="azure-blob",
        root=lambda fields: f"azure-blob://{fields['container']}/",
        prefix=_folder,
        target=_under_prefix,
        check=_check_azure,
    ),
    "redis": Place(
        scheme="redis",
        root=lambda fields: f"redis://{_redis_server(fields)}/{fields['db']}/",
        prefix=lambda fields: str(fields["path"]),
        target=_nothing,
        check=_check_redis,
    ),
    "localfiles": Place(
        scheme="localfiles",
        root=lambda fields: f"localfiles://{local_path(fields['path'])}/",
        prefix=_nothing,
        target=_nothing,
        check=_check_local,
    ),
}
"""Each type of storages with its place."""
