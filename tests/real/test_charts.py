"""Charts at a real docker-registry: what skopeo and plain requests read back is what the chart repository had."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import transload
from tests.real.servers import Registry, Skopeo
from tests.unit.charts.building import archive, chart_repository
from transload.catalog.chartaddress import ChartAddress
from transload.memory import MemoryStore
from transload.oci import Digest
from transload.server import ServeSettings, serve
from transload.testing.images import fill, image

APP = image("app", layers=(5000,))
POD = "apiVersion: v1\nkind: Pod\nspec: {containers: [{image: {{ .Values.image }}}]}\n"
SIGNED = b"-----BEGIN PGP SIGNED MESSAGE-----\n"


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("HOME", "TRANSLOAD_STATE_DIR", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)


def digest_at(skopeo: Skopeo, reference: str) -> Digest:
    """The digest of what skopeo reads there."""
    return Digest.of(skopeo("inspect", "--raw", "--tls-verify=false", f"docker://{reference}").stdout.encode())


@pytest.mark.parametrize("way", ["mirror", "bundle", "folder"])
def test_a_chart_comes_back_byte_for_byte(way: str, registry: Registry, skopeo: Skopeo, tmp_path: Path) -> None:
    store = MemoryStore()
    fill(store, APP, "team/app", "1")
    with serve(store, ServeSettings()) as vendor:
        values = f"image: {vendor.host_port}/team/app:1\n"
        chart = archive("web", "1.3.0+b.5", files={"values.yaml": values, "templates/pod.yaml": POD})
        beside = {"web-1__3__0+b__5__tgz__prov": SIGNED}
        with chart_repository({"web-1.3.0+b.5.tgz": chart}, **beside) as repository:
            address = f"http://{repository.host}/charts/web:^1"
            if way == "mirror":
                transload.mirror(address, to=f"{registry.host}/{way}", values_folder="values")
            elif way == "bundle":
                transload.pack(address, "carried")
                transload.push("carried", to=f"{registry.host}/{way}")
            else:
                transload.mirror(address, to="oci:carried")
                transload.push("oci:carried", to=f"{registry.host}/{way}")
    assert digest_at(skopeo, f"{registry.host}/{way}/team/app:1") == APP.digest
    raw = skopeo(
        "inspect", "--raw", "--tls-verify=false", f"docker://{registry.host}/{way}/charts/web:1.3.0_b.5"
    ).stdout
    document = json.loads(raw)
    assert document["config"]["mediaType"] == "application/vnd.cncf.helm.config.v1+json"
    found = {}
    for layer in document["layers"]:
        status, _, body = registry.request(f"/v2/{way}/charts/web/blobs/{layer['digest']}")
        assert status == 200
        found[layer["mediaType"]] = body
    assert found == {
        "application/vnd.cncf.helm.chart.content.v1.tar+gzip": chart,
        "application/vnd.cncf.helm.chart.provenance.v1.prov": SIGNED,
    }
    if way == "mirror":
        (written,) = Path("values").iterdir()
        assert f'image: "{registry.host}/mirror/team/app:1"' in written.read_text()


def test_a_chart_that_skopeo_copied_is_read(registry: Registry, skopeo: Skopeo, tmp_path: Path) -> None:
    """From one registry to the next, the manifest stays what it is, whoever copies."""
    Path("web.tgz").write_bytes(archive())
    Path("set.yaml").write_text("kind: ImageSet\nversion: 1\ncharts: [{chart: web.tgz, images: false}]\n")
    transload.mirror("set.yaml", to=f"{registry.host}/first")
    first, second = (f"{registry.host}/{place}/charts/web:1.2.3" for place in ("first", "second"))
    skopeo("copy", "--src-tls-verify=false", "--dest-tls-verify=false", f"docker://{first}", f"docker://{second}")
    assert digest_at(skopeo, first) == digest_at(skopeo, second)
    transload.mirror(f"oci://{registry.host}/second/charts/web", to="oci:out", check=False)
    with transload.open_store("oci:out") as out:
        manifest = out.fetch("second/charts/web:1.2.3")
        assert manifest.digest == digest_at(skopeo, first)
        assert out.read_blob("second/charts/web", manifest.layers[0]) == archive()
    assert ChartAddress.parse(f"oci://{registry.host}/second/charts/web").in_registry
    assert manifest.layers[0].digest == Digest.of(archive())
