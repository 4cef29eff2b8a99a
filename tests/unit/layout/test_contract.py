"""The layout keeps the contract of stores."""

from pathlib import Path

import pytest

from transload.layout import LayoutStore
from transload.testing.contract import StoreContract


class TestLayoutStore(StoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> LayoutStore:
        return LayoutStore(tmp_path / "layout", create=True)
