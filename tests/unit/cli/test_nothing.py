"""Nothing is no success: who wants, checks or lists what is not there is told so, and what there is instead."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.archive.writer import Saved, saved_files, write_tar
from tests.unit.bundle.packing import pack
from transload.cli.main import main
from transload.layout import LayoutStore
from transload.memory import MemoryStore
from transload.oci import Name
from transload.oci.refname import REF_NAME
from transload.server import Served, ServeSettings, serve
from transload.testing.images import Built, fill, image, multi_platform, signature

ONE = image("one", (1000,))
TWO = multi_platform("two", layers=(100,))


@pytest.fixture(autouse=True)
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("HOME", "TRANSLOAD_STATE_DIR", "TRANSLOAD_CONFIG"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    return tmp_path


@pytest.fixture
def far() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def registry(far: MemoryStore, tmp_path: Path) -> Iterator[Served]:
    with serve(far, ServeSettings(writable=True, spool_folder=tmp_path)) as served:
        yield served


def told(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    capsys.readouterr()
    code = main(list(words))
    out, err = capsys.readouterr()
    return code, out + err


def unnamed(folder: Path, *listed: Built) -> None:
    """A layout as `crane pull --format=oci` and buildx write it: entries without any name."""
    store = LayoutStore(folder, create=True)
    for built in listed:
        fill(store, built, "acme/app")
    index = json.loads((folder / "index.json").read_text())
    for entry in index["manifests"]:
        entry.pop("annotations", None)
    (folder / "index.json").write_text(json.dumps(index))


# --- images without a name


def test_an_image_without_a_name_is_carried_from_a_folder_under_the_targets_prefix(
    desk: Path, registry: Served, far: MemoryStore, capsys: pytest.CaptureFixture[str]
) -> None:
    unnamed(desk / "pulled", TWO)
    to = f"{registry.host_port}/acme/app"
    code, text = told(capsys, "mirror", "--from", "oci:pulled", "--to", to)
    assert (code, f"has no name, so it becomes acme/app@{TWO.digest}" in text) == (0, True)
    assert far.fetch(Name("acme/app", None, TWO.digest)).raw == TWO.manifest.raw
    assert told(capsys, "verify", "oci:pulled")[0] == 0
    assert told(capsys, "verify", "oci:pulled", "--to", to)[0] == 0
    assert told(capsys, "push", "pulled", "--to", to, "--target-tag", "1.0")[0] == 0
    assert far.resolve(Name("acme/app", "1.0")).digest == TWO.digest


def test_without_a_prefix_nobody_says_which_repository_it_gets(
    desk: Path, registry: Served, far: MemoryStore, capsys: pytest.CaptureFixture[str]
) -> None:
    unnamed(desk / "pulled", ONE)
    for verb in (("mirror", "--from", "oci:pulled"), ("plan", "--from", "oci:pulled"), ("push", "pulled")):
        code, text = told(capsys, *verb, "--to", registry.host_port)
        assert (code, "has an image without a name" in text, "/NAME" in text) == (2, True, True)
    assert list(far.repositories()) == []


def test_it_stays_nameless_through_a_bundle_and_a_folder(
    desk: Path, registry: Served, far: MemoryStore, capsys: pytest.CaptureFixture[str]
) -> None:
    unnamed(desk / "pulled", ONE)
    assert told(capsys, "pack", "--from", "oci:pulled", "-o", "carried")[0] == 0
    code, text = told(capsys, "list", "carried")
    assert (code, f"@{ONE.digest}"[:20] in text) == (0, True)
    assert told(capsys, "mirror", "--from", "oci:pulled", "--to", "oci:copy")[0] == 0
    assert list(LayoutStore(desk / "copy").lists.untagged()) == [Name("", None, ONE.digest)]
    assert told(capsys, "push", "carried", "--to", registry.host_port)[0] == 2
    assert told(capsys, "push", "carried", "--to", f"{registry.host_port}/site")[0] == 0
    assert far.fetch(Name("site", None, ONE.digest)).raw == ONE.manifest.raw


def test_docker_save_by_identifier_has_no_name_either(
    desk: Path, registry: Served, far: MemoryStore, capsys: pytest.CaptureFixture[str]
) -> None:
    write_tar(desk / "saved.tar", saved_files((Saved("saved").flat(), None)))
    to = f"{registry.host_port}/acme/app"
    assert told(capsys, "push", "saved.tar", "--to", to, "--target-tag", "1")[0] == 0
    assert list(far.tags("acme/app")) == ["1"]


def test_what_belongs_to_another_image_is_none_of_its_own(desk: Path) -> None:
    unnamed(desk / "pulled", ONE, signature(ONE), TWO.children[0], TWO)
    assert list(LayoutStore(desk / "pulled").lists.untagged()) == [Name("", None, built.digest) for built in (ONE, TWO)]


def test_several_without_a_name_take_no_common_tag(
    desk: Path, registry: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    unnamed(desk / "pulled", ONE, TWO)
    to = f"{registry.host_port}/acme/app"
    code, text = told(capsys, "push", "pulled", "--to", to, "--target-tag", "1")
    assert (code, "2 images have no tag" in text) == (2, True)
    assert told(capsys, "push", "pulled", "--to", to, "--target-tag", "1", "--image", ONE.digest)[0] == 0


def test_an_image_by_digest_keeps_its_repository_in_a_folder(
    desk: Path, registry: Served, far: MemoryStore, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(far, TWO, "acme/app")
    pinned = f"{registry.host_port}/acme/app@{TWO.digest}"
    assert told(capsys, "mirror", pinned, "--to", "oci:folder")[0] == 0
    assert list(LayoutStore(desk / "folder").lists.untagged()) == [Name("acme/app", None, TWO.digest)]
    assert told(capsys, "mirror", "--from", "oci:folder", "--to", f"{registry.host_port}/m")[0] == 0
    assert far.fetch(Name("m/acme/app", None, TWO.digest)).raw == TWO.manifest.raw
    assert told(capsys, "inventory", "oci:folder", "-o", "site.json")[0] == 0
    assert TWO.digest in (desk / "site.json").read_text()


def test_a_registrys_one_repository_is_taken_by_its_own_path(
    desk: Path, registry: Served, far: MemoryStore, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(far, ONE, "acme/app", "1")
    assert told(capsys, "mirror", "--from", f"{registry.host_port}/acme/app", "--to", f"{registry.host_port}/b")[0] == 0
    assert far.resolve(Name("b", "1")).digest == ONE.digest


def test_a_repository_without_tags_is_told_and_costs_no_other(
    capsys: pytest.CaptureFixture[str], registry: Served, far: MemoryStore
) -> None:
    fill(far, ONE, "acme/app", "1")
    fill(far, TWO, "acme/pinned")
    for words in (("mirror", "--to", "oci:folder"), ("pack", "-o", "carried"), ("plan", "--to", "oci:other")):
        code, text = told(capsys, words[0], "--from", registry.host_port, *words[1:])
        assert (code, "1 repository has no tags" in text, "acme/pinned" in text) == (0, True, True), text
    code, text = told(capsys, "mirror", "--from", f"{registry.host_port}/acme/pinned", "--to", "oci:none")
    assert (code, "no image under acme/pinned" in text) == (4, True)


def test_serving_says_what_has_no_name(desk: Path) -> None:
    from transload.app.whole import serving_notes

    unnamed(desk / "pulled", ONE)
    assert "1 of 1 image has no repository" in " ".join(serving_notes(LayoutStore(desk / "pulled")))
    assert list(serving_notes(MemoryStore())) == ["there is no image in it yet"]


# --- nothing at all


def test_an_empty_folder_is_told_by_every_verb(
    desk: Path, capsys: pytest.CaptureFixture[str], registry: Served
) -> None:
    LayoutStore(desk / "empty", create=True)
    to = ("--to", f"{registry.host_port}/site")
    for words in (
        ("mirror", "--from", "oci:empty", *to),
        ("plan", "--from", "oci:empty", *to),
        ("pack", "--from", "oci:empty", "-o", "carried"),
        ("push", "empty", *to),
        ("verify", "oci:empty"),
        ("verify", "oci:empty", *to),
        ("inventory", "oci:empty", "-o", "site.json"),
    ):
        code, text = told(capsys, *words)
        assert (code, "there is no image in oci:empty" in text) == (4, True), (words, text)
    assert not list(desk.glob("carried*"))
    assert not (desk / "site.json").exists()


def test_an_empty_registry_or_prefix_is_told_with_what_there_is(
    capsys: pytest.CaptureFixture[str], registry: Served, far: MemoryStore
) -> None:
    host = registry.host_port
    assert told(capsys, "mirror", "--from", host, "--to", "oci:folder")[0] == 4
    fill(far, ONE, "acme/app", "1")
    code, text = told(capsys, "mirror", "--from", f"{host}/acne", "--to", "oci:folder")
    assert (code, f"{host} has no image under acne" in text, "acme/app" in text) == (4, True, True)
    code, text = told(capsys, "inventory", f"{host}/acne", "-o", "site.json")
    assert (code, "acme/app" in text) == (4, True)


def test_an_empty_bundle_is_told_by_every_verb(
    desk: Path, capsys: pytest.CaptureFixture[str], registry: Served
) -> None:
    pack(desk / "nothing", {})
    for words in (
        ("verify", "nothing"),
        ("list", "nothing"),
        ("extract", "nothing"),
        ("push", "nothing", "--to", f"{registry.host_port}/a"),
    ):
        code, text = told(capsys, *words)
        assert code == 4, (words, text)


@pytest.mark.parametrize(
    ("name", "content"), [("set.txt", "# none yet\n"), ("set.yaml", "kind: ImageSet\nversion: 1\nimages: []\n")]
)
def test_a_file_that_lists_nothing_is_told(
    desk: Path, capsys: pytest.CaptureFixture[str], name: str, content: str
) -> None:
    (desk / name).write_text(content)
    for words in (
        ("mirror", name, "--to", "oci:folder"),
        ("pack", name, "-o", "carried"),
        ("plan", name, "--to", "oci:folder"),
    ):
        code, text = told(capsys, *words)
        assert (code, f"{name} lists no image" in text) == (4, True)


def test_images_that_may_all_be_missing_and_are_is_no_success(
    capsys: pytest.CaptureFixture[str], registry: Served, far: MemoryStore
) -> None:
    fill(far, ONE, "acme/app", "1")
    wanted = (f"{registry.host_port}/acme/app:2", "--allow-missing", "--to")
    for words in (("mirror", *wanted, "oci:folder"), ("verify", *wanted, registry.host_port)):
        code, text = told(capsys, *words)
        assert (code, "is published" in text) == (4, True), text


def test_a_plan_of_nothing_is_not_applied(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(LayoutStore(desk / "folder", create=True), ONE, "app", "1")
    assert told(capsys, "plan", "--from", "oci:folder", "--to", "oci:copy", "-o", "plan.json")[0] == 0
    plan = json.loads((desk / "plan.json").read_text())
    plan.update(images=[], steps=[], manifests=[])
    (desk / "plan.json").write_text(json.dumps(plan))
    code, text = told(capsys, "apply", "plan.json")
    assert (code, "the plan has no image" in text) == (4, True), text


@pytest.mark.parametrize(("now", "status"), [(None, "is not there now"), (TWO, "other content since")])
def test_what_the_target_lost_since_the_plan_is_not_called_unchanged(
    desk: Path, capsys: pytest.CaptureFixture[str], now: Built | None, status: str
) -> None:
    fill(LayoutStore(desk / "folder", create=True), ONE, "app", "1")
    copy = LayoutStore(desk / "copy", create=True)
    fill(copy, ONE, "app", "1")
    assert told(capsys, "plan", "--from", "oci:folder", "--to", "oci:copy", "-o", "plan.json")[0] == 0
    code, text = told(capsys, "apply", "plan.json")
    assert (code, "1 unchanged" in text) == (0, True), text
    if now is None:
        copy.deletes.delete_manifest(Name("app", "1"))
    else:
        fill(copy, now, "app", "1")
    code, text = told(capsys, "apply", "plan.json")
    assert (code != 0, status in text, "make the plan again" in text) == (True, True, True), text


# --- a choice that fits nothing


def test_an_image_that_nobody_knows_is_told_with_what_was_meant(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = LayoutStore(desk / "folder", create=True)
    for number in range(20):
        fill(store, ONE, f"acme/app{number}", "1")
    for words in (("mirror", "--from", "oci:folder", "--to", "oci:copy"), ("pack", "--from", "oci:folder", "-o", "c")):
        code, text = told(capsys, *words, "--image", "acme/ap7")
        assert (code, "did you mean acme/app7" in text) == (4, True)
        code, text = told(capsys, *words, "--image", "zebra")
        assert (code, "there are: acme/app0, " in text, "and " in text and "more" in text) == (4, True, True)


def test_a_bare_tag_answers_to_image(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    unnamed(desk / "pulled", ONE)
    index = json.loads((desk / "pulled" / "index.json").read_text())
    index["manifests"][0]["annotations"] = {REF_NAME: "v1"}
    (desk / "pulled" / "index.json").write_text(json.dumps(index))
    assert told(capsys, "mirror", "--from", "oci:pulled", "--to", "oci:copy", "--image", "v1")[0] == 0
    assert list(LayoutStore(desk / "copy").tags("")) == ["v1"]


def test_a_platform_that_is_not_there_is_told_with_those_that_are(
    desk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(LayoutStore(desk / "folder", create=True), TWO, "app", "1")
    code, text = told(capsys, "mirror", "--from", "oci:folder", "--to", "oci:copy", "--platform", "linux/s390x")
    assert (code, "it has: linux/amd64" in text) == (4, True), text
