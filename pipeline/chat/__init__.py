"""Talking to the current snapshot: opening it, signing users in, limits, and the HTTP endpoint. Read only."""
