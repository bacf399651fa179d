"""A sync of views and webhooks that is killed at any request, or sent over a bad network, ends as
if nothing had happened.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from labelstudio_orm import Q
from labelstudio_orm.migrate import Report, sync
from tests.unit.kills import Killed, Servers

HOOK = "http://example.com/"


def synced(one: Servers) -> Report:
    """Sync; where both sides were changed, the source's version stays."""
    target = one.client().projects.all()[0]
    return sync(one.project, target, journal=one.journal, conflicts="source")


def state(one: Servers) -> dict[str, Any]:
    """What the target has, by its content."""
    (project,) = one.there.client().projects.all()
    views = sorted(project.views.all(), key=lambda view: (view.order or 0, view.id))
    return {
        **one.state(),
        "views": [view.data for view in views],
        "webhooks": sorted((hook.url, str(hook.headers)) for hook in project.webhooks.all()),
    }


@pytest.fixture
def prepared(tmp_path: Path) -> Callable[[], Servers]:
    """``prepared()`` gives a copy, and changes of each kind since."""
    made = 0

    def make() -> Servers:
        nonlocal made
        made += 1
        folder = tmp_path / str(made)
        folder.mkdir()
        one = Servers(folder)
        project = one.project
        for title in ("Plain", "Gone", "Both"):
            project.views.create(title=title, filters=Q(total_annotations=0))
        for name in ("gone", "changed"):
            project.webhooks.create(url=HOOK + name, headers={"X-Key": "old"})
        assert one.copy().ok

        all_views = list(project.views.all())
        views = {view.data["title"]: view for view in all_views}
        views["Gone"].delete()
        for title in ("Plain", "Both"):
            views[title].data["title"] += ", changed"
            views[title].save()
        (target,) = one.there.client().projects.all()
        (theirs,) = [view for view in target.views.all() if view.data["title"] == "Both"]
        theirs.data["ordering"] = ["-tasks:id"]  # which no request can remove again
        theirs.save()
        new = project.views.create(title="New", filters=Q(total_annotations=1))
        first = [new, views["Both"], views["Plain"]]
        others = [view for view in all_views if view.data.get("title") == "Todo"]
        project.views.set_order([*first, *others])
        hooks = {hook.url.removeprefix(HOOK): hook for hook in project.webhooks.all()}
        hooks["gone"].delete()
        hooks["changed"].headers = {"X-Key": "new"}
        hooks["changed"].save()
        project.webhooks.create(url=HOOK + "new")
        one.wire.writes = 0
        return one

    return make


def undisturbed(prepared: Callable[[], Servers]) -> tuple[dict[str, Any], int]:
    one = prepared()
    report = synced(one)
    assert report.ok, str(report)
    expected = state(one)
    assert [view["title"] for view in expected["views"]][:1] == ["New"]
    assert not any(view.get("ordering") for view in expected["views"])
    return expected, one.wire.writes


@pytest.mark.slow
@pytest.mark.parametrize("how", ["before", "after"])
def test_killed_at_each_write(prepared: Callable[[], Servers], how: str) -> None:
    expected, writes = undisturbed(prepared)
    assert writes >= 9
    for place in range(writes):
        one = prepared()
        one.wire.strike(place, how)
        with pytest.raises(Killed):
            synced(one)
        report = synced(one)
        assert state(one) == expected, f"killed {how} write {place}"
        assert report.ok, f"killed {how} write {place}: {report}"
        sent = one.wire.writes
        assert synced(one).ok
        assert one.wire.writes == sent, "a further run writes nothing"


@pytest.mark.slow
@pytest.mark.parametrize("what", ["lost", "twice", "twice, first answer"])
def test_each_write_goes_wrong_on_the_way(prepared: Callable[[], Servers], what: str) -> None:
    expected, writes = undisturbed(prepared)
    for place in range(writes):
        one = prepared()
        one.wire.strike(place, what)
        report = synced(one)
        assert state(one) == expected, f"write {place} {what}"
        assert report.ok, f"write {place} {what}: {report}"


def test_killed_later_each_time(prepared: Callable[[], Servers]) -> None:
    expected, _ = undisturbed(prepared)
    one = prepared()
    report = one.wire.killed_later_each_time(lambda: synced(one))
    assert report.ok, str(report)
    assert state(one) == expected


def test_an_equal_view_of_the_target_is_no_duplicate(
    prepared: Callable[[], Servers],
) -> None:
    """Only what came while this run was creating something can be one."""
    one = prepared()
    (target,) = one.there.client().projects.all()
    plain = next(view for view in target.views.all() if view.data["title"] == "Plain")
    target.views.create(data={**plain.data, "title": "Plain, changed"})
    report = synced(one)
    assert [(one.kind, one.why) for one in report.differences] == [
        ("views", "created in the target")
    ]
    titles = [view.data["title"] for view in target.views.all()]
    assert titles.count("Plain, changed") == 2
