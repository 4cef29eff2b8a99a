"""Azure Arc data services: control.json, the secret and the manifests lead to the mirrored images."""

from __future__ import annotations

import base64
import json
from pathlib import PurePosixPath

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from transload.catalog.builtin import load_builtin
from transload.configuration import Configuration, InputFile, MovedImage, Reach, Relocation, Wishes
from transload.configuration.arcset import arc_set
from transload.configuration.jsonedit import with_members
from transload.configuration.kinds.arcdata import write
from transload.errors import DocumentInvalid, TransloadError, UsageError
from transload.login import Login
from transload.oci import Reference

RELEASE = "v1.46.0_2026-05-12"
CONTROL = '{\r\n    "kind": "DataController",\r\n    "spec": {\r\n        "a": 1\r\n    }\r\n}'


def moved(
    release: str = RELEASE, prefix: str = "registry.local:5000/mirror", tag: str | None = None
) -> list[MovedImage]:
    catalog = load_builtin("arcdata")
    return [
        MovedImage(
            source=Reference.parse(f"mcr.microsoft.com/arcdata/{name}:{release}"),
            target=Reference.parse(f"{prefix}/{name}:{tag or release}"),
        )
        for name in catalog.release(release).images
    ]


def relocated(images: list[MovedImage], **reach: object) -> Relocation:
    how = Reach(**reach)  # type: ignore[arg-type]  # fields of several types
    return Relocation(registry=images[0].target.registry, images=tuple(images), reach=how)


def configured(images: list[MovedImage], name: str = "control.json", content: str = CONTROL) -> Configuration:
    wishes = Wishes(inputs=(InputFile(name=PurePosixPath(name), content=content.encode()),))
    return write(relocated(images), wishes)


@pytest.mark.parametrize("release", [release.tag for release in load_builtin("arcdata").releases])
def test_every_release_is_found_under_what_control_json_says_or_refused(release: str) -> None:
    images = moved(release)
    if not release.startswith("v"):
        with pytest.raises(UsageError, match="none that az reads as a version"):
            configured(images)
        return
    written = configured(images)
    docker = json.loads(written.files[0].content)["spec"]["docker"]
    made = {
        f"{docker['registry']}/{docker['repository']}/{image.source.name.repository.rpartition('/')[2]}"
        for image in images
    }
    assert {f"{reference}:{docker['imageTag']}" for reference in made} == {str(image.target) for image in images}
    assert not [note for note in written.notes if "missing" in note]
    assert any("below v1.9.0" in note for note in written.notes) == (release < "v1.9" and release[4:5] == ".")


def test_control_json_keeps_every_other_byte() -> None:
    written = configured(moved()).files[0].content.decode()
    assert written == CONTROL.replace(
        '"a": 1\r\n',
        '"a": 1,\r\n        "docker": {\r\n            "registry": "registry.local:5000",\r\n'
        '            "repository": "mirror",\r\n            "imageTag": "v1.46.0_2026-05-12",\r\n'
        '            "imagePullPolicy": "Always"\r\n        }\r\n',
    )
    assert configured(moved(), content=written).files[0].content.decode() == written


def test_a_policy_that_is_there_stays() -> None:
    control = '{"spec": {"docker": {"imagePullPolicy": "IfNotPresent", "registry": "mcr.microsoft.com"}}}'
    docker = json.loads(configured(moved(), content=control).files[0].content)["spec"]["docker"]
    assert docker["imagePullPolicy"] == "IfNotPresent"
    assert docker["registry"] == "registry.local:5000"


def test_the_bootstrapper_is_replaced_as_image_and_as_argument() -> None:
    image = f"mcr.microsoft.com/arcdata/arc-bootstrapper:{RELEASE}"
    job = (
        "apiVersion: batch/v1\nkind: Job\nspec:\n  template:\n    spec:\n      imagePullSecrets:\n"
        f"      - name: your-private-registry\n      containers:\n      - name: a\n        image: {image}\n"
        f"        args: [-image, {image}, -policy, Always]\n"
        "---\napiVersion: arcdata.microsoft.com/v5\nkind: DataController\nspec:\n  docker:\n"
        "    registry: mcr.microsoft.com\n    repository: arcdata\n    imageTag: 'v1.45.0_2026-04-14'\n"
    )
    written = configured(moved(), "bootstrapper-upgrade-job.yaml", job)
    assert written.files[0].content.decode() == job.replace(
        image, f"registry.local:5000/mirror/arc-bootstrapper:{RELEASE}"
    ).replace("y: mcr.microsoft.com", "y: registry.local:5000").replace(
        "repository: arcdata", "repository: mirror"
    ).replace("v1.45.0_2026-04-14", RELEASE)
    assert any("your-private-registry" in note for note in written.notes)


def test_json_that_is_no_control_json_is_rewritten_as_a_manifest() -> None:
    image = f"mcr.microsoft.com/arcdata/arc-bootstrapper:{RELEASE}"
    spec = {"template": {"spec": {"containers": [{"image": image}]}}}
    job = json.dumps({"apiVersion": "batch/v1", "kind": "Job", "spec": spec})
    written = configured(moved(), "job.json", job)
    target = f"registry.local:5000/mirror/arc-bootstrapper:{RELEASE}"
    assert written.files[0].content.decode() == job.replace(image, target)
    other = '{"metadata": {"kind": "BigDataCluster"}, "spec": {"resources": {}}}'
    assert configured(moved(), "bdc.json", other).files[0].content.decode() == other
    assert any("copied as it is: notes.txt" in note for note in configured(moved(), "notes.txt", "a").notes)


@pytest.mark.parametrize(("name", "kind"), [("dc.yaml", "DataController"), ("dc.json", "datacontroller")])
def test_data_controllers_in_a_list(name: str, kind: str) -> None:
    docker = {"registry": "mcr.microsoft.com", "imageTag": "v1.45.0_2026-04-14"}
    content = json.dumps({"kind": "List", "items": [{"kind": "x"}, {"kind": kind, "spec": {"docker": docker}}]})
    written = yaml.safe_load(configured(moved(), name, content).files[0].content)
    assert written["items"][1]["spec"]["docker"] == {"registry": "registry.local:5000", "imageTag": RELEASE}


def test_manifests_name_the_vendor_whatever_registry_the_images_were_copied_from() -> None:
    staged = [
        MovedImage(source=Reference.parse(f"staging.local/{image.target.name}"), target=image.target)
        for image in moved(tag="v1.46.0_site7")
    ]
    image = f"mcr.microsoft.com/arcdata/arc-bootstrapper:{RELEASE}"
    pod = f"apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - image: {image}\n"
    written = configured(staged, "pod.yaml", pod).files[0].content.decode()
    assert written.endswith("image: registry.local:5000/mirror/arc-bootstrapper:v1.46.0_site7\n")


@pytest.mark.parametrize(
    ("release", "api", "is_told"),
    [
        ("v1.46.0_2026-05-12", "v5", False),
        ("v1.46.0_2026-05-12", "v1", True),
        ("v1.46.0_2026-05-12", "v1beta1", True),
        ("v1.46.0_2026-05-12", "v6", False),
        ("v1.5.0_2022-04-05", "v4", False),
        ("v1.5.0_2022-04-05", "v5", True),
        ("v1.0.0_2021-07-30", "v1", False),
        ("v1.3.0_2022-01-27", "v2", False),
        ("v1.4.1_2022-03-08", "v3", False),
    ],
)
def test_the_api_with_which_az_takes_no_such_release_is_told(release: str, api: str, is_told: bool) -> None:
    control = f'{{"apiVersion": "arcdata.microsoft.com/{api}", "spec": {{}}}}'
    notes = configured(moved(release), content=control).notes
    assert any("control.json has the apiVersion" in note for note in notes) is is_told


def test_the_secret_has_the_registry_as_control_json_has_it() -> None:
    login = Login("ann", "pass word:é")
    written = write(relocated(moved(), login=login), Wishes(namespace="arc"))
    secret = yaml.safe_load(written.files[1].content)
    assert (written.files[1].secret, secret["metadata"]) == (True, {"name": "arc-private-registry", "namespace": "arc"})
    auths = json.loads(base64.b64decode(secret["data"][".dockerconfigjson"]))["auths"]
    entry = auths[arc_set(moved()).registry]
    assert list(auths) == ["registry.local:5000"]
    assert (entry["username"], entry["password"]) == ("ann", "pass word:é")
    assert base64.b64decode(entry["auth"]).decode() == "ann:pass word:é"
    assert not any("pass word" in text for text in (*written.notes, repr(written.notes)))


def test_a_file_that_is_called_as_the_secret_is_refused() -> None:
    inputs = (InputFile(name=PurePosixPath("arc-private-registry.yaml"), content=b"a: 1"),)
    with pytest.raises(UsageError, match=r"arc-private-registry\.yaml is rewritten, and would be written, too"):
        write(relocated(moved(), login=Login("ann", "x")), Wishes(inputs=inputs))


def test_without_a_control_json_az_gets_variables() -> None:
    written = write(relocated(moved()), Wishes())
    assert [str(file.path) for file in written.files] == ["arcdata.env"]
    assert written.files[0].content.decode().splitlines()[:3] == [
        "DOCKER_REGISTRY=registry.local:5000",
        "DOCKER_REPOSITORY=mirror",
        f"DOCKER_IMAGE_TAG={RELEASE}",
    ]


def test_releases_between_are_told() -> None:
    notes = configured(moved("v1.42.0_2025-10-14") + moved()).notes
    assert notes[0].startswith(f"the newest of 2 releases is taken: {RELEASE}")
    assert notes[-1] == (
        f"3 releases between v1.42.0_2025-10-14 and {RELEASE} are missing at the registry: "
        "v1.43.0_2026-01-13, v1.44.0_2026-02-10, v1.45.0_2026-04-14"
    )


def test_missing_images_are_told_and_another_label_is_no_other_release() -> None:
    notes = configured(moved(tag="v1.46.0_site7")[2:]).notes
    assert notes[0].startswith("v1.46.0_site7, 18 images")
    assert notes[-1].startswith("2 images of the release are missing: ")


def test_plain_http_and_a_newer_release_are_told() -> None:
    newer = [
        MovedImage(source=image.source, target=Reference.parse(str(image.target).replace("v1.46", "v1.99")))
        for image in moved()
    ]
    notes = write(relocated(newer, plain_http=True), Wishes()).notes
    assert any("az speaks only HTTPS" in note for note in notes)
    assert any("v1.99.0_2026-05-12 is newer than all releases known here" in note for note in notes)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (moved(tag="latest"), "the tag 'latest' is none that az reads as a version"),
        (moved(tag="1.46.0_2026-05-12"), "the tag '1.46.0_2026-05-12' is none"),
        (moved(tag="v1.46.0"), "the tag 'v1.46.0' is none"),
        (moved(tag="v1.30.7_x"), "there is no release v1.30.7"),
        (moved()[:5] + moved(prefix="registry.local:5000/other")[5:], "the images have several prefixes"),
        (moved(prefix="registry.local:5000"), "the images have no prefix at registry.local:5000"),
        (moved()[:-1] + moved(tag="v1.46.0_b")[-1:], "the images have several tags"),
        (
            [MovedImage(source=moved()[0].source, target=Reference.parse(f"r.local/a/other:{RELEASE}"))],
            "arc-bootstrapper is called other at the registry",
        ),
        (
            [MovedImage(source=Reference.parse("redis:7"), target=Reference.parse("r.local/m/redis:7"))],
            "no image of Azure Arc data services",
        ),
        (
            [
                MovedImage(
                    source=moved()[0].source, target=Reference.parse(f"r.local/m/arc-bootstrapper@sha256:{'0' * 64}")
                )
            ],
            "arc-bootstrapper has no tag at the registry",
        ),
    ],
)
def test_what_cannot_work_is_refused(images: list[MovedImage], message: str) -> None:
    with pytest.raises(TransloadError) as raised:
        configured(images)
    assert raised.value.message.startswith(message)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[]", "control.json is not a JSON object"),
        ("{}", "control.json is no control.json: it has no spec"),
        ('{"spec": []}', "control.json is no control.json: it has no spec"),
        ('{"spec": {"docker": "x"}}', "control.json: there is no object spec.docker"),
        ('{"spec": {"a": 1, "a": 2}}', "control.json cannot be read as JSON: an object has the key 'a' twice"),
        ("spec: {}", "control.json cannot be read as JSON"),
        ("\ufeff{}", "control.json cannot be read as JSON: it begins with a byte order mark"),
    ],
)
def test_a_file_that_is_no_control_json(content: str, message: str) -> None:
    with pytest.raises(UsageError) as raised:
        configured(moved(), content=content)
    assert raised.value.message.startswith(message)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.dictionaries(st.text(max_size=4), VALUES, max_size=3),
    st.none() | st.dictionaries(st.sampled_from(["registry", "imageTag", "x", 'q":', "é"]), VALUES, max_size=4),
    st.sampled_from([None, 0, 2, 4, "\t"]),
    st.sampled_from([None, (",", ":"), (", ", " : ")]),
    st.booleans(),
)
def test_members_are_set_and_nothing_else(
    spec: dict[str, object],
    docker: dict[str, object] | None,
    indent: int | str | None,
    separators: tuple[str, str] | None,
    is_ascii: bool,
) -> None:
    spec.pop("docker", None)
    tree: dict[str, object] = {"kind": "x", "spec": spec if docker is None else {**spec, "docker": docker}, "z": [1]}
    text = json.dumps(tree, indent=indent, separators=separators, ensure_ascii=is_ascii)
    members = {"registry": "r.local:5000", "repository": "m", "imageTag": "v1"}
    new = with_members(text.encode(), "control.json", ("spec", "docker"), members).decode()
    expected = {**tree, "spec": {**spec, "docker": {**(docker or {}), **members}}}
    assert json.loads(new) == expected
    if (indent is None or separators is None) and indent != 0 and docker is None and spec:
        assert new == json.dumps(expected, indent=indent, separators=separators, ensure_ascii=is_ascii)


def test_members_of_what_is_no_object() -> None:
    with pytest.raises(DocumentInvalid, match=r"there is no object spec\.docker"):
        with_members(b'{"spec": 1}', "a.json", ("spec", "docker"), {"a": "b"})
