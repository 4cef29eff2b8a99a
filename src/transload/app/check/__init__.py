"""Says before a long run whether it will work: `transload check`."""
