"""Images that their publishers signed, as the guide to trust verifies them, and the public halves of their keys."""

from __future__ import annotations

from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import NameOID

from tests.unit.app.signed import Notary, Signer
from transload.memory import MemoryStore
from transload.testing.images import fill, image

KEY, CERTIFICATE, TIME_CERTIFICATE = "acme.pub", "microsoft-supply-chain-2022.crt", "microsoft-root-2010.crt"
FILES = (KEY, CERTIFICATE, TIME_CERTIFICATE)


def publish_signed(vendor: MemoryStore, quay: MemoryStore, folder: Path) -> None:
    """acme has a signed image and one without a signature; a stand-in signs for Microsoft. Writes what to trust."""
    acme = Signer(KEY)
    shop = image("shop", (2000, 20_000))
    fill(quay, shop, "acme/shop", "1.0")
    acme.sign(quay, "acme/shop", shop, "quay.io/acme/shop")
    fill(quay, image("tool", (2000, 10_000)), "acme/tool", "1.0")
    (folder / KEY).write_bytes(acme.pem)

    microsoft = Notary(
        _name(("C", "US"), ("O", "Microsoft Corporation"), ("CN", "Microsoft Supply Chain RSA Root CA 2022")),
        _name(
            ("C", "US"),
            ("ST", "Washington"),
            ("L", "Redmond"),
            ("O", "Microsoft Corporation"),
            ("CN", "Microsoft SCD Products RSA Signing"),
        ),
    )
    aspnet = image("aspnet", (2000, 20_000))
    fill(vendor, aspnet, "dotnet/aspnet", "8.0")
    microsoft.sign(vendor, "dotnet/aspnet", aspnet)
    (folder / CERTIFICATE).write_bytes(microsoft.certificate)
    (folder / TIME_CERTIFICATE).write_bytes(Notary("Microsoft Root Certificate Authority 2010", "time").certificate)


def _name(*parts: tuple[str, str]) -> x509.Name:
    kinds = {
        "C": NameOID.COUNTRY_NAME,
        "ST": NameOID.STATE_OR_PROVINCE_NAME,
        "L": NameOID.LOCALITY_NAME,
        "O": NameOID.ORGANIZATION_NAME,
        "CN": NameOID.COMMON_NAME,
    }
    return x509.Name([x509.NameAttribute(kinds[kind], text) for kind, text in parts])
