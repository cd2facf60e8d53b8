"""JSON lines: surveyed once, then read as typed columns where Arrow can, else line by line."""
