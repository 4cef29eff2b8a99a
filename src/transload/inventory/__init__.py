"""What a target holds, as a value, as a file, and as it is found out through a store's ports."""
