"""deploy/container: built by buildah without a network, and run by podman as the cluster would run it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.real.base import with_python
from tests.real.engines import needs
from tests.real.programs import program
from tests.real.servers import Registry
from tests.real.vendor import IMAGES, NEW, store_at
from tests.test_deploy import DEPLOY, POD
from transload.version import __version__

ROOT = DEPLOY.parent
USER, GROUP = 1_000_660_000, 4711
Run = Callable[..., "subprocess.CompletedProcess[str]"]

pytestmark = pytest.mark.timeout(1200)


@pytest.fixture(scope="module")
def storage() -> Iterator[list[str]]:
    """Where buildah and podman keep what this file makes; a runroot may have 50 letters, and memory is too small.

    Without overlays, each container and each step of the build would be a copy of everything.
    """
    with tempfile.TemporaryDirectory(prefix="image", dir="/var/tmp") as folder:
        driver = "overlay" if overlays(Path(folder)) else "vfs"
        yield [f"--root={folder}/root", f"--runroot={folder}/run", f"--storage-driver={driver}"]


def overlays(folder: Path) -> bool:
    """Whether the kernel lays one folder over another there: it is tried."""
    lower, upper, work, place = (folder / "tried" / name for name in ("lower", "upper", "work", "place"))
    for made in (lower, upper, work, place):
        made.mkdir(parents=True)
    options = f"lowerdir={lower},upperdir={upper},workdir={work}"
    mount = ["mount", "-t", "overlay", "overlay", "-o", options, str(place)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        return False
    subprocess.run(["umount", str(place)], check=True)
    return True


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that is built from, filled as the guide says."""
    folder = tmp_path_factory.mktemp("context") / "container"
    shutil.copytree(DEPLOY / "container", folder)
    own = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["./wheels.sh", str(ROOT)], cwd=folder, env=own, capture_output=True, text=True, timeout=900, check=False
    )
    if done.returncode and "No matching distribution found for hatchling" in done.stderr:
        pytest.skip("no package registry is reached")
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def built(storage: list[str], wheels: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    buildah = [needs("buildah"), *storage]
    for name in ("base", "runtime"):
        tree = tmp_path_factory.mktemp("tree") / name
        tree.mkdir()
        with_python(tree, shell=name == "base")
        container = asked([*buildah, "from", "scratch"]).strip()
        asked([*buildah, "add", "--quiet", container, str(tree), "/"])
        asked([*buildah, "commit", "--quiet", container, f"localhost/{name}:1"])
        asked([*buildah, "rm", container])
    asked(
        [
            *(program("unshare"), "--net", *buildah, "bud", "--isolation=chroot", "--pull-never"),
            *("--build-arg", "BASE=localhost/base:1", "--build-arg", "RUNTIME=localhost/runtime:1"),
            *("-t", "localhost/transload:1", str(wheels)),
        ]
    )
    return "localhost/transload:1"


@pytest.fixture(scope="module")
def run(storage: list[str], built: str) -> Run:
    """Runs the image with a root that cannot be written to, as a user whom nobody has told it about."""
    runtime = ["--runtime=runc"] if shutil.which("runc") else []
    words = [
        *(needs("podman"), *storage, "--cgroup-manager=cgroupfs", *runtime, "run", "--rm", "--network=host"),
        *("--read-only", "--read-only-tmpfs=false", "--cap-drop=all", "--security-opt=no-new-privileges"),
        *(f"--user={USER}:{GROUP}", "--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024"),
    ]

    def run(*arguments: object, options: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        command = [*words, *options, built, *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)

    if (tried := run("--version")).returncode in {125, 126, 127}:
        pytest.skip(f"no container runs here: {tried.stderr[-500:]}")
    assert tried.stdout == f"transload {__version__}\n"
    return run


def asked(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


def test_it_says_what_it_is(storage: list[str], built: str) -> None:
    (told,) = json.loads(asked([needs("podman"), *storage, "image", "inspect", built]))
    config = told["Config"]
    assert config["User"] == "65532:65532"
    assert config["Entrypoint"] == ["/opt/transload/bin/transload"]
    assert config["Labels"]["org.opencontainers.image.version"] == __version__


def test_it_mirrors_as_any_user_with_a_root_that_cannot_be_written_to(
    run: Run, vendor: Registry, registry: Registry, tmp_path: Path
) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state").chmod(0o770)
    os.chown(tmp_path / "state", 0, GROUP)
    images = [f"{vendor.host}/arcdata/{name}:{NEW}" for name in IMAGES[:2]]
    (tmp_path / "images.yaml").write_text(json.dumps({"kind": "ImageSet", "version": 1, "images": images}))
    mounts = (f"--volume={tmp_path}/state:/state", f"--volume={tmp_path}/images.yaml:/etc/transload/images.yaml:ro")
    words = (*POD["containers"][0]["args"], "--to", f"{registry.host}/container")
    for told in ("2 copied", "nothing new"):
        done = run(*words, options=mounts)
        assert done.returncode == 0, done.stderr
        assert told in done.stdout
    assert (tmp_path / "state/report.json").stat().st_uid == USER
    assert list((tmp_path / "state/transload").iterdir())
    with store_at(registry) as store:
        assert {f"container/arcdata/{name}" for name in IMAGES[:2]} <= set(store.repositories())


def test_without_a_volume_it_works_all_the_same(run: Run, vendor: Registry, registry: Registry) -> None:
    done = run("mirror", f"{vendor.host}/arcdata/{IMAGES[0]}:{NEW}", "--to", f"{registry.host}/stateless", "--quiet")
    assert done.returncode == 0, done.stderr
    assert not done.stderr


def test_it_has_neither_a_shell_nor_pip(run: Run) -> None:
    assert run("-c", "true", options=("--entrypoint=/bin/sh",)).returncode == 127
    told = run("-m", "pip", "--version", options=("--entrypoint=/opt/transload/bin/python",))
    assert "No module named pip" in told.stderr


def test_a_file_that_was_changed_is_not_installed(wheels: Path, tmp_path: Path) -> None:
    changed = shutil.copytree(wheels / "wheels", tmp_path / "wheels")
    with next(changed.glob("transload-*.whl")).open("ab") as wheel:
        wheel.write(b"more")
    install = [sys.executable, "-m", "pip", "install", "--dry-run", "--no-index", "--require-hashes"]
    for folder, code in ((wheels / "wheels", 0), (changed, 1)):
        done = subprocess.run(
            [*install, "-r", "requirements.txt"], cwd=folder, capture_output=True, text=True, timeout=240, check=False
        )
        assert done.returncode == code, done.stderr
    assert "THESE PACKAGES DO NOT MATCH THE HASHES" in done.stderr
