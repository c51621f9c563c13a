"""One effect a record."""
