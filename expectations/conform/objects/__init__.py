"""Cells that are Python objects, as pandas and NumPy hold them."""
