"""References: what `docker pull` takes and refuses, and that reading what was written gives the same again."""

from __future__ import annotations

import contextlib
import random
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transload.errors import ReferenceInvalid
from transload.oci import Digest, Name, Reference
from transload.oci.reference import check_registry, check_repository, check_tag

SHA = "sha256:" + "0123456789abcdef" * 4
SHA512 = "sha512:" + "0123456789abcdef" * 8

# --- Docker's habits


@pytest.mark.parametrize(
    ("text", "full"),
    [
        ("ubuntu", "docker.io/library/ubuntu:latest"),
        ("ubuntu:24.04", "docker.io/library/ubuntu:24.04"),
        (f"ubuntu@{SHA}", f"docker.io/library/ubuntu@{SHA}"),
        (f"ubuntu:24.04@{SHA}", f"docker.io/library/ubuntu:24.04@{SHA}"),
        (f"ubuntu@{SHA512}", f"docker.io/library/ubuntu@{SHA512}"),
        ("grafana/grafana", "docker.io/grafana/grafana:latest"),
        ("a/b/c/d:1", "docker.io/a/b/c/d:1"),
        ("docker.io/ubuntu", "docker.io/library/ubuntu:latest"),
        ("docker.io/library/ubuntu", "docker.io/library/ubuntu:latest"),
        ("index.docker.io/ubuntu:1", "docker.io/library/ubuntu:1"),
        ("index.docker.io/a/b", "docker.io/a/b:latest"),
        ("registry.example/app", "registry.example/app:latest"),
        ("registry.example/team/app:1", "registry.example/team/app:1"),
        ("registry.example:5000/app:1", "registry.example:5000/app:1"),
        ("registry:5000/app", "registry:5000/app:latest"),
        ("localhost/app", "localhost/app:latest"),
        ("localhost:5000/app", "localhost:5000/app:latest"),
        ("localhost", "docker.io/library/localhost:latest"),
        ("localhost:5000", "docker.io/library/localhost:5000"),
        ("registry/app", "docker.io/registry/app:latest"),
        ("Registry/app", "Registry/app:latest"),
        ("REGISTRY.Example/app", "REGISTRY.Example/app:latest"),
        ("127.0.0.1/app", "127.0.0.1/app:latest"),
        ("127.0.0.1:5000/app", "127.0.0.1:5000/app:latest"),
        ("[::1]:5000/x", "[::1]:5000/x:latest"),
        ("[2001:DB8::1]/a/x:1", "[2001:DB8::1]/a/x:1"),
        ("xn--n3h.example/app", "xn--n3h.example/app:latest"),
        ("a--b.example/app", "a--b.example/app:latest"),
        ("foo.bar", "docker.io/library/foo.bar:latest"),
        ("foo.bar:1", "docker.io/library/foo.bar:1"),
        ("foo_bar/x", "docker.io/foo_bar/x:latest"),
        ("a__b/c", "docker.io/a__b/c:latest"),
        ("a-b/c--d/e---f", "docker.io/a-b/c--d/e---f:latest"),
        ("x:_", "docker.io/library/x:_"),
        ("x:A.b-C_9", "docker.io/library/x:A.b-C_9"),
        ("0", "docker.io/library/0:latest"),
        ("0123456789abcdef" * 4 + ":1", "docker.io/library/" + "0123456789abcdef" * 4 + ":1"),
        ("0123456789abcdef" * 3, "docker.io/library/" + "0123456789abcdef" * 3 + ":latest"),
        ("  ubuntu\n", "docker.io/library/ubuntu:latest"),
        ("r.example/x:" + "t" * 128, "r.example/x:" + "t" * 128),
        ("r.example/" + "x" * 255, "r.example/" + "x" * 255 + ":latest"),
    ],
)
def test_what_docker_takes(text: str, full: str) -> None:
    assert str(Reference.parse(text)) == full


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        (" \t", "empty"),
        ("https://registry.example/app", "leave the scheme out"),
        ("docker://ubuntu", "leave the scheme out"),
        ("0123456789abcdef" * 4, "image identifier"),
        ("Ubuntu", "capital letters"),
        ("docker.io/Library/ubuntu", "lower case: library/ubuntu"),
        ("a/Bc", "lower case: a/bc"),
        ("registry.example/App:1", "capital letters"),
        ("registry.example/", "no repository"),
        ("registry.example/:1", "no repository"),
        ("docker.io/", "not a repository"),
        ("/app", "not a repository"),
        ("a//b", "not a repository"),
        ("a/", "not a repository"),
        ("registry.example//b", "not a repository"),
        ("-app", "not a repository"),
        ("app-", "not a repository"),
        (".app/x", "not a registry"),
        ("_app", "not a repository"),
        ("a..b", "not a repository"),
        ("a___b", "not a repository"),
        ("a._b", "not a repository"),
        ("a-_b", "not a repository"),
        ("../a", "not a registry"),
        ("r.example/../a", "not a repository"),
        ("r.example/a/./b", "not a repository"),
        ("ubuntu:", "not a tag"),
        ("ubuntu:.1", "not a tag"),
        ("ubuntu:-1", "not a tag"),
        ("ubuntu:1+2", "not a tag"),
        ("ubuntu:1:2", "not a repository"),
        ("ubuntu:é", "not a tag"),
        ("x:" + "t" * 129, "not a tag"),
        ("r.example/" + "x" * 256, "256 characters long"),
        ("ubuntu@", "not a digest"),
        ("ubuntu@sha256:12", "64 lower-case"),
        (f"ubuntu@{SHA}@{SHA}", "not a digest"),
        (f"ubuntu@{SHA.upper()}", "not a digest"),
        ("ubuntu@md5:d41d8cd98f00b204e9800998ecf8427e", "cannot be verified"),
        (f"@{SHA}", "not a repository"),
        (f"ubuntu:@{SHA}", "not a tag"),
        ("[::1/x", "not a registry"),
        ("[::g]:5000/x", "not a registry"),
        ("[::1%25eth0]/x", "not a registry"),
        ("r.example:port/x", "not a registry"),
        ("r.example:/x", "not a registry"),
        ("r.example:123456/x", "not a registry"),
        ("-r.example/x", "not a registry"),
        ("r-.example/x", "not a registry"),
        ("r..example/x", "not a registry"),
        ("foo_bar.example/x", "not a registry"),  # taken for a host because of its dot
        ("ubuntu 24.04", "not a repository"),
        ("ubuntu\n24.04", "not a repository"),
        ("ubuntu\0", "not a repository"),
        ("übuntu", "not a repository"),
        ("аpp", "not a repository"),
        ("r.example/x?tag=1", "not a repository"),
        ("r.example\\x/y", "not a registry"),
    ],
)
def test_what_docker_refuses(text: str, said: str) -> None:
    with pytest.raises(ReferenceInvalid) as caught:
        Reference.parse(text)
    assert said in f"{caught.value} {caught.value.hint}"


@pytest.mark.parametrize(
    "text",
    ["jo:hunter2@r.example/x", "https://jo:hunter2@r.example/x", "hunter2@r.example:1/x:1", "jo:hunter2@r.example"],
)
def test_a_password_in_a_reference_is_not_shown(text: str) -> None:
    with pytest.raises(ReferenceInvalid, match="r.example") as caught:
        Reference.parse(text)
    assert "hunter2" not in f"{caught.value} {caught.value.hint} {caught.value.subject}"


# --- the grammar of distribution/reference, drawn from

ALNUM = string.ascii_lowercase + string.digits
WORD = st.text(ALNUM, min_size=1, max_size=6)
SEPARATOR = st.sampled_from([".", "_", "__", "-", "--", "-----"])
LABEL_END = st.text(string.ascii_letters + string.digits, min_size=1, max_size=3)
LABEL_MIDDLE = st.text(string.ascii_letters + string.digits + "-", max_size=5)


@st.composite
def components(draw: st.DrawFn) -> str:
    words = draw(st.lists(st.tuples(SEPARATOR, WORD), max_size=3))
    return draw(WORD) + "".join(separator + word for separator, word in words)


@st.composite
def labels(draw: st.DrawFn) -> str:
    return draw(LABEL_END) + draw(st.one_of(st.just(""), st.builds(str.__add__, LABEL_MIDDLE, LABEL_END)))


repositories = st.lists(components(), min_size=1, max_size=5).map("/".join).filter(lambda path: len(path) <= 255)
tags = st.builds(
    str.__add__,
    st.sampled_from(string.ascii_letters + string.digits + "_"),
    st.text(string.ascii_letters + string.digits + "_.-", max_size=127),
)
digests = st.builds(Digest.of, st.binary(max_size=8), st.sampled_from(["sha256", "sha512"]))
addresses = st.ip_addresses(v=6).map(lambda address: f"[{address}]")
domains = st.lists(labels(), min_size=2, max_size=4).map(".".join)
ports = st.integers(1, 65535).map(lambda port: f":{port}")
registries = st.one_of(
    st.just("localhost"),
    domains,
    addresses,
    st.ip_addresses(v=4).map(str),
    st.builds(str.__add__, st.one_of(labels(), domains, addresses), ports),
)
names = st.builds(Name, repositories, st.none() | tags, st.none() | digests)
references = st.builds(Reference, registries, names.filter(lambda name: name.tag or name.digest))


@given(references)
def test_reading_what_was_written(reference: Reference) -> None:
    assert Reference.parse(str(reference)) == reference


@given(names)
def test_names_are_read_as_written(name: Name) -> None:
    assert Name.parse(str(name)) == name
    assert str(name.at(Digest(SHA))) == f"{name.repository}@{SHA}"


@given(repositories, st.none() | tags)
def test_short_forms_mean_the_hub(repository: str, tag: str | None) -> None:
    text = repository + (f":{tag}" if tag else "")
    first = repository.partition("/")[0]
    if "/" in repository and ("." in first or first == "localhost"):
        return
    if not tag and len(text) == 64 and set(text) <= set("0123456789abcdef"):
        return
    reference = Reference.parse(text)
    assert reference.registry == "docker.io"
    assert reference.name.repository == (repository if "/" in repository else f"library/{repository}")
    assert reference.name.tag == (tag or "latest")
    assert Reference.parse(str(reference)) == reference


NEARLY = st.text("aA0.:/@-_[]é \n" + "sha256", max_size=40)


@given(st.text(max_size=60) | NEARLY | st.builds("{}{}".format, references, NEARLY))
def test_any_text_is_a_reference_or_refused(text: str) -> None:
    with contextlib.suppress(ReferenceInvalid):
        reference = Reference.parse(text)
        assert Reference.parse(str(reference)) == reference
        assert ".." not in reference.name.repository.split("/")
        assert str(reference).isascii()
        assert str(reference).isprintable()


@given(st.text(max_size=40) | NEARLY)
def test_any_text_is_a_name_or_refused(text: str) -> None:
    with contextlib.suppress(ReferenceInvalid):
        assert str(Name.parse(text)) == text


# --- parts


@pytest.mark.parametrize(
    ("check", "good"), [(check_registry, "r.example:1"), (check_repository, "a/b"), (check_tag, "1")]
)
def test_checks_give_their_text_back(check: object, good: str) -> None:
    assert callable(check)
    assert check(good) is good
    with pytest.raises(ReferenceInvalid):
        check("!")


@pytest.mark.parametrize(("repository", "tag"), [("A", None), ("a/", None), ("a", ""), ("a", "x y")])
def test_an_invalid_name_cannot_be_made(repository: str, tag: str | None) -> None:
    with pytest.raises(ReferenceInvalid):
        Name(repository, tag)


def test_an_invalid_reference_cannot_be_made() -> None:
    with pytest.raises(ReferenceInvalid, match="not a registry"):
        Reference("https://r.example", Name("a", "1"))


def test_a_name_without_a_repository() -> None:
    assert str(Name("", "1.0")) == ":1.0"
    assert Name.parse(":1.0") == Name("", "1.0")


def test_names_have_an_order_with_and_without_parts() -> None:
    digest = Digest(SHA)
    ordered = [Name("a"), Name("a", None, digest), Name("a", "1"), Name("a", "1", digest), Name("a", "2"), Name("b")]
    shuffled = random.Random(4).sample(ordered, len(ordered))
    assert sorted(shuffled) == ordered
    assert sorted(Reference("r.example", name) for name in shuffled) == [Reference("r.example", n) for n in ordered]
