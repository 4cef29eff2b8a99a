"""`transload report`, `--report run.html` and `list --html`, as people call them."""

from __future__ import annotations

import json
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from transload.cli.main import main
from transload.layout import LayoutStore
from transload.server import serve
from transload.testing.images import AMD64, ARM64, fill, image, index
from transload.testing.releases import fill_release, release

RELEASE = release(images=4, size=400_000)


@pytest.fixture(autouse=True)
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TRANSLOAD_STATE_DIR", str(tmp_path / "state"))
    fill_release(LayoutStore("vendor", create=True), RELEASE, "shop")
    return tmp_path


def mirrored(*words: str) -> int:
    return main(["mirror", "--from", "oci:vendor", "--quiet", *words])


def test_a_run_writes_its_page(desk: Path) -> None:
    assert mirrored("--to", "oci:site", "--report", "run.html", "--report", "run.json") == 0
    page = Path("run.html").read_text(encoding="utf-8")
    assert "All 4 images are in oci:site" in page
    document = json.loads(Path("run.json").read_bytes())
    assert document["layers"]
    assert {len(image["layers"]) > 0 for image in document["images"]} == {True}
    assert sum(document["course"]["target"]) == document["totals"]["moved_bytes"]
    assert document["course"]["source"] == []


def test_the_page_has_what_the_transfer_record_says(desk: Path) -> None:
    recording = ("--record", "record.json", "--recorded-by", "Ann <b>Lee</b>")
    assert mirrored("--to", "oci:site", "--report", "run.html", "--report", "run.json", *recording) == 0
    found = json.loads(Path("run.json").read_bytes())["record"]
    assert found["digest"] == f"sha256:{sha256(Path('record.json').read_bytes()).hexdigest()}"
    assert (found["signed_by"], found["record"]["recordedBy"]) == ([], "Ann <b>Lee</b>")
    assert "images" not in found["record"]
    page = Path("run.html").read_text(encoding="utf-8")
    assert "by Ann &lt;b&gt;Lee&lt;/b&gt;" in page
    assert "no: anybody can have written it" in page
    assert main(["report", "run.json", "-o", "again.html"]) == 0
    assert "by Ann &lt;b&gt;Lee&lt;/b&gt;" in Path("again.html").read_text(encoding="utf-8")


def test_platforms_are_those_that_are_copied(desk: Path) -> None:
    store = LayoutStore("vendor")
    fill(store, index([(image("one"), AMD64), (image("two", platform=ARM64), ARM64)]), "shop/both", "v1")
    for platforms, words in ((["linux/amd64", "linux/arm64/v8"], ()), (["linux/amd64"], ("--platform", "linux/amd64"))):
        to = f"oci:site{len(platforms)}"
        assert mirrored("shop/both:v1", "--to", to, "--report", "run.html", "--report", "run.json", *words) == 0
        (found,) = json.loads(Path("run.json").read_bytes())["images"]
        assert found["platforms"] == platforms
        assert ", ".join(platforms) in Path("run.html").read_text(encoding="utf-8")


def test_a_run_without_a_report_records_nothing(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mirror", "--from", "oci:vendor", "--to", "oci:site", "--output", "json"]) == 0
    result = json.loads(capsys.readouterr().out.splitlines()[-1])["result"]
    assert not {"layers", "course"} & result.keys()


def test_a_run_that_does_not_start_replaces_the_report_of_an_older_one(desk: Path) -> None:
    written = ("--report", "run.html", "--report", "run.json", "--report", "run.md")
    for targets in (["127.0.0.1:1/mirror"], ["127.0.0.1:1/mirror", "127.0.0.1:1/other"]):
        assert mirrored("--to", "oci:site", *written) == 0
        assert "images are in oci:site" in Path("run.html").read_text(encoding="utf-8")
        assert mirrored(*(word for target in targets for word in ("--to", target)), *written) == 5
        assert "The run did not start" in Path("run.html").read_text(encoding="utf-8")
        found = json.loads(Path("run.json").read_bytes())
        for result in found.get("targets", [found]):
            assert (result["target"], result["exit_code"], result["images"]) == ("127.0.0.1:1", 5, [])
            assert result["problem"]["code"] == "unreachable"
        assert "refuses connections" in Path("run.md").read_text(encoding="utf-8")
        assert main(["report", "run.json"]) == 0


@pytest.mark.parametrize("words", [["pack", "--from", "oci:nothing", "-o", "rel"], ["push", "rel", "--to", "oci:site"]])
def test_pack_and_push_that_do_not_start_write_it_too(desk: Path, words: list[str]) -> None:
    assert main(["pack", "--from", "oci:vendor", "-o", "rel", "--quiet"]) == 0
    Path("rel.tar").write_bytes(b"")
    code = main([*words, "--report", "run.json"])
    assert json.loads(Path("run.json").read_bytes())["exit_code"] == code > 0


def test_a_report_that_is_read_again_says_of_its_bundle_what_the_run_said(
    desk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    catalog = {
        "kind": "Catalog",
        "version": 1,
        "name": "shop",
        "repository": "shop",
        "releases": [{"tag": RELEASE.tag, "images": list(RELEASE.images)}],
    }
    with serve(LayoutStore("vendor")) as source:
        Path("shop.json").write_text(json.dumps({**catalog, "registry": source.host_port}))
        assert main(["pack", "shop.json", "-o", "rel", "--quiet"]) == 0
    capsys.readouterr()
    assert main(["push", "rel", "--to", "oci:site", "--quiet", "--report", "run.json"]) == 0
    (said,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("  bundle: ")]
    assert f", {RELEASE.tag}, packed 20" in said
    assert main(["report", "run.json"]) == 0
    assert said in capsys.readouterr().out.splitlines()


def test_links_in_a_circle_are_told(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("round.json").symlink_to("round.json")
    assert main(["report", "round.json", "-o", "run.html"]) == 8
    assert mirrored("--to", "oci:site", "--policy", "round.json", "--report", "run.html") == 8
    assert "Traceback" not in capsys.readouterr().err


def test_a_report_replaces_no_other_file_of_the_command(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "--from", "oci:vendor", "--to", "oci:site", "--out", "plan.json", "--quiet"]) == 0
    before = Path("plan.json").read_bytes()
    assert main(["apply", "plan.json", "--report", "./plan.json"]) == 2
    assert "plan.json is read, and the report would replace it" in capsys.readouterr().err
    assert Path("plan.json").read_bytes() == before
    assert mirrored("--to", "oci:site", "--record", "one.json", "--report", "one.json") == 2
    assert "--record and --report name one file, one.json" in capsys.readouterr().err
    assert not Path("site").exists()
    assert mirrored("--to", "oci:site", "--record", "one.json", "--report", "two.json", "--report", "two.json") == 0


def test_a_wrong_command_line_leaves_the_report_alone(desk: Path) -> None:
    assert mirrored("--to", "oci:site", "--report", "run.html") == 0
    before = Path("run.html").read_bytes()
    assert mirrored("--to", "oci:site", "--report", "run.html", "--policy", "nothing.yaml") != 0
    assert Path("run.html").read_bytes() == before


def test_several_targets_have_a_page_together(desk: Path) -> None:
    assert mirrored("--to", "oci:one", "--to", "oci:two", "--report", "run.html", "--report", "run.json") == 0
    assert "2 of 2 targets complete" in Path("run.html").read_text(encoding="utf-8")
    for target in json.loads(Path("run.json").read_bytes())["targets"]:
        assert sum(target["course"]["target"]) == target["totals"]["moved_bytes"]
    assert main(["report", "run.json", "-o", "again.html"]) == 0
    assert "2 of 2 targets complete" in Path("again.html").read_text(encoding="utf-8")


def test_a_report_is_shown_and_written_again(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert mirrored("--to", "oci:site", "--report", "run.json", "--report", "run.md") == 0
    shown = capsys.readouterr().out
    assert main(["report", "run.json"]) == 0
    assert capsys.readouterr().out == shown
    assert main(["report", "run.json", "-o", "again.md"]) == 0
    assert Path("again.md").read_text() == Path("run.md").read_text()
    assert capsys.readouterr().out == "report: again.md\n"
    assert main(["report", "run.json", "-o", "-"]) == 0
    assert capsys.readouterr().out.startswith("<!doctype html>")
    assert main(["report", "run.json", "--output", "json"]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (told["event"], told["file"]) == ("report", None)
    assert told["result"] == json.loads(Path("run.json").read_bytes())


def test_a_failed_run_can_be_shown_with_success(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert mirrored("shop/absent:1", "--to", "oci:site", "--report", "run.json") == 4
    assert main(["report", "run.json", "-o", "run.html"]) == 0
    page = Path("run.html").read_text(encoding="utf-8")
    assert "1 image failed: 0 of 1 image is in oci:site" in page
    assert "What failed, and what to do" in page


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["absent.json"], 8, "there is no file absent.json"),
        (["wrong.json"], 2, "wrong.json cannot be read as JSON"),
        (["plan.json"], 2, "plan.json: is JSON, but no report of a run"),
        (["run.json", "-o", "run.pdf"], 2, "let the name end in .json, .md or .html"),
        (["run.json", "-o", "run.json"], 2, "run.json is the report that is read"),
        (["run.json", "-o", "absent/run.html"], 8, "no folder"),
        (["run.json", "-o", "-", "--output", "json"], 2, "standard output is for one of both"),
        ([], 2, "Missing argument"),
    ],
)
def test_what_cannot_be_shown_is_said_in_a_sentence(
    desk: Path, capsys: pytest.CaptureFixture[str], words: list[str], code: int, said: str
) -> None:
    assert mirrored("--to", "oci:site", "--report", "run.json") == 0
    Path("wrong.json").write_text("<html>")
    Path("plan.json").write_text('{"format": 1, "steps": []}')
    assert main(["report", *words]) == code
    told = capsys.readouterr().err
    assert said in told
    assert "Traceback" not in told


def test_without_jinja2_it_is_said_before_anything_is_copied(
    desk: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    assert mirrored("--to", "oci:site", "--report", "run.html") == 8
    assert "writing run.html needs the package jinja2" in capsys.readouterr().err
    assert not Path("site").exists()


def test_a_bundle_is_listed_as_a_page(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pack", "--from", "oci:vendor", "-o", "rel", "--volume-size", "1MiB", "--quiet"]) == 0
    assert main(["list", "rel", "--html", "list.html"]) == 0
    page = Path("list.html").read_text(encoding="utf-8")
    for words in ("Bundle rel: 4 images", "all files are here", "not signed", "Content: what images share"):
        assert words in page, words
    for name, built in RELEASE.images.items():
        assert f"shop/{name}:{RELEASE.tag}" in page
        assert str(built.manifest.digest) in page
    counted = capsys.readouterr().out.partition(" manifests, ")[2].partition(",")[0]
    assert counted.endswith(" blobs")
    assert f"4 images with {counted}:" in page  # the picture counts what the line above it counts


def test_a_bundle_that_lacks_a_volume_says_so_first(desk: Path) -> None:
    fill_release(LayoutStore("vendor"), release(images=4, size=4_000_000), "shop")
    assert main(["pack", "--from", "oci:vendor", "-o", "rel", "--volume-size", "1MiB", "--quiet"]) == 0
    max(Path().glob("rel.*")).unlink()
    assert main(["list", "rel", "--html", "list.html"]) == 0
    page = Path("list.html").read_text(encoding="utf-8")
    assert "files are missing or wrong" in page
    assert '<div class="problem">' in page


def test_a_page_needs_a_name_of_one(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pack", "--from", "oci:vendor", "-o", "rel", "--quiet"]) == 0
    assert main(["list", "rel", "--html", "list.md"]) == 2
    assert "let the name end in .html" in capsys.readouterr().err
