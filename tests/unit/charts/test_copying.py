"""Charts of an image set are copied with the images that they need, unchanged, wherever they come from and go to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import transload
from tests.unit.charts.building import METADATA, archive, chart_repository, files, index_of
from tests.unit.registry.wire import Wire
from transload.catalog.setfile import parse_set
from transload.charts.artifact import CONTENT, PROVENANCE, artifact_of
from transload.charts.chart import Chart
from transload.cli.main import main
from transload.errors import DocumentInvalid, ImagesFailed, TargetConflict, TransloadError, UsageError
from transload.memory import MemoryStore
from transload.oci import Digest, Name
from transload.server import Served, ServeSettings, serve
from transload.testing.images import Built, fill, image, multi_platform, signature

NGINX, SIDECAR, DATABASE = (image(name, layers=(900,)) for name in ("nginx", "sidecar", "database"))
VALUES = """image: {{registry: {host}, repository: team/nginx, tag: 1.27.0}}
sidecar:
  image: {host}/team/sidecar:2
  extra: {{image: "{{{{ .Values.other }}}}"}}
"""
POD = """apiVersion: v1
kind: Pod
spec:
  containers:
    - image: "{{ .Values.image.registry }}/{{ .Values.image.repository }}:{{ .Values.image.tag }}"
    - image: {{ .Values.sidecar.image }}
    - image: {{ .Values.sidecar.extra.image }}
"""
SUBCHART = "image: {host}/team/database:16\n"
SUBCHART_POD = "apiVersion: v1\nkind: Pod\nspec: {containers: [{image: {{ .Values.image }}}]}\n"


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("HOME", "TRANSLOAD_STATE_DIR", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    monkeypatch.setenv("PATH", str(tmp_path / "no-helm"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def vendor() -> Iterator[Served]:
    store = MemoryStore()
    for built, name, tag in ((NGINX, "nginx", "1.27.0"), (SIDECAR, "sidecar", "2"), (DATABASE, "database", "16")):
        fill(store, built, f"team/{name}", tag)
    with serve(store, ServeSettings(writable=True)) as served:
        yield served


@pytest.fixture
def site() -> Iterator[tuple[MemoryStore, str]]:
    store = MemoryStore()
    with serve(store, ServeSettings(writable=True)) as served:
        yield store, served.host_port


@pytest.fixture
def web(vendor: Served) -> bytes:
    """A chart with a subchart whose values name images at the vendor's registry."""
    host = vendor.host_port
    return archive(
        files={
            "values.yaml": VALUES.format(host=host),
            "templates/pod.yaml": POD,
            "charts/db/templates/pod.yaml": SUBCHART_POD,
            "charts/db/Chart.yaml": METADATA.format(name="db", version="0.1.0"),
            "charts/db/values.yaml": SUBCHART.format(host=host),
        }
    )


@pytest.fixture
def repository(web: bytes) -> Iterator[Wire]:
    with chart_repository({"web-1.2.3.tgz": web}, **{"web-1__2__3__tgz__prov": b"signed"}) as wire:
        yield wire


def image_set(*charts: str) -> str:
    Path("set.yaml").write_text("kind: ImageSet\nversion: 1\ncharts:\n" + "".join(f"  - {text}\n" for text in charts))
    return "set.yaml"


def names(result: transload.Result) -> dict[str, str]:
    return {image.name: image.status for image in result.images}


ALL = {
    "mirror/charts/web:1.2.3": "copied",
    "mirror/team/database:16": "copied",
    "mirror/team/nginx:1.27.0": "copied",
    "mirror/team/sidecar:2": "copied",
}


def test_a_chart_of_a_repository_with_its_images(repository: Wire, site: tuple[MemoryStore, str], web: bytes) -> None:
    store, host = site
    wanted = image_set(f"{{chart: web, repository: 'http://{repository.host}/charts', version: ^1}}")
    result = transload.mirror(wanted, to=f"{host}/mirror")
    assert names(result) == ALL
    manifest = store.fetch(Name("mirror/charts/web", "1.2.3"))
    assert manifest.digest == artifact_of(Chart.parse(web, "web", b"signed")).manifest.digest
    assert [layer.media_type for layer in manifest.layers] == [CONTENT, PROVENANCE]
    assert manifest.layers[0].digest == Digest.of(web)
    with store.open("mirror/charts/web", manifest.layers[0]) as chunks:
        assert b"".join(map(bytes, chunks)) == web
    again = transload.mirror(wanted, to=f"{host}/mirror")
    assert set(names(again).values()) == {"unchanged"}
    assert again.moved_bytes == 0
    assert transload.verify(wanted, to=f"{host}/mirror").good


def test_the_archive_is_read_once(repository: Wire, site: tuple[MemoryStore, str]) -> None:
    transload.mirror(f"http://{repository.host}/charts/web", to=site[1])
    assert sorted(repository.lines) == [
        "GET /charts/index.yaml",
        "GET /charts/web-1.2.3.tgz",
        "GET /charts/web-1.2.3.tgz.prov",
    ]


def test_notes_say_the_version_and_what_is_open(repository: Wire) -> None:
    result = transload.mirror(f"http://{repository.host}/charts/web:>=1 <2", to="oci:out")
    newest, sure, questions = result.notes
    assert newest == f"chart web 1.2.3 is the newest of >=1 <2 at http://{repository.host}/charts"
    assert sure.startswith("chart web 1.2.3 needs 3 images by its values and templates")
    assert questions.startswith("1 question is open in chart web 1.2.3: web-1.2.3.tgz!values.yaml:4")
    assert "\n" not in questions


def test_without_its_images_and_under_another_name(repository: Wire) -> None:
    address = f"http://{repository.host}/charts/web:1.2.3"
    result = transload.mirror(image_set(f"{{chart: '{address}', images: false, target: deep/web}}"), to="oci:out")
    assert names(result) == {"deep/web:1.2.3": "copied"}
    assert result.notes == ()


def test_values_name_other_images(repository: Wire, vendor: Served) -> None:
    Path("more.yaml").write_text("image: {repository: team/database, tag: '16'}\ndb: {image: ''}\n")
    result = transload.mirror(
        image_set(f"{{chart: 'http://{repository.host}/charts/web', values: [more.yaml]}}"), to="oci:out"
    )
    assert names(result) == {"charts/web:1.2.3": "copied", "team/database:16": "copied", "team/sidecar:2": "copied"}


def test_a_file_and_a_chart_in_a_registry(web: bytes, vendor: Served, site: tuple[MemoryStore, str]) -> None:
    store, host = site
    Path("deep").mkdir()
    Path("deep/web.tgz").write_bytes(web)
    Path("deep/set.yaml").write_text("kind: ImageSet\nversion: 1\ncharts: [web.tgz]\n")
    assert names(transload.mirror("deep/set.yaml", to=f"{host}/mirror")) == ALL
    onward = transload.mirror(image_set(f"oci://{host}/mirror/charts/web:1.2.3"), to="oci:out")
    assert names(onward) == {
        "mirror/charts/web:1.2.3": "copied", "team/database:16": "copied",
        "team/nginx:1.27.0": "copied", "team/sidecar:2": "copied",
    }  # fmt: skip
    with transload.open_store("oci:out") as out:
        assert out.fetch("mirror/charts/web:1.2.3").raw == store.fetch(Name("mirror/charts/web", "1.2.3")).raw


def test_a_bundle_brings_charts(repository: Wire, site: tuple[MemoryStore, str], web: bytes) -> None:
    wanted = image_set(f"http://{repository.host}/charts/web:1.2.3")
    transload.pack(wanted, "carried")
    transload.push("carried", to=f"{site[1]}/mirror")
    manifest = site[0].fetch(Name("mirror/charts/web", "1.2.3"))
    with site[0].open("mirror/charts/web", manifest.layers[0]) as chunks:
        assert b"".join(map(bytes, chunks)) == web


def test_a_plan_is_carried_out_by_a_later_process(repository: Wire, site: tuple[MemoryStore, str]) -> None:
    address = f"http://{repository.host}/charts/web:1.2.3"
    assert main(["plan", address, "--to", f"{site[1]}/mirror", "-o", "plan.json"]) == 0
    assert main(["apply", "plan.json"]) == 0
    assert set(site[0].repositories()) == {name.rpartition(":")[0] for name in ALL}


def test_everything_in_a_chart_repository(site: tuple[MemoryStore, str]) -> None:
    charts = {"db-0.1.0.tgz": archive("db", "0.1.0"), "web-1.1.0.tgz": archive(version="1.1.0"),
              "web-1.2.3+b.tgz": archive(version="1.2.3+b")}  # fmt: skip
    with chart_repository(charts) as wire:
        result = transload.mirror(origin=f"charts:http://{wire.host}/charts", to=f"{site[1]}/all")
    assert names(result) == {"all/db:0.1.0": "copied", "all/web:1.1.0": "copied", "all/web:1.2.3_b": "copied"}


def test_an_included_set_brings_its_charts(web: bytes) -> None:
    Path("deep").mkdir()
    Path("deep/web.tgz").write_bytes(web)
    Path("deep/charts.yaml").write_text("kind: ImageSet\nversion: 1\ncharts: [{chart: web.tgz, images: false}]\n")
    Path("all.yaml").write_text("kind: ImageSet\nversion: 1\ninclude: [deep/charts.yaml]\n")
    assert names(transload.mirror("all.yaml", to="oci:out")) == {"charts/web:1.2.3": "copied"}


def test_a_version_that_an_index_writes_with_a_v(site: tuple[MemoryStore, str]) -> None:
    content = archive(version="1.2.3")
    index = index_of({"web-1.2.3.tgz": content}).replace(b"version: 1.2.3", b"version: v1.2.3")
    with Wire(files({"index.yaml": index, "web-1.2.3.tgz": content})) as wire:
        for entry in (f"http://{wire.host}/web", f"{{chart: 'http://{wire.host}/web:1.2.3', images: false}}"):
            assert names(transload.mirror(image_set(entry), to="oci:out")).keys() == {"charts/web:1.2.3"}


def test_signatures_of_a_chart_come_along(web: bytes, site: tuple[MemoryStore, str]) -> None:
    store, host = site
    Path("web.tgz").write_bytes(web)
    transload.mirror(image_set("{chart: web.tgz, images: false}"), to=host)
    manifest = store.fetch(Name("charts/web", "1.2.3"))
    signed = signature(Built(manifest, ()))
    fill(store, signed, "charts/web")
    for address in (f"oci://{host}/charts/web:1.2.3", f"oci://{host}/charts/web@{manifest.digest}"):
        transload.mirror(image_set(f"{{chart: '{address}', images: false}}"), to=f"{host}/copy", referrers=True)
        assert store.referrers("copy/charts/web", manifest.digest)[0].digest == signed.digest
        assert store.fetch(Name("copy/charts/web", "1.2.3")).raw == manifest.raw


def test_a_chart_and_an_image_of_one_name_at_the_target(repository: Wire, vendor: Served) -> None:
    Path("set.yaml").write_text(
        "kind: ImageSet\nversion: 1\nimages:\n"
        f"  - {{source: '{vendor.host_port}/team/nginx:1.27.0', target: 'charts/web:1.2.3'}}\n"
        f"charts: ['http://{repository.host}/charts/web']\n"
    )
    with pytest.raises(TargetConflict, match="charts/web:1.2.3 is wanted twice"):
        transload.mirror("set.yaml", to="oci:out")


def test_two_charts_may_need_the_same_image(repository: Wire, web: bytes) -> None:
    other = archive("other", "1.0.0", files={"values.yaml": _values_in(web), "templates/pod.yaml": POD})
    Path("other.tgz").write_bytes(other)
    wanted = image_set(f"http://{repository.host}/charts/web", "other.tgz")
    assert sorted(names(transload.mirror(wanted, to="oci:out"))) == [
        "charts/other:1.0.0", "charts/web:1.2.3", "team/database:16", "team/nginx:1.27.0", "team/sidecar:2",
    ]  # fmt: skip


def _values_in(chart: bytes) -> str:
    import io
    import tarfile

    with tarfile.open(fileobj=io.BytesIO(chart)) as tar:
        file = tar.extractfile("web/values.yaml")
        assert file is not None
        return file.read().decode()


def test_images_of_two_registries_that_would_share_a_name(vendor: Served, site: tuple[MemoryStore, str]) -> None:
    store, other = site
    fill(store, DATABASE, "team/nginx", "1.27.0")
    values = f"image: {vendor.host_port}/team/nginx:1.27.0\nsidecarImage: {other}/team/nginx:1.27.0\n"
    pod = POD.partition("    - ")[0] + "    - image: {{ .Values.image }}\n    - image: {{ .Values.sidecarImage }}\n"
    Path("web.tgz").write_bytes(archive(files={"values.yaml": values, "templates/pod.yaml": pod}))
    result = transload.mirror(image_set("web.tgz"), to=f"{other}/site", values_folder="values")
    hosts = [host.replace(":", "-") for host in (vendor.host_port, other)]
    assert names(result) == {
        "site/charts/web:1.2.3": "copied",
        **{f"site/{host}/team/nginx:1.27.0": "copied" for host in hosts},
    }
    written = Path("values/web-1.2.3-values-relocated.yaml").read_text()
    for host in hosts:
        assert f"{other}/site/{host}/team/nginx:1.27.0" in written


def test_a_missing_image_fails_alone(repository: Wire, vendor: Served, site: tuple[MemoryStore, str]) -> None:
    Path("more.yaml").write_text("image: {tag: gone}\n")
    wanted = image_set(f"{{chart: 'http://{repository.host}/charts/web', values: [more.yaml]}}")
    with pytest.raises(ImagesFailed, match="has no team/nginx:gone"):
        transload.mirror(wanted, to=f"{site[1]}/mirror")
    result = transload.mirror(wanted, to=f"{site[1]}/mirror", check=False)
    assert names(result)["mirror/team/nginx:gone"] == "missing"
    assert names(result)["mirror/charts/web:1.2.3"] == "unchanged"


def test_values_that_lead_to_the_target(repository: Wire, site: tuple[MemoryStore, str], vendor: Served) -> None:
    host = site[1]
    wanted = image_set(f"http://{repository.host}/charts/web")
    result = transload.mirror(wanted, to=f"{host}/mirror", values_folder="values")
    path = Path("values/web-1.2.3-values-relocated.yaml")
    assert result.written == (str(path),)
    assert (
        path.read_text()
        == f"""\
# Values for chart web 1.2.3, so that its images come from {host}/mirror.
# helm install RELEASE oci://{host}/mirror/charts/web --version 1.2.3 --values THIS-FILE
# Values of your own go before it.
image:
  repository: "mirror/team/nginx"
  registry: "{host}"
  tag: "1.27.0"
sidecar:
  image: "{host}/mirror/team/sidecar:2"
db:
  image: "{host}/mirror/team/database:16"
"""
    )
    path.write_text("old")
    again = transload.mirror(wanted, to=f"{host}/mirror", values_folder="values")
    assert again.written == (str(path),)
    assert path.read_text() != "old"


def test_values_for_a_target_that_another_one_feeds(repository: Wire, site: tuple[MemoryStore, str]) -> None:
    host = site[1]
    wanted = image_set(f"http://{repository.host}/charts/web")
    one, two = f"{host}/one", f"{host}/two"
    transload.mirror(wanted, to=[one, two], via={two: one}, values_folder="values")
    own = host.replace(":", "-")
    texts = [Path(f"values/{own}/{name}/web-1.2.3-values-relocated.yaml").read_text() for name in ("one", "two")]
    assert texts[1] == texts[0].replace(f"{host}/one", f"{host}/two").replace('"one/', '"two/')
    assert f"{host}/two/team/sidecar:2" in texts[1]


def test_values_for_several_targets_and_charts(repository: Wire, site: tuple[MemoryStore, str], web: bytes) -> None:
    host = site[1]
    Path("web.tgz").write_bytes(web)
    wanted = image_set(f"http://{repository.host}/charts/web", "{chart: web.tgz, target: other/web}")
    transload.mirror(wanted, to=[f"{host}/one", f"{host}/two"], values_folder="values")
    own = host.replace(":", "-")
    assert sorted(str(path) for path in Path("values").rglob("*.yaml")) == [
        f"values/{own}/{prefix}/{prefix}-{name}-1.2.3-values-relocated.yaml"
        for prefix in ("one", "two")
        for name in ("charts-web", "other-web")
    ]
    assert (
        f"{host}/two/team/sidecar:2" in Path(f"values/{own}/two/two-other-web-1.2.3-values-relocated.yaml").read_text()
    )


def test_values_by_the_command_line(repository: Wire, site: tuple[MemoryStore, str]) -> None:
    address, to = f"http://{repository.host}/charts/web:1.2.3", f"{site[1]}/mirror"
    assert main(["mirror", address, "--to", to, "--values-folder", "deep/values"]) == 0
    assert Path("deep/values/web-1.2.3-values-relocated.yaml").is_file()
    assert main(["mirror", address, "--to", "oci:out", "--values-folder", "values"]) == 2
    assert main(["mirror", f"{site[1]}/mirror/team/nginx:1.27.0", "--to", to, "--values-folder", "values"]) == 2
    Path("file").write_text("")
    assert main(["mirror", address, "--to", to, "--values-folder", "file"]) == 2
    assert not Path("values").exists()


@pytest.mark.parametrize("carried", ["bundle", "folder"])
def test_values_on_the_far_side(carried: str, repository: Wire, site: tuple[MemoryStore, str]) -> None:
    address, host = f"http://{repository.host}/charts/web:1.2.3", site[1]
    if carried == "bundle":
        transload.pack(address, "carried")
    else:
        transload.mirror(address, to="oci:carried")
    result = transload.push("carried", to=f"{host}/deep/site", values_folder="values")
    (path,) = map(Path, result.written)
    text = path.read_text()
    assert f"helm install RELEASE oci://{host}/deep/site/charts/web --version 1.2.3 " in text
    assert f'image: "{host}/deep/site/team/sidecar:2"' in text
    assert "No value leads" not in text
    assert main(["push", "carried", "--to", f"{host}/flat", "--flatten", "--values-folder", "flat"]) == 0
    assert f'"{host}/flat/sidecar:2"' in Path("flat/web-1.2.3-values-relocated.yaml").read_text()


def test_no_values_where_no_chart_or_no_image_is_carried(repository: Wire, site: tuple[MemoryStore, str]) -> None:
    transload.mirror(f"http://{repository.host}/charts/web:1.2.3", to="oci:all")
    to = f"{site[1]}/mirror"
    assert transload.push("all", to=to, images=["charts/web"], values_folder="values").written == ()
    with pytest.raises(UsageError, match="no chart is copied with its images"):
        transload.push("all", to=to, images=["team/sidecar"], values_folder="values")


def test_a_digest_that_changes_is_the_new_one(site: tuple[MemoryStore, str]) -> None:
    """An index of which only one platform is copied has another digest at the target."""
    store, host = site
    many = multi_platform("many")
    fill(store, many, "team/many", "1")
    values = f"image: {host}/team/many:1@{many.digest}\n"
    Path("many.tgz").write_bytes(archive("many", files={"values.yaml": values, "templates/pod.yaml": SUBCHART_POD}))
    platform = "linux/amd64"
    transload.mirror(image_set("many.tgz"), to=f"{host}/site", platforms=platform, values_folder="values")
    digest = store.resolve(Name("site/team/many", "1")).digest
    assert digest != many.digest
    written = Path("values/many-1.2.3-values-relocated.yaml").read_text()
    assert f'image: "{host}/site/team/many:1@{digest}"' in written


# --- the file


@pytest.mark.parametrize(
    ("chart", "message"),
    [
        ("web", "s.yaml:4: charts[0]: 'web' is not the address of a chart"),
        ("web.tar", "s.yaml:4: charts[0]: 'web.tar' is not the address of a chart"),
        ("registry.example/web:1", "charts[0]: 'registry.example/web:1' is not the address of a chart"),
        ("https://charts.example", "charts[0]: 'https://charts.example' names no chart"),
        ("https://ann:secret@charts.example/web", "charts[0]: '…@charts.example/web' is not the address"),
        ("https://charts.example/web?a=b", "charts[0]: 'https://charts.example/web' is not the address"),
        ("https://charts.example/Web", "has capital letters"),
        ("https://charts.example/..:1", "is not a repository"),
        ("oci://registry.example", "is not the address of a chart"),
        ("oci://registry.example/web:", "is not the address of a chart"),
        ("oci://registry.example/web@sha256:1", "sha256 takes 64"),
        ("{repository: 'https://charts.example'}", "charts[0]: key 'chart' is missing"),
        ("{chart: web}", "charts[0].chart: 'web' is not the address of a chart"),
        ("{chart: web:1, repository: 'https://charts.example'}", "charts[0].chart: with a repository beside it"),
        ("{chart: web, repository: charts.example}", "charts[0].repository: this is not a chart repository"),
        ("{chart: 'https://charts.example/web:1', version: 2}", "charts[0].version: the version is given twice"),
        ("{chart: web.tgz, version: '>=a b'}", "charts[0].version: '>=a b' is not a range of versions"),
        ("{chart: web.tgz, version: 'a b c'}", "charts[0].version: 'a b c' is not a range of versions"),
        ("{chart: web.tgz, target: A}", "charts[0].target: repository 'A' has capital letters"),
        ("{chart: web.tgz, images: yes}", "charts[0].images: expected true or false"),
        ("{chart: web.tgz, values: more.yaml}", "charts[0].values: expected a list"),
        ("{chart: web.tgz, platforms: []}", "charts[0].platforms: the list is empty"),
        ("{chart: web.tgz, valeus: []}", "charts[0].valeus: unknown key"),
        ("[web.tgz]", "charts[0]: expected a mapping, found a list"),
    ],
)
def test_what_a_set_says_wrongly(chart: str, message: str) -> None:
    text = f"kind: ImageSet\nversion: 1\ncharts:\n  - {json.dumps(chart) if chart[0] not in '{[' else chart}\n"
    with pytest.raises(DocumentInvalid) as refused:
        parse_set(text, "s.yaml")
    assert message in refused.value.message
    assert "secret" not in f"{refused.value.message} {refused.value.hint}"


def test_files_that_are_not_there(repository: Wire) -> None:
    for entry, what in (
        ("none.tgz", "there is no chart none.tgz"),
        (f"{{chart: 'http://{repository.host}/charts/web', values: [none.yaml]}}", "none.yaml"),
        (f"http://{repository.host}/charts/none", "has no chart 'none'"),
        (f"http://{repository.host}/charts/web:9", "has no version '9' of web"),
    ):
        with pytest.raises(TransloadError, match=what):
            transload.mirror(image_set(entry), to="oci:out")


def test_values_of_prefixes_that_look_alike_do_not_meet(site: tuple[MemoryStore, str], web: bytes) -> None:
    host = site[1]
    Path("web.tgz").write_bytes(web)
    transload.mirror(image_set("web.tgz"), to=[f"{host}/a/b", f"{host}/a-b"], values_folder="values")
    for prefix in ("a/b", "a-b"):
        (values,) = Path("values", host.replace(":", "-"), prefix).glob("*.yaml")
        assert f"{host}/{prefix}/team/sidecar:2" in values.read_text()


def test_several_targets_cost_the_registry_of_a_chart_no_request_more(
    repository: Wire, site: tuple[MemoryStore, str], web: bytes
) -> None:
    host = site[1]
    transload.mirror(f"http://{repository.host}/charts/web", to=f"{host}/mirror")
    chart = f"oci://{host}/mirror/charts/web:1.2.3"

    def asked(result: transload.Result) -> int:
        (count,) = (totals.requests for totals in result.traffic if totals.host == host)
        return count

    alone = transload.mirror(chart, to="oci:alone")
    together = transload.mirror(chart, to=["oci:first", "oci:second", "oci:third"])
    assert together.complete == 3
    assert {asked(result) for result in together.results} == {asked(alone)}


def test_several_targets_get_a_chart_that_is_fetched_once_and_values_of_their_own(
    repository: Wire, site: tuple[MemoryStore, str], web: bytes
) -> None:
    store, host = site
    wanted = image_set(f"{{chart: web, repository: 'http://{repository.host}/charts', version: ^1}}")
    to = [f"{host}/mirror", f"{host}/other", "oci:folder"]
    results = transload.mirror(wanted, to=to, values_folder="values")
    assert results.complete == 3
    assert names(results.results[0]) == ALL
    own = Path("values", host.replace(":", "-"))
    for prefix in ("mirror", "other"):
        assert Digest.of(web) in store.fetch(Name(f"{prefix}/charts/web", "1.2.3")).raw.decode()
        (values,) = (own / prefix).iterdir()
        assert f"{host}/{prefix}/team/sidecar:2" in values.read_text()
    assert sorted(path.name for path in own.iterdir()) == ["mirror", "other"]
    assert sorted(repository.lines) == [
        "GET /charts/index.yaml",
        "GET /charts/web-1.2.3.tgz",
        "GET /charts/web-1.2.3.tgz.prov",
    ]
