"""The servers that the tests run on, and a project to try things in."""

from __future__ import annotations

import gc
import logging
import re
import uuid
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from labelstudio_orm import LabelStudio, NotSupportedByServer, Project
from labelstudio_orm._engine.http import releases
from labelstudio_orm.testing import FakeLabelStudio, LocalLabelStudio
from labelstudio_orm.testing.fake._checks import contract
from tests.helpers import is_on_tested_release

CONFIG = """\
<View>
  <Text name="text" value="$text"/>
  <Choices name="sentiment" toName="text">
    <Choice value="Positive"/><Choice value="Neutral"/><Choice value="Negative"/>
  </Choices>
  <Rating name="stars" toName="text"/>
</View>
"""

hypothesis.settings.register_profile("tests", deadline=None)  # machines are busy at times
hypothesis.settings.load_profile("tests")


# About how long a test with a mark takes, as so many others.
LONG = {"live": 20, "slow": 10}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--releases``: else tests of releases other than the tested one are left out."""
    parser.addoption("--releases", action="store_true", help="run what installs older releases")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """``-m "not live"`` leaves out every test that needs the real server. The longest files come
    first, so that workers that share them out end together (with ``--no-loadscope-reorder``).
    """
    for item in items:
        names = getattr(item, "fixturenames", ())
        params = getattr(getattr(item, "callspec", None), "params", {})
        real = any("real" in str(params.get(name, "")) for name in ("ls", "shared"))
        if real or "server" in names:
            item.add_marker(pytest.mark.live)
    length: Counter[Path] = Counter()
    for item in items:
        marks = {mark.name for mark in item.iter_markers()}
        length[item.path] += max(LONG.get(name, 1) for name in marks | {"test"})
    items.sort(key=lambda item: -length[item.path])


def _is_on_tested_release(operation: contract.Operation) -> bool:
    feature = releases.feature_of(operation.verb, operation.path)
    return feature is None or is_on_tested_release(feature)


REFUSED = "refused"
"""The property of a test that ended in the refusal that its mark ``needs`` names."""


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, Any, Any]:
    """``@pytest.mark.needs("HOTKEYS")`` names the features without which a test ends in a refusal.

    On a real server that lacks one, it must raise what names the first of these. The server in
    memory has all.
    """
    named = [name for mark in pyfuncitem.iter_markers("needs") for name in mark.args]
    features = [getattr(releases, name) for name in named]
    lacking = [one for one in features if not is_on_tested_release(one)]
    if not lacking or not any(pyfuncitem.iter_markers("live")):
        return (yield)
    says = [re.escape(f"{one.name} needs Label Studio {one.release} or newer") for one in lacking]
    with pytest.raises(NotSupportedByServer, match="|".join(says)):
        yield
    pyfuncitem.user_properties.append((REFUSED, lacking[0].name))
    return True


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what the server refused by name, in tests that passed so."""
    reports = terminalreporter.stats.get("passed", [])
    found = Counter(
        value for one in reports for name, value in one.user_properties if name == REFUSED
    )
    for name, count in found.most_common():
        terminalreporter.line(f"refused by name in {count} tests: {name}")


def pytest_collection_finish() -> None:
    """Keep thousands of collected tests out of each later search for garbage."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="module", autouse=True)
def _quick_digests(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let a journal digest secrets in no time, where no other process reads it: 100,000 rounds for
    each secret are half the time of many tests.
    """
    with pytest.MonkeyPatch.context() as patch:
        if request.path.parent.name in ("both", "unit"):
            patch.setattr("labelstudio_orm._migrate.engine.related._ROUNDS", 1)
        yield


@pytest.fixture(scope="session")
def server() -> Iterator[LocalLabelStudio]:
    """One real Label Studio for the whole run (for each worker process of it)."""
    with LocalLabelStudio() as local:
        yield local


@pytest.fixture
def fake() -> FakeLabelStudio:
    """A fresh Label Studio in memory."""
    return FakeLabelStudio()


@pytest.fixture
def project(ls: LabelStudio) -> Iterator[Project]:
    """An empty project for text classification, deleted afterwards."""
    made = ls.projects.create(title=f"Test {uuid.uuid4().hex[:8]}", label_config=CONFIG)
    yield made
    ls.request("DELETE", f"/api/projects/{made.id}/")


@pytest.fixture
def asked(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """``asked()`` gives the requests sent since it was last called: ``["GET /api/tasks/"]``."""
    caplog.set_level(logging.DEBUG, logger="labelstudio_orm")

    def since() -> list[str]:
        sent = [
            " ".join(record.getMessage().split()[:2]).rstrip(":")
            for record in caplog.records
            if record.name == "labelstudio_orm"
        ]
        caplog.clear()
        return sent

    since()
    return since


@pytest.fixture(autouse=True)
def _operations_that_a_mark_names(request: pytest.FixtureRequest) -> Iterator[None]:
    """``@pytest.mark.operation("webhooks.create")`` says what a test runs; here it is held to it:
    each of them was sent by the library during the test, and answered with a success. Those that
    the release of the real server lacks are done another way, or the test has the mark ``needs``.
    """
    named = {name for mark in request.node.iter_markers("operation") for name in mark.args}
    if not named:
        yield
        return
    operations = contract.operations()
    unknown = named - operations.keys()
    assert not unknown, f"no such operations: {unknown}"
    if any(request.node.iter_markers("live")):
        named = {name for name in named if _is_on_tested_release(operations[name])}
    done: set[str | None] = set()

    def note(record: logging.LogRecord) -> bool:
        words = record.getMessage().split()
        if len(words) > 2 and words[2].startswith("2"):
            done.add(contract.match(words[0], words[1].rstrip(":")))
        return True

    log = logging.getLogger("labelstudio_orm")
    level = log.level
    log.setLevel(logging.DEBUG)
    log.addFilter(note)
    try:
        yield
    finally:
        log.removeFilter(note)
        log.setLevel(level)
    if REFUSED in dict(request.node.user_properties):
        return  # and what would have come after
    assert named <= done, f"marked, but not done: {named - done}"
