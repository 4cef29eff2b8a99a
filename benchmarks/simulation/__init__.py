"""The engine and its HTTP client against simulated wires, registries and time. See docs/simulation.md."""
