"""The version of transload. The wheel takes it from here."""

__version__ = "0.1.0"
