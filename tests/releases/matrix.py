"""Every check on every release of the server: the second table of `docs/releases.md`.

    python -m tests.releases.matrix [RELEASE ...] [--share 0.1] [--checks law quickstart] [--newest]
    python -m tests.releases.matrix --table

A check is green, or ends in refusals that name what the release lacks; anything else is red, and
the command then fails. What a check gave is kept in ``.cache/releases``, so that a run that was
killed goes on where it was: green results count as long as the library is the same, and were at
least as large. ``--table`` prints what is kept and runs nothing; ``--newest`` tries the releases
that the package index has beyond those below.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from pathlib import Path
from xml.etree import ElementTree

import attrs

from labelstudio_orm._engine.http.server import numbers_of
from labelstudio_orm.testing import LocalServerError
from labelstudio_orm.testing import _releases as installable

ROOT = Path(__file__).resolve().parents[2]
KEPT = ROOT / ".cache" / "releases"
PAGE = ROOT / "docs" / "releases.md"

RELEASES = (
    "1.13.1", "1.15.0", "1.17.0", "1.18.0", "1.20.0", "1.21.0", "1.22.0", "1.23.0", "1.23.2"
)  # fmt: skip
QUERIES, VIEWS, TASKS = 2000, 200, 300


@attrs.frozen
class Check:
    """Something that is run on a release in a process of its own.

    Attributes:
        title: The head of its column.
        command: The arguments of the interpreter for a release, a share of the full size, and the
            folder to leave files in.
        words: What the table says of it, from the folder.
    """

    title: str
    command: Callable[[str, float, Path], list[str]]
    words: Callable[[Path], str]


@attrs.frozen
class Result:
    """What a check gave."""

    green: bool
    words: str
    share: float
    seconds: float
    day: str
    code: str

    @property
    def cell(self) -> str:
        """What the table has."""
        return self.words if self.green else f"**{self.words}**"


# -- the checks ------------------------------------------------------------------------------------


def _suite(folder: str) -> Check:
    def command(release: str, share: float, left: Path) -> list[str]:
        jobs = ["-n", os.environ.get("JOBS", "2"), "--dist", "loadfile", "--no-loadscope-reorder"]
        found = f"--junitxml={left / 'suite.xml'}"
        return ["-m", "pytest", "-q", "-m", "live", "-p", "no:cacheprovider", *jobs, found, folder]

    return Check(f"`{folder}`", command, _tests)


def _tests(left: Path) -> str:
    """Return how many tests passed, were refused by name, and failed."""
    path = left / "suite.xml"
    if not path.exists():
        return "broke off"
    cases = list(ElementTree.parse(path).iter("testcase"))
    refused = sum(one.find("properties/property[@name='refused']") is not None for one in cases)
    failed = sum(one.find("failure") is not None or one.find("error") is not None for one in cases)
    text = f"{len(cases) - failed:,}"
    text += f", {refused} of them refusals" if refused else ""
    return text + (f", {failed} failed" if failed else "")


def _law(release: str, share: float, left: Path) -> list[str]:
    sizes = [f"--queries={_part(QUERIES, share)}", f"--views={_part(VIEWS, share)}"]
    return ["-m", "tests.law.law", "--server", "sqlite", *sizes]


def _queries(left: Path) -> str:
    """Return how many queries and views were tried, and what became of them."""
    output = _output(left)
    found = re.findall(r"(\d+) queries, .*?(?:; (\d+) views: ([^;]*))?; (\d+) broken;", output)
    if not found:
        return "broke off"
    queries, views, kinds, broken = found[-1]
    refused = re.search(r"(\d+) refused", kinds)
    text = f"{int(queries):,} + {int(views or 0):,}"
    text += f", {refused[1]} views refused" if refused else ""
    return text + (f", {broken} broken" if int(broken) else "")


def _quickstart(release: str, share: float, left: Path) -> list[str]:
    return ["examples/demo.py"]


def _copy(*, to: bool) -> Check:
    def command(release: str, share: float, left: Path) -> list[str]:
        newest = installable.VERSION
        sides = [release, newest] if to else [newest, release]
        return ["-m", "tests.releases.copies", *sides, f"--tasks={_part(TASKS, share)}"]

    return Check(f"copy {'to' if to else 'from'} {installable.VERSION}", command, _last)


def _last(left: Path) -> str:
    lines = [line for line in _output(left).splitlines() if line.strip()]
    return lines[-1] if lines and re.fullmatch(r"[\d,]+ tasks", lines[-1]) else "broke off"


CHECKS = {
    "both": _suite("tests/both"),
    "live": _suite("tests/live"),
    "law": Check("law: queries + views", _law, _queries),
    "quickstart": Check("quickstart", _quickstart, lambda _: "yes"),
    "copy-to": _copy(to=True),
    "copy-from": _copy(to=False),
}


def _part(full: int, share: float) -> int:
    return max(1, round(full * share))


def _output(left: Path) -> str:
    return (left / "output").read_text("utf-8", "replace")


# -- the run ---------------------------------------------------------------------------------------


def code() -> str:
    """Return a digest of the library, by which a result belongs to it."""
    digest = hashlib.sha256()
    package = ROOT / "labelstudio_orm"
    for path in sorted(package.rglob("*.py")):
        digest.update(f"{path.relative_to(package)}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def kept(release: str, name: str) -> Result | None:
    """Return what a check gave the last time."""
    path = KEPT / release / name / "result.json"
    return Result(**json.loads(path.read_text("utf-8"))) if path.exists() else None


def tried(release: str, name: str, share: float) -> Result:
    """Run a check on a release, and keep what it gave."""
    check, left = CHECKS[name], KEPT / release / name
    left.mkdir(parents=True, exist_ok=True)
    for old in left.iterdir():
        old.unlink()
    began, of = time.monotonic(), code()
    with (left / "output").open("wb") as output:
        command = [sys.executable, *check.command(release, share, left)]
        environ = {
            **os.environ, "LABELSTUDIO_ORM_SERVER": release, "PYTHONPATH": str(ROOT)
        }  # fmt: skip
        done = subprocess.run(
            command, cwd=ROOT, env=environ, stdout=output, stderr=subprocess.STDOUT, check=False
        )
    seconds = round(time.monotonic() - began, 1)
    green = done.returncode == 0
    words = check.words(left) if green or check.words(left) != "yes" else "failed"
    result = Result(green, words, share, seconds, date.today().isoformat(), of)
    draft = left / "draft"
    draft.write_text(json.dumps(attrs.asdict(result), indent=1), "utf-8")
    draft.rename(left / "result.json")
    return result


def run(releases: Sequence[str], names: Sequence[str], share: float) -> bool:
    """Run what is not green yet; returns whether all is."""
    everything, of = True, code()
    for release in releases:
        try:
            installable.installed(installable.check_release(release))
        except LocalServerError as error:
            print(f"{release}: {error}", file=sys.stderr, flush=True)
            everything = False
            continue
        for name in names:
            result = kept(release, name)
            if not (result and result.green and result.code == of and result.share >= share):
                result = tried(release, name, share)
            everything &= result.green
            line = f"{release:8} {name:11} {result.seconds:7.0f} s  {result.words}"
            print(line, file=sys.stderr, flush=True)
            if not result.green:
                print(f"    see {KEPT / release / name / 'output'}", file=sys.stderr, flush=True)
    return everything


def newer() -> list[str]:
    """Return the releases of the package index that are newer than those above."""
    command = [sys.executable, "-m", "pip", "index", "versions", "label-studio"]
    answer = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.search(r"Available versions: (.*)", answer)
    offered = found[1].split(", ") if found else []
    newest = numbers_of(RELEASES[-1])
    return sorted((one for one in offered if numbers_of(one) > newest), key=numbers_of)


def table(releases: Sequence[str]) -> Iterator[str]:
    """Yield the lines of the table of what is kept."""
    yield "| release | " + " | ".join(check.title for check in CHECKS.values()) + " | run on |"
    yield "| --- |" + " --- |" * (len(CHECKS) + 1)
    for release in releases:
        results = [kept(release, name) for name in CHECKS]
        days = sorted({one.day for one in results if one})
        cells = [one.cell if one else "-" for one in results]
        yield f"| {release} | {' | '.join(cells)} | {' to '.join(days[:1] + days[1:][-1:])} |"


def main() -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("releases", nargs="*", help=f"default: {', '.join(RELEASES)}")
    parser.add_argument("--checks", nargs="+", choices=list(CHECKS), default=list(CHECKS))
    parser.add_argument("--share", type=float, default=1.0, help="of the sizes of law and copies")
    parser.add_argument("--newest", action="store_true", help="those that are newer than all here")
    parser.add_argument("--table", action="store_true", help="print what is kept, and run nothing")
    options = parser.parse_args()
    releases = newer() if options.newest else options.releases or list(RELEASES)
    if options.newest and not releases:
        print(f"the package index has no release that is newer than {RELEASES[-1]}")
        return 0
    green = options.table or run(releases, options.checks, options.share)
    print("\n".join(table(releases)))
    return 0 if green else 1


if __name__ == "__main__":
    sys.exit(main())
