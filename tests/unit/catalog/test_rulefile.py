"""Rules in image sets: what they read to, and one sentence for each mistake."""

import re
from datetime import date

import pytest

from transload.catalog.imageset import ImageSet
from transload.catalog.setfile import parse_set
from transload.catalog.tagrule import TagRule
from transload.errors import DocumentInvalid, UsageError

HEAD = "kind: ImageSet\nversion: 1\n"


def parsed(text: str) -> ImageSet:
    image_set = parse_set(HEAD + text, "set.yaml")
    assert isinstance(image_set, ImageSet)
    return image_set


def rule(text: str) -> TagRule:
    (images,) = parsed(f"images: [{{source: quay.io/a/b, tags: {text}}}]").ruled
    return images.rule


def test_every_key_of_a_rule() -> None:
    made = rule(
        '{exact: [x], pattern: "v.*", versions: ">=1 <2", prerelease: true, semver: true, newest: 3, sort: date, '
        'newer_than: 2026-01-01, deny: [y, "/.*-debug/"]}'
    )
    assert made.exact == ("x",)
    assert made.pattern is not None
    assert made.pattern.pattern == "v.*"
    assert made.versions is not None
    assert (str(made.versions), made.versions.prerelease, made.versions.semver) == (">=1 <2", True, True)
    assert (made.newest, made.sort, made.newer_than) == (3, "date", date(2026, 1, 1))
    assert made.deny[0] == "y"
    assert isinstance(made.deny[1], re.Pattern)
    assert made.deny[1].pattern == ".*-debug"


def test_short_forms() -> None:
    assert rule("[1.10, latest]").exact == ("1.10", "latest")
    assert str(rule("all")) == "every tag"


def test_an_image_with_a_rule_gets_the_defaults() -> None:
    (images,) = parsed(
        "defaults: {registry: r.example, repository: v/w, tag: 2.1, platforms: [amd64]}\n"
        "images: [{source: gateway, tags: all, optional: true, found: [here]}]"
    ).ruled
    assert str(images.source) == "r.example/v/w/gateway"
    assert images.target == "gateway"
    assert [str(platform) for platform in images.platforms] == ["linux/amd64"]
    assert images.optional
    assert images.where == "set.yaml:4: images[0]"


def test_the_source_of_a_rule_is_as_for_docker() -> None:
    (images,) = parsed("images: [{source: nginx, tags: all, target: web/nginx}]").ruled
    assert (str(images.source), images.target) == ("docker.io/library/nginx", "web/nginx")


def test_prefixes() -> None:
    first, second = parsed(
        "defaults: {registry: r.example:5000, repository: v}\n"
        "repositories:\n"
        "  - {prefix: quay.io/team, deny: [a/b], target: t, tags: {newest: 1}, optional: true}\n"
        "  - {prefix: w}\n"
    ).prefixes
    assert (str(first), first.deny, first.target, first.optional) == ("quay.io/team", ("a/b",), "t", True)
    assert (str(second), str(second.rule)) == ("r.example:5000/v/w", "every tag")
    listed = ["team", "team/a", "team/a/b", "team/a/b/c", "team/a/bc", "teams/a"]
    assert [(images.source.name.repository, images.target) for images in first.repositories(listed)] == [
        ("team", "t"),
        ("team/a", "t/a"),
        ("team/a/bc", "t/a/bc"),
    ]


WRONG_RULES = {
    "{}": "the rule for tags says nothing",
    "": "has no value; expected all, a list of tags, or a rule",
    "latest": "expected all, a list of tags, or a rule, found 'latest'",
    "[]": "the list is empty",
    "[a, a]": "'a' is listed twice",
    "[a b]": "'a b' is not a tag",
    "[{a: b}]": "expected text, found a mapping",
    "{sort: name}": "the rule for tags says nothing",
    "{version: 1.x}": "images[0].tags.version: unknown key",
    "{versions: newest}": "'newest' is not a range of versions",
    "{versions: '>=1-a <2-b'}": "names two suffixes",
    "{prerelease: true}": "prerelease belongs to versions",
    "{semver: true}": "semver belongs to versions",
    "{versions: 1.x, prerelease: perhaps}": "expected true or false, found 'perhaps'",
    "{newest: 0}": "expected a whole number from 1 on, found '0'",
    "{newest: -1}": "expected a whole number from 1 on, found '-1'",
    "{newest: three}": "expected a whole number from 1 on, found 'three'",
    "{newest: 1, sort: size}": "expected version or name or date, found 'size'",
    "{newer_than: yesterday}": "expected a day such as 2026-01-31, found 'yesterday'",
    "{newer_than: 2026-02-30}": "expected a day such as 2026-01-31, found '2026-02-30'",
    "{newer_than: 20260131}": "expected a day such as 2026-01-31, found '20260131'",
    "{pattern: '['}": "the tag pattern is not a regular expression",
    "{pattern: '(a*)*b'}": "could take for ever",
    "{deny: ['*-debug']}": "'*-debug' is not a tag",
    "{deny: ['/(/']}": "the tag pattern is not a regular expression",
    "{deny: latest}": "expected a list, found 'latest'",
}


@pytest.mark.parametrize("text", WRONG_RULES)
def test_wrong_rules(text: str) -> None:
    with pytest.raises(DocumentInvalid) as caught:
        rule(text)
    assert str(caught.value).startswith("set.yaml:3: images[0]")
    assert WRONG_RULES[text] in str(caught.value)
    assert str(caught.value).count("set.yaml:3") == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("images: [{source: 'nginx:1', tags: all}]", "images[0].source: 'nginx:1' has a tag or a digest"),
        ("images: [{source: nginx, tag: 1, tags: all}]", "images[0].tag: tag stands beside tags"),
        ("images: [{source: nginx, tags: all, target: 'a:1'}]", "images[0].target: 'a:1' is not a repository"),
        ("images: [{source: nginx, versions: '>=1.2'}]", "images[0].versions: versions belongs to a rule"),
        ("images: [{source: nginx, tag: '>=1.2'}]", "images[0].tag: this is not one tag"),
        ("images: [{source: nginx, tag: [1, 2]}]", "images[0].tag: this is not one tag"),
        ("repositories: [{prefix: 'quay.io/a/*'}]", "'quay.io/a/*' is not a prefix"),
        ("repositories: []\nimages: []\nrepository: a", "repository: unknown key"),
        ("repositories: [quay.io/a]", "expected a mapping, found 'quay.io/a'"),
        ("repositories: [{tags: all}]", "key 'prefix' is missing"),
        ("repositories: [{prefix: team}]", "the prefix 'team' names no registry"),
        ("repositories: [{prefix: 'quay.io/a:1'}]", "'a:1' is not a repository"),
        ("repositories: [{prefix: 'https://quay.io/a'}]", "repositories[0].prefix"),
        ("repositories: [{prefix: quay.io/a, deny: ['/x/']}]", "'/x/' is not a repository"),
        ("repositories: [{prefix: quay.io/a, platforms: []}]", "the list is empty"),
    ],
)
def test_wrong_entries(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parsed(text)
    assert message in str(caught.value)
    assert "Traceback" not in str(caught.value)


@pytest.mark.parametrize(
    "line",
    ["versions: >=1.40 <2", "versions: *", "versions: !=1.2", "pattern: [0-9]+x", "deny: [*-debug]", "exact: [${TAG}]"],
)
def test_a_value_that_yaml_reads_in_its_own_way(line: str) -> None:
    with pytest.raises(DocumentInvalid) as caught:
        parsed(f"images:\n  - source: a\n    tags:\n      {line}\n")
    assert str(caught.value).startswith("set.yaml:6")
    assert "put the value in quotes" in (caught.value.hint or "")
