"""Texts from outside reach people and programs without what moves cursors, turns lines or cannot be encoded."""

from __future__ import annotations

import io
import json
import os
import tarfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tests.unit.registry.wire import Asked, Said, serving
from transload.cli.main import main

NASTY = "x\x1b[2J\x07\r\n\u202e\u2066\u200b\ud800\x9b\u2028\x00\x7f://ann:secret@y"
OCI = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
JSON = {"Content-Type": "application/json"}

Script = Callable[[Asked], Said]


@pytest.fixture(autouse=True)
def _nobodys_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("HOME", "TRANSLOAD_STATE_DIR"):
        monkeypatch.setenv(name, str(tmp_path))


def said(document: Any, status: int = 200, media_type: str = "application/json") -> Said:
    return Said(status, {"Content-Type": media_type}, json.dumps(document).encode())


def with_error(asked: Asked) -> Said:
    return said({"errors": [{"code": NASTY, "message": NASTY, "detail": {NASTY: NASTY}}]}, 403)


def with_page(asked: Asked) -> Said:
    return Said(404, {"Content-Type": "text/html"}, f"<title>{NASTY}</title>".encode("utf-8", "replace"))


def with_headers(asked: Asked) -> Said:
    odd = "x\x1b[2J\x9b\x85y"
    return Said(200, {"Content-Type": odd, "Docker-Content-Digest": odd, "Warning": odd}, b"{}")


def with_challenge(asked: Asked) -> Said:
    return Said(
        401, {"WWW-Authenticate": 'Od\x1bd\x9b realm="x", Bearer realm="http://ann:secret@y\x1b[2J/",service="\x9b"'}
    )


def with_location(asked: Asked) -> Said:
    return Said(307, {"Location": "http://ann:secret@y\x1b[2J\x9b/"})


def with_lists(asked: Asked) -> Said:
    if asked.path.endswith("/_catalog"):
        return said({"repositories": [NASTY, "a"]})
    if asked.path.endswith("/tags/list"):
        return said({"tags": [NASTY, "v1.0.0", f"v1.0.1{NASTY}"]})
    return with_index(asked)


def with_index(asked: Asked) -> Said:
    config = b"{}"
    child = {
        "schemaVersion": 2,
        "mediaType": OCI,
        "artifactType": NASTY,
        "config": {"mediaType": OCI, "digest": f"sha256:{sha256(config).hexdigest()}", "size": 2},
        "layers": [],
        "annotations": {NASTY: NASTY},
    }
    raw = json.dumps(child).encode()
    entry = {
        "mediaType": OCI,
        "digest": f"sha256:{sha256(raw).hexdigest()}",
        "size": len(raw),
        "platform": {"os": NASTY, "architecture": NASTY},
        "annotations": {NASTY: NASTY},
    }
    own = {**entry, "platform": {"os": "linux", "architecture": "amd64"}}
    if asked.path.endswith(str(entry["digest"])):
        return Said(200, {"Content-Type": OCI}, raw)
    if "/blobs/" in asked.path:
        return Said(200, {}, config)
    return said({"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry, own]}, media_type=INDEX)


def with_media_type(asked: Asked) -> Said:
    return said(
        {"schemaVersion": 2, "mediaType": NASTY, "config": {"mediaType": NASTY, "digest": NASTY}}, media_type=OCI
    )


VERBS = (
    "mirror",
    "mirror all",
    "mirror platform",
    "mirror to",
    "plan",
    "plan catalog",
    "pack",
    "verify",
    "push",
    "inventory",
    "releases",
    "discover",
    "check",
)
SCRIPTS = (with_error, with_page, with_headers, with_challenge, with_location, with_lists, with_index, with_media_type)


def catalog(registry: str) -> str:
    Path("catalog.yaml").write_text(
        f"{{kind: Catalog, version: 1, name: c, registry: '{registry}', anchor: a,"
        " releases: [{tag: v0.9.0, images: [a]}]}"
    )
    return "catalog.yaml"


def manifest(registry: str) -> str:
    Path("pod.yaml").write_text(f"{{apiVersion: v1, kind: Pod, spec: {{containers: [{{image: '{registry}/a:1'}}]}}}}")
    return "pod.yaml"


def commands(host: str) -> dict[str, list[str]]:
    reports = ["--report", "report.md", "--report", "report.json"]
    return {
        "mirror": ["mirror", f"{host}/a:1", "--to", "oci:out", *reports],
        "mirror all": ["mirror", "--from", host, "--to", "oci:all", *reports],
        "mirror platform": ["mirror", f"{host}/a:1", "--platform", "linux/amd64", "--to", "oci:out", *reports],
        "mirror to": ["mirror", "--from", "oci:layout", "--to", f"{host}/b", *reports],
        "plan": ["plan", f"{host}/a:1", "--to", f"{host}/b", "-o", "plan.json"],
        "plan catalog": ["plan", catalog(host), "--to", "oci:out", "--discover"],
        "pack": ["pack", f"{host}/a:1", "-o", "bundle", *reports],
        "verify": ["verify", f"{host}/a:1", "--to", f"{host}/b"],
        "push": ["push", "layout", "--to", f"{host}/b", *reports],
        "inventory": ["inventory", host, "-o", "site.json"],
        "releases": ["releases", catalog(host), "--to", f"{host}/b"],
        "discover": ["discover", manifest(host), "--pin", "-o", "set.yaml"],
        "check": ["check", f"{host}/b", f"{host}/a:1", "--timeout", "5"],
    }


def layout(folder: Path, name: str) -> None:
    """A folder with one image that is called `name`."""
    (folder / "blobs" / "sha256").mkdir(parents=True)
    raw = with_index(Asked("GET", "/", {}, bytes)).body  # type: ignore[arg-type]
    child = json.loads(raw)["manifests"][0]["digest"]
    for content in (raw, b"{}", with_index(Asked("GET", f"/{child}", {}, bytes)).body):  # type: ignore[arg-type]
        (folder / "blobs" / "sha256" / sha256(content).hexdigest()).write_bytes(content)
    entry = {"mediaType": INDEX, "digest": f"sha256:{sha256(raw).hexdigest()}", "size": len(raw)}
    entry["annotations"] = {"org.opencontainers.image.ref.name": name, NASTY: NASTY}
    (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))


def saved(path: Path) -> None:
    """A docker archive whose members and tags have odd names."""
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        manifest = json.dumps([{"Config": NASTY, "RepoTags": [NASTY], "Layers": [NASTY]}]).encode()
        for name, content in (("manifest.json", manifest), ("x\x1b[2J\u202ey", b"{}")):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))


def check(told: str, what: object) -> None:
    odd = {letter for letter in told if not letter.isprintable() and letter != "\n"}
    assert (what, odd) == (what, set())
    assert "secret" not in told


def texts_in(value: Any) -> list[str]:
    match value:
        case str():
            return [value]
        case dict():
            return [text for key, each in value.items() for text in (key, *texts_in(each))]
        case list():
            return [text for each in value for text in texts_in(each)]
        case _:
            return []


def check_json(lines: str, what: object) -> None:
    for line in lines.splitlines():
        for text in texts_in(json.loads(line)):
            check(text, what)


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("script", SCRIPTS)
def test_what_a_registry_says(script: Script, verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    layout(tmp_path / "layout", "1")
    with serving(script) as wire:
        words = commands(wire.host)[verb]
        for output in ("text", "json"):
            code = main([*words, "--output", output])
            told = capsys.readouterr()
            assert code not in {70, 130}, told.err
            check(told.err, words)
            (check_json if output == "json" else check)(told.out, words)
            for report in (Path("report.md"), Path("report.json")):
                if report.exists():
                    check(report.read_text(encoding="utf-8"), report)


@pytest.mark.parametrize("verb", ["verify", "push", "list", "mirror"])
@pytest.mark.parametrize("kind", ["a layout", "an archive", "a name in the folder", "an odd path"])
def test_what_a_folder_or_archive_says(
    kind: str, verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = "carried"
    if kind == "an archive":
        saved(tmp_path / path)
    elif kind == "an odd path":
        path = os.fsdecode(b"odd\x1b[2J\xff\xe2\x80\xae")
        layout(tmp_path / path, "1")
    else:
        layout(tmp_path / path, NASTY if kind == "a layout" else "a\x1b[2Jb:1")
    words = {
        "verify": ["verify", path],
        "push": ["push", path, "--to", "oci:out"],
        "list": ["list", path],
        "mirror": ["mirror", "--from", f"{'archive' if kind == 'an archive' else 'oci'}:{path}", "--to", "oci:out"],
    }[verb]
    for output in ("text", "json"):
        code = main([*words, "--output", output])
        told = capsys.readouterr()
        assert code not in {70, 130}, told.err
        check(told.err, words)
        (check_json if output == "json" else check)(told.out, words)


def test_what_somebody_wrote(capsys: pytest.CaptureFixture[str]) -> None:
    written = NASTY.replace("\x00", "").replace("\ud800", "\udcff")  # what arguments can hold
    for words in (
        [written],
        ["mirror", written, "--to", "oci:out"],
        ["mirror", "a:1", "--to", written],
        ["mirror", "a:1", f"--{written}"],
        ["plan", "a:1", "--to", "oci:out", "--narrow", written],
        ["list", written],
        ["serve", "oci:x", "--listen", written],
        ["releases", written],
    ):
        assert main(words) in {2, 4, 8}
        check("".join(capsys.readouterr()), words)
