"""What `apply --dask` refuses before it asks anybody, and what the workers are given."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from transload.app.network import Network
from transload.cli.main import main
from transload.distributed.running import errand_of
from transload.oci import Name
from transload.planning import ManifestStep, Plan
from transload.planning.plan import PlannedImage
from transload.planning.planfile import dump_plan
from transload.testing.images import image

ADDRESS = "tcp://127.0.0.1:1"
BUILT = image("one", (1000,))


@pytest.fixture(autouse=True)
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("HOME", "TRANSLOAD_STATE_DIR", "TRANSLOAD_CONFIG"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    return tmp_path


def planned(source: str = "source.invalid", target: str = "target.invalid") -> str:
    step = ManifestStep(
        id=0, digest=BUILT.digest, name=Name("a", "1"), needs=(), source_store=source, source_repository="a"
    )
    wanted = PlannedImage(source_store=source, source=Name("a", "1"), target=Name("a", "1"), status="new", goals=(0,))
    plan = Plan(target=target, images=(wanted,), steps=(step,), manifests={BUILT.digest: BUILT.manifest})
    Path("p.json").write_bytes(dump_plan(plan))
    return "p.json"


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["apply", *words]) == 2
    return " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("address", ["scheduler:8786", "http://scheduler:8786", "tcp://", "inproc://scheduler"])
def test_an_address_has_its_scheme(capsys: pytest.CaptureFixture[str], address: str) -> None:
    told = refused(capsys, planned(), "--dask", address)
    assert f"--dask {address} is not the address of a scheduler" in told
    assert "tcp://HOST:8786" in told


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--target-username", "ann"), "would be no login of the workers"),
        (("--source-username", "ann", "--source-password-stdin"), "would be no login of the workers"),
        (("--max-bytes", "1GB"), "--max-bytes and --between do not go with --dask"),
        (("--between", "22:00-05:00"), "--max-bytes and --between do not go with --dask"),
        (("--share", "1/2"), "--dask"),
        (("--finish", "--of", "2"), "--dask"),
    ],
)
def test_what_does_not_go_with_it(capsys: pytest.CaptureFixture[str], words: tuple[str, ...], told: str) -> None:
    assert told in refused(capsys, planned(), "--dask", ADDRESS, *words)


def test_a_client_certificate_stays_here(capsys: pytest.CaptureFixture[str], desk: Path) -> None:
    for name in ("own.pem", "own.key"):
        (desk / name).write_text("secret")
    told = refused(capsys, planned(), "--dask", ADDRESS, "--client-cert", "own.pem", "--client-key", "own.key")
    assert "a client certificate does not go to the workers: its key is a secret" in told


@pytest.mark.parametrize(
    ("source", "target", "told"),
    [
        ("source.invalid", "oci:folder", "workers cannot write to oci:folder"),
        ("oci:folder", "target.invalid", "workers cannot find oci:folder: its path depends on the current folder"),
        ("bundle:it", "target.invalid", "workers cannot read bundle:it: it is on this machine"),
        ("docker:", "target.invalid", "workers cannot read docker:: it is on this machine"),
    ],
)
def test_stores_of_this_machine_are_refused(
    capsys: pytest.CaptureFixture[str], source: str, target: str, told: str
) -> None:
    assert told in refused(capsys, planned(source, target), "--dask", ADDRESS)


def test_without_dask_it_says_what_to_install(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert main(["apply", planned(), "--dask", ADDRESS]) == 8
    told = capsys.readouterr().err
    assert "--dask needs the package distributed" in told
    assert "python3 -m pip install 'transload[distributed]'" in told


def test_workers_get_the_settings_of_connections_and_share_the_rate(desk: Path) -> None:
    pytest.importorskip("distributed", reason="Dask is not installed")
    (desk / "ca.pem").write_text("an authority")
    network = Network(ca_files="ca.pem", plain_http="a.invalid", limit_rate=["20MB/s", "target=8MB/s"], min_rate=500)
    name, settings, authorities = errand_of(network).for_worker(4)
    assert name.startswith("transload-")
    assert settings["limit_rate"] == ("5000000", "target=2000000")
    assert authorities == (b"an authority",)
    json.dumps(settings)  # plain values, which any Python reads
    assert Network(**settings) == Network(plain_http="a.invalid", limit_rate=["5MB/s", "target=2MB/s"], min_rate=500)
