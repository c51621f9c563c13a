"""Deciding: configuration, releases, evidence, branches, plans and decisions; `git.py` alone runs git."""
