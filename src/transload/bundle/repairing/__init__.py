"""Repairs the files of a bundle from its recovery volumes."""
