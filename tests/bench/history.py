"""The kept measures of the benchmarks: compared with new ones, and shown in README.md.

python tests/bench/history.py    writes the tables of README.md anew
"""

from __future__ import annotations

import contextlib
import io
import json
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from harness import CPU, Figures, ratios, times

HERE = Path(__file__).parent
KEPT = HERE / "history.jsonl"
README = HERE / "README.md"

BEGIN, END = "<!-- from history.jsonl -->\n", "<!-- the end of it -->\n"

WORSE = 1.15
"""How many times worse a ratio may be without being reported."""


@dataclass(frozen=True)
class Measure:
    """The figures of some programs by round, and which of them are divided by which."""

    title: str
    rounds: dict[str, list[Figures]]
    pairs: list[tuple[str, str]]
    is_compared: bool = True

    def show(self) -> None:
        """Print its tables."""
        times(self.title, self.rounds)
        ratios(self.rounds, self.pairs)

    def found(self) -> Iterator[tuple[str, float, bool]]:
        """The ratios of CPU time: name, median, and whether a higher one is better."""
        for over, under in self.pairs if self.is_compared else ():
            both = zip(self.rounds[over], self.rounds[under], strict=True)
            median = statistics.median(CPU.value(a) / CPU.value(b) for a, b in both)
            yield f"{self.title}: {over} / {under}", median, not over.startswith("ours")


@dataclass(frozen=True)
class Entry:
    """All measures of a run; ``lines`` are what else it found, as README.md has it."""

    kind: str
    date: str
    versions: str
    measures: list[Measure] = field(default_factory=list)
    lines: dict[str, list[str]] = field(default_factory=dict)

    def show(self) -> None:
        """Print its tables, as README.md has them."""
        print(f"A run on {self.date}: {self.versions}. Medians, with the lowest and the highest in")
        print("brackets.")
        for measure in self.measures:
            measure.show()
        for title, lines in self.lines.items():
            print(f"\n### {title}\n", *lines, sep="\n")

    def ratios(self) -> dict[str, tuple[float, bool]]:
        """The medians of the ratios by name, and whether higher ones are better."""
        found = (one for measure in self.measures for one in measure.found())
        return {name: (value, higher) for name, value, higher in found}


def entries(kind: str) -> list[Entry]:
    """The kept entries of a kind, the newest last."""
    lines = KEPT.read_text("utf-8").splitlines() if KEPT.exists() else []
    found = [json.loads(line) for line in lines]
    return [
        Entry(**{**one, "measures": [Measure(**measure) for measure in one["measures"]]})
        for one in found
        if one["kind"] == kind
    ]


def keep(entry: Entry) -> None:
    """Add an entry to the file."""
    text = json.dumps(asdict(entry), default=str, ensure_ascii=False)
    with KEPT.open("a", encoding="utf-8") as file:
        file.write(f"{text}\n")


def worse(before: Entry, now: Entry) -> list[str]:
    """What became more than 15 % worse, and by how much."""
    found, kept = [], before.ratios()
    for name, (value, higher) in now.ratios().items():
        if name not in kept:
            continue
        old = kept[name][0]
        times_worse = old / value if higher else value / old
        if times_worse > WORSE:
            found.append(
                f"{name}: {value:.2f}, and {old:.2f} on {before.date}: "
                f"{100 * (times_worse - 1):.0f} % worse"
            )
    return found


def finish(entry: Entry, *, kept: bool, accepted: bool) -> int:
    """Compare a run with the newest kept one of its kind, and keep it; the exit status.

    A run in which something became worse is kept only if it is ``accepted``, so that the next one
    is compared with the better one, too.
    """
    before: Sequence[Entry] = entries(entry.kind)[-1:]
    found = [line for one in before for line in worse(one, entry)]
    if kept and (accepted or not found):
        keep(entry)
        write()
    print(*(f"WORSE: {line}" for line in found), sep="\n", flush=True)
    return int(bool(found) and not accepted)


def section(kind: str = "replay") -> str:
    """The part of README.md that the newest entry of a kind makes."""
    with contextlib.redirect_stdout(io.StringIO()) as text:
        entries(kind)[-1].show()
    return text.getvalue()


def with_section(text: str) -> str:
    """The text of README.md with today's part."""
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n{section()}\n{END}{rest.split(END)[1]}"


def write() -> None:
    """Write the part of README.md anew."""
    README.write_text(with_section(README.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    write()
