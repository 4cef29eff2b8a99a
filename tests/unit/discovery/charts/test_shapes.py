"""Real charts' shapes: which references are right, which are found, and which stay open."""

import pytest

from tests.unit.discovery.charts.shapes import SHAPES, Texts, about, packed, pod
from transload.discovery.charts import ChartReading, Fields, read_chart
from transload.discovery.charts.tree import values_of
from transload.discovery.finding import Irrelevant, Question, Unread
from transload.discovery.judging import NO_TAG


def found(reading: ChartReading) -> set[str]:
    return {image.finding.text for image in reading.images}


def questions(reading: ChartReading) -> dict[str, str]:
    return {item.text: item.reason for item in reading.open if isinstance(item, Question)}


def unread(reading: ChartReading) -> list[str]:
    return [item.reason for item in reading.open if isinstance(item, Unread)]


def test_a_global_registry_precedes_that_of_each_image() -> None:
    chart = packed(SHAPES["global-registry"])
    reading = read_chart(chart, "cache-1.2.3.tgz")
    assert found(reading) == {
        "docker.io/acme/cache:7.2.4-debian-12-r9",
        "docker.io/acme/cache-exporter:1.58.0-debian-12-r4",
    }
    assert questions(reading) == {
        "docker.io/acme/os-shell:12-debian-12-r18": "not needed, as it seems: volumePermissions.enabled is false"
    }
    image = reading.images[0]
    assert str(image.finding.place) == "cache-1.2.3.tgz!values.yaml:5: image"
    assert image.fields == Fields(
        registry=("image", "registry"),
        shared_registry=("global", "imageRegistry"),
        repository=("image", "repository"),
        tag=("image", "tag"),
        digest=("image", "digest"),
    )
    mine = values_of(b"global: {imageRegistry: r.example:5000}\nvolumePermissions: {enabled: true}\n", "mine.yaml")
    assert found(read_chart(chart, "cache.tgz", [mine])) == {
        "r.example:5000/acme/cache:7.2.4-debian-12-r9",
        "r.example:5000/acme/cache-exporter:1.58.0-debian-12-r4",
        "r.example:5000/acme/os-shell:12-debian-12-r18",
    }


def read(shape: Texts, *values: str) -> ChartReading:
    return read_chart(packed(shape), "c.tgz", [values_of(text.encode(), "mine.yaml") for text in values])


def fields_of(reading: ChartReading, text: str) -> Fields | None:
    return next(image.fields for image in reading.images if image.finding.text == text)


def test_maps_of_images_are_found_where_only_arguments_and_variables_use_them() -> None:
    reading = read(SHAPES["image-maps"])
    assert found(reading) == {"acme/volumes-engine:v1.6.2", "acme/volumes-manager:v1.6.2", "acme/csi-attacher:v4.5.1"}
    assert questions(reading) == {
        "acme/csi-resizer:v1.10.1": "not needed, as it seems: no template uses it with these values"
    }
    mine = "global: {cattle: {systemDefaultRegistry: r.example}}"
    assert "r.example/acme/csi-attacher:v4.5.1" in found(read(SHAPES["image-maps"], mine))


def test_images_hide_in_arguments_and_variables() -> None:
    reading = read(SHAPES["arguments"])
    assert found(reading) == {
        "quay.io/acme/certs-controller:v1.15.1",  # the tag is appVersion, which has its v
        "quay.io/acme/certs-acmesolver:v1.15.1",
        "registry.example:5000/acme/issuer:2.1",
        f"ghcr.io/acme/helper@sha256:{'1' * 64}",
    }
    assert questions(reading) == {}
    assert fields_of(reading, "registry.example:5000/acme/issuer:2.1") == Fields(whole=("extraArgs", 0))


def test_an_operator_names_what_it_deploys_in_variables() -> None:
    reading = read(SHAPES["operator"])
    assert found(reading) == {
        "quay.io/acme/operator:0.41.0",
        "quay.io/acme/kafka:0.41.0-kafka-3.7.0",
        "quay.io/acme/kafka:0.41.0-kafka-3.7.1",
        "quay.io/acme/bridge:0.29.0",
    }
    assert questions(reading) == {}
    assert fields_of(reading, "quay.io/acme/bridge:0.29.0") is None


def test_a_tag_and_a_digest_each_have_a_field() -> None:
    reading = read(SHAPES["digests"])
    assert found(reading) == {
        f"registry.k8s.example/ingress/controller:v1.10.1@sha256:{'a' * 64}",
        f"registry.k8s.example/ingress/certgen:v1.4.1@sha256:{'c' * 64}",
    }
    assert questions(reading) == {
        "registry.k8s.example/backend:1.5": "not needed, as it seems: defaultBackend.enabled is false"
    }
    image = ("controller", "admissionWebhooks", "patch", "image")
    assert fields_of(reading, f"registry.k8s.example/ingress/certgen:v1.4.1@sha256:{'c' * 64}") == Fields(
        registry=(*image, "registry"), repository=(*image, "image"), tag=(*image, "tag"), digest=(*image, "digest")
    )
    chroot = read(SHAPES["digests"], "controller: {image: {chroot: true}}")
    assert f"registry.k8s.example/ingress/controller-chroot:v1.10.1@sha256:{'b' * 64}" in found(chroot)


def test_an_empty_tag_is_what_the_templates_make_of_app_version() -> None:
    reading = read(SHAPES["with-v"])
    assert found(reading) == {
        "registry.k8s.example/state-metrics/state-metrics:v2.13.0",
        "quay.io/acme/rbac-proxy:2.13.0",
    }
    mine = read(SHAPES["with-v"], f"image: {{tag: v2.12.0, sha: {'d' * 64}}}\nproxy: {{enabled: false}}")
    assert found(mine) == {f"registry.k8s.example/state-metrics/state-metrics:v2.12.0@sha256:{'d' * 64}"}


def test_what_a_chart_says_itself_is_certain() -> None:
    reading = read(SHAPES["annotated"])
    stated = {(image.finding.text, image.finding.sureness) for image in reading.images}
    assert stated == {
        ("docker.io/acme/broker:3.7.1-r4", "certain"),
        ("docker.io/acme/keeper:3.9.2-r1", "certain"),
        ("quay.io/acme/exporter:v1", "certain"),
    }
    assert questions(reading) == {
        "quay.io/acme/tool:{{ .Chart.AppVersion }}": "it is a template: fill it in, and discover the result"
    }
    assert "docker.io/acme/keeper:3.9.2-r1" not in found(read(SHAPES["annotated"], "keeper: {enabled: false}"))


def test_one_hub_and_one_tag_are_part_of_every_name() -> None:
    reading = read(SHAPES["hub"])
    assert found(reading) == {"docker.io/acme/pilot:1.22.3", "docker.io/acme/proxyv2:1.22.3"}
    assert questions(reading) == {}
    assert found(read(SHAPES["hub"], "pilot: {image: 'r.example/own/pilot:5'}")) >= {"r.example/own/pilot:5"}


def test_flat_names_lists_and_containers_of_the_user_are_found() -> None:
    reading = read(SHAPES["flat"])
    assert found(reading) == {
        "docker.acme.example/search/search:8.5.1",
        "docker.acme.example/search/keystore:2",
        "docker.io/acme/sysctl:1.36",
        "docker.acme.example/beats/shipper:8.5.1",
        "quay.io/acme/one:1",
        "acme/two:2",
        "docker.io/acme/bats:1.9",
    }
    assert questions(reading) == {"acme/bats": NO_TAG}
    assert len(reading.images) == len(found(reading))
    assert fields_of(reading, "docker.acme.example/search/keystore:2") == Fields(
        repository=("keystoreImage",), tag=("keystoreImageTag",)
    )


def test_what_only_helm_can_tell_is_asked() -> None:
    reading = read(SHAPES["undecided"])
    # Which of these two a cluster gets depends on its version.
    assert found(reading) == {"quay.io/acme/old:1", "quay.io/acme/new:2"}
    assert questions(reading) == {
        "quay.io/acme/clever": "no tag: only Helm can tell what the templates make of it",
        "quay.io/acme/unused:3": "not needed, as it seems: no template uses it with these values",
        'image: {{ (.Files.Get "images.yaml" | fromYaml).sidecar }}': (
            "the templates make this name, and only Helm can tell all of it"
        ),
    }


def test_a_name_whose_value_is_missing_is_asked() -> None:
    names = ["{{ .Values.none }}", '{{ required "give it" .Values.none }}', "r.example/a:{{ .Values.tag }}"]
    nested = "image:\n  {{- toYaml .Values.image | nindent 2 }}"
    lines = [*(f"image: {name}" for name in names), nested]
    shape = {
        "Chart.yaml": "name: c\nversion: 1.0.0\n",
        "values.yaml": "image: {repository: r.example/b, tag: 1}\n",
        "templates/pod.yaml": "\n".join(lines),
    }
    missing = "a value in it is empty: give it with --values"
    assert {text: why for text, why in questions(read(shape)).items() if why == missing} == {
        f"image: {name}": missing for name in names
    }


def test_subcharts_are_read_as_conditions_tags_and_aliases_say() -> None:
    reading = read(SHAPES["umbrella"])
    assert found(reading) == {
        "registry.shop.example/acme/web:2.1",
        "registry.shop.example/acme/cache:7.2",
        "registry.shop.example/acme/cache:7.4",
        "acme/extra:9",
    }
    assert questions(reading) == {}
    (missing,) = unread(reading)
    assert missing == (
        "the subchart search 2.x (from oci://charts.example/acme) is not in charts/: "
        "run helm dependency build, or discover it, too"
    )
    off = {item.place.path for item in reading.open if isinstance(item, Irrelevant)}
    assert off == {
        "subchart db, switched off: db.enabled is false",
        "subchart mail, switched off: tags.extras is false",
        "dependencies[6]",
    }
    assert fields_of(reading, "registry.shop.example/acme/cache:7.4") == Fields(
        registry=("carts", "image", "registry"),
        shared_registry=("global", "imageRegistry"),
        repository=("carts", "image", "repository"),
        tag=("carts", "image", "tag"),
    )
    more = read(SHAPES["umbrella"], "db: {enabled: true}\ntags: {extras: true}\ncarts: {enabled: false}")
    assert found(more) - found(reading) == {"registry.shop.example/acme/db:16", "registry.shop.example/acme/mail:1"}
    assert found(reading) - found(more) == {"registry.shop.example/acme/cache:7.4"}


@pytest.mark.parametrize(
    ("written", "tag"),
    [("1.10", "1.1"), ("'1.10'", "1.10"), ('"1.10"', "1.10"), ("1.0", "1"), ("010", "8"), ("1.20.0", "1.20.0"),
     ("0.10 # zero", "0.1"), ("8", "8"), ("1_0.5_0", "10.5"), ("v1.10", "v1.10")],
)  # fmt: skip
def test_a_tag_without_quotes_may_be_a_number_for_helm(written: str, tag: str) -> None:
    values = f"image:\n  registry: c.d\n  repository: a/b\n  tag: {written}\nproxy: {{enabled: false}}\n"
    assert found(read({**SHAPES["with-v"], "values.yaml": values})) == {f"c.d/a/b:{tag}"}


def test_a_switch_in_quotes_is_on_for_helm() -> None:
    assert len(read(SHAPES["with-v"], "proxy: {enabled: 'false'}").images) == 2
    assert len(read(SHAPES["with-v"], "proxy: {enabled: false}").images) == 1


def test_custom_resources_and_image_volumes_are_read_as_manifests() -> None:
    custom = """\
apiVersion: monitoring.coreos.com/v1
kind: Prometheus
metadata: {name: one}
spec:
  baseImage: {{ .Values.prometheus.repository }}
  tag: {{ .Values.prometheus.tag }}
---
apiVersion: postgresql.cnpg.io/v1
kind: Cluster
metadata: {name: two}
spec:
  imageName: acme/postgres:16
---
apiVersion: v1
kind: Pod
metadata: {name: three}
spec:
  containers: []
  volumes:
    - name: data
      image: {reference: "acme/data:1"}
"""
    files = {
        "Chart.yaml": about("custom"),
        "values.yaml": "prometheus:\n  repository: quay.io/acme/prometheus\n  tag: v2.53.0\n",
        "templates/custom.yaml": custom,
    }
    reading = read(files)
    assert found(reading) == {"quay.io/acme/prometheus:v2.53.0", "acme/postgres:16", "acme/data:1"}
    assert fields_of(reading, "quay.io/acme/prometheus:v2.53.0") == Fields(
        repository=("prometheus", "repository"), tag=("prometheus", "tag")
    )


@pytest.mark.parametrize("name", ["templates/_part.tpl", "templates/.hidden.yaml", "templates/NOTES.txt"])
def test_what_helm_does_not_write_names_nothing(name: str) -> None:
    assert found(read({"Chart.yaml": about("a"), name: "image: acme/a:1\n"})) == set()
    library = {"Chart.yaml": about("a", "type: library\n"), "templates/a.yaml": "image: acme/a:1\n"}
    assert found(read(library)) == set()


HELPED = """\
image: acme/a:1
map: {repository: acme/b}
list: [acme/c:1]
count: 3
unused: {image: 'acme/d:1'}
"""


def helper(body: str) -> Texts:
    """A chart whose only image is named by a helper."""
    return {
        "Chart.yaml": about("a", app="1.2.3"),
        "values.yaml": HELPED,
        "templates/_h.tpl": f'{{{{- define "h" -}}}}{body}{{{{- end }}}}',
        "templates/pod.yaml": pod("a", '{{ include "h" . }}'),
        "templates/config.yaml": "a: {{ .Values.count }}\n",
    }


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ('{{ if kindIs "string" .Values.image }}{{ .Values.image }}{{ else }}{{ .x.name }}{{ end }}', "acme/a:1"),
        ('{{ if eq (kindOf .Values.map) "map" }}{{ .Values.map.repository }}:2{{ else }}{{ .x }}{{ end }}', "acme/b:2"),
        ('{{ if gt (len .Values.list) 0 }}{{ first .Values.list }}{{ else }}none{{ end }}', "acme/c:1"),
        ('{{ if lt (int .Values.count) 3 }}a{{ else }}{{ .Values.image }}{{ end }}', "acme/a:1"),
        ('acme/x:{{ (split "." .Chart.AppVersion)._0 }}', "acme/x:1"),
        ('{{ (mustMerge (dict "t" "9") .Values.map).repository }}:9', "acme/b:9"),
        ('{{ $s := include (print $.Template.BasePath "/config.yaml") . | sha256sum }}{{ .Values.image }}', "acme/a:1"),
        ('{{ tpl "{{ .Values.map.repository }}" . }}@sha256:' + "a" * 64, f"acme/b@sha256:{'a' * 64}"),
    ],
)  # fmt: skip
def test_helpers_of_many_kinds(body: str, name: str) -> None:
    reading = read(helper(body))
    assert found(reading) == {name}
    assert questions(reading)["acme/d:1"] == "not needed, as it seems: no template uses it with these values"


def test_helpers_of_public_charts_are_followed() -> None:
    reading = read(SHAPES["helpers"])
    three = f"quay.io/acme/three:v1.15.6@sha256:{'c' * 64}"
    assert found(reading) == {
        "docker.io/acme/one:1.0-r1",
        "docker.io/acme/two:2.9.4",
        three,
        "quay.io/acme/cd:2.9.4",
        "acme/five:1.14.0",
        "quay.io/acme/six:v2.53.0",
    }
    assert questions(reading) == {}
    assert unread(reading) == []
    mine = (
        "global: {imageRegistry: r.example, image: {registry: g.example, tag: v3}}\nthree: {image: {override: 'o/o:1'}}"
    )
    assert found(read(SHAPES["helpers"], mine)) == {
        "r.example/acme/one:1.0-r1",
        "g.example/acme/two:2.9.4",
        "o/o:1",
        "quay.io/acme/cd:v3",
        "acme/five:1.14.0",
        "r.example/acme/six:v2.53.0",
    }


def test_a_value_that_a_template_takes_whole_is_a_field_whatever_it_is_called() -> None:
    files: Texts = {
        "Chart.yaml": about("web"),
        "values.yaml": "side: quay.io/acme/side:3\nother: {thing: quay.io/acme/thing:4}\npart: acme/part:5\n",
        "templates/a.yaml": pod("a", "{{ .Values.side }}"),
        "templates/b.yaml": pod("b", "{{ .Values.other.thing | quote }}"),
        "templates/c.yaml": pod("c", "quay.io/{{ .Values.part }}"),
    }
    reading = read(files)
    assert fields_of(reading, "quay.io/acme/side:3") == Fields(whole=("side",))
    assert fields_of(reading, "quay.io/acme/thing:4") == Fields(whole=("other", "thing"))
    assert fields_of(reading, "quay.io/acme/part:5") is None
