"""Frozen values and pure decisions; no client, no path on disk, no clock."""
