"""Everything that a run leaves behind says the same: where images were, and where clusters find them now."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from transload import Configuration, Environment, configure
from transload.cli.main import main
from transload.errors import LocalError, TargetConflict, TransloadError
from transload.memory import MemoryStore
from transload.server import Served, ServeSettings, serve
from transload.testing.images import fill, image

NOTHING = Environment()
MANIFEST = "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - image: {}/acme/app:1\n  - image: {}/acme/web:2\n"


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    for name in ("HOME", "TRANSLOAD_STATE_DIR", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def vendor(here: Path) -> Iterator[Served]:
    store = MemoryStore()
    fill(store, image("app"), "acme/app", "1")
    fill(store, image("web"), "acme/web", "2")
    with serve(store) as served:
        names = "".join(f"  - {served.host_port}/acme/{name}\n" for name in ("app:1", "web:2"))
        (here / "set.yaml").write_text(f"kind: ImageSet\nversion: 1\nimages:\n{names}")
        (here / "pods.yaml").write_text(MANIFEST.format(served.host_port, served.host_port))
        yield served


@pytest.fixture
def site() -> Iterator[str]:
    with serve(MemoryStore(), ServeSettings(writable=True)) as served:
        yield f"{served.host_port}/site"


def ran(*arguments: str) -> None:
    assert main([*arguments, "--quiet"]) == 0


def rewritten(*words: str, **options: Any) -> str:
    """What pods ask for, once they were rewritten by what these words know."""
    written: Configuration = configure(
        "manifests", words, rewrite="pods.yaml", strict=True, environment=NOTHING, **options
    )
    return written.files[0].content.decode()


def a_report(site: str) -> None:
    ran("mirror", "set.yaml", "--to", site, "--report", "record.json")


def a_plan(site: str) -> None:
    ran("plan", "set.yaml", "--to", site, "-o", "record.json")


def a_push(site: str) -> None:
    ran("pack", "set.yaml", "-o", "bundle")
    ran("push", "bundle", "--to", site, "--report", "record.json")


@pytest.mark.parametrize("make", [a_report, a_plan, a_push])
def test_records_that_know_both_sides(make: Callable[[str], None], vendor: Served, site: str) -> None:
    make(site)
    assert rewritten("record.json") == MANIFEST.format(site, site)
    assert rewritten("record.json", pull_from="r.local") == MANIFEST.format("r.local/site", "r.local/site")
    named = rewritten("record.json", to=site, pull_from="r.local/mirror")
    assert named == MANIFEST.format("r.local/mirror", "r.local/mirror")
    pinned = rewritten("record.json", pin=True)
    assert pinned.count(f"{site}/acme/app@{image('app').digest}") == 1
    assert pinned.count(f"{site}/acme/web@{image('web').digest}") == 1


def test_a_bundle_is_told_where_it_was_pushed(vendor: Served, site: str) -> None:
    ran("pack", "set.yaml", "-o", "bundle")
    assert rewritten("bundle", to=site) == MANIFEST.format(site, site)
    assert rewritten("bundle", to=site, pull_from="r.local/m") == MANIFEST.format("r.local/m", "r.local/m")
    with pytest.raises(
        TransloadError, match="a bundle, folder or archive does not know to which registry it was pushed"
    ):
        rewritten("bundle")


def test_an_inventory_is_told_where_images_were_published(vendor: Served, site: str) -> None:
    a_report(site)
    ran("inventory", site, "-o", "inventory.json")
    known = rewritten("inventory.json", to=site, source_registry=vendor.host_port)
    assert known == MANIFEST.format(site, site)
    with pytest.raises(TransloadError, match="nothing says which image is where") as raised:
        rewritten("inventory.json")
    assert "--source-registry" in (raised.value.hint or "")


def test_a_set_has_the_names_that_mirror_gives(vendor: Served, site: str) -> None:
    assert rewritten("set.yaml", to=site) == MANIFEST.format(site, site)
    flat = rewritten("set.yaml", to=site, flatten=True)
    assert flat == MANIFEST.replace("acme/", "").format(site, site)


def test_several_records_at_once_agree_or_are_refused(vendor: Served, site: str) -> None:
    a_report(site)
    assert rewritten("record.json", "set.yaml", to=site) == MANIFEST.format(site, site)
    with pytest.raises(TransloadError, match="is at two places: "):
        rewritten("record.json", "set.yaml", to=site, flatten=True)


def test_a_report_of_several_targets_wants_one_of_them(vendor: Served, site: str) -> None:
    with serve(MemoryStore(), ServeSettings(writable=True)) as second:
        other = f"{second.host_port}/other"
        ran("mirror", "set.yaml", "--to", site, "--to", other, "--report", "record.json")
    with pytest.raises(TransloadError, match="the report is of 2 targets") as raised:
        rewritten("record.json")
    assert site in (raised.value.hint or "")
    assert rewritten("record.json", to=other) == MANIFEST.format(other, other)
    assert rewritten("record.json", to=site, pull_from="r.local/m") == MANIFEST.format("r.local/m", "r.local/m")


def test_images_that_did_not_arrive_are_told(vendor: Served, site: str, here: Path) -> None:
    a_report(site)
    report = json.loads((here / "record.json").read_text())
    report["images"][0]["status"] = "failed"
    (here / "record.json").write_text(json.dumps(report))
    written = configure("kustomize", "record.json", environment=NOTHING)
    assert written.notes[0] == "1 image of the report did not arrive, and nothing leads to it"


def test_programs_get_the_files_byte_for_byte(vendor: Served, here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (here / "pods.yaml").write_bytes(b"\xef\xbb\xbf" + (here / "pods.yaml").read_bytes().replace(b"\n", b"\r\n"))
    command = ("configure", "manifests", "set.yaml", "--to", "r.local", "--rewrite", "pods.yaml", "-o", "out")
    assert main([*command, "--output", "json"]) == 0
    told = json.loads(capfd.readouterr().out.splitlines()[-1])
    assert b64decode(told["files"][0]["base64"]) == (here / "out" / "pods.yaml").read_bytes()


DEEP = '{"asked": {}, "target": ' + "[" * 5_000 + "]" * 5_000 + "}"
IMAGE = {"name": "site/a:1", "source": "quay.io/a:1", "status": "copied", "digest": "sha256:" + "0" * 64}


def report(**changed: Any) -> str:
    image = {**IMAGE, **{key: value for key, value in changed.items() if key in IMAGE}}
    return json.dumps(
        {
            "asked": {},
            "target": "r.local",
            "images": [image],
            **{key: value for key, value in changed.items() if key not in IMAGE},
        }
    )


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "null",
        "{}",
        '{"asked": 1}',
        DEEP,
        report(target=7),
        report(target="../../etc"),
        report(target="r.local\u001b[31m"),
        report(target="oci:folder"),
        report(images={}),
        report(images=[1]),
        report(images=[{}]),
        report(images=[{**IMAGE, "status": 1}]),
        report(name="../../a:1"),
        report(name="a\u001b[2J:1"),
        report(name=["a"]),
        report(source=1),
        report(digest="sha256:../../x"),
        report(digest=1),
        report(status="failed"),
        report(source="oci:here/a:1"),
        json.dumps({"targets": [1]}),
        json.dumps({"targets": [{"name": 1}]}),
        json.dumps({"targets": []}),
        json.dumps({"steps": 1}),
        json.dumps({"scoped": 1}),
        '{"asked": {}, "asked": {}}',
        '{"asked": "\\ud800"}',
        json.dumps({"asked": {}, "target": "r.local", "images": [{**IMAGE, "source": "x" * 100_000}]}),
    ],
)
def test_a_hostile_record_is_one_clear_sentence(content: str, here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (here / "record.json").write_text(content)
    assert main(["configure", "kustomize", "record.json", "-o", "out"]) not in {0, 1}
    told = capfd.readouterr().err
    assert "Traceback" not in told
    assert "\x1b" not in told
    assert len(told) < 2_000
    assert not (here / "out").exists()


def test_a_record_that_is_too_large_is_not_read_whole(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with (here / "record.json").open("wb") as file:
        file.truncate(1 << 40)  # sparse
    assert main(["configure", "kustomize", "record.json"]) not in {0, 1}
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize("content", ["5", "[]", "no JSON"])
def test_what_is_no_record_is_called_by_its_name(here: Path, content: str) -> None:
    (here / "record.json").write_text(content)
    (here / "pods.yaml").write_text(MANIFEST)
    with pytest.raises(TransloadError, match=r"^record\.json "):
        rewritten("record.json")


@pytest.mark.parametrize("name", ["gone.json", "gone.yaml"])
def test_a_file_that_is_not_there_is_told(here: Path, name: str) -> None:
    with pytest.raises(LocalError, match=f"there is no file {name}"):
        configure("kustomize", name, environment=NOTHING)


@pytest.mark.parametrize("to", ["other.example/site", "{site}-2", "{host}/sit", "{host}/site/acme/app"])
def test_a_place_that_contradicts_the_record_is_refused(vendor: Served, site: str, to: str) -> None:
    """Else files would lead elsewhere than where the user says that the images are."""
    ran("mirror", "set.yaml", "--to", site, "--report", "run.json", "--plain-http", vendor.host_port)
    ran("inventory", site, "-o", "site.json")
    place = to.format(site=site, host=site.partition("/")[0])
    for record in ("run.json", "site.json"):
        with pytest.raises(TargetConflict, match=f"not below {place}"):
            configure("kustomize", record, to=place, source_registry="quay.io", environment=NOTHING)
