"""Benchmarks of the main job: whole processes against real registries, beside skopeo and beside the bare bytes."""
