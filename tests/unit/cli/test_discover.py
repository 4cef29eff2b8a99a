"""`transload discover` as people and programs call it."""

from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

import transload
from transload.cli.main import main
from transload.memory import MemoryStore
from transload.server import ServeSettings, serve
from transload.testing.images import fill, image

POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec:\n  containers:\n"
NOT_FOUND = 4


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("HOME", "TRANSLOAD_STATE_DIR"):
        monkeypatch.setenv(name, str(tmp_path / ".home"))


def pod(name: str, *images: str) -> None:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_text(POD + "".join(f"  - image: {json.dumps(text)}\n" for text in images))


def document(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (found,) = [line for line in lines if line["event"] == "discover"]
    return dict(found)


def test_a_folder_is_read_with_what_is_below(capsys: pytest.CaptureFixture[str]) -> None:
    pod("all/a.yaml", "a:1")
    pod("all/b/c.yml", "b:1")
    pod("all/.hidden/d.yaml", "hidden:1")
    Path("all/program").write_bytes(b"\x7fELF" + bytes(1000))
    assert main(["discover", "all", "--output", "json"]) == 0
    found = document(capsys)
    assert [item["texts"] for item in found["images"]] == [["a:1"], ["b:1"]]
    assert (found["files"], found["hidden"], found["documents_without_images"]) == (3, 1, 1)


def test_links_in_a_folder_are_not_followed_but_told_unless_their_target_is_read(
    capsys: pytest.CaptureFixture[str],
) -> None:
    pod("elsewhere/a.yaml", "linked:1")
    pod("all/a.yaml", "a:1")
    pod("all/.hidden/b.yaml", "hidden:1")
    links = {"inside.yaml": "a.yaml", "nowhere.yaml": "none", "circle": "circle", "out.yaml": "../elsewhere/a.yaml"}
    for name, target in {**links, "folder": "../elsewhere", "hidden.yaml": ".hidden/b.yaml", "me": "."}.items():
        Path("all", name).symlink_to(target)
    assert main(["discover", "all", "--output", "json"]) == 1
    found = document(capsys)
    assert [item["texts"] for item in found["images"]] == [["a:1"]]
    told = [Path(item["found"]["file"]).name for item in found["unread"]]
    assert told == ["circle", "folder", "hidden.yaml", "nowhere.yaml", "out.yaml"]
    assert main(["discover", "all/out.yaml"]) == 0, "a link that a person names is meant"
    assert "linked:1" in capsys.readouterr().out


def test_the_result_is_not_read_again(capsys: pytest.CaptureFixture[str]) -> None:
    pod("a.yaml", "a:1")
    for _ in range(2):
        assert main(["discover", ".", "-o", "set.yaml"]) == 0
        assert "1 image, 1 file read; written to set.yaml" in capsys.readouterr().out
    assert Path("set.yaml").read_text().count("a.yaml") == 1


@pytest.mark.parametrize("name", ["rendered", "rendered.out", "Rendered.TPL"])
def test_a_file_that_is_named_is_read_whatever_it_is_called(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    pod(name, "a:1")
    assert main(["discover", name]) == 0
    assert f"{name}:6: Pod web" in capsys.readouterr().out
    Path(name).write_bytes(b"\x7fELF" + bytes(1000))
    assert main(["discover", name]) == NOT_FOUND
    assert "1 that could not be read" in capsys.readouterr().err


def test_standard_input(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    pod("pod.yaml", "a:1", "b")

    class Stdin:
        buffer = io.BytesIO(Path("pod.yaml").read_bytes())

    monkeypatch.setattr(sys, "stdin", Stdin)
    assert main(["discover", "-"]) == 0
    assert "docker.io/library/a:1\n  -:6: Pod web: spec.containers[0].image\n" in capsys.readouterr().out


def test_open_questions_fail_only_if_that_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    pod("pod.yaml", "a:1", "b")
    assert main(["discover", "pod.yaml"]) == 0
    assert main(["discover", "pod.yaml", "--strict"]) == 1
    assert "1 open question" in capsys.readouterr().out


def test_a_bad_document_is_told_and_the_others_are_read(capsys: pytest.CaptureFixture[str]) -> None:
    pod("pod.yaml", "a:1")
    with Path("pod.yaml").open("a") as file:
        file.write("---\na: [\n---\n" + POD + "  - image: b:1\n")
    assert main(["discover", "pod.yaml", "-o", "set.yaml"]) == 1
    told = capsys.readouterr().out
    assert "not read: pod.yaml:9:1: not valid YAML" in told
    assert "2 images, 1 file read, 1 not read; written to set.yaml" in told
    assert "pod.yaml:9" in Path("set.yaml").read_text()


def test_nothing_found_is_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    Path("service.yaml").write_text("apiVersion: v1\nkind: Service\n")
    assert main(["discover", "service.yaml", "-o", "set.yaml"]) == NOT_FOUND
    assert "no image was found: 1 file read, 1 document without images" in capsys.readouterr().err
    assert not Path("set.yaml").exists()


def test_only_questions_are_a_failure_too(capsys: pytest.CaptureFixture[str]) -> None:
    pod("pod.yaml", "b")
    assert main(["discover", "pod.yaml", "-o", "set.yaml"]) == NOT_FOUND
    told = capsys.readouterr()
    assert "question: b: it has no tag" in told.out
    assert "no image could be decided: 1 question open" in told.err
    assert "images: []" in Path("set.yaml").read_text()


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["nothing.yaml"], 8, "there is no file nothing.yaml"),
        (["pod.yaml", "--field", "spec..x"], 2, "is not a path to a field"),
        (["pod.yaml", "-o", "set.txt"], 2, "an image set ends in .yaml, and set.txt does not"),
        (["pod.yaml", "-o", "no/where.yaml"], 8, "there is no folder"),
        ([], 2, "Missing argument 'PATH...'"),
        (["-", "--pin", "--source-username", "ann", "--source-password-stdin"], 2, "standard input cannot be both"),
    ],
)
def test_wrong_inputs(words: list[str], code: int, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    pod("pod.yaml", "a:1")
    assert main(["discover", *words]) == code
    assert told in capsys.readouterr().err


def test_pins(capsys: pytest.CaptureFixture[str]) -> None:
    store = MemoryStore()
    built = image("x")
    fill(store, built, "a/b", "1")
    digest = built.descriptor.digest
    with serve(store, ServeSettings(port=0)) as served:
        host = served.host_port
        pod("pod.yaml", f"{host}/a/b:1", f"{host}/a/none:1", f"{host}/a/b@{digest}")
        assert main(["discover", "pod.yaml", "--pin", "-o", "set.yaml", "--output", "json"]) == 1
    first, second, third = document(capsys)["images"]
    assert (first["digest"], first["pin_error"]) == (digest, None)
    assert second["digest"] is None
    assert second["pin_error"]["code"] == "manifest-unknown"
    assert third["digest"] is None, "it has one already"
    assert f"digest: {digest}" in Path("set.yaml").read_text()


def test_what_nodes_run_is_pinned_without_a_question(capsys: pytest.CaptureFixture[str]) -> None:
    one, other = (f"sha256:{letter * 64}" for letter in "ab")
    items = []
    for name, digests in (("same", (one, one)), ("differs", (one, other))):
        for digest in digests:
            text = f"registry.invalid/{name}:1"
            status = [{"name": "c", "image": text, "imageID": f"registry.invalid/{name}@{digest}"}]
            spec = {"containers": [{"name": "c", "image": text}]}
            items.append(
                {"apiVersion": "v1", "kind": "Pod", "spec": spec, "status": {"containerStatuses": status}},
            )
    Path("all.json").write_text(json.dumps({"kind": "List", "apiVersion": "v1", "items": items[:2]}))
    assert main(["discover", "all.json", "--pin", "-o", "set.yaml"]) == 0
    assert f"registry.invalid/same:1\n    digest: {one}" in Path("set.yaml").read_text()
    Path("all.json").write_text(json.dumps({"kind": "List", "apiVersion": "v1", "items": items}))
    assert main(["discover", "all.json", "-o", "set.yaml"]) == 0
    assert f"# nodes run {one}" in Path("set.yaml").read_text()
    told = "question: registry.invalid/differs:1: nodes run 2 different images under this name: "
    assert told in capsys.readouterr().out


def test_a_login_goes_to_the_only_registry(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRANSLOAD_SOURCE_PASSWORD", "secret word")
    store, built = MemoryStore(), image("x")
    fill(store, built, "a/b", "1")
    settings = ServeSettings(port=0, users={"ann": "secret word"})
    with serve(store, settings) as served:
        pod("pod.yaml", f"{served.host_port}/a/b:1")
        assert main(["discover", "pod.yaml", "--pin", "--source-username", "ann"]) == 0
        assert built.descriptor.digest in capsys.readouterr().out
        assert main(["discover", "pod.yaml", "--pin"]) == 1
        assert "not pinned: " in capsys.readouterr().out
        pod("more.yaml", "elsewhere.invalid/a:1")
        assert main(["discover", "pod.yaml", "more.yaml", "--pin", "--source-username", "ann"]) == 2
        assert "is for one registry" in capsys.readouterr().err


def test_the_library_finds_the_same() -> None:
    pod("pod.yaml", "a:1", "b")
    found = transload.discover("pod.yaml", content=Path("pod.yaml").read_bytes())
    (first,) = found.listing.images
    assert [place.file for place in first.places] == ["pod.yaml", "-"]
    assert [question.text for question in found.listing.questions] == ["b"]
    assert found.set_text().startswith("kind: ImageSet\n")


def test_wrong_calls_of_the_library() -> None:
    with pytest.raises(transload.UsageError, match="standard input is not read"):
        transload.discover("-")
    with pytest.raises(transload.UsageError, match="nothing was named"):
        transload.discover()
    with pytest.raises(TypeError, match="content must be bytes, not str"):
        transload.discover(content="kind: Pod")  # type: ignore[arg-type]
    with pytest.raises(transload.SelectionEmpty):
        transload.discover(content=b"kind: Pod")


def test_quiet_keeps_the_references_apart_from_what_is_open(capsys: pytest.CaptureFixture[str]) -> None:
    pod("web.yaml", "nginx:1.27", "{{ image }}")
    Path("bad.yaml").write_text("a: [\n")
    assert main(["discover", ".", "--quiet"]) == 1
    printed = capsys.readouterr()
    assert printed.out == "docker.io/library/nginx:1.27\n"
    assert [line.partition(":")[0] for line in printed.err.splitlines() if not line.startswith(" ")] == [
        "question",
        "not read",
    ]


def test_an_empty_standard_input_is_told(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    class Stdin:
        buffer = io.BytesIO()

    monkeypatch.setattr(sys, "stdin", Stdin)
    assert main(["discover", "-"]) == NOT_FOUND
    assert "standard input is empty: did the command before it fail?" in capsys.readouterr().err


def test_odd_names_and_texts_are_shown_and_written_harmlessly(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "\u202ea\nb", "namespace": "\x1b[2J"},
        "spec": {"containers": [{"image": "a:1"}, {"image": "b\x1b[31m\n:1"}, {"image": "ann:secret@r.example/x:1"}]},
    }
    Path(os.fsdecode(b"odd\xff\x1b.json")).write_text(json.dumps(odd))
    for output in ("text", "json"):
        assert main(["discover", str(tmp_path), "-o", "set.yaml", "--output", output]) == 0
        told = capsys.readouterr().out
        assert not [letter for letter in told if not letter.isprintable() and letter != "\n"]
        assert "secret" not in told
    written = Path("set.yaml").read_text(encoding="utf-8")
    assert not [letter for letter in written if not letter.isprintable() and letter != "\n"]
    assert "secret" not in written
    loaded = transload.load_set(Path("set.yaml"))
    assert isinstance(loaded, transload.ImageSet)
    assert len(loaded.images) == 1


def test_a_field_that_no_document_has_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    text = "apiVersion: example.com/v1\nkind: Farm\nspec: {a.b: {c: [{x: 'one:1'}]}, d: ['two:2', {e: three}]}\n"
    Path("farm.yaml").write_text(text)
    there = ('spec."a.b".c[].x', "spec.d[]", "spec.d[].e", "spec.*.c[].x", "$.spec.d[*].e")
    missing = ("spec.image", "spec.d", "d[]")
    options = [word for field in (*there, *missing) for word in ("--field", field)]
    assert main(["discover", "farm.yaml", *options]) == 0
    notes = [line for line in capsys.readouterr().err.splitlines() if line.startswith("note:")]
    assert notes == [f"note: no document has the field {field}" for field in ("spec.image", "d[]")]
