"""Tables of a lake: the live rows of one version of a Delta or an Iceberg table, file by file."""
