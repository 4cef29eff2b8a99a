"""What tests of stores and of the engine are made of: seeded images, scripted faults, the contract of a store."""
