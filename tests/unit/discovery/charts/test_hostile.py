"""Charts that were made to hurt, or made badly: bounded, and each told in one sentence."""

import gzip
import io
import tarfile
from pathlib import Path

import pytest

from tests.unit.discovery.charts.shapes import SHAPES, Texts, about, laid_out, packed, pod, simple
from transload.discovery.charts import ChartReading, read_chart, read_chart_folder
from transload.discovery.charts.package import Room
from transload.discovery.finding import Question, Unread
from transload.errors import CorruptError, DocumentInvalid, LimitExceeded, Refused, TransloadError
from transload.limits import CHART_DEPTH

IMAGE = "{{ .Values.image }}"


def chart(values: str = "image: acme/web:1\n", /, **more: str | bytes) -> Texts:
    """A chart with one image; names of other files have two underscores for a slash."""
    files: dict[str, str | bytes] = {
        "Chart.yaml": about("web"),
        "values.yaml": values,
        "templates/pod.yaml": pod("web", IMAGE),
    }
    return files | {name.replace("__", "/"): text for name, text in more.items()}


def read(files: Texts) -> ChartReading:
    return read_chart(packed(files), "web.tgz")


def found(reading: ChartReading) -> list[str]:
    return [image.finding.text for image in reading.images]


def unread(reading: ChartReading) -> list[str]:
    return [f"{item.place.file}: {item.reason}" for item in reading.open if isinstance(item, Unread)]


def tar_of(*members: tuple[str, bytes, bytes]) -> bytes:
    """A `.tgz` with these members: name, content or the target of a link, type."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w:gz") as tar:
        for name, content, kind in members:
            info = tarfile.TarInfo(name)
            info.type = kind
            if kind == tarfile.REGTYPE:
                info.size = len(content)
            else:
                info.linkname = content.decode()
            tar.addfile(info, io.BytesIO(content))
    return raw.getvalue()


OWN = ("web/Chart.yaml", about("web").encode(), tarfile.REGTYPE)


# --- archives


@pytest.mark.parametrize(
    ("content", "kind", "told"),
    [
        (b"\x1f\x8b", CorruptError, "web.tgz is not a packed chart: "),
        (b"PK\x03\x04", CorruptError, "web.tgz is not a packed chart: "),
        (gzip.compress(b"no tar" * 1000), CorruptError, "web.tgz is not a tar archive"),
        (packed(SHAPES["with-v"])[:-30], CorruptError, "web.tgz is not a packed chart: "),
        (gzip.compress(bytes(101 << 20), 1), LimitExceeded, "web.tgz unpacks to more than 100 MiB"),
        (bytes((32 << 20) + 1), LimitExceeded, "web.tgz has more than 32 MiB"),
        (tar_of(OWN, ("web/../../etc/cron", b"x", tarfile.REGTYPE)), Refused, "leads out of the chart"),
        (tar_of(OWN, ("/etc/cron", b"x", tarfile.REGTYPE)), Refused, "leads out of the chart"),
        (tar_of(OWN, ("web\\..\\x", b"x", tarfile.REGTYPE)), Refused, "leads out of the chart"),
        (tar_of(OWN, ("C:/x", b"x", tarfile.REGTYPE)), Refused, "leads out of the chart"),
        (tar_of(OWN, OWN), CorruptError, "two files called 'Chart.yaml'"),
        (tar_of(("web/values.yaml", b"", tarfile.REGTYPE)), DocumentInvalid, "Chart.yaml is missing"),
        (tar_of(("Chart.yaml", b"name: x", tarfile.REGTYPE)), DocumentInvalid, "Chart.yaml is missing"),
        (tar_of(("web/Chart.yaml", b"version: 1", tarfile.REGTYPE)), DocumentInvalid, "key 'name' is missing"),
        (tar_of(("web/Chart.yaml", b"[", tarfile.REGTYPE)), DocumentInvalid, "web.tgz!Chart.yaml:2:1: not valid YAML"),
        (tar_of(("web/Chart.yaml", b"- x", tarfile.REGTYPE)), DocumentInvalid, "expected a mapping"),
    ],
    ids=lambda value: "content" if isinstance(value, bytes) else None,  # gzip has the time in it
)
def test_archives(content: bytes, kind: type[TransloadError], told: str) -> None:
    with pytest.raises(kind) as caught:
        read_chart(content, "web.tgz")
    assert told in caught.value.message


def test_links_and_devices_in_an_archive_are_told() -> None:
    content = tar_of(
        OWN,
        ("web/templates/a.yaml", b"../../../etc/passwd", tarfile.SYMTYPE),
        ("web/templates/b.yaml", b"web/Chart.yaml", tarfile.LNKTYPE),
        ("web/templates/c.yaml", b"", tarfile.CHRTYPE),
        ("web/templates/pod.yaml", pod("web", "acme/web:1").encode(), tarfile.REGTYPE),
    )
    reading = read_chart(content, "web.tgz")
    assert found(reading) == ["acme/web:1"]
    assert unread(reading) == [
        f"web.tgz!templates/{name}.yaml: a link, and links in a chart are not followed" for name in "ab"
    ]


def test_the_subcharts_of_a_chart_share_its_room() -> None:
    bomb = packed({"Chart.yaml": about("bomb"), "templates/a.yaml": bytes(30 << 20)}, "bomb")
    reading = read(chart(**{f"charts__b{number}.tgz": bomb for number in range(5)}))
    assert found(reading) == ["acme/web:1"]
    told = unread(reading)
    assert sum("unpacks to more than 100 MiB" in text for text in told) == 2
    assert all(text.count("\n") == 0 for text in told)


def test_charts_within_charts_end() -> None:
    content = packed(chart(), "deep")
    for _ in range(CHART_DEPTH + 3):
        content = packed({**chart(), "charts/deep.tgz": content}, "deep")
    (told,) = unread(read_chart(content, "web.tgz"))
    assert f"is nested more than {CHART_DEPTH} charts deep" in told


def test_a_subchart_that_cannot_be_read_costs_only_itself() -> None:
    bad: Texts = {"charts__bad__Chart.yaml": "[", "charts__worse.tgz": b"\x1f\x8bx"}
    reading = read(chart(**bad))
    assert found(reading) == ["acme/web:1"]
    assert len(unread(reading)) == 2


def test_aliases_of_subcharts_do_not_multiply_without_end() -> None:
    names = "".join(f"  - {{name: deep, version: 1, alias: d{number}}}\n" for number in range(60))
    content = packed(chart(), "deep")
    for _ in range(5):
        content = packed({**chart(), "Chart.yaml": about("deep", f"dependencies:\n{names}"), "charts/d.tgz": content})
    with pytest.raises(LimitExceeded, match="have more than 400000 values"):
        read_chart(content, "web.tgz")


# --- folders


def test_links_in_a_folder_are_told(tmp_path: Path) -> None:
    root = laid_out(simple("web", "acme/web", "1"), tmp_path / "web")
    laid_out(simple("other", "acme/other", "1"), tmp_path / "other")
    (root / "charts").mkdir()
    (root / "charts/other").symlink_to(tmp_path / "other")
    reading = read_chart_folder(root)
    assert found(reading) == ["docker.io/acme/web:1"]
    assert unread(reading) == [
        f"{root}/charts/other: a link, and links in a chart are not followed: pack the chart with helm package"
    ]


def test_a_folder_of_too_many_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = laid_out(simple("web", "acme/web", "1"), tmp_path / "web")
    monkeypatch.setattr("transload.discovery.charts.package.CHART_FILES", 3)
    monkeypatch.setattr("transload.discovery.charts.reading.Room", lambda: Room(files=3))
    with pytest.raises(LimitExceeded, match="has more than 3 files"):
        read_chart_folder(root)


def test_a_file_that_is_too_large_is_told(tmp_path: Path) -> None:
    root = laid_out({**simple("web", "acme/web", "1"), "templates/big.yaml": bytes((5 << 20) + 1)}, tmp_path / "web")
    reading = read_chart_folder(root)
    assert found(reading) == ["docker.io/acme/web:1"]
    assert unread(reading) == [
        f"{root}/templates/big.yaml: the file has 5.0 MiB, and 5.0 MiB of a chart's file are read"
    ]


# --- values

BOMB = "b0: &b0 [x, x]\n" + "".join(f"b{n}: &b{n} [{', '.join([f'*b{n - 1}'] * 9)}]\n" for n in range(1, 9))


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ("image: [\n", "web.tgz!values.yaml:2:1: not valid YAML"),
        (BOMB, "more than 200000 values"),
        ("{" * 100, "nested more than"),
        (f"image: {'x' * (2 << 20)}\n", "more than 1048576 bytes"),
        (b"image: \xff\n".decode("latin-1"), ""),
    ],
)  # fmt: skip
def test_values_that_cannot_be_read_are_told(values: str, told: str) -> None:
    reading = read(chart(values.encode("latin-1") if "\xff" in values else values))  # type: ignore[arg-type]
    assert len(unread(reading)) == 1
    assert told in unread(reading)[0]


def test_long_texts_that_many_aliases_repeat_are_not_searched_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transload.discovery.charts.rules.CHART_TEXT_BYTES", 1 << 20)
    values = f"text: &text '{'quay.io/a/b ' * 4000}'\nall: [{', '.join(['*text'] * 1000)}]\n"
    with pytest.raises(LimitExceeded, match="aliases written out"):
        read(chart(values))


@pytest.mark.parametrize(
    "values", ["image: acme/old:1\nimage: acme/web:1\n", "image: !x acme/web:1\n", "\ufeffimage: acme/web:1\r\n"]
)
def test_values_that_helm_reads_too(values: str) -> None:
    reading = read(chart(values))
    assert (found(reading), unread(reading)) == (["acme/web:1"], [])


@pytest.mark.parametrize(
    "values",
    ["", "null", "- a\n- b\n", "image:\n", "image: {}\n", "image: [[]]\n", "image: 5\n", "image: true\n", "image: ~\n"],
)
def test_values_of_any_kind(values: str) -> None:
    reading = read(chart(values))
    assert found(reading) == []
    assert unread(reading) == []


# --- templates


BAD_TEMPLATES = {
    "no end": "{{ if .Values.a }}",
    "end alone": "{{ end }}",
    "not closed": "{{ .Values.image ",
    "odd": "{{ € }}",
    "deep blocks": "{{ if true }}" * 1000,
    "deep parentheses": "{{ " + "(" * 5000,
    "many pipes": "{{ 1 " + "| quote " * 5000 + "}}",
    "many fields": "{{ .a" + ".a" * 5000 + " }}",
    "many branches": "{{ if .a }}" + "{{ else if .b }}" * 5000 + "{{ end }}",
    "openings": "{{" * 500_000,
    "openings of comments": "{{/*" * 200_000,
}


@pytest.mark.parametrize("name", BAD_TEMPLATES)
def test_a_template_that_is_not_understood_costs_only_itself(name: str) -> None:
    reading = read(chart(**{"templates__bad.yaml": BAD_TEMPLATES[name]}))
    assert found(reading) == ["acme/web:1"]
    (told,) = unread(reading)
    assert told.startswith("web.tgz!templates/bad.yaml: the template is not understood: line 1: ")


ENDLESS = {
    "itself": '{{ define "a" }}{{ include "a" . }}{{ end }}{{ include "a" . }}',
    "each other": '{{ define "a" }}{{ include "b" . }}{{ include "b" . }}{{ end }}'
    '{{ define "b" }}{{ include "a" . }}{{ include "a" . }}{{ end }}{{ include "a" . }}',
    "loops in loops": "{{ range .Values.l }}" * 9 + "x" + "{{ end }}" * 9,
    "doubling": '{{ $x := "0123456789" }}{{ range .Values.l }}{{ $x = printf "%s%s" $x $x }}{{ end }}{{ $x }}',
    "long lines": "{{ range .Values.l }}" + "{{ range $.Values.l }}" * 2 + "{{ .Values }}x" + "{{ end }}" * 3,
    "tpl": "{{ $t := `{{ tpl .t . }}` }}{{ tpl $t (dict `t` $t) }}",
    "indentation": '{{ $x := nindent 80 "\\n\\n\\n\\n\\n\\n\\n" }}' + "{{ $x = nindent 80 $x }}" * 200 + "{{ $x }}",
    "unknown both ways": "{{ if .Files.a }}" * 18 + "{{ include `n` . }}" + "{{ else }}b{{ end }}" * 18,
    "yaml": "{{ range .Values.l }}{{ range $.Values.l }}{{ toYaml $.Values }}{{ end }}{{ end }}",
    "variables": "".join(f"{{{{ $v{n} := .Values }}}}" for n in range(3000)) + "{{ if true }}{{ end }}" * 3000,
}  # fmt: skip


@pytest.mark.parametrize("name", ENDLESS)
def test_templates_without_end_are_ended(name: str) -> None:
    values = "image: acme/web:1\nl: [" + "1, " * 60 + "1]\n"
    files = chart(values, **{"templates__z.yaml": ENDLESS[name]})
    reading = read(files)
    assert found(reading) == ["acme/web:1"]
    assert all("not all templates were read" in text for text in unread(reading))


def test_ten_thousand_templates() -> None:
    files = chart(**{f"templates__{number}.yaml": pod(f"n{number}", f"acme/n:{number}") for number in range(10_000)})
    reading = read(files)
    assert len(set(found(reading))) == 10_001
    assert unread(reading) == []


def test_more_findings_than_anyone_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transload.discovery.charts.reading.CHART_FINDINGS", 100)
    lines = "".join(f"image: acme/a:{number}\n" for number in range(100))
    with pytest.raises(LimitExceeded, match="names more than 100 images"):
        read(chart(**{"templates__many.yaml": lines}))


@pytest.mark.parametrize(
    "odd",
    [
        "\ufeff", "\r\n", "# a comment\r\n", "{{- /* a comment */ -}}\n", "{{/* a\ncomment */}}", "{{`{{ }}`}}\n",
        "{{- $_ := set .Values `x` 1 -}}\n", '{{ template "none" . }}', "{{ break }}", "{{ nil }}",
        "{{ .Values.a.b.c }}",
    ],
)  # fmt: skip
def test_odd_but_legal_templates(odd: str) -> None:
    reading = read(chart(**{"templates__pod.yaml": odd + pod("web", IMAGE)}))
    assert found(reading) == ["acme/web:1"]
    assert unread(reading) == []


@pytest.mark.parametrize(
    ("template", "told"),
    [
        ("{{ if", "line 1: an action has no end"),
        ("a\n{{ end }}", "line 2: end without a block"),
        ("a\n\n{{- if .a -}}\nb", "line 4: the if of line 3 has no end"),
        ("{{ a ; }}", "line 1: '; }}' is not understood"),
        ("{{ (a }}", "line 1: a parenthesis is not closed"),
        ("{{ define x }}{{ end }}", "line 1: expected a name in quotes, found 'x'"),
    ],
)
def test_what_is_wrong_with_a_template_is_said(template: str, told: str) -> None:
    (text,) = unread(read(chart(**{"templates__bad.yaml": template})))
    assert text == f"web.tgz!templates/bad.yaml: the template is not understood: {told}"


def test_nothing_is_printed_raw() -> None:
    files = chart(**{"templates__pod.yaml": pod("web", "{{ .Files.Get `\x1b[31m` }}")})
    (question,) = [item for item in read(files).open if isinstance(item, Question) and "Files" in item.text]
    assert question.place.file == "web.tgz!templates/pod.yaml"


# --- .helmignore


@pytest.mark.parametrize(
    ("line", "left"),
    [
        ("", {"a", "b", "c"}),
        ("# templates/", {"a", "b", "c"}),
        ("b.yaml", {"a", "c"}),
        ("/templates/b.yaml", {"a", "c"}),
        ("templates/b*", {"a", "c"}),
        ("/b.yaml", {"a", "b", "c"}),
        ("deep/", {"a", "b"}),
        ("templates/deep", {"a", "b"}),
        ("templates/*", set()),
        ("**/b.yaml", {"a", "b", "c"}),
        ("[ab].yaml", {"c"}),
        ("?.yaml", set()),
    ],
)
def test_what_helm_leaves_out_of_a_folder(line: str, left: set[str], tmp_path: Path) -> None:
    templates = {"templates/a.yaml": "a", "templates/b.yaml": "b", "templates/deep/c.yaml": "c"}
    files = {path: pod(name, f"acme/{name}:1") for path, name in templates.items()}
    root = laid_out({"Chart.yaml": about("web"), ".helmignore": f"{line}\r\n", **files}, tmp_path / "web")
    assert {text[5] for text in found(read_chart_folder(root))} == left
