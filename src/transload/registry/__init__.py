"""Client of the distribution API: a registry as a store."""
