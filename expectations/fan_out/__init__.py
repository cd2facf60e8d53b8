"""Work that is divided: by processes of this machine, a Dask cluster or a Ray cluster."""
