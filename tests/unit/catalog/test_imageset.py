from pathlib import Path

import pytest

from transload.catalog.builtin import load_builtin
from transload.catalog.imageset import CatalogUse, ImageSet
from transload.catalog.setfile import load_set, parse_set
from transload.errors import DocumentInvalid, ImageUnknown, LocalError, ReleaseUnknown, TargetConflict, TransloadError

HEAD = "kind: ImageSet\nversion: 1\n"
D = "sha256:" + "1" * 64


def parsed(text: str, file: str = "set.yaml") -> ImageSet:
    found = parse_set(HEAD + text, file)
    assert isinstance(found, ImageSet)
    return found


def pairs(found: ImageSet) -> list[tuple[str, str]]:
    return [(str(one.source), one.place) for one in found.select()]


def test_images_as_strings() -> None:
    assert pairs(parsed(f"images: [nginx, 'quay.io/a/b:1', 'quay.io/c@{D}']")) == [
        ("docker.io/library/nginx:latest", "library/nginx:latest"),
        ("quay.io/a/b:1", "a/b:1"),
        (f"quay.io/c@{D}", f"c@{D}"),
    ]


def test_images_as_objects() -> None:
    found = parsed(
        f"""
images:
  - {{source: quay.io/a/b, tag: 1.10, digest: '{D}'}}
  - {{source: quay.io/a/c, digest: '{D}'}}
  - {{source: 'quay.io/a/d:1', target: 'e/f:2', optional: true, platforms: [amd64, linux/arm64]}}
  - {{source: 'quay.io/a/g:1', target: h}}
  - {{source: quay.io/a/latest}}
"""
    )
    assert pairs(found) == [
        (f"quay.io/a/b:1.10@{D}", "a/b:1.10"),
        (f"quay.io/a/c@{D}", f"a/c@{D}"),
        ("quay.io/a/d:1", "e/f:2"),
        ("quay.io/a/g:1", "h:1"),
        ("quay.io/a/latest:latest", "a/latest:latest"),
    ]
    assert [one.optional for one in found.images] == [False, False, True, False, False]
    assert [str(platform) for platform in found.images[2].platforms] == ["linux/amd64", "linux/arm64"]


def test_defaults_complete_what_an_image_leaves_out() -> None:
    found = parsed(
        f"""
defaults: {{registry: r.example, repository: v/w, tag: 2.1, platforms: [amd64]}}
images:
  - gateway
  - deep/er:1
  - quay.io/a/b
  - docker.io/nginx
  - index.docker.io/redis
  - gateway@{D}
  - {{source: db, tag: '3', platforms: [arm64]}}
  - {{source: ui, target: front}}
"""
    )
    assert pairs(found) == [
        ("r.example/v/w/gateway:2.1", "gateway:2.1"),
        ("r.example/v/w/deep/er:1", "deep/er:1"),
        ("quay.io/a/b:2.1", "a/b:2.1"),
        ("docker.io/library/nginx:2.1", "library/nginx:2.1"),
        ("docker.io/library/redis:2.1", "library/redis:2.1"),
        (f"r.example/v/w/gateway@{D}", f"gateway@{D}"),
        ("r.example/v/w/db:3", "db:3"),
        ("r.example/v/w/ui:2.1", "front:2.1"),
    ]
    assert [str(one.platforms[0]) for one in found.images][-2:] == ["linux/arm64", "linux/amd64"]


def test_a_default_prefix_at_docker_hub() -> None:
    assert pairs(parsed("defaults: {repository: grafana}\nimages: ['loki:3']")) == [
        ("docker.io/grafana/loki:3", "loki:3")
    ]


def test_a_catalog_means_its_newest_release() -> None:
    found = parsed("catalogs: [{name: arcdata}]")
    assert found.name == "set"
    assert len(found.select()) == 21
    assert str(found.catalogs[0].anchor.name.repository) == "arcdata/arc-controller"
    told = found.select({"arcdata": ["v1.47.0_2026-06-09"]})
    assert {one.tag for one in told} == {"v1.47.0_2026-06-09"}


def test_a_range_of_releases_in_another_place() -> None:
    found = parsed(
        """
catalogs:
  - name: arcdata
    releases: [v1.45.0.., 'v1.45.0']
    registry: r.example
    repository: arcdata/preview
    target: arc
    companions: false
"""
    )
    chosen = found.select()
    assert len(chosen) == 40
    assert str(chosen[0].source) == "r.example/arcdata/preview/arc-bootstrapper:v1.45.0_2026-04-14"
    assert chosen[0].place == "arc/arc-bootstrapper:v1.45.0_2026-04-14"
    assert str(found.catalogs[0].anchor) == "r.example/arcdata/preview/arc-controller"


def test_each_use_of_a_catalog_has_the_tags_of_its_own_source() -> None:
    found = parsed("catalogs: [{name: arcdata, companions: false}, {name: arcdata, registry: r.example, target: t}]")
    anchors = [str(use.anchor) for use in found.catalogs]
    chosen = found.select({anchors[0]: ["v1.45.0_2026-04-14"], "arcdata": ["v1.47.0_2026-06-09"]})
    assert {(one.source.registry, one.tag) for one in chosen} == {
        ("mcr.microsoft.com", "v1.45.0_2026-04-14"),
        ("r.example", "v1.47.0_2026-06-09"),
    }


def test_an_image_is_taken_from_the_releases_that_have_it() -> None:
    use = CatalogUse(catalog=load_builtin("arcdata"), releases=("1.28..1.31",), images=("arc-kafka", "arc-dns"))
    assert [one.place for one in use.select()] == [
        "arc-dns:v1.28.0_2024-03-12",
        "arc-kafka:v1.28.0_2024-03-12",
        "arc-dns:v1.29.0_2024-04-09",
        "arc-kafka:v1.29.0_2024-04-09",
        "arc-dns:v1.30.0_2024-06-11",
        "arc-dns:v1.31.0_2024-07-09",
    ]


def test_a_catalog_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(
        "kind: Catalog\nversion: 1\nname: own\nregistry: r.example\nreleases: [{tag: v1.0, images: [a]}]\n"
    )
    path = tmp_path / "set.yml"
    path.write_text(HEAD + "name: mine\ncatalogs: [{file: own.yaml}]\n")
    found = load_set(path)
    assert isinstance(found, ImageSet)
    assert (found.name, pairs(found)) == ("mine", [("r.example/a:v1.0", "a:v1.0")])


@pytest.mark.parametrize(
    ("file", "kind", "message"),
    [
        ("absent.yaml", LocalError, "catalogs[0].file: there is no file {folder}/absent.yaml"),
        (
            "set.yaml",
            DocumentInvalid,
            "kind: expected Catalog, found 'ImageSet'",
        ),
        ("list.txt", DocumentInvalid, "catalogs[0].file: {folder}/list.txt:1: expected a mapping, found 'nginx'"),
    ],
)
def test_a_file_that_is_no_catalog(tmp_path: Path, file: str, kind: type[TransloadError], message: str) -> None:
    (tmp_path / "list.txt").write_text("nginx\n")
    path = tmp_path / "set.yaml"
    path.write_text(HEAD + f"catalogs: [{{file: {file}}}]\n")
    with pytest.raises(kind) as caught:
        load_set(path)
    line = 1 if file == path.name else 3
    assert str(caught.value).startswith(f"{path}:{line}: {message.format(folder=tmp_path)}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: n\n", "set.yaml:1: the image set names no images"),
        ("images: nginx\n", "set.yaml:3: images: expected a list, found 'nginx'"),
        ("images:\n  - nginx\n  - Nginx\n", "set.yaml:5: images[1]: repository 'library/Nginx' has capital letters"),
        ("images:\n  -\n", "set.yaml:4: images[0]: has no value; expected a mapping"),
        ("images: [{sorce: a}]\n", "set.yaml:3: images[0].sorce: unknown key"),
        ("images:\n  - source: a\n    tag: a b\n", "set.yaml:5: images[0].tag: 'a b' is not a tag"),
        ("images: [{source: 'a:1', tag: 1}]\n", "set.yaml:3: images[0].source: the tag is given twice"),
        (f"images: [{{source: 'a@{D}', digest: '{D}'}}]\n", "set.yaml:3: images[0].source: the digest is given twice"),
        ("images: [{source: a, digest: 'sha256:1'}]\n", "set.yaml:3: images[0].digest: 'sha256:1': sha256 takes 64"),
        ("images: [{source: a, target: 'B'}]\n", "set.yaml:3: images[0].target: repository 'B' has capital letters"),
        ("images: [{source: a, platforms: [a/b/c/d]}]\n", "set.yaml:3: images[0].platforms[0]: 'a/b/c/d' is not a pl"),
        ("images: [{source: a, platforms: []}]\n", "set.yaml:3: images[0].platforms: the list is empty"),
        ("images: [{source: a, optional: yes}]\n", "set.yaml:3: images[0].optional: expected true or false, found 'ye"),
        ("catalogs: [{releases: newest}]\n", "set.yaml:3: catalogs[0]: expected either name or file"),
        ("catalogs: [{name: arcdata, releases: []}]\n", "set.yaml:3: catalogs[0].releases: the list is empty"),
        ("catalogs: [{name: arcdata, images: [a, a]}]\n", "set.yaml:3: catalogs[0].images[1]: 'a' is listed twice"),
        ("catalogs: [{name: arcdta}]\n", "set.yaml:3: catalogs[0].name: no built-in catalog is called 'arcdta'"),
    ],
)
def test_what_is_refused(text: str, message: str) -> None:
    with pytest.raises(TransloadError) as caught:
        parsed(text)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        ("releases: [1.46, 1.99]", ReleaseUnknown, "set.yaml:4: catalogs[0].releases: arcdata has no release '1.99'"),
        ("releases: 1.46..1.45", DocumentInvalid, "set.yaml:4: catalogs[0].releases: the range 1.46..1.45 is empty"),
        ("images: [arc-x]", ImageUnknown, "set.yaml:4: catalogs[0]: arcdata v1.46.0_2026-05-12 lists no image 'arc-x'"),
    ],
)
def test_what_the_catalog_does_not_have(text: str, kind: type[TransloadError], message: str) -> None:
    found = parsed(f"catalogs:\n  - {{name: arcdata, {text}}}\n")
    with pytest.raises(kind) as caught:
        found.select()
    assert str(caught.value).startswith(message)


def test_conflicts_inside_a_set_and_with_a_catalog() -> None:
    with pytest.raises(TargetConflict, match=r"^set\.yaml:1: x:1 is wanted twice"):
        parsed("images: ['a.example/x:1', 'b.example/x:1']")
    tag = "v1.46.0_2026-05-12"
    found = parsed(f"images: ['a.example/arc-dns:{tag}']\ncatalogs: [{{name: arcdata}}]")
    with pytest.raises(TargetConflict, match=rf"a\.example/arc-dns:{tag} and as mcr\.microsoft\.com/arcdata/arc-dns"):
        found.select()
    same = parsed(f"images: ['mcr.microsoft.com/arcdata/arc-dns:{tag} ']\ncatalogs: [{{name: arcdata, target: t}}]")
    assert len(same.select()) == 22


def test_what_discovery_left_open_is_a_note_of_every_run() -> None:
    found = parsed(
        "images: [{source: 'a/b:1', found: ['web.yaml:3: Pod web: spec.containers[0].image']}]\n"
        "questions:\n  - {text: '{{ .Values.image }}', found: ['t.yaml:1'], reason: a template}\n"
        "  - {reason: no tag}\n"
    )
    assert found.notes == (
        "2 questions are open in set.yaml, so images may be missing: add what is meant to images, and delete them",
    )
    assert parsed("images: [a]\nquestions: []").notes == ()
    with pytest.raises(DocumentInvalid, match=r"set.yaml:5: questions\[0\]: key 'reason' is missing"):
        parsed("images: [a]\nquestions:\n  - {text: x}")
