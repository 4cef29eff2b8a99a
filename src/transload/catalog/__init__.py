"""Products as lists of references: catalogs, image sets, reference lists. Values and pure functions, no network."""
