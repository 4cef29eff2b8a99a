"""Helm charts of a run: found, read, rendered by helm where there is one, and values for the target."""
