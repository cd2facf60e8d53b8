"""What MLflow does in every process before it loads its first model, done once for all that fork.

It maps the files of all installed packages to their names, for the sake of a warning; that takes
longer than all the rest of a short life.
"""

from __future__ import annotations

from mlflow.utils import requirements_utils

requirements_utils._init_packages_to_modules_map()  # noqa: SLF001 - there is no public way
