"""Snapshots that are damaged, edited, of somebody else's making, or absurd: BadSnapshot with the
path, before anything is written.
"""

from __future__ import annotations

import copy
import json
import random
import stat
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelstudio_orm import LabelStudio, LabelStudioError, Project, Q, Retry
from labelstudio_orm._migrate.engine import zipped
from labelstudio_orm._migrate.engine.remap import translate_view, users_in
from labelstudio_orm.migrate import (
    ArchiveSource,
    BadSnapshot,
    Limits,
    copy_project,
    merge,
    restore,
    snapshot,
    verify,
)
from labelstudio_orm.testing import FakeLabelStudio

from .test_files import full_disk

CONFIG = """\
<View>
  <Image name="image" value="$image"/>
  <Choices name="quality" toName="image"><Choice value="ok"/></Choices>
</View>
"""
BUCKET = "s3://cars/a.json"


def choice() -> dict[str, Any]:
    kind = {"from_name": "quality", "to_name": "image", "type": "choices"}
    return {"id": "r1", **kind, "value": {"choices": ["ok"]}}


def client_of(fake: FakeLabelStudio) -> LabelStudio:
    fake.blobs[BUCKET] = b"{}"
    return fake.client(retries=Retry(total=0, sleep=lambda seconds: None))


def cars(ls: LabelStudio, folder: Path) -> Project:
    """A project with one of each thing."""
    ann = ls.users.create(email="ann@example.com", first_name="Ann")
    project = ls.projects.create(title="Cars", label_config=CONFIG, sampling="Uniform sampling")
    (folder / "a.png").write_bytes(b"PNG" * 100)
    file = project.files.upload(folder / "a.png").file
    mine = {"result": [choice()], "completed_by": ann, "lead_time": 1.5, "ground_truth": True}
    project.tasks.bulk_create(
        [
            {
                "data": {"image": f"/data/{file}", "n": 1.5},
                "meta": {"a": "é"},
                "annotations": [mine],
                "predictions": [{"result": [choice()], "score": 0.25, "model_version": "v1"}],
            },
            {"image": "b.png"},
            {"data": {"image": "c.png"}, "allow_skip": False},
        ]
    )
    task = project.tasks[0]
    ls.drafts.create(task=task.id, result=[choice()], annotation=task.annotations[0].id)
    project.views.create(title="Mine", filters=Q(annotators=ann))
    project.views.create(title="All")
    project.webhooks.create(url="http://8.8.8.8/hook")
    project.import_storages.s3.create(bucket="cars", title="Cars")
    return project


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The members of a good snapshot."""
    folder = tmp_path_factory.mktemp("cars")
    assert snapshot(cars(client_of(FakeLabelStudio()), folder), folder / "cars.zip").ok
    with zipfile.ZipFile(folder / "cars.zip") as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture
def target() -> LabelStudio:
    return client_of(FakeLabelStudio("http://target.fake"))


def write(path: Path, members: Mapping[str, bytes], **options: Any) -> Path:
    with zipfile.ZipFile(path, "w", **options) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def refused(path: Path, ls: LabelStudio, says: str = ".", **options: Any) -> str:
    """The text of the BadSnapshot with which it is refused, whichever way it is read."""
    with pytest.raises(BadSnapshot, match=says) as found:
        restore(path, ls, missing_users="create", **options)
    text = str(found.value)
    assert path.name in text
    assert len(text) < 2000
    assert ls.projects.count() == 0
    return text


# -- the file, its directory and its members ------------------------------------------------------


def test_a_good_one_is_restored(
    good: dict[str, bytes], target: LabelStudio, tmp_path: Path
) -> None:
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        path = write(tmp_path / "good.zip", good, compression=method)
        assert restore(path, target, missing_users="create").ok
    path = write(tmp_path / "more.zip", {**good, "notes/é.txt": b"mine"})  # a later version's
    assert restore(path, target, missing_users="create").ok


def test_each_member_is_needed(good: dict[str, bytes], target: LabelStudio, tmp_path: Path) -> None:
    for name in good:
        less = {other: content for other, content in good.items() if other != name}
        assert name in refused(write(tmp_path / "less.zip", less), target)


@pytest.mark.parametrize("content", [b"", b"{", b"[1", b"\xff", b"\xef\xbb\xbf{}", b"nil\n", b"\n"])
def test_each_member_is_json(
    good: dict[str, bytes], target: LabelStudio, tmp_path: Path, content: bytes
) -> None:
    for name in good:
        if content or name.startswith(("tasks", "manifest", "settings", "files")):
            path = write(tmp_path / "odd.zip", {**good, name: content})
            refused(path, target, name.partition(".")[0])


def test_no_member_is_there_twice(
    good: dict[str, bytes], target: LabelStudio, tmp_path: Path
) -> None:
    for name in good:
        path = write(tmp_path / "twice.zip", good)
        with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr(name, good[name])
        refused(path, target, f"{name}.*two members of this name")


@pytest.mark.parametrize(
    "name",
    ["../a", "files/../../a", "/etc/a", "C:/a", "C:a", "a\\b", "..\\a", "a//b", "./a", "a\nb"],
)
def test_no_name_leads_elsewhere(
    good: dict[str, bytes], target: LabelStudio, tmp_path: Path, name: str
) -> None:
    refused(write(tmp_path / "odd.zip", {**good, name: b"x"}), target, "name")


def test_links_and_devices_are_no_members(
    good: dict[str, bytes], target: LabelStudio, tmp_path: Path
) -> None:
    for kind in (stat.S_IFLNK, stat.S_IFBLK, stat.S_IFIFO):
        path = write(tmp_path / "link.zip", good)
        info = zipfile.ZipInfo("files/upload/1/a.png")
        info.external_attr = (kind | 0o777) << 16
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr(info, b"/etc/passwd")
        refused(path, target, "it is a link or a device")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compressions_are_refused(
    good: dict[str, bytes], target: LabelStudio, tmp_path: Path, method: int
) -> None:
    refused(write(tmp_path / "odd.zip", good, compression=method), target, "its compression")


def test_an_encrypted_snapshot_is_refused(
    good: dict[str, bytes], target: LabelStudio, tmp_path: Path
) -> None:
    path = write(tmp_path / "odd.zip", good)
    content = bytearray(path.read_bytes())
    at = content.index(b"PK\x01\x02")
    content[at + 8] |= 1
    path.write_bytes(content)
    refused(path, target, "it is encrypted")


def test_cut_and_changed_bytes(good: dict[str, bytes], target: LabelStudio, tmp_path: Path) -> None:
    """Wherever it is cut or a byte is another one, it is refused, or it says the same."""
    path = write(tmp_path / "odd.zip", good, compression=zipfile.ZIP_DEFLATED)
    whole = path.read_bytes()
    chance = random.Random(7)
    for _ in range(150):
        at = chance.randrange(len(whole))
        path.write_bytes(whole[:at])
        refused(path, target)
        path.write_bytes(
            whole[:at] + bytes([whole[at] ^ 1 << chance.randrange(8)]) + whole[at + 1 :]
        )
        try:
            with ArchiveSource(path) as source:
                source.check()
                same = {name: source._members._zip.read(name) for name in good}
        except BadSnapshot as error:
            assert path.name in str(error)  # noqa: PT017
        else:
            assert same == good


def test_what_is_no_archive(target: LabelStudio, tmp_path: Path) -> None:
    for content in (b"", b"PK", b"PK\x05\x06", b"x" * 100, b"PK\x05\x06" + bytes(18)):
        (tmp_path / "odd.zip").write_bytes(content)
        refused(tmp_path / "odd.zip", target, "is not a snapshot")
    with pytest.raises(FileNotFoundError, match="nothing"):
        restore(tmp_path / "nothing.zip", target)
    with pytest.raises(IsADirectoryError, match=str(tmp_path)):
        restore(tmp_path, target)


# -- limits ---------------------------------------------------------------------------------------


def bomb(path: Path, good: Mapping[str, bytes], name: str, size: int) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for other, content in good.items():
            archive.writestr(other, content)
        with archive.open(name, "w") as member:
            for _ in range(size >> 20):
                member.write(bytes(1 << 20))
    return path


def test_what_is_larger_than_it_may_be(
    good: dict[str, bytes], target: LabelStudio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zipped, "_SMALL", 10 << 20)
    path = bomb(tmp_path / "bomb.zip", good, "more", 20 << 20)
    refused(path, target, r"times as much as the file.*limits=Limits\(ratio=\.\.\.\)")
    refused(path, target, "limits=Limits.size", limits=Limits(size=1 << 20))
    less = {name: content for name, content in good.items() if name != "views.jsonl"}
    path = bomb(tmp_path / "bomb.zip", less, "views.jsonl", 20 << 20)  # one line without an end
    refused(
        path, target, r"views\.jsonl.*limits=Limits\(row", limits=Limits(row=1 << 20, ratio=2000)
    )
    path = write(tmp_path / "good.zip", good)
    refused(path, target, "limits=Limits.members", limits=Limits(members=3))
    refused(path, target, "nested more than 3 levels", limits=Limits(depth=3))
    with pytest.raises(BadSnapshot, match=r"limits=Limits\(size"):
        ArchiveSource(path, limits=Limits(size=100))


@pytest.mark.parametrize("depth", [601, 100_000])
def test_what_is_nested_too_deeply(
    good: dict[str, bytes], target: LabelStudio, tmp_path: Path, depth: int
) -> None:
    for name in ("manifest.json", "settings.json", "views.jsonl"):
        text = b"[" * depth + b"]" * depth
        path = write(tmp_path / "deep.zip", {**good, name: b'{"data": ' + text + b"}\n"})
        refused(path, target, "nested")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b"5", "line 1: it is 5, not a JSON object"),
        (b'{"id": NaN}', "NaN is not a JSON number"),
        (b'{"id": 1e999}', "1e999 is not a number that a server can store"),
        (b'{"id": "\\ud800"}', "surrogates not allowed"),
        (b'{"id": "\xff"}', "invalid start byte"),
    ],
)
def test_what_no_server_can_store(
    good: dict[str, bytes], target: LabelStudio, tmp_path: Path, line: bytes, says: str
) -> None:
    refused(write(tmp_path / "odd.zip", {**good, "views.jsonl": line}), target, says)


def test_a_member_of_one_text_is_no_longer_than_a_row(
    good: dict[str, bytes], target: LabelStudio, tmp_path: Path
) -> None:
    path = write(
        tmp_path / "long.zip", {**good, "settings.json": good["settings.json"] + b" " * 9999}
    )
    refused(
        path, target, r"a settings\.json of more bytes.*limits=Limits\(row", limits=Limits(row=9000)
    )


# -- what stands in the JSON ----------------------------------------------------------------------

GONE: Final = object()
HOSTILE: Final[list[Any]] = [
    GONE, None, True, 0, -1, 2**63, 10**30, 1.5, float("nan"), "", "x", "\ud800", "a\0b",
    "x" * 3000, "/data/upload/1/..%2F..%2Fapi", [], [1], [[]], {}, {"a": 1}, "2020-01-01T00:00:00Z",
]  # fmt: skip

Case = tuple[str, tuple[Any, ...], Any]


def paths(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if not isinstance(value, (dict, list)):
        return
    for name, one in value.items() if isinstance(value, dict) else enumerate(value):
        yield (*at, name)
        yield from paths(one, (*at, name))


def documents(good: Mapping[str, bytes]) -> Iterator[tuple[str, list[Any]]]:
    for name, content in good.items():
        if name.endswith(".json"):
            yield name, [json.loads(content)]
        elif name.endswith(".jsonl"):
            yield name, [json.loads(line) for line in content.splitlines()]


def changed(rows: list[Any], at: tuple[Any, ...], value: Any) -> bytes:
    rows = copy.deepcopy(rows)
    place: Any = rows
    for name in at[:-1]:
        place = place[name]
    if value is GONE:
        del place[at[-1]]
    else:
        place[at[-1]] = value
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


@pytest.mark.slow
def test_any_value_in_any_place_is_restored_or_refused(
    good: dict[str, bytes], tmp_path: Path
) -> None:
    """Any value in any place: it is refused with its path and its member; or it is restored, and
    the report says what is not the same.
    """
    known = dict(documents(good))
    cases = [
        (name, at, new) for name, rows in known.items() for at in paths(rows) for new in HOSTILE
    ]
    for name, at, new in random.Random(11).sample(cases, 80):
        path = write(tmp_path / "odd.zip", {**good, name: changed(known[name], at, new)})
        ls = client_of(FakeLabelStudio("http://target.fake"))
        try:
            report = restore(path, ls, missing_users="create")
        except BadSnapshot as error:
            text = str(error)
            assert path.name in text
            assert name.partition(".")[0] in text or "manifest.json" in text
            assert ls.projects.count() == 0
            assert len(text) < 2000
        except LabelStudioError:
            assert ls.projects.count() == 0
        else:
            with ArchiveSource(path) as source:
                assert report.target is not None
                assert not report.ok or verify(source, report.target).ok


@pytest.mark.parametrize(
    ("member", "change", "says"),
    [
        ("manifest", lambda row: row.pop("version"), "its version is None"),
        ("manifest", lambda row: row.update(version=True), "its version is True"),
        ("manifest", lambda row: row.update(version="1"), "its version is '1'"),
        ("manifest", lambda row: row.update(version=0), "its version is 0"),
        (
            "manifest",
            lambda row: row["counts"].update(tasks=4),
            "it counts 4 tasks, and there are 3",
        ),
        (
            "manifest",
            lambda row: row["counts"].update(drafts=0),
            "it counts 0 drafts, and there are 1",
        ),
        (
            "manifest",
            lambda row: row["counts"].pop("views"),
            "it counts None views, and there are 2",
        ),
        ("manifest", lambda row: row["tasks"].append(row["tasks"][0]), "000000.jsonl twice"),
        ("manifest", lambda row: row["tasks"].clear(), "tasks, and there are 0"),
        (
            "manifest",
            lambda row: row["tasks"][0].update(name="users.jsonl"),
            r"tasks\[0\]: name is",
        ),
        ("settings", lambda row: row.pop("label_config"), "label_config is missing"),
        ("settings", lambda row: row.update(is_published="no"), "is_published is 'no', not true"),
        ("settings", lambda row: row.update(sampling="x"), "sampling is 'x', not one of"),
        ("tasks", lambda row: row.update(id="1"), "line 1: id is '1', not an id"),
        ("tasks", lambda row: row.update(id=7), "task 2 comes after task 7"),
        ("tasks", lambda row: row.update(annotations=None), "annotations is None, not a list"),
        ("tasks", lambda row: row["annotations"].append(3), r"annotations\[1\]: it is 3"),
        (
            "tasks",
            lambda row: row["annotations"][0].pop("completed_by"),
            r"annotations\[0\]: completed_by is missing",
        ),
        ("users", lambda row: row.update(email=None), "users.jsonl, line 1: email is None"),
        ("storages", lambda row: row.update(family="tasks"), "family is 'tasks', not one of"),
        ("files", lambda row: row.update(file="../../a"), "not upload/<number>/<plain name>"),
        ("files", lambda row: row.update(file="upload/1/..%2Fa"), "not upload/<number>"),
        ("files", lambda row: row.update(size=3), "is missing, or of another size"),
        ("files", lambda row: row.update(file="upload/9/b.png"), "upload/9/b.png is missing"),
    ],
)
def test_the_error_names_the_member_and_the_reason(
    good: dict[str, bytes],
    target: LabelStudio,
    tmp_path: Path,
    member: str,
    change: Callable[[dict[str, Any]], Any],
    says: str,
) -> None:
    name = next(
        name for name in good if name.startswith(member) and name.endswith(("json", "jsonl"))
    )
    first, *more = good[name].splitlines() if name.endswith("jsonl") else [good[name]]
    row = json.loads(first)
    change(row)
    content = b"\n".join([json.dumps(row).encode(), *more, b""])
    text = refused(write(tmp_path / "odd.zip", {**good, name: content}), target, says)
    assert name in text


def test_a_row_is_there_once(good: dict[str, bytes], target: LabelStudio, tmp_path: Path) -> None:
    for name, content in good.items():
        if name.endswith(".jsonl") and content:
            twice = content + content.splitlines(keepends=True)[-1]
            refused(write(tmp_path / "odd.zip", {**good, name: twice}), target, "twice|comes after")


def test_every_verb_reads_it_first(
    good: dict[str, bytes], target: LabelStudio, tmp_path: Path
) -> None:
    rows = good["tasks/000000.jsonl"].splitlines(keepends=True)
    path = write(
        tmp_path / "odd.zip", {**good, "tasks/000000.jsonl": b"".join([*rows[:2], b"{}\n"])}
    )
    into = target.projects.create(title="There", label_config=CONFIG)
    acts: list[Callable[[Any], Any]] = [
        lambda source: copy_project(source, to=target, missing_users="create"),
        lambda source: merge([source], into=into, missing_users="create"),
        lambda source: verify(source, into),
        lambda source: snapshot(source, tmp_path / "again.zip"),
    ]
    with ArchiveSource(path) as source:
        for act in acts:
            with pytest.raises(
                BadSnapshot, match=r"line 3: data is missing|line 3: \w+ is missing"
            ):
                act(source)
    assert (target.projects.count(), into.tasks.count()) == (1, 0)
    assert not (tmp_path / "again.zip").exists()


def test_authors_whom_no_list_names(
    good: dict[str, bytes], target: LabelStudio, tmp_path: Path
) -> None:
    """They are asked about before anything is written, as those of the list are."""
    path = write(tmp_path / "odd.zip", {**good, "users.jsonl": b"", "manifest.json": good[
        "manifest.json"].replace(b'"users": 1', b'"users": 0')})  # fmt: skip
    with pytest.raises(LabelStudioError, match=r"does not have ann@example\.com"):
        restore(path, target)
    assert target.projects.count() == 0
    assert restore(path, target, missing_users="create").ok


def test_a_user_of_the_same_number_is_somebody_else(tmp_path: Path) -> None:
    """An address is who somebody is: a server may have been set up anew under the same address."""
    before = client_of(FakeLabelStudio("http://localhost:8080"))
    snapshot(cars(before, tmp_path), tmp_path / "cars.zip")
    fake = FakeLabelStudio("http://localhost:8080")
    now = client_of(fake)
    bob = now.users.create(email="bob@example.com")
    assert bob.id == before.users.get(email="ann@example.com").id
    with pytest.raises(LabelStudioError, match=r"does not have ann@example\.com"):
        restore(tmp_path / "cars.zip", now)
    assert now.projects.count() == 0


# -- writing --------------------------------------------------------------------------------------


def test_a_full_disk_is_told_with_the_path(tmp_path: Path) -> None:
    project = cars(client_of(FakeLabelStudio()), tmp_path)
    before = set(tmp_path.iterdir())
    with pytest.raises(OSError, match=r"cars\.zip"), full_disk(2048):
        snapshot(project, tmp_path / "cars.zip")
    assert set(tmp_path.iterdir()) == before


def test_it_is_read_by_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "cars.zip"
    snapshot(cars(client_of(FakeLabelStudio()), tmp_path), path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


names = st.sampled_from(["items", "filter", "value", "operator", "child_filter", "included", "x"])
anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from(["filter:tasks:annotators", "equal", "7"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)


@given(anything, anything)
def test_views_that_another_client_wrote(filters: Any, chosen: Any) -> None:
    """Whatever stands in them is no reason for an error."""
    view = {
        "id": 1,
        "data": {"filters": filters},
        "selected_items": chosen,
        "users": {"7": "a@b.co"},
    }
    users_in(view)
    translated, _ = translate_view(view, {"a@b.co": 8}.get, {1: 2}.get)
    assert translated["id"] == 1
