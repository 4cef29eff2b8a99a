"""Values that lead the images of a chart to the target: each shape of a chart is read again with them."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import yaml

from tests.unit.discovery.charts.shapes import SHAPES, Texts, about, packed, pod
from transload.discovery.charts import ChartReading, read_chart
from transload.discovery.charts.relocating import Overlay, Plain, Unplaced, overlay_of, overlay_text, proved
from transload.discovery.charts.tree import leaves, values_of
from transload.discovery.finding import Place
from transload.oci import Digest, Name, Reference

HOST = "registry.local:5000"


def moved(reading: ChartReading, prefix: str = "mirror/") -> dict[str, Reference]:
    """Every image of a chart at the target, under a prefix."""
    sources = {image.finding.text: Reference.parse(image.finding.text) for image in reading.images}
    return {
        text: Reference(HOST, Name(f"{prefix}{source.name.repository}", source.name.tag, source.name.digest))
        for text, source in sources.items()
    }


def relocated(shape: Texts, prefix: str = "mirror/") -> tuple[Overlay, ChartReading]:
    """The proved overlay of a chart, and the chart read with it."""
    chart = packed(shape)
    reading = read_chart(chart, "c.tgz")
    places = moved(reading, prefix)
    overlay = overlay_of(reading, places)
    again = read_chart(chart, "c.tgz", [values_of(overlay_text(overlay, "").encode(), "overlay")])
    return proved(overlay, (image.finding for image in again.images), places), again


# What no value of these charts names: words of templates, and what only an annotation states.
FIXED: Mapping[str, set[str]] = {
    "annotated": {"docker.io/acme/broker:3.7.1-r4", "docker.io/acme/keeper:3.9.2-r1", "quay.io/acme/exporter:v1"},
    "flat": {"docker.io/acme/bats:1.9"},
    "operator": {"quay.io/acme/bridge:0.29.0"},
    "umbrella": {"acme/extra:9"},
}


@pytest.mark.parametrize("prefix", ["mirror/", ""])
@pytest.mark.parametrize("shape", SHAPES)
def test_every_image_that_a_value_names_comes_from_the_target(shape: str, prefix: str) -> None:
    overlay, again = relocated(SHAPES[shape], prefix)
    fixed = FIXED.get(shape, set())
    assert {item.text for item in overlay.unplaced} == fixed
    elsewhere = {image.finding.text for image in again.images if not image.finding.text.startswith(f"{HOST}/")}
    assert elsewhere == fixed
    assert len(again.images) == len(read_chart(packed(SHAPES[shape]), "c.tgz").images)


def values(shape: Texts) -> object:
    return relocated(shape)[0].values


def test_the_fields_of_a_chart_with_a_registry_for_each_image() -> None:
    assert values(SHAPES["global-registry"]) == {
        "image": {"registry": HOST, "repository": "mirror/acme/cache", "tag": "7.2.4-debian-12-r9"},
        "metrics": {
            "image": {"registry": HOST, "repository": "mirror/acme/cache-exporter", "tag": "1.58.0-debian-12-r4"}
        },
    }


def test_values_of_subcharts_stand_under_their_names_and_aliases() -> None:
    made = values(SHAPES["umbrella"])
    assert isinstance(made, dict)
    assert set(made) == {"web", "global", "sessions", "carts"}


def test_a_registry_with_folders_keeps_the_names_below() -> None:
    assert values(SHAPES["hub"]) == {
        "global": {"hub": f"{HOST}/mirror/acme", "tag": "1.22.3"},
        "pilot": {"hub": f"{HOST}/mirror/acme"},
    }


def test_a_list_is_written_whole() -> None:
    made = values(SHAPES["arguments"])
    assert isinstance(made, dict)
    assert made["env"] == [
        {"name": "HELPER_IMAGE", "value": f"{HOST}/mirror/acme/helper@sha256:{'1' * 64}"},
        {"name": "HOME_PAGE", "value": "https://acme.example/docs:latest"},
    ]
    assert made["extraArgs"] == [f"--issuer-image={HOST}/mirror/acme/issuer:2.1"]


def chart(values: str, image: str) -> Texts:
    return {"Chart.yaml": about("one"), "values.yaml": values, "templates/pod.yaml": pod("one", image)}


def test_what_else_is_in_a_list_keeps_its_kind() -> None:
    listed = """sidecars:
- name: a
  image: quay.io/acme/a:1
  port: 8080
  text: "8080"
  enabled: true
  share: 1.5
  none: null
  words: some words
  empty: ""
  list: []
  map: {}
"""
    shape = chart(listed, "{{ (index .Values.sidecars 0).image }}")
    overlay, _ = relocated(shape)
    assert overlay.unplaced == ()
    written = yaml.safe_load(overlay_text(overlay, ""))
    before = yaml.safe_load(listed)
    assert written["sidecars"][0].pop("image") == f"{HOST}/mirror/acme/a:1"
    before["sidecars"][0].pop("image")
    assert written == before


@pytest.mark.parametrize("text", ["1e6", "0x1F", "2020-01-01", "~x", ".inf", "Yes"])
def test_a_list_with_what_may_be_no_text_is_left_alone(text: str) -> None:
    listed = f"sidecars:\n- {{image: 'quay.io/acme/a:1', other: {text}}}\n"
    overlay, _ = relocated(chart(listed, "{{ (index .Values.sidecars 0).image }}"))
    if text == "~x":
        assert overlay.unplaced == ()
        return
    assert [item.reason for item in overlay.unplaced] == [
        f"sidecars is a list with {text!r} in it, which may be no text"
    ]
    assert overlay.values == {}


def test_a_new_digest_is_written_where_the_chart_has_one() -> None:
    old, new = (f"sha256:{letter * 64}" for letter in "ab")
    shape = chart(
        f"image: {{repository: quay.io/acme/a, sha: {old[7:]}}}\n",
        "{{ .Values.image.repository }}@sha256:{{ .Values.image.sha }}",
    )
    reading = read_chart(packed(shape), "c.tgz")
    (text,) = (image.finding.text for image in reading.images)
    place = Reference(HOST, Name("acme/a", None, Digest(new)))
    assert overlay_of(reading, {text: place}).values == {
        "image": {"repository": f"{HOST}/acme/a", "sha": new[7:]},
    }


def test_a_chart_that_makes_other_names_of_its_values_is_told() -> None:
    repository = "{{ .Values.image.repository }}"
    moved = '{{ if contains "mirror" .Values.image.repository }}-moved{{ end }}'
    odd = f"{{{{ .Values.image.registry }}}}/{repository}{moved}:1"
    overlay, _ = relocated(chart("image: {registry: quay.io, repository: acme/a, tag: '1'}\n", odd))
    assert [item.reason for item in overlay.unplaced] == ["the chart makes another name of these values"]


def test_an_image_that_is_not_copied_is_told() -> None:
    reading = read_chart(packed(SHAPES["flat"]), "c.tgz")
    overlay = overlay_of(reading, {})
    assert {item.reason for item in overlay.unplaced} == {"it is not copied"}
    assert overlay.values == {}
    assert overlay_text(overlay, "one\ntwo").startswith(
        "# one\n# two\n{}\n\n# No value leads these to the target:\n# - "
    )


def test_hostile_texts_stay_texts() -> None:
    odd = "x: {y}\n# \x07 'a' \"b\" \x1b[31m"
    tree: dict[str, Plain] = {odd: {"no": odd, "list": [odd, [], {}, "1"]}, "empty": {}}
    text = overlay_text(Overlay(values=tree, unplaced=(Unplaced(text=odd, place=Place(file=odd), reason="so"),)), odd)
    assert text.isprintable() or set(filter(lambda letter: not letter.isprintable(), text)) == {"\n"}
    read = values_of(text.encode(), "o")
    assert [(path, leaf.text) for path, leaf in leaves(read)] == [
        ((odd, "no"), odd),
        ((odd, "list", 0), odd),
        ((odd, "list", 3), "1"),
    ]
