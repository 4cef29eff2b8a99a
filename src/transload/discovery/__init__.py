"""What do I need? Readers that find image references in files: bytes in, findings out. No network."""
