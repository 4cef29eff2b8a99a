"""What installs charts, and Kustomize: what they set is found, what they lead to is asked with its address."""

from __future__ import annotations

import pytest

from tests.unit.discovery.reading import discovered, images, places, questions, rules, unread
from transload.discovery.finding import Irrelevant
from transload.discovery.judging import CHART, NO_TAG
from transload.discovery.listing import listed

D = f"sha256:{'d' * 64}"
INSIDE = "this artifact has manifests or a chart in it: discover what is in it, too"
FOLDER = "Argo CD makes manifests of this folder: render it, and discover the result"

# Written anew, in the shapes of the manuals of Argo CD, Flux, k3s and Helmfile.
ARGO = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: web, namespace: argocd}
spec:
  sources:
  - repoURL: https://charts.example/stable
    chart: web
    targetRevision: 1.4.2
    helm:
      valuesObject:
        image: {registry: ghcr.io, repository: team/web, tag: "2.0"}
        sidecar: {image: {repository: team/sidecar}}
      values: |
        metrics:
          image: quay.io/team/metrics:3
  - {repoURL: registry.example/charts, chart: db, targetRevision: 15.9.0}
  - {repoURL: "oci://ghcr.io/team/manifests", targetRevision: v7, path: .}
  - {repoURL: "https://git.example/team/values.git", targetRevision: main, ref: values}
  - repoURL: https://git.example/team/app.git
    path: overlays/site
    targetRevision: main
    kustomize:
      images: ["web=registry.example/web:5", "registry.example/api:6"]
"""


def test_argo_cd() -> None:
    assert rules(ARGO, "app.yaml") == [
        ("ghcr.io/team/web:2.0", "chart values", "likely"),
        ("quay.io/team/metrics:3", "chart values", "likely"),
        ("ghcr.io/team/manifests:v7", "OCI artifact", "certain"),
        ("registry.example/web:5", "kustomize image", "likely"),
        ("registry.example/api:6", "kustomize image", "likely"),
    ]
    asked = questions(ARGO, "app.yaml")
    assert [text for text, reason in asked if reason == CHART] == [
        "https://charts.example/stable/web:1.4.2",
        "oci://registry.example/charts/db:15.9.0",
    ]
    assert ("oci://ghcr.io/team/manifests:v7", INSIDE) in asked
    assert ("https://git.example/team/app.git overlays/site main", FOLDER) in asked
    assert [text for text, reason in asked if "the chart has the rest" in reason] == ["team/sidecar"]
    assert len(asked) == 5
    assert "app.yaml:6: Application argocd/web: spec.sources[0]" in places(ARGO, "app.yaml")


def test_an_application_set_is_a_template() -> None:
    text = (
        "apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nspec:\n  template:\n    spec:\n"
        "      source: {repoURL: 'https://c.example', chart: web, targetRevision: '{{version}}'}\n"
    )
    assert questions(text, "x.yaml") == [("https://c.example/web:{{version}}", CHART)]


FLUX = f"""\
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {{name: web, namespace: shop}}
spec:
  chart:
    spec:
      chart: web
      version: "6.5.x"
      sourceRef: {{kind: HelmRepository, name: stable, namespace: flux-system}}
  postRenderers:
  - kustomize:
      images:
      - {{name: web, newName: registry.example/web, newTag: v1, digest: "{D}"}}
  values:
    proxy: {{image: "registry.example/proxy:9"}}
---
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {{name: api}}
spec: {{chartRef: {{kind: OCIRepository, name: api}}}}
---
apiVersion: source.toolkit.fluxcd.io/v1
kind: OCIRepository
metadata: {{name: api}}
spec: {{url: "oci://ghcr.io/team/charts/api", ref: {{digest: "{D}", tag: "1"}}}}
---
apiVersion: source.toolkit.fluxcd.io/v1
kind: OCIRepository
spec: {{url: "oci://ghcr.io/team/other", ref: {{semver: ">=1.0"}}}}
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
spec: {{path: ./apps, sourceRef: {{kind: GitRepository, name: site}}, images: [{{name: a, newTag: "2"}}]}}
---
apiVersion: source.toolkit.fluxcd.io/v1
kind: HelmRepository
spec: {{url: "https://charts.example"}}
"""


def test_flux() -> None:
    assert images(FLUX, "flux.yaml") == [
        f"registry.example/web:v1@{D}",
        "registry.example/proxy:9",
        f"ghcr.io/team/charts/api@{D}",
        "a:2",
    ]
    listing = listed(discovered(FLUX, "flux.yaml"))
    assert [(question.text, question.reason) for question in listing.questions] == [
        ("web:6.5.x of HelmRepository flux-system/stable", CHART),
        (f"oci://ghcr.io/team/charts/api@{D}", INSIDE),
        ("oci://ghcr.io/team/other >=1.0", "a range chooses its tag: write the tag that is meant"),
        ("./apps of site", "Flux builds this folder of a source: build it with Kustomize, and discover the result"),
    ]
    assert listing.irrelevant == 3


def test_the_address_of_a_source_is_found_in_another_file() -> None:
    source = (
        "apiVersion: source.toolkit.fluxcd.io/v1\nkind: HelmRepository\n"
        "metadata: {name: stable, namespace: shop}\nspec: {url: 'oci://registry.example/charts/'}\n"
    )
    release = (
        "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: web, namespace: shop}\n"
        "spec: {chart: {spec: {chart: web, version: 1.2.3, sourceRef: {kind: HelmRepository, name: stable}}}}\n"
    )
    listing = listed((*discovered(release, "web.yaml"), *discovered(source, "sources.yaml")))
    assert [question.text for question in listing.questions] == ["oci://registry.example/charts/web:1.2.3"]
    secret = source.replace("oci://registry", "https://user:secret@registry")
    listing = listed((*discovered(secret, "sources.yaml"), *discovered(release, "web.yaml")))
    assert [question.text for question in listing.questions] == ["…@registry.example/charts/web:1.2.3"]
    unknown = listed(discovered(release.replace("stable", "other"), "web.yaml"))
    assert [question.text for question in unknown.questions] == ["web:1.2.3 of HelmRepository shop/other"]
    artifact = release.replace("chart: {spec:", "chartRef: {kind: OCIRepository, name: api}, x: {y:")
    assert [question.text for question in listed(discovered(artifact, "a.yaml")).questions] == [
        "OCIRepository shop/api"
    ]


def test_values_know_their_lines() -> None:
    assert "app.yaml:11: Application argocd/web: spec.sources[0].helm.valuesObject.image" in places(ARGO, "app.yaml")
    assert "app.yaml:15: Application argocd/web: spec.sources[0].helm.values.metrics.image" in places(ARGO, "app.yaml")


def test_k3s() -> None:
    text = (
        "apiVersion: helm.cattle.io/v1\nkind: HelmChart\nmetadata: {name: t}\nspec:\n  repo: https://c.example/\n"
        "  chart: traefik\n  version: 1.2.3\n  valuesContent: |-\n    image: {repository: x.example/t, tag: v3}\n"
    )
    assert questions(text, "x.yaml") == [("https://c.example/traefik:1.2.3", CHART)]
    assert images(text, "x.yaml") == ["x.example/t:v3"]
    assert "not valid YAML" in unread(text.replace("{repository", "{{ ["), "x.yaml")[0]


HELMFILE = """\
repositories:
- {name: stable, url: "https://charts.example/stable"}
- {name: site, url: registry.example/charts, oci: true}
helmfiles: [more.yaml, {path: others/*.yaml}]
releases:
- name: web
  chart: stable/web
  version: 1.4.2
  values:
  - values.yaml
  - image: {repository: ghcr.io/team/web, tag: 7}
- {name: db, chart: site/db, version: ~15.9}
- {name: own, chart: ./charts/own}
- {name: direct, chart: "oci://ghcr.io/team/charts/direct", version: "3"}
- {name: unknown, chart: nowhere/app}
"""


def test_helmfile() -> None:
    assert images(HELMFILE, "helmfile.yaml") == ["ghcr.io/team/web:7"]
    assert [text for text, reason in questions(HELMFILE, "helmfile.yaml") if reason == CHART] == [
        "https://charts.example/stable/web:1.4.2",
        "oci://registry.example/charts/db:~15.9",
        "./charts/own",
        "oci://ghcr.io/team/charts/direct:3",
        "nowhere/app",
    ]
    assert [text for text, reason in questions(HELMFILE, "helmfile.yaml") if "included" in reason] == [
        "more.yaml",
        "others/*.yaml",
    ]


def test_a_chart_of_a_helmfile_that_is_read_too_is_no_question() -> None:
    listing = listed((*discovered(HELMFILE, "site/helmfile.yaml"), *discovered("{}", "site/charts/own/Chart.yaml")))
    assert "./charts/own" not in {question.text for question in listing.questions}


KUSTOMIZATION = f"""\
resources: [deployment.yaml, ../base, "github.com/team/repo//deploy?ref=v1"]
images:
- {{name: web, newName: registry.example/web, newTag: v1}}
- {{name: quay.io/team/api, newTag: "1.10"}}
- {{name: db, digest: {D}}}
- {{name: cache, newName: registry.example/cache}}
- {{name: same}}
helmCharts:
- {{name: redis, repo: "oci://registry.example/charts", version: 19.0.0, releaseName: r}}
"""


@pytest.mark.parametrize("file", ["overlays/site/kustomization.yaml", "overlays/site/Kustomization"])
def test_a_kustomization(file: str) -> None:
    assert rules(KUSTOMIZATION, file) == [
        ("registry.example/web:v1", "kustomize image", "likely"),
        ("quay.io/team/api:1.10", "kustomize image", "likely"),
        (f"db@{D}", "kustomize image", "likely"),
    ]
    assert questions(KUSTOMIZATION, file) == [
        (
            "kustomize build overlays/site",
            "Kustomize makes manifests of this folder: discover what this command writes, too",
        ),
        (
            "registry.example/cache",
            "it has the tag that the manifests give it: discover what Kustomize builds",
        ),
        ("oci://registry.example/charts/redis:19.0.0", CHART),
    ]


def test_a_kustomization_that_changes_no_images_is_the_files_that_it_names() -> None:
    files = {
        "site/kustomization.yaml": "namespace: shop\nresources: [web.yaml, ../base, ./db, missing.yml]\n",
        "site/web.yaml": "kind: Service\n",
        "base/Kustomization": "resources: []\n",
    }
    listing = listed(item for file, content in files.items() for item in discovered(content, file))
    assert [(question.text, question.reason) for question in listing.questions] == [
        ("./db", "Kustomize takes this in: discover it, too"),
        ("missing.yml", "Kustomize takes this in: discover it, too"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "resources: [a.yaml]\npatches: [{path: p.yaml}]\n",
        "resources: [github.com/team/repo?ref=v1]\n",
        "resources: ['https://git.example/a.yaml']\n",
        "resources: [git@git.example:team/repo.git]\n",
        "resources: [git.example/team/repo//deploy]\n",
        "components: [../c]\n",
    ],
)
def test_a_kustomization_that_changes_more_must_be_built(text: str) -> None:
    assert [text for text, _ in questions(text, "x/kustomization.yaml")] == ["kustomize build x"]


def test_a_component_is_built_by_others() -> None:
    text = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nimages: [{name: a, newTag: b}]\n"
    assert images(text, "c.yaml") == ["a:b"]
    assert questions(text, "c.yaml") == []


@pytest.mark.parametrize(
    "text",
    [
        "apiVersion: argoproj.io/v1alpha1\nkind: Application\nspec: [1]\n",
        "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nspec: {chart: x, values: [1]}\n",
        "releases: {a: {chart: b}}\n",
    ],
)
def test_wrong_kinds_name_nothing(text: str) -> None:
    assert [type(item) for item in discovered(text, "x.yaml")] == [Irrelevant]


def test_values_that_are_too_long_are_told() -> None:
    text = (
        "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nspec: {values: {a: '" + "b " * (11 << 20) + "'}}\n"
    )
    assert len(unread(f"{text}---\n{text[:30]}", "x.yaml")) == 1


# --- our own sets, and lists

SET = f"""\
kind: ImageSet
version: 1
defaults: {{registry: quay.io, repository: team, tag: "3"}}
images:
- web
- ghcr.io/team/api:2
- {{source: db, tag: "9"}}
- {{source: "docker.io/library/redis", digest: {D}}}
- {{source: tools, tags: [a, b]}}
- {{source: many, tags: {{versions: ">=1"}}}}
- ${{REGISTRY:-registry.example}}/x:1
- ${{REGISTRY}}/y:1
- {{source: every, tags: all}}
catalogs: [{{name: arcdata}}]
charts: ["oci://r.example/charts/a:1", {{chart: b, repository: "https://c.example", version: "2"}}]
include: [more.yaml]
releases: [{{name: r1, images: [web:1]}}]
questions:
- {{text: "nginx", found: [a.yaml], reason: "{NO_TAG}"}}
"""


def test_an_image_set() -> None:
    assert images(SET, "set.yaml") == [
        "quay.io/team/web:3",
        "ghcr.io/team/api:2",
        "quay.io/team/db:9",
        f"docker.io/library/redis@{D}",
        "quay.io/team/tools:a",
        "quay.io/team/tools:b",
        "registry.example/x:1",
        "quay.io/team/web:1",
    ]
    assert [text for text, _ in questions(SET, "set.yaml")] == [
        "many",
        "${REGISTRY}/y:1",
        "every",
        "catalogs",
        "oci://r.example/charts/a:1",
        "https://c.example/b:2",
        "more.yaml",
        "nginx",
    ]


def test_a_catalog_is_asked_about() -> None:
    [(text, _)] = questions("kind: Catalog\nversion: 1\nname: shop\n", "catalog.yaml")
    assert text == "shop"


def test_lists_with_comments_and_columns() -> None:
    text = "# images\nnginx:1.27  # web\n\nquay.io/a/b:1 registry.local/b:1\r\nredis\na/B:1\n{{ x }}/c:1\n"
    assert images(text, "images.txt") == ["nginx:1.27", "quay.io/a/b:1"]
    assert [text for text, _ in questions(text, "images.txt")] == ["redis", "a/B:1", "{{ x }}/c:1"]


def test_a_text_of_sentences_is_no_list() -> None:
    text = "Release notes\n\nthe images are now smaller.\nnginx:1.27 is the base of all of them\nand more is to come.\n"
    assert images(text, "NOTES.txt") == []
    assert unread(text, "NOTES.txt") == ["it is a text and no list: 1 of its 4 lines begin with the name of an image"]
    assert [type(item) for item in discovered("Nothing is here\nto be found at all\n", "LICENSE.txt")] == [Irrelevant]


@pytest.mark.parametrize(
    "text", ["flask\nrequests==2.0\nmock>=1.3.0,<2\n", "apple\npear\n", "# none\n\n", "C:\\a\nD:\\b\n"]
)
def test_single_words_are_no_list_of_images(text: str) -> None:
    assert [type(item) for item in discovered(text, "requirements.txt")] == [Irrelevant]


def test_a_file_named_after_images_may_have_single_words() -> None:
    assert questions("nginx\nredis\n", "base-images.txt") == [("nginx", NO_TAG), ("redis", NO_TAG)]
