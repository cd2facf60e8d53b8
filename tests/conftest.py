"""What tests share: a real MLflow registry, and the tutorial's models in it.

- ``registry``: the URI of a registry in SQLite, for the whole session.
- ``iris_inferred``, ``iris_columns``, ``iris_tensor``, ``house_price``: each a
  ``tutorial_models.Tutorial``, logged once, when a test first uses it.
- ``make_feed``, ``written``, ``line``, ``moody``, ``unsigned``: the feeds and models of ``feeds``.
- ``weather``: the model of ``learned_feeds``, with a profile of values.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import pytest
from feeds import (  # noqa: F401 - fixtures
    feed_maker,
    feed_writer,
    line_model,
    moody_model,
    unsigned_model,
)
from hypothesis import settings
from learned_feeds import weather_model  # noqa: F401 - a fixture
from live_object_store import (  # noqa: F401 - fixtures
    azure,
    azure_feed,
    bucket,
    container,
    move,
    s3,
    store_feed,
)
from prefect_session import fresh_senders, server  # noqa: F401 - fixtures; one server for all
from xdist.scheduler import LoadFileScheduling

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tutorial_models import Tutorial

# No telemetry, and neither registry nor cache of the developer.
os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] = "false"
os.environ["GX_ANALYTICS_ENABLED"] = "false"
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"
os.environ["SIGNATURE_GATE_CACHE"] = "off"
# Beside another test process, threads that train a model wait for each other by spinning.
os.environ.setdefault("OMP_NUM_THREADS", "1")
for _inherited in (
    "MLFLOW_TRACKING_URI",
    "MLFLOW_REGISTRY_URI",
    "SIGNATURE_GATE_REGISTRY_TIMEOUT",
):
    os.environ.pop(_inherited, None)

settings.register_profile(
    "signature-gate",
    max_examples=int(os.environ.get("SIGNATURE_GATE_EXAMPLES", "100")),
    deadline=None,
)
settings.load_profile("signature-gate")


class _RootIsAFolder:
    """The repository's root is a package; collected as one it would be imported a second time."""

    @staticmethod
    def pytest_collect_directory(path: Path, parent: pytest.Collector) -> pytest.Collector | None:
        is_root = path == parent.config.rootpath
        return pytest.Dir.from_parent(parent, path=path) if is_root else None


# What `make test-long` runs and `make test` leaves out: files that start servers, stores, engines
# or browsers, train many models, or kill worker after worker. The longest first: so both processes
# end at about the same time.
_LONG = (
    "test_clusters",
    "test_end_to_end",
    "test_end_to_end_in_a_store",
    "test_conformance",
    "test_scored_tables",
    "test_zoo",
    "test_prefect_ui",
    "test_how_to_run_servers",
    "test_how_to_on_servers",
    "test_feeds_in_stores",
    "test_native",
    "test_spark_page",
    "test_connect",
    "test_stock_gx",
    "test_verdicts",
    "test_own_data",
    "test_divided_feeds",
    "test_divided_checks",
    "test_chaos",
    "test_demo",
    "test_faulty_stores",
    "test_pages_in_browser",
    "test_deploy",
    "test_rude_models",
    "test_alerts_on_servers",
)
# Of the others, likewise.
_LONGER = ("test_learned_values", "test_terminal", "test_flows")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the files that take minutes, and put first what takes longest."""
    places = {name: place for place, name in enumerate(_LONG + _LONGER)}
    for item in items:
        if item.path.stem in _LONG:
            item.add_marker("long")
    items.sort(key=lambda item: places.get(item.path.stem, len(places)))


# Folders whose files share a server that takes long to start: one process tests all of them.
_TOGETHER = ("tests/spark/",)


class _ByFile(LoadFileScheduling):
    def _split_scope(self, nodeid: str) -> str:
        shared = (folder for folder in _TOGETHER if nodeid.startswith(folder))
        return next(shared, super()._split_scope(nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> _ByFile | None:
    """Deal the files out, those of some folders as one."""
    return _ByFile(config, log) if config.getvalue("dist") == "loadfile" else None


def pytest_configure(config: pytest.Config) -> None:
    """Register a hook for the root folder, where a conftest of a folder below has no effect."""
    config.pluginmanager.register(_RootIsAFolder())


@pytest.fixture(autouse=True)
def _tracking_is_named_in_the_environment_alone() -> Iterator[None]:
    """What a test sets in the process would hide the environment from all that follow."""
    yield
    if mlflow := sys.modules.get("mlflow.tracking._tracking_service.utils"):
        left, vars(mlflow)["_tracking_uri"] = vars(mlflow)["_tracking_uri"], None
        assert left is None, f"this test left mlflow.set_tracking_uri({left!r}) behind"


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Make an empty registry, and name it in the environment so that subprocesses use it too."""
    import mlflow

    folder = tmp_path_factory.mktemp("registry")
    uri = f"sqlite:///{folder}/mlflow.db"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", uri)
        mlflow.create_experiment("tutorial", artifact_location=str(folder / "artifacts"))
        mlflow.set_experiment("tutorial")
        yield uri


@pytest.fixture(scope="session")
def iris_inferred(registry: str) -> Tutorial:
    """A random forest whose signature was inferred from its training frame."""
    import tutorial_models

    return tutorial_models.iris_inferred()


@pytest.fixture(scope="session")
def iris_columns(registry: str) -> Tutorial:
    """A random forest whose signature is written column by column."""
    import tutorial_models

    return tutorial_models.iris_columns()


@pytest.fixture(scope="session")
def iris_tensor(registry: str) -> Tutorial:
    """A random forest whose signature is one named tensor."""
    import tutorial_models

    return tutorial_models.iris_tensor()


@pytest.fixture(scope="session")
def house_price(registry: str) -> Tutorial:
    """A Python model whose signature was inferred from its input example."""
    import tutorial_models

    return tutorial_models.house_price()
