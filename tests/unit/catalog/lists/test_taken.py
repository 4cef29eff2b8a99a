"""What formats share, and the odd but legal things in each of them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transload.catalog.lists import OtherList
from transload.catalog.lists.naming import below_registry, template_in
from transload.catalog.lists.tagpatterns import found_anywhere, one_of
from transload.catalog.lists.taken import listed
from transload.catalog.setfile import parse_list, parse_set
from transload.catalog.tagrule import judge_tags
from transload.errors import DocumentInvalid, TargetConflict, TransloadError

D = "sha256:" + "1" * 64


def read(text: str) -> OtherList:
    listed = parse_list(text, "f")
    assert listed is not None
    return listed


def places(text: str) -> list[str]:
    return [f"{image.source} -> {image.place}" for image in read(text).images]


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("registry.example/a/b:1", "a/b:1"),
        ("docker://registry.example:5000/a", "a"),
        ("oci://quay.io/charts", "charts"),
        ("localhost/a", "a"),
        ("a/b", "a/b"),
        ("/tools/a", "tools/a"),
        ("${MIRROR}/a:1", "a:1"),
        ('{{env "HOST"}}/a', "a"),
        ("$HOST/a", "a"),
        ("registry.example/", ""),
    ],
)
def test_the_registry_of_a_target_is_left_out(target: str, path: str) -> None:
    assert below_registry(target) == path


@pytest.mark.parametrize(
    ("text", "template"),
    [
        ("a:###ZARF_PKG_TMPL_X###", "###ZARF_PKG_TMPL_X###"),
        ("{{ .Values.image }}:1", "{{ .Values.image }}"),
        ("{{ open", "{{ open"),
        ("a/${X}", "${X}"),
        ("a/$X-b", "$X"),
        (f"a/b:1@{D}", None),
        ("a#b", None),
    ],
)
def test_what_another_tool_fills_in(text: str, template: str | None) -> None:
    assert template_in(text) == template


PATTERNS = [
    *("a", "^a", "a$", "^a$", "a|b", "^a|b$", "[ab]+", r"^v\.1", r"a\$", "", "^$", "(a|b)c", "^(?:a|b)$"),
    *("[|]a", r"a\\$", r"\|^a", "^a$|^b$", "[]|]a|b", r"^a\\\$"),
]


@given(st.sampled_from(PATTERNS), st.text("abcv1.$|]\\", max_size=6))
def test_a_pattern_is_found_as_in_go(pattern: str, tag: str) -> None:
    assert bool(found_anywhere(pattern).fullmatch(tag)) == bool(re.search(pattern, tag))


@given(st.lists(st.sampled_from(["a", "b|c", "v.*"]), min_size=1, max_size=3), st.text("abcv", max_size=3))
def test_one_of_several_patterns(patterns: list[str], tag: str) -> None:
    assert bool(one_of(patterns).fullmatch(tag)) == any(re.fullmatch(pattern, tag) for pattern in patterns)


def test_a_note_names_a_few() -> None:
    assert listed(["a"]) == "a"
    assert listed("abcdefga") == "a, b, c, d, e and 2 more"
    assert listed(["https://u:secret@x/y"]) == "…@x/y"


# --- documents


def test_several_documents_and_empty_ones() -> None:
    hauler = "apiVersion: content.hauler.cattle.io/v1\nkind: Images\nspec:\n  images: [{name: %s}]\n"
    text = (
        f"---\n# nothing\n---\n{hauler % 'a/b:1'}---\n---\n{hauler % 'a/c:1'}---\napiVersion: v1\nkind: Secret\n...\n"
    )
    assert [image.place for image in read(text).images] == ["a/b:1", "a/c:1"]
    assert read(text).notes == ("f:15: is no list, and left out",)


def test_a_bad_document_is_refused_with_its_line() -> None:
    with pytest.raises(DocumentInvalid, match=r"^f:5:\d+: not valid YAML"):
        parse_set("kind: ZarfPackageConfig\ncomponents: []\n---\na: b\n]: [\n", "f")


@pytest.mark.parametrize("text", ["kind: ImageSet\nversion: 1\nimages: [a]\n---\nkind: Catalog\n", "a: 1\n---\nb: 1\n"])
def test_documents_of_our_own_stay_alone(text: str) -> None:
    with pytest.raises(DocumentInvalid, match="a second document begins"):
        parse_set(text, "f")


def test_the_limits_are_those_of_one_document() -> None:
    bomb = "kind: ZarfPackageConfig\na: &a [%s]\nb: &b [%s]\nc: [%s]\ncomponents: []\n"
    text = bomb % (",".join("x" * 90), ",".join(["*a"] * 30), ",".join(["*b"] * 30))
    assert parse_list(text, "f") is not None
    with pytest.raises(DocumentInvalid, match="more than 200000 values, aliases written out"):
        parse_list("---\n".join([text] * 3), "f")
    rules = "a.example:\n  images:\n" + "".join(f"    r{number}: []\n" for number in range(5001))
    with pytest.raises(DocumentInvalid, match="more than 5000 repositories and charts"):
        parse_list(rules, "f")


@pytest.mark.parametrize(
    "text",
    [
        "services:\n  images:\n    images: {a: [b]}\n",  # Compose
        "image: {repository: a, tag: 1}\n",  # values of a chart
        "global: {images: {a: [b]}}\n",
        "a: b\n",
        "images: [a]\n",
        "[]\n",
        "- a\n- {b: c}\n",
        "sync: yes\n",
    ],
)
def test_what_is_no_list(text: str) -> None:
    assert parse_list(text, "f") is None
    with pytest.raises(DocumentInvalid):
        parse_set(text, "f")


def test_a_run_tells_the_first_of_many_questions() -> None:
    images = ", ".join(f"'a/b:###{number}###'" for number in range(25))
    text = f"kind: ZarfPackageConfig\ncomponents: [{{images: [{images}]}}]\n"
    notes = read(text).as_set("a").notes
    assert (len(read(text).questions), len(notes)) == (25, 11)
    assert notes[-1] == "15 more questions open: transload convert lists all"


def test_one_name_for_two_images_is_a_conflict_with_a_way_out() -> None:
    text = "kind: ZarfPackageConfig\ncomponents: [{images: [a.example/x:1, b.example/x:1]}]\n"
    with pytest.raises(TargetConflict, match=r"^f: x:1 is wanted twice") as caught:
        parse_set(text, "f")
    assert caught.value.hint == "transload convert writes a set in which each has a name of its own"


# --- formats


@pytest.mark.parametrize(
    ("pattern", "blocked"),
    [
        ("docker.io/library/alpine", True),
        ("alpine", True),
        (r"^docker\.io/library/alpine:3\.21$", True),
        ("^alpine", False),
        ("alpine$", False),
        ("^docker.*:3.*1$", True),
        ("docker.*quay", False),
        ("^library/alpine:3.21$", True),  # as it is called at the target
        (".*", True),
        ("^$", False),
        ("^docker.io/library/alpine:3.21:3.21$", False),
    ],
)
def test_blocked_images(pattern: str, blocked: bool) -> None:
    text = (
        "apiVersion: mirror.openshift.io/v2alpha1\nkind: ImageSetConfiguration\nmirror:\n"
        f"  additionalImages: [{{name: 'docker://docker.io/library/alpine:3.21'}}]\n"
        f"  blockedImages: [{{name: '{pattern}'}}]\n"
    )
    listed = read(text)
    assert (not listed.images) == blocked
    assert any("blocked, and so left out" in note for note in listed.notes) == blocked


def test_many_blocked_images_are_refused() -> None:
    names = "\n".join(f"    - name: a{number}" for number in range(400))
    head = "apiVersion: mirror.openshift.io/v2alpha1\nkind: ImageSetConfiguration\nmirror:\n"
    text = f"{head}  additionalImages:\n{names}\n"
    assert len(read(text).images) == 400
    with pytest.raises(DocumentInvalid, match="400 blocked names for 400 images"):
        parse_list(f"{text}  blockedImages:\n{names}\n", "f")


def test_what_is_to_be_deleted_is_no_list_of_what_is_wanted() -> None:
    with pytest.raises(DocumentInvalid, match="says what to delete"):
        parse_list("apiVersion: mirror.openshift.io/v2alpha1\nkind: DeleteImageSetConfiguration\ndelete: {}\n", "f")


def test_the_same_image_for_several_platforms_is_one() -> None:
    head = "apiVersion: content.hauler.cattle.io/v1\nkind: Images\nspec:\n  images:\n"
    two = read(head + "    - {name: a:1, platform: amd64}\n    - {name: a:1, platform: linux/arm64}\n")
    assert [list(map(str, image.platforms)) for image in two.images] == [["linux/amd64", "linux/arm64"]]
    every = read(head + "    - {name: a:1, platform: amd64}\n    - {name: a:1}\n")
    assert [image.platforms for image in every.images] == [()]


def test_a_pattern_that_is_not_understood_leaves_only_its_images_open() -> None:
    text = (
        "a.example:\n  images: {x: ['1']}\n"
        "  images-by-tag-regex: {y: '(?i)a', z: '(a+)+b'}\n  images-by-semver: {w: '>>1'}\n"
    )
    found = read(text)
    assert places(text) == ["a.example/x:1 -> x:1"]
    assert [question.text for question in found.questions] == ["a.example/y", "a.example/z", "a.example/w"]
    assert not found.ruled


VERSIONS = ["1.26.9", "1.27", "1.27-slim", "1.27.1", "1.27.1-slim", "1.28.0-rc.1", "1.28.0-slim", "1.27_x", "latest"]
FLUX = "kind: Config\napiVersion: mirror.plugin.fluxcd.io/v1beta1\nartifacts: [{{source: a, destination: b{}}}]\n"
KBLD = """
kind: Config
apiVersion: kbld.k14s.io/v1alpha1
overrides: [{image: a, newImage: b, tagSelection: {semver: {constraints: '>=1.26.0'}}}]
"""
REGSYNC = "sync: [{{source: a, target: b, type: repository, tags: {{semverRange: ['{}']}}}}]\n"


@pytest.mark.parametrize(
    ("text", "taken"),
    [
        ("a.example:\n  images-by-semver: {x: '^1.27'}\n", ["1.27", "1.27.1"]),
        ("a.example:\n  images-by-semver: {x: '~1.27-0'}\n", ["1.27", "1.27-slim", "1.27.1", "1.27.1-slim"]),
        (FLUX.format(""), ["1.28.0-slim"]),
        (FLUX.format(", selector: {limit: 2}"), ["1.28.0-rc.1", "1.28.0-slim"]),
        (FLUX.format(", selector: {semver: '*'}"), ["1.27.1"]),
        (FLUX.format(", selector: {sortBy: numerical}"), ["1.27"]),
        (REGSYNC.format("~1.27"), ["1.27", "1.27.1", "1.27.1-slim"]),
        (REGSYNC.format(">1.27"), ["1.27.1", "1.27.1-slim", "1.28.0-rc.1", "1.28.0-slim"]),
        (REGSYNC.format("=1.27"), ["1.27"]),
        (REGSYNC.format(">=1.27.0-rc <=1.27"), ["1.27", "1.27-slim"]),
        (KBLD, ["1.27.1"]),
    ],
)
def test_what_follows_a_hyphen_is_a_pre_release_to_these_tools(text: str, taken: list[str]) -> None:
    (images,) = read(text).ruled
    verdicts = {verdict.tag: verdict.taken for verdict in judge_tags(images.rule, VERSIONS)}
    assert [tag for tag in VERSIONS if verdicts[tag]] == taken


def test_patterns_that_people_write() -> None:
    text = "a.example:\n  images-by-tag-regex:\n    x: '^v?\\d+(\\.\\d+){0,2}(-.+)?$|^latest$'\n    y: '^3\\.(8|9)$'\n"
    assert not read(text).questions
    assert [str(images.rule) for images in read(text).ruled] == [
        r"matches /(?:^v?\d+(\.\d+){0,2}(-.+)?$|^latest$)/",
        r"matches /^3\.(8|9)$/",
    ]


def test_plain_lists() -> None:
    assert places("# all\n- nginx:1 # web\n- quay.io/a/b:2\n- nginx:1\n") == [
        "docker.io/library/nginx:1 -> library/nginx:1",
        "quay.io/a/b:2 -> a/b:2",
    ]
    assert places('["quay.io/a/b:2"]') == ["quay.io/a/b:2 -> a/b:2"]
    kubeadm = '{"kind":"Images","apiVersion":"output.kubeadm.k8s.io/v1alpha3","images":["registry.k8s.io/pause:3.10"]}'
    assert places(kubeadm) == ["registry.k8s.io/pause:3.10 -> pause:3.10"]


def test_the_first_locks_of_dt() -> None:
    assert places(f"apiversion: v0\nkind: ImagesLock\nimages: [{{image: a/b:1, digests: [{{digest: '{D}'}}]}}]\n") == [
        "docker.io/a/b:1 -> a/b:1"
    ]


def test_mappings_of_regsync_are_merged() -> None:
    text = (
        "x-a: &a {type: image, platform: linux/amd64}\nx-b: &b {type: repository, target: r.example/b:2}\n"
        "sync:\n  - {<<: [*a, *b], source: 'a:1'}\n"
    )
    (image,) = read(text).images
    assert (image.place, [*map(str, image.platforms)]) == ("b:2", ["linux/amd64"])


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("version: 2\nsync: [{source: a, target: b, type: image}]\n", "f:1: version: expected version 1"),
        ("sync: [{source: a, target: b}]\n", "f:1: sync[0]: key 'type' is missing"),
        ("sync: [{source: a, target: b, type: images}]\n", "expected image or repository or registry"),
        ("sync: [{source: a, target: b c, type: image}]\n", "f:1: sync[0].target: "),
        ("sync: [{source: A B, target: b, type: image}]\n", "f:1: sync[0].source: "),
        ("sync: [{source: 'a:1', target: b, type: repository}]\n", "is one image, and a repository was expected"),
        ("a.example/x:1,2: b.example/y:1\n", "f:1: a.example/x:1,2: the number of tags is 1 here and 2 at the source"),
        ("kind: ImagesLock\napiVersion: v0\nimages: [{name: a}]\n", "f:3: images[0]: key 'image' is missing"),
        ("kind: ImagesLock\napiVersion: v0\nimages: a\n", "images: expected a list"),
        (
            (
                "kind: ImageSetConfiguration\napiVersion: mirror.openshift.io/v1\n"
                "mirror: {additionalImages: [{name: a, platforms: [{os: linux, architecture: 'x y'}]}]}\n"
            ),
            "f:3: mirror.additionalImages[0].platforms[0]: 'linux/x y' is not a platform",
        ),
        ("kind: ZarfPackageConfig\n", "f:1: key 'components' is missing"),
        ("kind: Config\napiVersion: mirror.fluxcd.io/v1\nartifacts: [{source: a}]\n", "key 'destination' is missing"),
        ("a.example:\n  images: [b]\n", "expected a mapping"),
        ("a.example:\n  images: {b: c}\n", "expected a list"),
        ("a.example:\n  images: {b: [' ']}\n", "f:2: a.example.images.b[0]: "),
        ("a.example:\n  images: {b: ['sha256:12']}\n", "'sha256:12': sha256 takes 64 lower-case hexadecimal digits"),
    ],
)
def test_errors_say_where(text: str, wrong: str) -> None:
    with pytest.raises(TransloadError) as caught:
        parse_list(text, "f")
    assert wrong in caught.value.message
    assert caught.value.message.startswith("f:")
