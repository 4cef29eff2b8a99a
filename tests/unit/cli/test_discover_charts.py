"""`transload discover` reads charts: folders, packed ones, fetched ones; with helm on the PATH and without."""

import json
import os
import stat
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.unit.charts.building import archive, chart_repository, files
from tests.unit.discovery.charts.shapes import SHAPES, about, laid_out, packed, pod, simple
from tests.unit.registry.wire import Asked, Said, Wire
from transload import ChartOptions, Environment, discover
from transload.app.charts.rendering import Helm
from transload.charts import Chart
from transload.charts.artifact import artifact_of
from transload.cli.main import main
from transload.errors import DocumentInvalid

WITH_V = ["registry.k8s.example/state-metrics/state-metrics:v2.13.0", "quay.io/acme/rbac-proxy:2.13.0"]

# Stands for helm: notes how it was started, and writes what it is told to.
PROGRAM = """\
#!{python}
import json, os, sys
from pathlib import Path
here = Path({here!r})
files = [Path(word.partition("=")[2]).read_text() for word in sys.argv if word.startswith("--values=")]
(here / "started.json").write_text(json.dumps([sys.argv[1:], dict(os.environ), os.getcwd(), files]))
assert sys.stdin.read() == ""
{rest}
"""


@pytest.fixture(autouse=True)
def no_helm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    (tmp_path / "bin").mkdir()


def helm(rest: str) -> None:
    """Put a program that is called helm on the PATH."""
    program = Path("bin/helm").absolute()
    program.write_text(PROGRAM.format(python=sys.executable, here=str(Path.cwd()), rest=rest))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)


def started() -> tuple[list[str], dict[str, str], str, list[str]]:
    """How it was started: words, environment, folder, and what the files of values hold."""
    words, environment, folder, given = json.loads(Path("started.json").read_text())
    return words, environment, folder, given


def document(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (found,) = [line for line in lines if line["event"] == "discover"]
    return dict(found)


def texts(found: dict[str, Any]) -> list[str]:
    return [text for item in found["images"] for text in item["texts"]]


@pytest.mark.parametrize("place", ["chart", "chart/Chart.yaml", "chart.tgz", "all"])
def test_a_chart_is_read_wherever_it_lies(place: str, capsys: pytest.CaptureFixture[str]) -> None:
    laid_out(SHAPES["with-v"], Path("chart"))
    Path("chart.tgz").write_bytes(packed(SHAPES["with-v"]))
    laid_out(SHAPES["with-v"], Path("all/charts/metrics"))
    Path("all/backup.tgz").write_bytes(packed({"notes.txt": "no chart"}, "backup"))
    assert main(["discover", place, "--output", "json"]) == 0
    found = document(capsys)
    assert texts(found) == WITH_V
    assert [chart["name"] for chart in found["charts"]] == ["state-metrics"]
    assert {item["sureness"] for item in found["images"]} == {"likely"}
    assert not found["questions"]


def test_how_a_chart_was_read_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    laid_out(SHAPES["with-v"], Path("chart"))
    assert main(["discover", "chart"]) == 0
    told = capsys.readouterr().out
    assert f"{WITH_V[0]}  likely (chart values)\n  chart/values.yaml:3: image\n" in told
    assert "chart state-metrics 1.2.3: read without helm, so what it does not state itself is likely\n" in told


def test_values_go_over_those_of_the_chart_the_last_ones_on_top(capsys: pytest.CaptureFixture[str]) -> None:
    laid_out(SHAPES["with-v"], Path("chart"))
    Path("one.yaml").write_text("image: {tag: one}\nproxy: {image: {registry: r.example}}\n")
    Path("two.yaml").write_text("image: {tag: two}\n")
    values = ["--values", "one.yaml", "-f", "two.yaml", "--set", "proxy.image.tag=three,proxy.image.repository=x"]
    assert main(["discover", "chart", *values, "--output", "json"]) == 0
    assert texts(document(capsys)) == ["registry.k8s.example/state-metrics/state-metrics:two", "r.example/x:three"]


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["-f", "none.yaml"], 8, "there is no file none.yaml"),
        (["-f", "bad.yaml"], 2, "bad.yaml:2:1: not valid YAML"),
        (["--set", "image"], 2, "'image' sets no value"),
        (["--set", "=1"], 2, "'=1' sets no value"),
        (["--set", "a[9999]=1"], 2, "more than 1000 items"),
        (["--set", "a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q.r.s.t.u.v.w.x.y.z=1"], 2, "nested more than"),
    ],
)
def test_wrong_values(words: list[str], code: int, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("bad.yaml").write_text("a: [\n")
    laid_out(SHAPES["with-v"], Path("chart"))
    assert main(["discover", "chart", *words]) == code
    assert told in capsys.readouterr().err


def test_options_that_have_no_use_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    laid_out(SHAPES["with-v"], Path("chart"))
    Path("pod.yaml").write_text(pod("a", "acme/a:1"))
    assert main(["discover", "pod.yaml", "--set", "a=1"]) == 0
    assert "no chart was read, so the values and versions for charts had no use" in capsys.readouterr().err
    assert main(["discover", "chart", "--kube-version", "1.31"]) == 0
    assert "helm did not render state-metrics, so the versions of Kubernetes" in capsys.readouterr().err
    assert main(["discover", "pod.yaml", "--no-helm"]) == 0
    assert capsys.readouterr().err == ""


# --- with helm


def test_helm_renders_and_what_only_values_show_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    laid_out(SHAPES["image-maps"], Path("chart"))
    Path("mine.yaml").write_text("a: 1\n")
    manifest = pod("web", "acme/volumes-manager:v1.6.2") + "---\nhidden: '--engine-image acme/volumes-engine:v1.6.2'\n"
    helm(f"print({manifest!r})")
    words = ["-f", "mine.yaml", "--set", "b=2", "--kube-version", "1.31", "--api-versions", "batch/v1"]
    assert main(["discover", "chart", *words, "--output", "json"]) == 0
    found = document(capsys)
    sure = {item["texts"][0]: item["sureness"] for item in found["images"]}
    assert sure == {"acme/volumes-manager:v1.6.2": "certain", "acme/volumes-engine:v1.6.2": "likely"}
    assert found["questions"] == []
    assert [chart["rendered"] for chart in found["charts"]] == [True]
    asked, environment, folder, given = started()
    assert asked[:3] == ["template", "release-name", str(Path("chart").absolute())]
    assert asked[4:] == ["--set=b=2", "--kube-version=1.31", "--api-versions=batch/v1"]
    assert given == ["a: 1\n"]
    assert not Path(folder).exists()
    for name in ("HOME", "HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME", "HELM_PLUGINS", "KUBECONFIG"):
        assert environment[name].startswith(folder)


def test_helm_gets_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRANSLOAD_TARGET_PASSWORD", "hidden")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hidden")
    Path("chart.tgz").write_bytes(packed(SHAPES["with-v"]))
    helm(f"print({pod('web', 'acme/web:1')!r})")
    assert main(["discover", "chart.tgz"]) == 0
    assert "hidden" not in json.dumps(started())


@pytest.mark.parametrize(
    ("rest", "told"),
    [
        ("sys.exit('Error: parse error at (chart/templates/a.yaml:3)')", "parse error at (chart/templates/a.yaml:3)"),
        ("sys.exit('WARNING: x\\nError: one\\x1b[31m\\n\\ntwo')", "one?[31m two"),
        ("sys.exit(1)", "it ended without a word"),
    ],
)
def test_where_helm_fails_the_rules_are_left(rest: str, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    laid_out(SHAPES["with-v"], Path("chart"))
    helm(rest)
    assert main(["discover", "chart", "--output", "json"]) == 1
    found = document(capsys)
    assert texts(found) == WITH_V
    assert [item["reason"] for item in found["unread"]] == [f"helm cannot render chart: {told}"]
    assert [chart["rendered"] for chart in found["charts"]] == [False]


def test_helms_words_name_the_chart_and_not_our_folders(capsys: pytest.CaptureFixture[str]) -> None:
    Path("web-1.2.3.tgz").write_bytes(packed(SHAPES["with-v"]))
    helm("sys.exit(f'Error: cannot load {sys.argv[3]}')")
    assert main(["discover", "web-1.2.3.tgz", "--output", "json"]) == 1
    (unread,) = document(capsys)["unread"]
    assert unread["reason"] == "helm cannot render web-1.2.3.tgz: cannot load web-1.2.3.tgz"


def test_helm_can_be_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    laid_out(SHAPES["with-v"], Path("chart"))
    helm("sys.exit('never')")
    assert main(["discover", "chart", "--no-helm", "--output", "json"]) == 0
    assert texts(document(capsys)) == WITH_V


def test_what_helm_writes_has_a_limit(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("transload.app.charts.rendering.RENDERED_BYTES", 1 << 20)
    laid_out(SHAPES["with-v"], Path("chart"))
    helm("while True: print('a: 1')")
    assert main(["discover", "chart", "--output", "json"]) == 1
    assert [item["reason"] for item in document(capsys)["unread"]] == [
        "helm cannot render chart: it wrote more than 1.0 MiB"
    ]


def test_a_helm_that_hangs_is_ended() -> None:
    helm("import time; time.sleep(3600)")
    with pytest.raises(DocumentInvalid, match="helm cannot render chart: it was not done after 0.2 s"):
        Helm(program=str(Path("bin/helm").absolute()), variables={}, timeout_s=0.2).render(
            Path("chart"), ChartOptions()
        )


# --- fetched


def test_charts_are_fetched_from_a_repository(capsys: pytest.CaptureFixture[str]) -> None:
    image = "{{ .Values.image.registry }}/{{ .Values.image.repository }}:{{ .Values.image.tag }}"
    chart = archive(files={"templates/pod.yaml": pod("web", image)})
    with chart_repository({"web-1.2.3.tgz": chart}) as wire:
        address = f"http://{wire.host}/charts/web"
        assert main(["discover", address, "--output", "json"]) == 0
        found = document(capsys)
        assert main(["discover", f"{address}:9"]) == 4
    assert texts(found) == ["docker.io/library/nginx:1.27.0"]
    assert found["charts"] == [{"file": address, "name": "web", "version": "1.2.3", "rendered": False}]
    assert found["images"][0]["found"][0]["file"] == f"{address}!values.yaml"


def test_a_chart_that_a_manifest_names_is_answered_by_the_chart(capsys: pytest.CaptureFixture[str]) -> None:
    chart = archive(files={"templates/pod.yaml": pod("web", "acme/web:1")})
    with chart_repository({"web-1.2.3.tgz": chart}) as wire:
        place = f"http://{wire.host}/charts"
        spec = f"source: {{repoURL: {place}, chart: web, targetRevision: 1.2.3}}"
        Path("app.yaml").write_text(
            f"apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: a}}\nspec:\n  {spec}\n"
        )
        assert main(["discover", "app.yaml", "--output", "json"]) == 4
        assert [item["text"] for item in document(capsys)["questions"]] == [f"{place}/web:1.2.3"]
        assert main(["discover", "app.yaml", f"{place}/web:1.2.3", "--output", "json"]) == 0
    found = document(capsys)
    assert texts(found) == ["acme/web:1"]
    assert f"{place}/web:1.2.3" not in [item["text"] for item in found["questions"]]


def test_charts_are_fetched_from_a_registry(capsys: pytest.CaptureFixture[str]) -> None:
    image = "{{ .Values.image.registry }}/{{ .Values.image.repository }}:{{ .Values.image.tag }}"
    made = artifact_of(Chart.parse(archive(files={"templates/pod.yaml": pod("web", image)}), "web"))
    blobs = files({f"v2/charts/web/blobs/{digest}": content for digest, content in made.blobs.items()})

    def registry(asked: Asked) -> Said:
        if asked.path == "/v2/charts/web/manifests/1.2.3":
            return Said(200, {"Content-Type": made.manifest.media_type}, made.manifest.raw)
        return blobs(asked)

    with Wire(registry) as wire:
        assert main(["discover", f"oci://{wire.host}/charts/web:1.2.3", "--output", "json"]) == 0
    found = document(capsys)
    assert texts(found) == ["docker.io/library/nginx:1.27.0"]
    assert found["charts"][0]["file"] == f"oci://{wire.host}/charts/web:1.2.3"


def test_the_library_reads_charts() -> None:
    laid_out(SHAPES["with-v"], Path("chart"))
    options = ChartOptions(sets=("image.tag=v1",), helm=False)
    found = discover("chart", charts=options, environment=Environment())
    assert [str(item.reference) for item in found.listing.images] == [
        "registry.k8s.example/state-metrics/state-metrics:v1",
        WITH_V[1],
    ]
    assert [(chart.name, chart.rendered) for chart in found.charts] == [("state-metrics", False)]
    with pytest.raises(TypeError, match="charts"):
        discover("chart", charts="helm")  # type: ignore[arg-type]


@pytest.mark.parametrize("address", ["oci://registry.example", "https://", "http://charts.example/web:"])
def test_wrong_addresses(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["discover", address]) == 2
    assert capsys.readouterr().err.startswith("error: ")


# --- what is wrong with charts


def test_a_missing_subchart_is_told_and_the_rest_is_read(capsys: pytest.CaptureFixture[str]) -> None:
    more = "dependencies:\n  - {name: db, version: 16.x, repository: 'https://charts.example'}\n"
    laid_out({**simple("web", "acme/web", "1"), "Chart.yaml": about("web", more)}, Path("chart"))
    assert main(["discover", "chart"]) == 1
    told = capsys.readouterr().out
    assert "docker.io/acme/web:1" in told
    assert (
        "not read: chart/Chart.yaml:6: dependencies[0]: the subchart db 16.x (from https://charts.example) is not in "
        "charts/: run helm dependency build, or discover it, too" in told
    )


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="the system has no symbolic links")
def test_links_in_a_chart_are_told_not_followed(capsys: pytest.CaptureFixture[str]) -> None:
    laid_out(simple("web", "acme/web", "1"), Path("chart"))
    Path("secret.yaml").write_text(pod("secret", "acme/secret:1"))
    Path("chart/templates/link.yaml").symlink_to("../../secret.yaml")
    assert main(["discover", "chart"]) == 1
    told = capsys.readouterr().out
    assert "not read: chart/templates/link.yaml: a link, and links in a chart are not followed" in told
    assert "acme/secret" not in told


def test_a_packed_chart_as_content_is_read() -> None:
    found = discover(content=packed(SHAPES["with-v"]))
    assert [str(image.reference) for image in found.listing.images] == WITH_V


def test_a_chart_of_an_image_set_is_answered_by_the_chart_beside_it(capsys: pytest.CaptureFixture[str]) -> None:
    laid_out(SHAPES["with-v"], Path("mine/chart"))
    Path("mine/set.yaml").write_text(
        "kind: ImageSet\nversion: 1\ncharts: [./chart, {chart: other.tgz}, {chart: more.tgz, images: false}]\n"
    )
    assert main(["discover", "mine/set.yaml", "mine/chart", "--output", "json"]) == 0
    found = document(capsys)
    assert texts(found) == WITH_V
    assert [item["text"] for item in found["questions"]] == ["other.tgz"]
