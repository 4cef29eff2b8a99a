"""Folds over events and plans: what people see, what programs read, what is kept."""
