"""The bundle keeps the contract of what can be read: whole, and cut as small as can be."""

from pathlib import Path

import pytest

from tests.unit.bundle.packing import pack
from transload.bundle import BundleStore
from transload.testing.reading import SourceContract, sample


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole bundle, and one whose volumes end within headers, blobs and the ledger."""
    folder = tmp_path_factory.mktemp("packed")
    pack(folder / "whole", sample())
    pack(folder / "cut", sample(), 777)
    return folder


class TestWholeBundle(SourceContract):
    @pytest.fixture
    def source(self, packed: Path) -> BundleStore:
        return BundleStore(packed / "whole")


class TestCutBundle(SourceContract):
    @pytest.fixture
    def source(self, packed: Path) -> BundleStore:
        return BundleStore(packed / "cut")
