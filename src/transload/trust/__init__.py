"""Who signed an image, and whether a site's policy accepts that. It decides on bytes that others have read."""
