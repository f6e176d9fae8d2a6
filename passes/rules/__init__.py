"""Rewrite rules and what they are written with; the passes say which of them run when."""
