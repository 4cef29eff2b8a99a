"""Reads a bundle: opens it, checks it, and offers it as a source of images."""
