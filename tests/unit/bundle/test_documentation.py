"""The documented example is a ledger that we write and read, and every key of it is explained."""

import re
from datetime import UTC, datetime
from pathlib import Path

from transload.bundle import BundledImage, Contents, ExtraFile, Prerequisite, lay_out
from transload.bundle.format.edition import BundledRelease, Edition
from transload.bundle.format.ledger import Ledger
from transload.oci import Descriptor, Digest, Manifest, Name

DOCUMENTATION = Path(__file__).parents[3] / "docs" / "formats" / "bundle.md"
LAYER = Descriptor("text/plain", Digest.of(b"hello\n"), 6)
EMPTY = Descriptor("application/vnd.oci.empty.v1+json", Digest.of(b"{}"), 2)
HELLO = Manifest.parse(
    b'{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":'
    + b'"%s","digest":"%s","size":2},"layers":[{"mediaType":"text/plain","digest":"%s","size":6}]}'
    % (EMPTY.media_type.encode(), EMPTY.digest.encode(), LAYER.digest.encode())
)


def example() -> Contents:
    """One image whose config the target has, one that the target has completely, and a licence."""
    return Contents(
        images=(
            BundledImage(Name("hello", "1.1"), HELLO.descriptor, "registry.example/vendor/hello:1.1"),
            BundledImage(
                Name("base", "1.0"),
                Descriptor(HELLO.media_type, Digest.of(b"base"), 412),
                "registry.example/vendor/base:1.0",
                present=True,
            ),
        ),
        blobs=(LAYER,),
        manifests=(HELLO,),
        prerequisites=(Prerequisite(EMPTY, ("hello",), ("hello:1.1",)),),
        extras=(ExtraFile("LICENSE.txt", Path("LICENSE.txt"), 11358, Digest.of(b"licence")),),
        against="inventory of registry.internal",
        edition=Edition(
            packed=datetime(2026, 11, 27, 8, 30, tzinfo=UTC),
            sets=("vendor",),
            releases=(BundledRelease("vendor", "1.1", "2026-11-20"),),
        ),
    )


def test_the_example_is_what_is_written() -> None:
    (shown,) = re.findall(r"```json\n(\{\n \"against\".*?\})\n```", DOCUMENTATION.read_text(), re.DOTALL)
    raw = lay_out(example(), None).ledger.encode()
    assert f"{shown}\n".encode() == raw
    assert Ledger.decode(raw).encode() == raw


def test_every_key_is_explained() -> None:
    text = DOCUMENTATION.read_text()
    keys = set(re.findall(r'"(\w+)": ', lay_out(example(), None).ledger.encode().decode()))
    assert {key for key in keys if f"`{key}`" not in text} == set()
