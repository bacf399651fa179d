"""The places that storages read and write, each with what a storage must be told to find it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote, urlencode

import redis
import requests
from attrs import frozen

from .programs import HOST

BUCKET = "tests"
# What a storage wrote to moto is for its owner alone, but any signature will do.
SIGNED = {"Authorization": "AWS4-HMAC-SHA256 Credential=an-id/20260101/us-east-1/s3/aws4_request"}


class Place(Protocol):
    """Where a storage of one type keeps its objects."""

    def put(self, folder: str, name: str, content: Any) -> None:
        """Write JSON as ``folder/name``."""

    def names(self, folder: str) -> list[str]:
        """The names of the objects in a folder, sorted."""

    def read(self, folder: str, name: str) -> Any:
        """The JSON of an object."""

    def fields(self, folder: str) -> dict[str, Any]:
        """The fields of a storage upon this folder."""

    def lost(self) -> dict[str, Any]:
        """Other values for some of these fields, with which there is nothing to be found."""


@frozen
class Disk:
    """A folder on this machine, the document root of the server."""

    root: Path

    def put(self, folder: str, name: str, content: Any) -> None:
        self._folder(folder).joinpath(name).write_text(json.dumps(content))

    def names(self, folder: str) -> list[str]:
        return sorted(path.name for path in self._folder(folder).iterdir())

    def read(self, folder: str, name: str) -> Any:
        return json.loads(self._folder(folder).joinpath(name).read_text())

    def fields(self, folder: str) -> dict[str, Any]:
        return {"path": str(self._folder(folder))}

    def lost(self) -> dict[str, Any]:
        return {"path": str(self.root / "nowhere")}

    def _folder(self, name: str) -> Path:
        path = self.root / name
        path.mkdir(exist_ok=True)
        return path


@frozen
class S3:
    """A bucket of moto."""

    url: str

    def put(self, folder: str, name: str, content: Any) -> None:
        _ask("PUT", f"{self.url}/{BUCKET}/{folder}/{name}", json=content, headers=SIGNED)

    def names(self, folder: str) -> list[str]:
        answer = _ask("GET", f"{self.url}/{BUCKET}?list-type=2&prefix={folder}/").text
        keys = [part.partition("<")[0] for part in answer.split("<Key>")[1:]]
        return sorted(key.removeprefix(f"{folder}/") for key in keys)

    def read(self, folder: str, name: str) -> Any:
        return _ask("GET", f"{self.url}/{BUCKET}/{folder}/{name}", headers=SIGNED).json()

    def fields(self, folder: str) -> dict[str, Any]:
        keys = {"aws_access_key_id": "an-id", "aws_secret_access_key": "a-secret-key"}
        return {"bucket": BUCKET, "prefix": folder, "s3_endpoint": self.url, **keys}

    def lost(self) -> dict[str, Any]:
        return {"bucket": "nowhere"}


@frozen
class GCS:
    """A bucket of gcp-storage-emulator. A server finds it by its STORAGE_EMULATOR_HOST."""

    url: str

    def put(self, folder: str, name: str, content: Any) -> None:
        query = urlencode({"uploadType": "media", "name": f"{folder}/{name}"})
        # As application/json it would be taken for a description of the object.
        headers = {"Content-Type": "application/octet-stream"}
        url = f"{self.url}/upload/storage/v1/b/{BUCKET}/o?{query}"
        _ask("POST", url, data=json.dumps(content), headers=headers)

    def names(self, folder: str) -> list[str]:
        query = urlencode({"prefix": f"{folder}/"})
        items = _ask("GET", f"{self.url}/storage/v1/b/{BUCKET}/o?{query}").json().get("items", [])
        return sorted(item["name"].removeprefix(f"{folder}/") for item in items)

    def read(self, folder: str, name: str) -> Any:
        key = quote(f"{folder}/{name}", safe="")
        return _ask("GET", f"{self.url}/storage/v1/b/{BUCKET}/o/{key}?alt=media").json()

    def fields(self, folder: str) -> dict[str, Any]:
        return {"bucket": BUCKET, "prefix": folder}

    def lost(self) -> dict[str, Any]:
        return {"bucket": "nowhere"}


@frozen
class Azure:
    """A container of Azurite.

    A storage has no field for an endpoint, but puts its ``account_key`` into a connection string,
    where more can follow. A host that cannot be reached would be tried for more than a minute.
    """

    url: str
    account = "devstoreaccount1"
    # Azurite's own, the same everywhere; not a secret.
    key = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="

    def put(self, folder: str, name: str, content: Any) -> None:
        headers = {"x-ms-blob-type": "BlockBlob"}
        _ask("PUT", self._address(f"/{folder}/{name}"), json=content, headers=headers)

    def names(self, folder: str) -> list[str]:
        listing = {"restype": "container", "comp": "list", "prefix": f"{folder}/"}
        parts = _ask("GET", self._address("", **listing)).text.split("<Name>")[1:]
        return sorted(part.partition("<")[0].removeprefix(f"{folder}/") for part in parts)

    def read(self, folder: str, name: str) -> Any:
        return _ask("GET", self._address(f"/{folder}/{name}")).json()

    def fields(self, folder: str) -> dict[str, Any]:
        key = f"{self.key};BlobEndpoint={self.url}/{self.account}"
        place = {"container": BUCKET, "prefix": folder}
        return {**place, "account_name": self.account, "account_key": key}

    def lost(self) -> dict[str, Any]:
        return {"container": "nowhere"}

    def make_container(self) -> None:
        _ask("PUT", self._address("", restype="container"))

    def _address(self, path: str, **query: str) -> str:
        """A URL that carries a signature for the whole account."""
        allowed = {"sp": "rwdlac", "ss": "b", "srt": "sco", "se": "2099-01-01T00:00:00Z"}
        version = "2019-12-12"
        lines = (self.account, *allowed.values(), version)
        account, sp, ss, srt, se, sv = lines
        text = "\n".join((account, sp, ss, srt, "", se, "", "", sv, ""))
        digest = hmac.new(base64.b64decode(self.key), text.encode(), hashlib.sha256).digest()
        signed = {**allowed, "sv": version, "sig": base64.b64encode(digest).decode()}
        return f"{self.url}/{self.account}/{BUCKET}{path}?{urlencode({**query, **signed})}"


@frozen
class Redis:
    """The keys of a Redis that begin with ``folder/``, in database 1.

    An export storage writes to database 2, and puts no folder before its keys.
    """

    port: int

    def put(self, folder: str, name: str, content: Any) -> None:
        self._database(1).set(f"{folder}/{name}", json.dumps(content))
        self._database(2).set(name, json.dumps(content))

    def names(self, folder: str) -> list[str]:
        keys: Any = self._database(2).keys()
        return sorted(keys)

    def read(self, folder: str, name: str) -> Any:
        stored: Any = self._database(2).get(name)
        return json.loads(stored)

    def fields(self, folder: str) -> dict[str, Any]:
        return {"host": HOST, "port": str(self.port), "path": f"{folder}/"}

    def lost(self) -> dict[str, Any]:
        return {"port": "1"}

    def _database(self, number: int) -> redis.Redis:
        return redis.Redis(HOST, self.port, number, decode_responses=True)


def _ask(method: str, url: str, **options: Any) -> requests.Response:
    answer = requests.request(method, url, timeout=30, **options)
    answer.raise_for_status()
    return answer
