"""From a path, a folder or an object in memory to an open batch."""
