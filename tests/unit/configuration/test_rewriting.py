"""References in manifests are replaced, and every other byte stays as it is."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from transload.configuration import MovedImage
from transload.configuration.lookup import Lookup
from transload.configuration.rewriting import Rewritten, rewritten
from transload.errors import DocumentInvalid
from transload.oci import Digest, Reference

DIGEST = Digest.of(b"index")
OTHER = Digest.of(b"another")
NEW = "registry.local:5000/mirror"
MOVES = {
    "docker.io/library/redis:7": f"{NEW}/library/redis:7",
    "quay.io/prometheus/node-exporter:v1.8.2": f"{NEW}/prometheus/node-exporter:v1.8.2",
    "docker.io/library/nginx:latest": f"{NEW}/library/nginx:latest",
}


def lookup(*, pin: bool = False, digest: Digest | None = DIGEST) -> Lookup:
    images = [
        MovedImage(source=Reference.parse(source), target=Reference.parse(target), digest=digest)
        for source, target in MOVES.items()
    ]
    return Lookup.of(images, pin=pin)


def rewrite(text: str | bytes, file: str = "pod.yaml", *, pin: bool = False) -> Rewritten:
    content = text.encode() if isinstance(text, str) else text
    return rewritten(content, file, lookup(pin=pin))


def pod(line: str, more: str = "") -> str:
    return f"apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - name: a\n    {line}\n{more}"


@pytest.mark.parametrize(
    ("written", "becomes"),
    [
        ("image: redis:7", f"image: {NEW}/library/redis:7"),
        ("image:   'redis:7'   # redis:7", f"image:   '{NEW}/library/redis:7'   # redis:7"),
        ('image: "docker.io/redis:7"', f'image: "{NEW}/library/redis:7"'),
        ('image: "redis\\x3a7"', f'image: "{NEW}/library/redis:7"'),
        ('image: !!str &a "redis:7"', f'image: !!str &a "{NEW}/library/redis:7"'),
        ("image: &redis-7 redis:7", f"image: &redis-7 {NEW}/library/redis:7"),
        ("image: >-\n        redis:7\n\n", f"image: >-\n        {NEW}/library/redis:7\n\n"),
        ("image: |2-\n       redis:7", f"image: |2-\n       {NEW}/library/redis:7"),
        ("image:\n      redis:7", f"image:\n      {NEW}/library/redis:7"),
        ("? image\n    : redis:7", f"? image\n    : {NEW}/library/redis:7"),
        ("image: nginx", f"image: {NEW}/library/nginx:latest"),
        (f"image: redis:7@{DIGEST}", f"image: {NEW}/library/redis:7@{DIGEST}"),
        (f"image: redis@{DIGEST}", f"image: {NEW}/library/redis@{DIGEST}"),
        (f"image: redis:7@{OTHER}", f"image: redis:7@{OTHER}"),
        ("image: ghcr.io/a/b:1", "image: ghcr.io/a/b:1"),
        ("image: '{{ .Values.image }}'", "image: '{{ .Values.image }}'"),
    ],
)
def test_only_the_reference_changes_however_it_is_written(written: str, becomes: str) -> None:
    assert rewrite(pod(written)).content.decode() == pod(becomes)


@pytest.mark.parametrize(
    ("written", "becomes"),
    [
        ("args: [--sidecar-image=redis:7, --x]", f"args: [--sidecar-image={NEW}/library/redis:7, --x]"),
        ("args: [--image, redis:7]", f"args: [--image, '{NEW}/library/redis:7']".replace("'", "")),
        (
            "env: [{name: RELATED_IMAGE_A, value: redis:7}, {name: B, value: redis:7}]",
            f"env: [{{name: RELATED_IMAGE_A, value: {NEW}/library/redis:7}}, {{name: B, value: redis:7}}]",
        ),
        (
            'command: [sh, -c, "run quay.io/prometheus/node-exporter:v1.8.2 quay.io/prometheus/node-exporter:v1.8.20"]',
            f'command: [sh, -c, "run {NEW}/prometheus/node-exporter:v1.8.2 quay.io/prometheus/node-exporter:v1.8.20"]',
        ),
    ],
)
def test_arguments_and_variables(written: str, becomes: str) -> None:
    assert rewrite(pod(f"{written}\n    image: nginx")).content.decode() == pod(
        f"{becomes}\n    image: {NEW}/library/nginx:latest"
    )


def test_one_scalar_serves_several_aliases_and_merge_keys() -> None:
    text = (
        "x-base: &base {image: redis:7}\nservices:\n  a: *base\n  b:\n    <<: *base\n  c: {image: &i nginx:latest}\n"
        "  d: {image: *i}\n"
    )
    new = rewrite(text, "compose.yaml")
    assert new.content.decode() == text.replace("redis:7", f"{NEW}/library/redis:7").replace(
        "nginx:latest", f"{NEW}/library/nginx:latest"
    )
    assert (new.replaced, new.left) == (4, ())


def test_an_anchor_that_is_a_key_too_is_refused() -> None:
    text = pod("? &key redis:7\n    : 1\n    image: *key")
    with pytest.raises(DocumentInvalid, match=r"^pod.yaml:1: the file would change in more than its references$"):
        rewrite(text)


def test_images_in_parts_keep_their_parts() -> None:
    text = (
        "apiVersion: example.com/v1\nkind: Shop\nspec:\n"
        "  a: {image: {registry: quay.io, repository: prometheus/node-exporter, tag: v1.8.2}}\n"
        f"  b: {{image: {{repository: redis, tag: '7', digest: '{DIGEST}'}}}}\n"
    )
    assert rewrite(text).content.decode() == text.replace(
        "registry: quay.io, repository: prometheus", "registry: registry.local:5000, repository: mirror/prometheus"
    ).replace("repository: redis", f"repository: {NEW}/library/redis")
    unpinned = rewrite(text, pin=True).left
    assert [left.reason for left in unpinned] == ["it is replaced, but not pinned: there is no field for a digest"]


def test_kustomize_entries_with_a_new_name() -> None:
    text = "images:\n- name: app\n  newName: redis\n  newTag: '7'\n- name: redis\n  newTag: '7'\n"
    new = rewrite(text, "kustomization.yaml")
    assert new.content.decode() == text.replace("newName: redis", f"newName: {NEW}/library/redis")
    assert [(left.place.line, left.text) for left in new.left] == [(5, "redis:7")]


def test_values_of_a_helm_release() -> None:
    text = (
        "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: a}\nspec:\n  values:\n"
        "    a: {image: {repository: redis, tag: '7', pullPolicy: Always}}\n    b: {image: 'redis:7'}\n"
        "    cImage: redis\n    cTag: '7'\n"
    )
    new = rewrite(text)
    assert new.content.decode() == text.replace("repository: redis", f"repository: {NEW}/library/redis").replace(
        "'redis:7'", f"'{NEW}/library/redis:7'"
    )
    assert [left.reason for left in new.left] == ["it is a value of a chart: give it to helm in values of your own"]


def test_variables_of_compose_stay_and_no_file_beside_is_read(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("TAG=7\n")
    monkeypatch.chdir(tmp_path)
    new = rewrite("services:\n  a: {image: 'redis:${TAG:-7}'}\n  b: {image: redis:7}\n", "compose.yaml")
    assert new.content.decode().count(NEW) == 1
    assert [left.reason for left in new.left] == ["its text has variables, and their values decide"]


_POD = '{{"apiVersion":"v1","kind":"Pod","spec":{{"containers":[{{"image":"{}"}}]}}}}'


@pytest.mark.parametrize(
    "frame",
    [
        _POD,
        ' {{"kind":"PodList","apiVersion":"v1","items":[{{"spec":{{"containers":[{{"image":"{}"}}]}}}}, {{}}]}}\r\n',
        '{{"kind":"Template","apiVersion":"v1","objects":[' + _POD + "]}}\n\n",
        '[{{"a\\u0062":1e2}},' + _POD + "]",
        '{{"apiVersion":"v1","kind":"Pod"}}\n'
        '{{"apiVersion":"v1","kind":"List","items":[{{"apiVersion":"v1","kind":"List","items":[' + _POD + "]}}]}}",
    ],
    ids=["object", "list of one kind", "template", "array", "lists in a second document"],
)
@pytest.mark.parametrize("written", ["redis:7", "docker.io\\/library\\/redis:7", "\\u0072edis:7"])
def test_json(frame: str, written: str) -> None:
    new = rewrite(frame.format(written), "pods.json")
    assert new.content.decode() == frame.format(f"{NEW}/library/redis:7")


def test_lists_that_are_read_item_by_item() -> None:
    item = (
        f"# {'x' * 1_000}\n"
        "- apiVersion: v1\n  kind: Pod\n  spec:\n    containers:\n    - {name: 'é', image: redis:7} # é\n"
    )
    text = "# é\napiVersion: v1\nitems:\n" + item * 1_200 + "kind: List\n"
    new = rewrite(text)
    assert new.replaced == 1_200
    assert new.content.decode() == text.replace("redis:7", f"{NEW}/library/redis:7")


def test_pinned_references_stay_pinned_when_rewritten_again() -> None:
    text = pod("image: redis:7")
    pinned = rewrite(text, pin=True)
    assert pinned.content.decode() == pod(f"image: {NEW}/library/redis@{DIGEST}")
    for pin in (True, False):
        again = rewrite(pinned.content, pin=pin)
        assert (again.content, again.replaced, again.right) == (pinned.content, 0, 1)
    assert rewrite(rewrite(text).content, pin=True).content == pinned.content


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("a.yaml", b"a: [", "a.yaml:2:1: not valid YAML"),
        ("a.json", b'{"a": ', "a.json:1: not JSON"),
        ("a.yaml", pod("image: [redis:7]").encode(), "a.yaml:6: spec.containers[0].image: expected text, found a list"),
        ("a.yaml", b"image: {{ .Values.image }}:1\n", "a.yaml:1: it is a template that was not rendered"),
        ("a.yaml", "é".encode("latin-1"), "a.yaml:1: not UTF-8"),
        ("a.yaml", "a: 1".encode("utf-16"), "a.yaml: saved as UTF-16"),
        ("a.yaml", b"a: 1\na: 2\n", "a.yaml:2: key 'a' is written twice"),
        ("a.json", b'{"a": 1, "a": 2}', "a.json:1: what begins here cannot be read as JSON"),
    ],
)
def test_what_cannot_be_read_is_refused(file: str, content: bytes, message: str) -> None:
    with pytest.raises(DocumentInvalid) as raised:
        rewrite(content, file)
    assert raised.value.message.startswith(message)


@pytest.mark.parametrize("file", ["README.md", "notes", "values.yaml", "sbom.spdx.json"])
def test_what_names_no_image_is_copied(file: str) -> None:
    content = b'{"spdxVersion": "SPDX-2.3", "a": "redis:7"}\r\n'
    assert rewrite(content, file).content == content


REFERENCES = ["redis:7", "docker.io/library/redis:7", "quay.io/prometheus/node-exporter:v1.8.2", "nginx:latest"]
COMMENT = st.sampled_from(["", " # redis:7", "   # é 😀", "  "])
WRITTEN = ["{}", "'{}'", '"{}"', "!!str {}", "&a{n} {}", ">-\n{i}    {}", "|-\n{i}    {}", "\n{i}    {}"]


@st.composite
def pods(draw: st.DrawFn, number: int) -> tuple[str, str]:
    """A pod in some style, and what it is to become."""
    parts = ["apiVersion: v1\nkind: Pod\nmetadata: {annotations: {a: 'redis:7 # no'}}\nspec:\n  containers:\n"] * 2
    indent = draw(st.sampled_from(["  ", "    "]))
    for item in range(draw(st.integers(1, 3))):
        image, style, blank = (draw(st.sampled_from(choice)) for choice in (REFERENCES, WRITTEN, [" ", "   "]))
        note = "" if style[:1] in "|>" else draw(COMMENT)
        scalar = style.replace("{i}", indent).replace("{n}", f"{number}x{item}")
        for which, text in enumerate((image, MOVES[str(Reference.parse(image))])):
            parts[which] += f"{indent}- name: 'x: y'\n{indent}  image:{blank}{scalar.replace('{}', text)}{note}\n"
    return parts[0], parts[1]


@st.composite
def streams(draw: st.DrawFn) -> tuple[str, str]:
    """Manifests in many styles, and what they are to become."""
    newline = draw(st.sampled_from(["\n", "\r\n"]))
    documents = [draw(pods(number)) for number in range(draw(st.integers(1, 4)))]
    begin = draw(st.sampled_from(["", "\ufeff", "---\n", "# redis:7\n---\n", "%YAML 1.1\n---\n"]))
    between = draw(st.sampled_from(["---\n", "...\n---\n", "--- # x\n", "...\n# redis:7\n---\n"]))
    end = draw(st.sampled_from(["", "...\n", "# end", "\n\n"]))
    old, new = (begin + between.join(part[which] for part in documents) + end for which in (0, 1))
    return old.replace("\n", newline), new.replace("\n", newline)


@given(streams())
def test_bytes_outside_the_references_never_change(stream: tuple[str, str]) -> None:
    old, new = stream
    once = rewrite(old)
    assert once.content.decode() == new
    assert rewrite(once.content).content == once.content


@given(
    st.lists(st.sampled_from(REFERENCES), min_size=1, max_size=4),
    st.text(max_size=20),
    st.sampled_from([None, "'", '"', "|", ">"]),
    st.sampled_from([True, False, None]),
    st.integers(20, 120),
    st.booleans(),
)
def test_what_pyyaml_writes_means_what_was_intended(
    images: list[str], text: str, style: str | None, flow: bool | None, width: int, ascii_only: bool
) -> None:
    def spec(names: list[str]) -> Any:
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "spec": {"containers": [{"name": text, "image": name, "x": text} for name in names]},
        }

    written = yaml.dump(
        spec(images), default_style=style, default_flow_style=flow, width=width, allow_unicode=not ascii_only
    )
    new = rewrite(written).content.decode()
    assert yaml.safe_load(new) == spec([MOVES[str(Reference.parse(name))] for name in images])
    assert json.loads(rewrite(json.dumps(spec(images)), "a.json").content) == yaml.safe_load(new)
