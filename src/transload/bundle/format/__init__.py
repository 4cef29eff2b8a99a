"""What a bundle is made of, as values: ledger, members, volumes, keys and signatures (docs/formats/bundle.md)."""
