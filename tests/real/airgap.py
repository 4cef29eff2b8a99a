"""Both sides of an air gap for tests: a vendor whose reads are counted, and keys to sign with."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

from attrs import frozen
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from tests.real.vendor import Ran, Shell
from transload.memory import MemoryStore
from transload.oci import Name
from transload.server import Served, serve
from transload.testing.faults import Fault, FaultyStore
from transload.testing.images import Built, fill, image
from transload.testing.layers import layer

SHARED = layer("shared by all", 700_000)
LARGE = layer("large", 1_500_000)
ONE = image("one", (SHARED, 300_000))
TWO = image("two", (SHARED, LARGE))
THREE = image("three", (SHARED, 900_000))
RELEASE = {"app/one:v1": ONE, "app/two:v1": TWO, "app/three:v1": THREE}
SIZES = {one.descriptor.digest: one.descriptor.size for built in RELEASE.values() for one in built.walk_contents()}
BLOBS, BYTES = len(SIZES), sum(SIZES.values())


@frozen
class Vendor:
    """A served source. `store` counts what it is asked."""

    served: Served
    store: FaultyStore

    def __call__(self, name: str) -> str:
        """A reference to one of its images."""
        return f"{self.served.host_port}/{name}"

    @property
    def blobs_read(self) -> int:
        """How many reads of blobs there were so far."""
        return self.store.calls["open"]


@contextlib.contextmanager
def vendor(*script: Fault, images: Mapping[str, Built] = RELEASE) -> Iterator[Vendor]:
    """A vendor that publishes `images`."""
    memory = MemoryStore()
    for text, built in images.items():
        name = Name.parse(text)
        fill(memory, built, name.repository, name.tag)
    store = FaultyStore(memory, script)
    with serve(store) as served:
        yield Vendor(served, store)


def pack(shell: Shell, *words: object) -> Ran:
    """`transload pack` that must succeed."""
    ran = shell("pack", *words)
    assert ran.code == 0, ran.told
    return ran


def volumes(folder: Path, name: str) -> list[Path]:
    """The files of a bundle."""
    return sorted(folder.glob(f"{name}*.tar"))


def write_key(
    path: Path, kind: Literal["ed25519", "ecdsa"] = "ed25519", passphrase: str | None = None, openssh: bool = False
) -> Path:
    """A fresh private key at `path`, its public key at `path` plus `.pub`; returns the latter."""
    key = ed25519.Ed25519PrivateKey.generate() if kind == "ed25519" else ec.generate_private_key(ec.SECP256R1())
    locked = BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()
    private = PrivateFormat.OpenSSH if openssh else PrivateFormat.PKCS8
    public = (Encoding.OpenSSH, PublicFormat.OpenSSH) if openssh else (Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    path.write_bytes(key.private_bytes(Encoding.PEM, private, locked))
    beside = path.with_name(f"{path.name}.pub")
    beside.write_bytes(key.public_key().public_bytes(*public))
    return beside
