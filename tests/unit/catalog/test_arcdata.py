import pytest

from transload.catalog.builtin import load_builtin

ARCDATA = load_builtin("arcdata")

SIZES = {
    15: ["public-preview-sep-2020", "public-preview-oct-2020", "public-preview-dec-2020"],
    17: ["public-preview-feb-2021", "v1.0.0_2021-07-30"],
    16: ["v1.1.0_2021-11-02", "v1.2.0_2021-12-15", "v1.3.0_2022-01-27"],
    18: ["public-preview-jun-2021", "v1.4.0_2022-02-25", "v1.4.1_2022-03-08", "v1.5.0_2022-04-05"],
    19: [
        "v1.6.0_2022-05-02",
        "v1.7.0_2022-05-24",
        "v1.8.0_2022-06-14",
        "v1.9.0_2022-07-12",
        "v1.10.0_2022-08-09",
    ],
    22: [
        "v1.11.0_2022-09-13",
        "v1.12.0_2022-10-11",
        "v1.13.0_2022-11-08",
        "v1.14.0_2022-12-13",
        "v1.15.0_2023-01-10",
        "v1.16.0_2023-02-14",
        "v1.17.0_2023-03-14",
        "v1.18.0_2023-04-11",
        "v1.19.0_2023-05-09",
        "v1.20.0_2023-06-13",
        "v1.21.0_2023-07-11",
        "v1.22.0_2023-08-08",
        "v1.23.0_2023-09-12",
        "v1.24.0_2023-10-10",
        "v1.25.0_2023-11-14",
        "v1.26.0_2023-12-12",
        "v1.27.0_2024-02-13",
        "v1.28.0_2024-03-12",
        "v1.29.0_2024-04-09",
    ],
    20: [
        "v1.30.0_2024-06-11",
        "v1.31.0_2024-07-09",
        "v1.32.0_2024-08-13",
        "v1.33.0_2024-09-10",
        "v1.34.0_2024-10-08",
        "v1.35.0_2024-11-12",
        "v1.36.0_2025-02-11",
        "v1.37.0_2025-03-11",
        "v1.38.0_2025-04-08",
        "v1.39.0_2025-05-13",
        "v1.40.0_2025-08-12",
        "v1.41.0_2025-09-09",
        "v1.42.0_2025-10-14",
        "v1.43.0_2026-01-13",
        "v1.44.0_2026-02-10",
        "v1.45.0_2026-04-14",
        "v1.46.0_2026-05-12",
    ],
}
SIZE_OF = {tag: size for size, tags in SIZES.items() for tag in tags}

MONITORS_OLD = "collectd elasticsearch fluentbit grafana influxdb kibana telegraf"
MONITORS_NEW = "collectd opensearch opensearch-dashboards fluentbit grafana influxdb telegraf"
BEFORE_1_11 = "bootstrapper controller controller-db service-proxy sqlmi ha-supervisor postgres-11 postgres-12"
SINCE_1_11 = (
    "bootstrapper ci-launcher controller controller-db dns ha-orchestrator ha-supervisor postgres-14 postgresql-agent "
    "sb-plugin security-support service-proxy sqlmi"
)


def arc(names: str, monitors: str) -> set[str]:
    return {f"arc-{name}" for name in names.split()} | {f"arc-monitor-{name}" for name in monitors.split()}


LISTS = {
    "public-preview-sep-2020": arc(
        "bootstrapper postgres-11 postgres-12 control-watchdog controller sqlmi server-controller service-proxy",
        MONITORS_OLD,
    ),
    "public-preview-jun-2021": arc(
        "bootstrapper postgres-11 postgres-12 controller sqlmi server-controller service-proxy ha-supervisor dns "
        "ha-operator security-support",
        MONITORS_OLD,
    ),
    "v1.0.0_2021-07-30": arc(f"{BEFORE_1_11} security-support ha-operator", MONITORS_OLD),
    "v1.2.0_2021-12-15": arc(f"{BEFORE_1_11} ha-orchestrator", MONITORS_OLD),
    "v1.4.0_2022-02-25": arc(f"{BEFORE_1_11} ha-orchestrator dns kafka", MONITORS_OLD),
    "v1.10.0_2022-08-09": arc(f"{BEFORE_1_11} ha-orchestrator dns kafka security-support", MONITORS_OLD),
    "v1.11.0_2022-09-13": arc(f"{SINCE_1_11} kafka", f"{MONITORS_OLD} opentelemetry-collector"),
    "v1.19.0_2023-05-09": arc(f"{SINCE_1_11} kafka", f"{MONITORS_NEW} opentelemetry-collector"),
    "v1.30.0_2024-06-11": arc(SINCE_1_11, MONITORS_NEW),
    "v1.46.0_2026-05-12": arc(SINCE_1_11, MONITORS_NEW),
}


def test_every_release_is_there_and_no_other() -> None:
    assert {release.tag for release in ARCDATA.releases} == set(SIZE_OF)


@pytest.mark.parametrize(("tag", "size"), SIZE_OF.items())
def test_a_release_has_its_number_of_images(tag: str, size: int) -> None:
    assert len(ARCDATA.release(tag).images) == size


@pytest.mark.parametrize(("tag", "images"), LISTS.items(), ids=LISTS)
def test_a_release_has_exactly_its_images(tag: str, images: set[str]) -> None:
    assert set(ARCDATA.release(tag).images) == images


def test_the_newest_known_release() -> None:
    assert ARCDATA.newest().tag == "v1.46.0_2026-05-12"


def test_what_is_not_known_for_sure_is_marked() -> None:
    basis = {release.tag: release.basis for release in ARCDATA.releases}
    assert {tag for tag, found in basis.items() if found == "established"} == {
        "v1.4.0_2022-02-25",
        "v1.5.0_2022-04-05",
    }
    inferred = ["1.1.0", "1.4.1", "1.6.0", "1.7.0", "1.8.0", "1.9.0", "1.10.0", "1.43.0", "1.44.0", "1.45.0", "1.46.0"]
    assert all(basis[ARCDATA.release(version).tag] == "inferred" for version in inferred)
    assert basis["v1.42.0_2025-10-14"] == "listed"


@pytest.mark.parametrize(
    ("version", "chart"), [("1.4.0", "1.1.18791000"), ("1.5.0", "1.1.19211001"), ("1.11.0", "1.11.0")]
)
def test_the_chart_is_an_optional_companion_with_its_own_tag(version: str, chart: str) -> None:
    release = ARCDATA.release(version)
    *images, companion = ARCDATA.select(release, target_tag="other")
    assert str(companion.source) == f"mcr.microsoft.com/arcdata/arcdataservices-extension:{chart}"
    assert (companion.repository, companion.tag, companion.optional) == ("arcdataservices-extension", chart, True)
    assert {selected.tag for selected in images} == {"other"}
    assert not any(selected.optional for selected in images)
    assert len(ARCDATA.select(release, companions=False)) == len(release.images)


def test_previews_have_no_chart() -> None:
    release = ARCDATA.release("public-preview-sep-2020")
    assert len(ARCDATA.select(release)) == 15


def test_images_lie_directly_under_the_target_prefix() -> None:
    selected = ARCDATA.select(ARCDATA.newest())[0]
    assert str(selected.source) == "mcr.microsoft.com/arcdata/arc-bootstrapper:v1.46.0_2026-05-12"
    assert selected.repository == "arc-bootstrapper"
    assert ARCDATA.anchor_repository() == "arcdata/arc-controller"
    assert ARCDATA.anchor_repository("arcdata/preview") == "arcdata/preview/arc-controller"


def test_dates_come_from_the_tag() -> None:
    assert ARCDATA.release("1.46").date == "2026-05-12"
    assert ARCDATA.release("public-preview-sep-2020").date is None


def test_the_catalog_is_written_in_its_own_order() -> None:
    newest_first = [offer.release.tag for offer in ARCDATA.releases_at_source(SIZE_OF)]
    assert newest_first == [release.tag for release in reversed(ARCDATA.releases)]
