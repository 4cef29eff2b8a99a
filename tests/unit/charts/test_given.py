"""Charts that `configure helm-values` is given: a packed one, a folder, an address."""

from pathlib import Path

import pytest

from tests.unit.charts.building import archive, chart_repository, stores_at
from transload.app.charts.given import input_charts
from transload.configuration import InputChart
from transload.errors import LocalError, ReferenceInvalid, TransloadError, UsageError
from transload.verbs.configuring import configure


@pytest.fixture(autouse=True)
def chart_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A packed chart `web-1.2.3.tgz`, and one in the folder `web`."""
    monkeypatch.chdir(tmp_path)
    Path("web-1.2.3.tgz").write_bytes(archive())
    Path("web", "templates").mkdir(parents=True)
    Path("web", "templates", "pod.yaml").write_text("kind: Pod\nspec: {containers: [{image: '{{ .Values.image }}'}]}\n")
    Path("web", "Chart.yaml").write_text("apiVersion: v2\nname: web\nversion: 1.2.3\n")
    Path("web", "values.yaml").write_text("image: docker.io/library/redis:7\n")


def given(*words: str) -> tuple[InputChart, ...]:
    with stores_at(Path("state")) as stores:
        return input_charts(words, stores)


def test_files_folders_and_addresses_are_charts() -> None:
    with chart_repository(
        {"web-1.3.0+b.5.tgz": archive("web", "1.3.0+b.5"), "web-1.1.0.tgz": archive("web", "1.1.0")}
    ) as wire:
        place = f"http://{wire.host}/charts"
        charts = given("web-1.2.3.tgz", "./web", f"{place}/web:^1", f"{place}/web-1.1.0.tgz")
    assert [(chart.name, chart.stem) for chart in charts[:3]] == [
        ("web-1.2.3.tgz", "web-1.2.3"),
        ("./web", "web"),
        (f"web --repo {place} --version 1.3.0+b.5", "web-1.3.0+b.5"),
    ]
    assert {chart.read(()).name for chart in charts} == {"web"}


def test_the_folder_itself_has_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path / "web")
    [chart] = given(".")
    assert (chart.name, chart.stem, chart.read(()).version) == (".", "web", "1.2.3")


@pytest.mark.parametrize(
    ("words", "error", "told"),
    [
        (["."], UsageError, "is no chart: it has no Chart.yaml"),
        (["web.tgz"], LocalError, "no file or folder web.tgz"),
        (["web-1.2.3.tgz", "./web-1.2.3.tgz"], UsageError, "two charts are called web-1.2.3"),
        (["oci://registry.example"], ReferenceInvalid, "not the address of a chart"),
        (["https://ann:hunter2@charts.example/web"], ReferenceInvalid, "not the address of a chart repository"),
    ],
)
def test_what_is_no_chart_is_refused(words: list[str], error: type[TransloadError], told: str) -> None:
    with pytest.raises(error, match=told) as caught:
        given(*words)
    assert "hunter2" not in str(caught.value)


def test_configure_takes_them() -> None:
    Path("set.yaml").write_text("kind: ImageSet\nversion: 1\nimages: [docker.io/library/redis:7]\n")
    made = configure("helm-values", "set.yaml", to="r.local:5000/m", rewrite=Path("web"), folder="out")
    assert [str(file.path) for file in made.files] == ["web-values-relocated.yaml"]
    assert 'image: "r.local:5000/m/library/redis:7"' in Path("out", "web-values-relocated.yaml").read_text()


def test_a_kind_that_reads_nothing_does_not_look_for_it() -> None:
    with pytest.raises(UsageError, match="--rewrite means nothing for kustomize"):
        configure("kustomize", "set.yaml", to="r.local:5000/m", rewrite="oci://registry.example/web:1")


def test_a_name_with_a_blank_is_one_word_for_the_shell() -> None:
    Path("web").rename("my web")
    [chart] = given("my web")
    assert (chart.name, chart.stem) == ("'my web'", "my web")
