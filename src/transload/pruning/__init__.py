"""What may be deleted at a target: what it holds, what a rule lets go, and what nothing else needs then."""
