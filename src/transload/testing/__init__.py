"""Tools for tests of stores and of the engine: seeded images, scripted faults, the contract of a store."""
