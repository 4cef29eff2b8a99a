"""Indexes of chart repositories: of any size and form, only the section that is asked for is parsed."""

from __future__ import annotations

import json

import pytest

from tests.unit.charts.building import archive, index_of
from transload.charts.index import Index
from transload.documents.yamltree import Tree, parse
from transload.errors import CorruptError, LimitExceeded
from transload.limits import CHART_INDEX_BYTES

WEB = archive()
FORMS = {
    "helm": index_of({"web-1.2.3.tgz": WEB, "web-1.1.0.tgz": WEB, "db-2.0.0.tgz": WEB}),
    "indented": b"entries:\n    db:\n        - version: 2.0.0\n          urls: [db-2.0.0.tgz]\n    # more\n\n"
    b"    web:   # the web\n        - {version: 1.2.3, urls: [a]}\n        - {version: 1.1.0, urls: [a]}\n",
    "quoted": b"entries:\n  \"db\":\n  - {version: 2.0.0, urls: [a]}\n  'web':\n  - version: 1.2.3\n    urls:\n"
    b"    - a\n  - {version: 1.1.0, urls: [a]}\n",
    "half flow": b"entries:\n  db: [{version: 2.0.0, urls: [a]}]\n  web:\n  - {version: 1.2.3, urls: [a]}\n"
    b"  - {version: 1.1.0, urls: [a]}\n",
    "json": json.dumps(
        {
            "entries": {
                "web": [{"version": "1.2.3", "urls": ["a"]}, {"version": "1.1.0", "urls": ["a"]}],
                "db": [{"version": "2.0.0", "urls": ["a"]}],
            }
        }
    ).encode(),
    "crlf, bom": b"\xef\xbb\xbfentries:\r\n  web:\r\n  - version: 1.2.3\r\n    urls: [a]\r\n"
    b"  - version: 1.1.0\r\n    urls: [a]\r\n  db:\r\n  - version: 2.0.0\r\n    urls: [a]\r\n",
}


@pytest.mark.parametrize("form", FORMS)
def test_forms(form: str) -> None:
    index = Index(FORMS[form], "index.yaml")
    assert sorted(index.names) == ["db", "web"]
    assert [entry.version for entry in index.entries("web")] == ["1.2.3", "1.1.0"]
    assert [entry.version for entry in index.entries("db")] == ["2.0.0"]
    assert index.entries("none") == ()


def test_an_entry_that_cannot_be_used_does_not_hide_the_others() -> None:
    text = b"""entries:
  web:
  - 5
  - {version: "", urls: [a]}
  - {version: 1.0.0, urls: none}
  - {version: "1 2", urls: [a]}
  - {version: "\\e[31m", urls: [a]}
  - {version: 1.2.3, urls: [a], digest: no}
  - {version: 1.2.3, urls: [second]}
  Odd Name:
  - {version: 1.0.0, urls: [a]}
"""
    index = Index(text, "index.yaml")
    assert index.names == ("web",)
    (entry,) = index.entries("web")
    assert (entry.version, entry.urls, entry.digest) == ("1.2.3", ("a",), None)


def test_a_digest_may_say_its_kind() -> None:
    text = f"entries:\n  web:\n  - {{version: 1.2.3, urls: [a], digest: 'sha256:{'AB' * 32}'}}\n"
    assert Index(text.encode(), "index.yaml").entries("web")[0].digest == f"sha256:{'ab' * 32}"


def test_a_bad_section_costs_only_itself() -> None:
    index = Index(b"entries:\n  bad:\n  - version: [\n  web:\n  - {version: 1.2.3, urls: [a]}\n", "index.yaml")
    assert [entry.version for entry in index.entries("web")] == ["1.2.3"]
    with pytest.raises(CorruptError, match="what index.yaml says of bad cannot be read"):
        index.entries("bad")


@pytest.mark.parametrize(
    "text",
    [
        b"entries:\n  web: &a [*a, *a]\n",
        b"entries: &a [&b [*b], *a]\n",
        b"entries: [1, 2]\n",
        b"- a\n",
        b"entries",
        b'{"entries": 5}',
        b'{"entries": ',
        b"entries:\n  web: " + b"[" * 100,
    ],
)
def test_what_is_no_index(text: bytes) -> None:
    with pytest.raises(CorruptError):
        Index(text, "index.yaml").entries("web")


def test_an_index_that_is_too_large() -> None:
    with pytest.raises(CorruptError, match="more than 33554432 bytes"):
        Index(b"#" * (CHART_INDEX_BYTES + 1), "index.yaml")


def test_an_index_of_too_many_charts() -> None:
    with pytest.raises(LimitExceeded, match="index.yaml has more than 50000 charts"):
        Index(b"entries:\n" + b"".join(b"  c%d:\n" % number for number in range(50_001)), "index.yaml")


def test_of_an_index_of_20_mb_only_the_wanted_section_is_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[int] = []

    def counting(text: str, file: str, *, limit: int) -> tuple[Tree, int]:
        parsed.append(len(text))
        return parse(text, file, limit=limit)

    monkeypatch.setattr("transload.charts.index.parse", counting)
    versions = "".join(
        f"  - version: 1.{number}.0\n    urls: [a]\n    description: {'some words ' * 40}\n" for number in range(20)
    )
    text = ("entries:\n" + "".join(f"  chart-{number}:\n{versions}" for number in range(2100))).encode()
    assert len(text) > 20_000_000
    index = Index(text, "index.yaml")
    assert len(index.names) == 2100
    assert len(index.entries("chart-2099")) == 20
    assert len(parsed) == 1
    assert parsed[0] < 11_000
