"""Do once, before processes are forked, what MLflow does before it loads its first model.

It maps its tables to classes, and the files of all installed packages to their names for a
warning. That takes longer than the rest of such a process.
"""

from __future__ import annotations

import mlflow.store.model_registry.sqlalchemy_store  # noqa: F401 - its tables are to be mapped
import sqlalchemy.orm
from mlflow.utils import requirements_utils

requirements_utils._init_packages_to_modules_map()  # noqa: SLF001 - there is no public way
sqlalchemy.orm.configure_mappers()
