"""Every parser of bytes from outside: whatever comes in, a value or an error of ours comes out, and nothing else.

`PARSERS` lists them with a valid document each, which is changed here and there. Whoever reads with `read_json`, parses
YAML or takes headers apart and is not in it makes the last test fail.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import re
from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import pytest
from attrs import frozen
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.archive.writer import Saved, layout_files, saved_files, write_tar
from tests.unit.bundle.packing import contents_of
from tests.unit.discovery.charts.shapes import packed
from tests.unit.report.replay import RELEASE
from tests.unit.report.sample import recorded
from transload.app.baseline import inventory_of
from transload.app.network import Network
from transload.app.planplaces import opened_plan
from transload.app.receipts import read_receipt
from transload.app.runs import noted_runs
from transload.app.settings import Environment
from transload.app.signedrecord import Opened, encoded
from transload.app.statefile import StateFile, StateUnusable
from transload.app.stores import Logins, Stores
from transload.app.trusthints import INDEX as HINTS_INDEX
from transload.app.trusthints import PREFIX, hints_of
from transload.archive import ArchiveStore
from transload.bundle import ExtraFile, lay_out
from transload.bundle.format.edition import BundledRelease, Edition
from transload.bundle.format.keys import Signature, parse_public_key
from transload.bundle.format.ledger import Ledger
from transload.catalog.definition import parse_catalog
from transload.catalog.references import parse_references
from transload.catalog.setfile import parse_set
from transload.catalog.tagpattern import check_pattern
from transload.catalog.versionrange import VersionRange
from transload.discovery.charts import read_chart
from transload.discovery.charts.setting import settings as settings_of
from transload.discovery.kinds import read_file as read_discovered
from transload.distributed.messages import Began, Message
from transload.errors import TransloadError
from transload.events import StepDone, StepFailed
from transload.inventory.file import dump_inventory, inventory_out, load_inventory
from transload.layout import LayoutStore
from transload.memory import MemoryStore
from transload.net.backoff import retry_after_s
from transload.net.messages import Reply
from transload.net.traffic import HostTraffic
from transload.oci import Descriptor, Digest, Manifest, Name, Platform, Reference
from transload.oci.imagelayout import LayoutIndex
from transload.oci.mediatype import OCI_CONFIG
from transload.planning.configs import read_config
from transload.planning.plan import ManifestStep, Plan, PlannedImage
from transload.planning.planfile import dump_plan, load_plan, read_plan
from transload.registry.api import json_object
from transload.registry.capabilities import Capabilities
from transload.registry.headers import challenges, next_link, parse_content_range, unsatisfied_total, upload_offset
from transload.registry.keychain import _answered
from transload.registry.loginfile import CredentialFile
from transload.registry.referrers import _entries, index_with
from transload.registry.translate import complaints
from transload.report.restoring import restored
from transload.report.transferrecord import PREDICATE_TYPE, receipt_of
from transload.report.webpage import to_html
from transload.server.page.asked import page_at, wants_html
from transload.server.page.config import settings_of as page_settings
from transload.server.page.parts import inside
from transload.server.page.pulling import Place
from transload.server.page.reading import NotShown
from transload.testing.images import image, index
from transload.threads import Cancellation
from transload.transfer import Journal
from transload.trust.policyfile import read_policy
from transload.trust.statement import Statement, StatementSubject

ROOT = Path(__file__).parents[2] / "src" / "transload"
BUILT = image("fuzz", (1000,))
MANY = index([(BUILT, Platform.parse("amd64")), (image("arm", (10,)), Platform.parse("arm64"))])
NAME = Name("app/one", "v1")
LEDGER = lay_out(contents_of({NAME: BUILT}), None).ledger
EDITION = Edition(
    packed=datetime(2026, 11, 27, tzinfo=UTC), sets=("a",), releases=(BundledRelease("a", "v1", "2026-11"),)
)
LEDGER_3 = lay_out(contents_of({NAME: BUILT}, edition=EDITION), None).ledger
URL = "https://registry.example/v2/"


@frozen
class Parser:
    """`read` is given the bytes, and a folder to write them into; `module` is where it lives."""

    module: str
    read: Callable[[bytes, Path], object]
    valid: bytes


def text(parse: Callable[[str], object]) -> Callable[[bytes, Path], object]:
    """For what takes a header or a line, which the layers below give as Latin-1."""
    return lambda raw, _: parse(raw.decode("latin-1"))


def told(raw: bytes, status: int = 200) -> Reply:
    return Reply(status, {"Content-Type": "application/json"}, raw, URL)


def token(raw: bytes, _: Path) -> object:
    from transload.net.address import Origin
    from transload.registry.auth import Applicant, _read

    return _read(told(raw), Applicant(Origin.of(URL)))


def config(raw: bytes, _: Path) -> object:
    store, descriptor = MemoryStore(), Descriptor(OCI_CONFIG, Digest.of(raw), len(raw))
    with store.begin("a", descriptor) as ingest:
        ingest.write([raw])
        ingest.commit()
    return Platform.from_json(read_config(store, "a", descriptor))


NOTE = (
    b'{"format": 1, "run_id": "a", "command": "mirror", "line": "transload mirror a --to b", "folder": "/", '
    b'"host": "h", "pid": 1, "began_s": 1.5, "locked": true}\n'
    b'{"noted_s": 2.5, "images": 2, "images_done": 1, "images_failed": 0, "bytes": 1, "bytes_total": 2, '
    b'"rate_bytes_per_s": 1, "left_s": 1, "ended_s": 3.5, "exit_code": 5, "why": "w", "hint": "h"}   \n'
)


def note(raw: bytes, folder: Path) -> None:
    (folder / "runs").mkdir(exist_ok=True)
    (folder / "runs" / "20261127T020301Z-4f2a9c.0123456789abcdef.jsonl").write_bytes(raw)
    for run in noted_runs(folder).runs:
        run.to_json()


def packed_plan(raw: bytes, folder: Path) -> object:
    (folder / "plan.json.gz").write_bytes(raw)
    stores = Stores(Environment(), Network(), Logins(), Cancellation())
    with stores, opened_plan(folder / "plan.json.gz", stores) as opened:
        return read_plan(opened)


def state(raw: bytes, folder: Path) -> None:
    (folder / "state.json").write_bytes(raw)
    with contextlib.suppress(StateUnusable):  # its users go on without it, and say so
        StateFile(folder, "state.json", "k").read()


def journal(raw: bytes, folder: Path) -> object:
    (folder / "journal").write_bytes(raw)
    return Journal(folder / "journal")


def layout(name: str) -> Callable[[bytes, Path], object]:
    def read(raw: bytes, folder: Path) -> object:
        LayoutStore(folder / "layout", create=True)
        (folder / "layout" / name).write_bytes(raw)
        store = LayoutStore(folder / "layout")
        return [list(store.tags(repository)) for repository in store.repositories()]

    return read


def archive(name: str) -> Callable[[bytes, Path], object]:
    def read(raw: bytes, folder: Path) -> object:
        files = layout_files({NAME: BUILT}) if name != "manifest.json" else saved_files((Saved("s").flat(), ["a/b:1"]))
        store = ArchiveStore(write_tar(folder / "a.tar", {**files, name: raw}))
        return [store.fetch(Name(one, tag)) for one in store.repositories() for tag in store.tags(one)]

    return read


def whole_archive(raw: bytes, folder: Path) -> object:
    (folder / "a.tar").write_bytes(raw)
    return ArchiveStore(folder / "a.tar")


def an_archive() -> bytes:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        return write_tar(Path(folder) / "a.tar", {"x" * 200: b"1", **layout_files({NAME: BUILT})}, 1).read_bytes()


def discovered(file: str, valid: str) -> Parser:
    return Parser("discovery/jsonstream.py", lambda raw, _: list(read_discovered(raw, file)), valid.encode())


def chart(name: str) -> Callable[[bytes, Path], object]:
    """Read a chart with a file that has these bytes."""

    def read(raw: bytes, _: Path) -> object:
        files = {"Chart.yaml": CHART, "values.yaml": VALUES, "templates/a.yaml": TEMPLATE, name: raw}
        return list(read_chart(packed(files), "a.tgz", [settings_of(["a.b=1"], {})]).discovered)

    return read


def hints(raw: bytes, _: Path) -> object:
    """What a bundle says of its trust material, which is shown and never an error."""
    said = hints_of(HINTED, lambda name: raw)
    assert all(hint.name.isprintable() and hint.role.isprintable() for hint in said.files)
    return said


def page_of(read: Callable[[bytes], object]) -> Callable[[bytes, Path], object]:
    """For what pages show: they say what cannot be shown, which is no error of the server."""

    def reading(raw: bytes, _: Path) -> None:
        with contextlib.suppress(NotShown):
            read(raw)

    return reading


BILL = (
    b'{"payloadType":"p","payload":"eyJwcmVkaWNhdGVUeXBlIjoicCIsInByZWRpY2F0ZSI6eyJib21Gb3JtYXQiOiJDeWNsb25lRFgifX0="}'
)
CONFIG = b'{"os":"linux","architecture":"arm","config":{"Cmd":["a"],"Labels":{"a":"b"}},"history":[{"created_by":"x"}]}'
HINTED = lay_out(
    contents_of({NAME: BUILT}, extras=tuple(ExtraFile.made(name, b"x") for name in (HINTS_INDEX, f"{PREFIX}key.pub"))),
    None,
).ledger
CHART = (
    b'{"name":"a","version":"1","appVersion":"2","annotations":{"images":"- {name: a, image: a:1}"},"dependencies":'
    b'[{"name":"b","alias":"c","condition":"c.on,b","tags":["x"]}]}'
)
VALUES = b'{"image":{"registry":"r.example","repository":"a/b","tag":"1"},"l":["r.example/c:1"],"on":false,"global":{}}'
TEMPLATE = (
    b'{{- define "n" -}}{{ .repository }}:{{ .tag | default "1" }}{{- end }}{{ with .Values.image }}\n'
    b'  image: {{ include "n" . | quote }}{{ else }}x{{ end }}{{ range $k, $v := .Values.l }}- {{ $v }}{{ end }}'
)
CATALOG = b"kind: Catalog\nversion: 1\nname: a\nregistry: r.example\nreleases:\n  - {tag: v1, images: [x, y]}\n"
SET = b"kind: ImageSet\nversion: 1\nname: a\nimages:\n  - docker.io/library/busybox:1\n"
RULES = b"""kind: ImageSet
version: 1
images:
  - {source: 'quay.io/a/${B:-b}', tags: {versions: '>=1.2-rc.1 <2 || ~3.x', newest: 3, sort: date, pattern: 'v.*'}}
  - {source: c, tags: [a, b], optional: true}
repositories: [{prefix: quay.io/team, deny: [x], tags: {newer_than: 2026-01-01, deny: [latest, '/.*-d/']}, target: t}]
include: []
"""
INDEX = LayoutIndex.empty().pointing(NAME, BUILT.descriptor).encode()
ERRORS = b'{"errors":[{"code":"DENIED","message":"no","detail":{"a":[1]}}]}'
LOGINS = b'{"auths":{"r.example":{"auth":"dTpw"}},"credHelpers":{"x":"y"},"credsStore":""}'
SAVED = b'[{"Config":"c.json","RepoTags":["a/b:1"],"Layers":["l.tar"]}]'
LIFE = b'{"token":"t","expires_in":300}'

PUBLIC_KEY = b"""\
-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
-----END PUBLIC KEY-----
"""
POLICY = b"""{"version": "1", "rules": [
  {"prefix": "r.example/a", "mode": "require", "any-of": [{"cosign-key": "k.pub"}]},
  {"prefix": "", "mode": "warn", "attestations": [{"predicate-type": "slsa-provenance", "all-of": [{"cosign-key":
  "k.pub"}], "where": {"builder-id": "x", "a[0].b": {"regexp": "[a-z]+/.*"}, "c": ["d"]}}]}]}
"""


def policy(raw: bytes, folder: Path) -> object:
    (folder / "k.pub").write_bytes(PUBLIC_KEY)
    (folder / "policy.yaml").write_bytes(raw)
    return read_policy(folder / "policy.yaml")


RECEIPT = encoded(
    receipt_of(
        Statement((StatementSubject("a", BUILT.digest),), PREDICATE_TYPE, {"images": [], "bundle": {"images": 2}}),
        inventory_out(inventory_of(LEDGER)),
        complete=False,
    ),
    None,
)
REPORT = json.dumps(recorded(RELEASE[:3]).to_json()).encode()

PLAN = dump_plan(
    Plan(
        target="r.example",
        images=(
            PlannedImage(source_store="r", source=Name("a", "1"), target=Name("a", "1"), status="new", goals=(0,)),
        ),
        steps=(
            ManifestStep(
                id=0, digest=BUILT.digest, name=Name("a", "1"), needs=(), source_store="r", source_repository="a"
            ),
        ),
        manifests={BUILT.digest: BUILT.manifest},
    )
)

MESSAGE = (
    Message(
        task="run-1",
        events=(Began(0), StepDone(0, "copied", 10, 0.5), StepFailed(1, TransloadError("no", side="source"))),
        notices=("a notice",),
        traffic={"r.example": HostTraffic(6, 2, 3, kinds={"GET blob": 6})},
    )
    .to_text()
    .encode()
)
PARSERS = [
    Parser("oci/manifest.py", lambda raw, _: Manifest.parse(raw), BUILT.manifest.raw),
    Parser("oci/manifest.py", lambda raw, _: Manifest.parse(raw), MANY.manifest.raw),
    Parser("oci/imagelayout.py", lambda raw, _: LayoutIndex.parse(raw).encode(), INDEX),
    Parser("oci/digest.py", text(Digest), BUILT.digest.encode()),
    Parser("oci/reference.py", text(Reference.parse), b"r.example:5000/a/b:v1"),
    Parser("oci/reference.py", text(Name.parse), b"a/b:v1@" + BUILT.digest.encode()),
    Parser("oci/platform.py", text(Platform.parse), b"linux/arm/v7"),
    Parser("layout/store.py", layout("oci-layout"), b'{"imageLayoutVersion":"1.0.0"}'),
    Parser("layout/store.py", layout("index.json"), INDEX),
    Parser("archive/layout.py", archive("oci-layout"), b'{"imageLayoutVersion":"1.0.0"}'),
    Parser("archive/layout.py", archive("index.json"), INDEX),
    Parser("archive/saved.py", archive("manifest.json"), SAVED),
    Parser("tarheaders.py", whole_archive, an_archive()),
    Parser("bundle/format/ledger.py", lambda raw, _: Ledger.decode(raw), LEDGER.encode()),
    Parser("bundle/format/ledger.py", lambda raw, _: Ledger.decode(raw), LEDGER_3.encode()),
    Parser("app/runs.py", note, NOTE),
    Parser("distributed/messages.py", text(Message.from_text), MESSAGE),
    Parser("app/statefile.py", state, b'{"kind": "k", "version": 1, "entries": [{"a": 1}]}'),
    Parser(
        "app/trusthints.py",
        hints,
        b'{"kind":"transload-trust-material","format":1,"files":[{"file":"key.pub","name":"k/key.pub","role":"key"}]}',
    ),
    Parser("bundle/format/keys.py", lambda raw, _: Signature.decode(raw), Signature("a", "k", b"s").encode()),
    Parser(
        "bundle/format/keys.py",
        lambda raw, _: parse_public_key(raw),
        b"ssh-ed25519 " + b64encode(b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + bytes(32)),
    ),
    Parser("report/restoring.py", lambda raw, _: to_html(restored(raw, "run.json")), REPORT),
    Parser(
        "planning/planfile.py",
        lambda raw, _: load_plan(raw),
        dump_plan(Plan(target="r.example", images=(), steps=(), manifests={})),
    ),
    Parser("app/planplaces.py", packed_plan, gzip.compress(PLAN, mtime=0)),
    Parser("planning/planlines.py", lambda raw, _: load_plan(raw), PLAN),
    Parser("inventory/file.py", lambda raw, _: load_inventory(raw), dump_inventory(inventory_of(LEDGER))),
    Parser("app/receipts.py", lambda raw, folder: read_receipt(raw, folder / "receipt.json", None), RECEIPT),
    Parser("app/signedrecord.py", lambda raw, _: Opened.of(raw, "record").statement(), RECEIPT),
    Parser("documents/yamltree.py", lambda raw, _: parse_catalog(raw, "c.yaml"), CATALOG),
    Parser("catalog/setfile.py", lambda raw, _: parse_set(raw, "s.yaml"), SET),
    Parser("catalog/setfile.py", lambda raw, _: parse_set(raw, "s.yaml", {"B": "b2"}), RULES),
    Parser("catalog/versionrange.py", text(VersionRange.parse), b">=1.2.3-rc.1_5 <2.x || ^0.1-slim, 1.2 - 1.4"),
    Parser("catalog/references.py", lambda raw, _: parse_references(raw, "l.txt"), b"docker.io/a/b:1\n# c\n"),
    Parser("catalog/tagpattern.py", text(check_pattern), rb"v?([0-9]+)\.([a-z_]{1,3})(?:-(x|y))*"),
    Parser("registry/api.py", lambda raw, _: json_object(told(raw), "asking"), b'{"tags":["v1"]}'),
    Parser("registry/auth.py", token, LIFE),
    Parser("registry/translate.py", lambda raw, _: complaints(told(raw, 400)), ERRORS),
    Parser(
        "registry/translate.py", lambda raw, _: complaints(told(raw, 502)), b"<html><title>a</title><b>b</b></html>"
    ),
    Parser("registry/referrers.py", lambda raw, _: index_with(Manifest.parse(raw), BUILT.manifest), MANY.manifest.raw),
    Parser("planning/configs.py", config, b'{"os":"linux","architecture":"amd64","rootfs":{"diff_ids":[]}}'),
    Parser(
        "registry/referrers.py", lambda raw, _: _entries(json_object(told(raw), "asking"), "asking"), MANY.manifest.raw
    ),
    Parser("registry/loginfile.py", lambda raw, _: CredentialFile.parse(Path("config.json"), raw), LOGINS),
    Parser("registry/keychain.py", lambda raw, _: _answered(raw, "h", "r"), b'{"Username":"u","Secret":"s"}'),
    Parser("registry/headers.py", text(challenges), b'Bearer realm="https://a/t",scope="x,y", Basic realm="r"'),
    Parser("registry/headers.py", text(next_link), b'</v2/_catalog?n=1>; rel="next", <b>; title="x"'),
    Parser("registry/headers.py", text(parse_content_range), b"bytes 0-99/200"),
    Parser("registry/headers.py", text(unsatisfied_total), b"bytes */200"),
    Parser("registry/headers.py", text(upload_offset), b"0-99"),
    Parser(
        "net/backoff.py",
        text(lambda header: retry_after_s({"Retry-After": header, "Date": header}, 0.0)),
        b"Wed, 21 Oct 2026 07:28:00 GMT",
    ),
    discovered(
        "compose.yaml", '{"services":{"a":{"image":"${R:-r.example}/a:1","build":{"args":["A=1"]}}},"include":["b"]}'
    ),
    discovered(
        "Dockerfile", "# syntax=a/b:1\nARG A=1\nFROM a:$A AS b\nRUN --mount=from=c:1 <<E\nE\nCOPY --from=b / /\n"
    ),
    discovered(
        "bom.json", '{"bomFormat":"CycloneDX","components":[{"type":"container","name":"a","purl":"pkg:oci/a"}]}'
    ),
    discovered(
        "bom.xml",
        '<bom xmlns="http://cyclonedx.org/schema/bom/1.5"><component type="container"><name>a</name></component></bom>',
    ),
    discovered(
        "a.json",
        '{"spdxVersion":"SPDX-2.3","packages":[{"externalRefs":[{"referenceType":"purl","referenceLocator":"pkg:oci/a"}]}]}',
    ),
    discovered("a.spdx", "SPDXVersion: SPDX-2.3\nExternalRef: PACKAGE-MANAGER purl pkg:docker/a@1?tag=2\n"),
    discovered(
        "olm.json", '{"schema":"olm.bundle","image":"a:1","relatedImages":[{"image":"b:1"}]}\n{"schema":"olm.x"}'
    ),
    Parser("discovery/charts/package.py", lambda raw, _: read_chart(raw, "a.tgz"), packed({"Chart.yaml": CHART})),
    Parser("discovery/charts/chart.py", chart("Chart.yaml"), CHART),
    Parser("discovery/charts/tree.py", chart("values.yaml"), VALUES),
    Parser("discovery/charts/syntax.py", chart("templates/a.yaml"), TEMPLATE),
    Parser("discovery/charts/setting.py", text(lambda raw: settings_of([raw], {})), b"a.b[0].c={x,y\\,z},d=1"),
    Parser("trust/policyfile.py", policy, POLICY),
    Parser("server/page/config.py", page_of(lambda raw: page_settings(raw, BUILT.manifest.layers)), CONFIG),
    Parser("server/page/parts.py", page_of(inside), BILL),
    Parser("server/page/parts.py", page_of(inside), b'{"spdxVersion":"SPDX-2.3","packages":[{"name":"a"}]}'),
    Parser("server/page/parts.py", page_of(inside), b"SPDXVersion: SPDX-2.3\nPackageName: a\nPackageVersion: 1\n"),
    Parser("server/page/asked.py", text(lambda header: wants_html([header])), b"text/html,application/json;q=0.9"),
    Parser("server/page/asked.py", text(page_at), b"/image/a/b:v1"),
    Parser("server/page/pulling.py", text(lambda host: Place.of(host, "h:1", secure=True)), b"registry.example:5000"),
    Parser("transfer/journal.py", journal, b'["app/one", "%s"]\n' % BUILT.digest.encode()),
]
ODD: list[Any] = [None, True, -1, 0, 1.5, 1e300, 2**63, 10**400, "", "²", "\ud800", "\x1b[2J", "a" * 5000, [], {}, [[]]]
TOKENS = [
    b"",
    b"\0",
    b"\xff",
    b'"',
    b"{",
    b"[" * 2000,
    b"NaN",
    b"1e999",
    b"9" * 5000,
    rb"\ud800",
    b"<" * 500,
    b",;=" * 200,
    "²".encode(),
    b"\n- &a [*a]\n",
]


def swapped(value: Any, random: Random) -> Any:
    """One place of a document given another value, another key, or left out."""
    if random.random() < 0.2 or not isinstance(value, (dict, list)) or not value:
        return random.choice(ODD)
    copy = dict(value) if isinstance(value, dict) else dict(enumerate(value))
    key = random.choice(list(copy))
    what = random.random()
    if what < 0.15:
        del copy[key]
    elif what < 0.25 and isinstance(value, dict):
        copy[str(key).upper()] = copy[key]
    else:
        copy[key] = swapped(copy[key], random)
    return copy if isinstance(value, dict) else list(copy.values())


def changed(raw: bytes, random: Random) -> bytes:
    """The document with something wrong in it: in its values if it is JSON, in its bytes."""
    if random.random() < 0.6:
        with contextlib.suppress(ValueError):
            return json.dumps(swapped(json.loads(raw), random)).encode()
    start = random.randrange(len(raw) + 1)
    end = min(len(raw), start + random.choice([0, 1, 1, 2, 8, 100]))
    return raw[:start] + random.choice([*TOKENS, raw[start : end + 20]]) + raw[end:]


@pytest.mark.parametrize("parser", PARSERS, ids=lambda parser: parser.module)
def test_a_changed_document_is_read_or_refused(parser: Parser, tmp_path: Path) -> None:
    parser.read(parser.valid, tmp_path) if parser.module != "archive/saved.py" else None
    random = Random(7)
    for _ in range(60 if "archive" in parser.module or "layout/" in parser.module else 250):
        raw = changed(parser.valid, random)
        with contextlib.suppress(TransloadError):
            parser.read(raw, tmp_path)


@pytest.mark.parametrize("parser", PARSERS, ids=lambda parser: parser.module)
@settings(derandomize=True, max_examples=30, deadline=None)
@given(raw=st.binary(max_size=200) | st.text(max_size=100).map(lambda each: each.encode("utf-8", "replace")))
def test_any_bytes_are_read_or_refused(parser: Parser, raw: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.getbasetemp()
    with contextlib.suppress(TransloadError):
        parser.read(raw, folder)


def test_whatever_was_learnt_is_taken_or_left() -> None:
    for odd in ODD:
        for key in ("upload_mode", "piece_bytes", "mounts_accepted", "ranges", "reads_at_a_time"):
            Capabilities.from_json({key: odd}).to_json()
        Capabilities.from_json(odd)


def test_no_parser_is_missing() -> None:
    readers = {
        str(path.relative_to(ROOT))
        for path in ROOT.rglob("*.py")
        if re.search(
            r"\bread_(?:json|content)\(|\byaml\.(?:parse|safe_load)\(|\bemail\.utils\.parsedate", path.read_text()
        )
    }
    known = {parser.module for parser in PARSERS}
    elsewhere = {
        "strictjson.py",  # tests/unit/test_strictjson.py
        "documents/value.py",  # by way of plans and inventories
        "bundle/format/piecewise.py",  # by way of the ledger
        "oci/content.py",  # by way of manifests, layouts and archives
        "registry/known.py",  # tests/unit/registry/test_known.py
        "app/ownplans.py",  # tests/unit/cli/test_own_plans.py
        "cli/defaults.py",  # tests/unit/cli/test_defaults.py
        "charts/index.py",  # tests/unit/charts/test_index.py
        "app/onlyone.py",  # tests/unit/cli/test_if_new.py
        "configuration/kinds/docker.py",  # tests/unit/configuration/test_nodes.py
        "engines/api.py",  # tests/unit/engines/test_api.py
        "trust/doubt.py",  # tests/unit/trust/test_mutations.py
        "trust/notation/jws.py",  # the same, and tests/unit/trust/notation/test_hostile.py
        "trust/notation/payload.py",  # the same
    }
    assert readers <= known | elsewhere
