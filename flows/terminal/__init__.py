"""What the commands print: wrapped and coloured on a terminal, whole and plain in a pipe."""
