"""One file a target entity; nothing but mapping functions."""
