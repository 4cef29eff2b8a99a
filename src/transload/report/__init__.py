"""Turns events and plans into what people see, what programs read, and what is kept in files."""
