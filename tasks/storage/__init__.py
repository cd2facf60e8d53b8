"""Writes that survive a crash: atomic files, claims, and the journal of a transaction."""
