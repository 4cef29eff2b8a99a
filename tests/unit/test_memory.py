"""The reference store keeps the contract that it is the reference of."""

import pytest

from transload.memory import MemoryStore
from transload.testing.contract import StoreContract


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def store(self) -> MemoryStore:
        return MemoryStore()
