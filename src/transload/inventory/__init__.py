"""What a target holds: the value, its file, and how a store is asked for it."""
