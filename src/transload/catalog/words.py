"""Words that mean the same wherever releases are named."""

NEWEST = "newest"
"""The word for the newest release, whichever it is."""
