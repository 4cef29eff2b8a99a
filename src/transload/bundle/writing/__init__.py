"""Making a bundle: volumes that are written by many threads, taken up again after an interruption."""
