"""Loading into an engine: names, platforms, what is sent, and what is said of what cannot be loaded."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from attrs import evolve
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

import transload
from tests import forked
from tests.unit.bundle.packing import contents_of, pack
from tests.unit.engines.smallengine import SmallEngine, small_engine
from transload.bundle import BundleWriter, lay_out
from transload.bundle.format.contents import Prerequisite
from transload.layout import LayoutStore
from transload.oci import Manifest, Name, Platform
from transload.oci.imagelayout import blob_path
from transload.oci.mediatype import OCI_LAYER_ZSTD
from transload.testing.images import Built, artifact, fill, image, multi_platform
from transload.testing.layers import layer

NOTHING = transload.Environment()
SHARED = layer("shared", 40_000)
APP = image("app", layers=(SHARED, 3000))
MULTI = multi_platform("multi", (2000,))
SIZES = {"a": 1_500_000, "b": 1_400_000, "c": 1_300_000}  # in this order, in three volumes
IMAGES = {Name("acme/app", "1"): APP, Name("acme/multi", "1"): MULTI}


@pytest.fixture
def engine() -> Iterator[SmallEngine]:
    with tempfile.TemporaryDirectory() as folder, small_engine(Path(folder) / "s") as engine:
        yield engine


def packed(folder: Path, images: Mapping[Name, Built] = IMAGES, **more: object) -> Path:
    pack(folder / "b", images, **more)  # type: ignore[arg-type]
    return folder / "b"


def load(bundle: Path | str, engine: SmallEngine, **more: object) -> transload.Loaded:
    options = {"engine": "docker", "engine_address": engine.address, "environment": NOTHING, **more}
    return transload.load(bundle, **options)  # type: ignore[arg-type]  # of any kind


def config(built: Built) -> str:
    assert built.manifest.config is not None
    return built.manifest.config.digest


def run(*words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = forked.run(*words)
    assert done.returncode == code, done.stdout + done.stderr
    return done


def test_images_get_the_names_that_pods_ask_for(engine: SmallEngine, tmp_path: Path) -> None:
    loaded = load(packed(tmp_path), engine)
    assert loaded.good
    assert [(one.name, one.status) for one in loaded.images] == [
        ("source.example/acme/app:1", "loaded"),
        ("source.example/acme/multi:1", "loaded"),
    ]
    assert engine.images == {
        "source.example/acme/app:1": config(APP),
        "source.example/acme/multi:1": config(MULTI.children[0]),  # the platform of the engine
    }
    assert [one.digest for one in loaded.images] == [APP.digest, MULTI.digest]


def test_a_second_load_moves_nothing(engine: SmallEngine, tmp_path: Path) -> None:
    bundle = packed(tmp_path)
    assert load(bundle, engine).bytes == sum(
        blob.size for built in (APP, MULTI.children[0]) for blob in built.manifest.blobs
    )
    again = load(bundle, engine)
    assert (again.bytes, {one.status for one in again.images}, len(engine.loads)) == (0, {"present"}, 2)


def test_a_name_that_stood_for_something_else_is_updated(engine: SmallEngine, tmp_path: Path) -> None:
    engine.images["source.example/acme/app:1"] = f"sha256:{'0' * 64}"
    assert [one.status for one in load(packed(tmp_path), engine, images=["app"]).images] == ["updated"]
    assert engine.images["source.example/acme/app:1"] == config(APP)


def test_names_at_a_private_registry(engine: SmallEngine, tmp_path: Path) -> None:
    load(packed(tmp_path), engine, under="registry.local:5000/mirror", images=["acme/app"])
    assert list(engine.images) == ["registry.local:5000/mirror/acme/app:1"]


def test_layers_that_this_run_has_loaded_are_sent_once(engine: SmallEngine, tmp_path: Path) -> None:
    other, swapped = image("other", layers=(SHARED, 700)), image("swapped", layers=(900, SHARED))
    images = {Name("a", "1"): APP, Name("b", "1"): other, Name("c", "1"): swapped}
    assert load(packed(tmp_path, images), engine).good
    member = blob_path(SHARED.descriptor.digest)
    assert [member in members for members in engine.loads] == [True, False, True]  # docker knows it by what is below it


def test_a_layer_that_the_engine_has_lost_meanwhile_fails_with_its_words(engine: SmallEngine, tmp_path: Path) -> None:
    other = image("other", layers=(SHARED, 700))
    loaded = load(
        packed(tmp_path, {Name("a", "1"): APP, Name("b", "1"): other}),
        engine,
        tell=lambda _image: engine.layers.clear(),
    )
    assert loaded.good  # sent again, whole


def test_another_platform(engine: SmallEngine, tmp_path: Path) -> None:
    loaded = load(packed(tmp_path), engine, platform="linux/arm64")
    assert engine.images == {"source.example/acme/multi:1": config(MULTI.children[1])}
    assert [str(one.error) for one in loaded.failures] == ["acme/app:1 is for linux/amd64, not for linux/arm64"]
    missing = load(packed(tmp_path / "x", {Name("m", "1"): MULTI}), engine, platform=Platform("linux", "s390x"))
    assert isinstance(missing.images[0].error, transload.PlatformUnavailable)
    assert missing.images[0].error.hint == "it has linux/amd64, linux/arm64/v8"


def test_what_no_engine_can_hold_is_left_out_and_said(engine: SmallEngine, tmp_path: Path) -> None:
    loaded = load(packed(tmp_path, {**IMAGES, Name("sbom", "1"): artifact("sbom")}), engine)
    assert [one.status for one in loaded.images] == ["loaded", "loaded", "left-out"]
    assert (loaded.good, loaded.exit_code) == (True, 0)
    assert "1 of 3 entries is no image that an engine can hold: left out" in loaded.notes


def test_an_image_without_a_tag_is_refused_by_docker(engine: SmallEngine, tmp_path: Path) -> None:
    name = Name("acme/app", None, APP.digest)
    loaded = load(packed(tmp_path, {name: APP}), engine)
    assert "has no tag, and docker 24.0.7 loads images by tags only" in str(loaded.images[0].error)


def test_layers_by_zstd_are_refused_before_docker_23(tmp_path: Path) -> None:
    built = _by_zstd(image("zstd", layers=(500,)))
    with small_engine(tmp_path / "s", "20.10.24+dfsg1") as engine:
        loaded = load(packed(tmp_path, {Name("z", "1"): built, Name("a", "1"): APP}), engine)
    assert [one.status for one in loaded.images] == ["loaded", "failed"]
    assert "zstd, which docker 20.10.24+dfsg1 cannot read" in str(loaded.failures[0].error)


def _by_zstd(built: Built) -> Built:
    """The same image, whose layers have the type of zstd."""
    raw = built.manifest.raw.replace(b"layer.v1.tar+gzip", b"layer.v1.tar+zstd")
    contents = tuple(
        evolve(content, descriptor=evolve(content.descriptor, media_type=OCI_LAYER_ZSTD))
        if "layer" in content.descriptor.media_type
        else content
        for content in built.contents
    )
    return Built(Manifest.parse(raw), contents)


def test_what_a_differential_bundle_leaves_out_is_named(engine: SmallEngine, tmp_path: Path) -> None:
    lacking = APP.manifest.layers[1]
    contents = contents_of(IMAGES)
    partly = evolve(
        contents,
        blobs=tuple(blob for blob in contents.blobs if blob.digest != lacking.digest),
        prerequisites=(Prerequisite(lacking, ("acme/app",), ("acme/app:1",)),),
    )
    with BundleWriter(tmp_path / "b", lay_out(partly, None)) as writer:
        for content in {
            content.descriptor.digest: content for built in IMAGES.values() for content in built.walk_contents()
        }.values():
            if content.descriptor.digest != lacking.digest:
                with writer.begin("", content.descriptor) as ingest:
                    ingest.write([content.read()])
                    ingest.commit()
        for name, built in IMAGES.items():
            for each in built.walk():
                writer.put_manifest(name if each is built else name.at(each.digest), each.manifest)
        writer.finish()
    loaded = load(tmp_path / "b", engine)
    assert [one.status for one in loaded.images] == ["failed", "loaded"]
    assert isinstance(loaded.failures[0].error, transload.PrerequisiteMissing)
    assert loaded.exit_code == 1
    assert "source.example/acme/app:1" not in engine.images


def test_a_missing_volume_stops_only_the_images_that_need_it(engine: SmallEngine, tmp_path: Path) -> None:
    images = {Name(name, "1"): image(name, layers=(size,)) for name, size in SIZES.items()}
    _, files = pack(tmp_path / "b", images, 1_450_000)
    files[1].unlink()
    loaded = load(tmp_path / "b", engine)
    assert [one.status for one in loaded.images] == ["failed", "failed", "loaded"]
    assert isinstance(loaded.failures[0].error, transload.VolumeMissing)
    assert list(engine.images) == ["source.example/c:1"]


def test_a_damaged_blob_gives_no_name(engine: SmallEngine, tmp_path: Path) -> None:
    bundle = packed(tmp_path, {Name("a", "1"): APP})
    with (tmp_path / "b.tar").open("r+b") as file:
        raw = file.read()
        file.seek(raw.index(SHARED.read()[20_000:20_100]))
        file.write(b"spoilt")
    loaded = load(bundle, engine)
    error = loaded.failures[0].error
    assert isinstance(error, transload.CorruptError)
    assert error.message.startswith("damaged content: expected sha256:")
    assert "transload verify" in (error.hint or "")
    assert (engine.images, engine.loads) == ({}, [])


def test_an_engine_whose_disk_is_full(engine: SmallEngine, tmp_path: Path) -> None:
    engine.full_after = 20_000
    loaded = load(packed(tmp_path), engine)
    assert isinstance(loaded.failures[0].error, transload.StorageFull)
    assert str(loaded.failures[0].error) == "loading source.example/acme/app:1: the disk of the docker engine is full"
    assert [one.status for one in loaded.images] == ["failed", "loaded"]


def test_cancelled_in_the_middle_the_engine_has_no_name(engine: SmallEngine, tmp_path: Path) -> None:
    cancellation = transload.Cancellation()

    def progress(event: object) -> None:
        if getattr(event, "activity", "") == "loading" and getattr(event, "done", 0) > 10_000:
            cancellation.cancel()

    loaded = load(packed(tmp_path), engine, progress=progress, cancellation=cancellation)
    assert loaded.exit_code == 130
    assert (engine.images, engine.loads) == ({}, [])


def test_other_carried_stores_keep_full_names_and_say_what_was_completed(engine: SmallEngine, tmp_path: Path) -> None:
    store = LayoutStore(tmp_path / "l", create=True)
    fill(store, APP, "quay.io/acme/app", "1")
    fill(store, MULTI, "tool", "2")
    loaded = load(f"oci:{tmp_path / 'l'}", engine)
    assert set(engine.images) == {"quay.io/acme/app:1", "docker.io/library/tool:2"}
    assert any("tool:2 comes, so it counts as docker.io's" in note for note in loaded.notes)


def test_two_images_cannot_get_one_name(engine: SmallEngine, tmp_path: Path) -> None:
    store = LayoutStore(tmp_path / "l", create=True)
    fill(store, APP, "tool", "2")
    fill(store, MULTI, "library/tool", "2")
    with pytest.raises(transload.TargetConflict, match="would both be called docker.io/library/tool:2"):
        load(f"oci:{tmp_path / 'l'}", engine)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--docker", "--podman"], 2, "both --docker and --podman are given"),
        (["--engine-address", "unix:///s"], 2, "it is not said which engine has the address"),
        (["--docker", "--namespace", "x"], 2, "docker has no namespaces"),
        (["--docker", "--engine-address", "tcp://h:1"], 2, "only sockets of this machine are used"),
        (["--docker", "--engine-address", "unix:///nowhere/s"], 5, "there is no such socket"),
        (["--docker", "--as", "oci:x"], 2, "--as oci:x is no registry"),
        (["--docker", "--platform", "linux"], 2, "is not a platform"),
        (
            ["--containerd", "--all-platforms", "--platform", "arm64"],
            2,
            "all platforms are wanted, and only linux/arm64",
        ),
        (["--docker", "--image", "nothing"], 4, "no wanted image is called 'nothing'"),
        (["--docker", "--all-platforms"], 2, "docker keeps an image for one platform"),
    ],
)
def test_wrong_words_get_one_sentence(
    engine: SmallEngine, tmp_path: Path, words: list[str], code: int, said: str
) -> None:
    own = [] if "--engine-address" in words or "--containerd" in words else ["--engine-address", engine.address]
    own = own if "--docker" in words and "--podman" not in words else []
    done = run("load", str(packed(tmp_path)), *words, *own, code=code)
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("store", ["docker:", "podman:", "charts:https://charts.example.org"])
def test_only_what_was_carried_is_loaded(store: str) -> None:
    with pytest.raises(transload.UsageError, match="only a bundle, a folder or an archive is loaded"):
        transload.load(store, engine="docker", engine_address="/nowhere", environment=NOTHING)


def test_with_a_key_only_what_it_signed_is_loaded(engine: SmallEngine, tmp_path: Path) -> None:
    public = Ed25519PrivateKey.generate().public_key()
    (tmp_path / "site.pub").write_bytes(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    with pytest.raises(transload.BundleUnsigned):
        load(packed(tmp_path), engine, key=tmp_path / "site.pub")
    assert engine.images == {}


def test_json_has_each_image(engine: SmallEngine, tmp_path: Path) -> None:
    done = run("load", str(packed(tmp_path)), "--docker", "--engine-address", engine.address, "--output", "json")
    told = json.loads(done.stdout.splitlines()[-1])
    assert (told["event"], told["engine"], told["good"]) == ("loaded", "docker 24.0.7", True)
    assert told["images"][0]["identity"] == config(APP)
