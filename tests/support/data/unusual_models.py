"""Registered models that do not keep their word, each in a way of its own."""

from __future__ import annotations

import logging
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import mlflow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mlflow.models import ModelSignature


def register(
    name: str,
    predict: Callable[[Any, dict[str, Any]], Any],
    signature: ModelSignature | None,
    example: Any = None,
) -> str:
    """Register a Python model.

    Args:
        name: Under which it is registered, as version 1 or a further one.
        predict: What it makes of its input and its params.
        signature: As it is logged; None for none.
        example: Logged with it.

    Returns:
        The URI of the version.
    """
    with quietly():
        # Within a function it is pickled by value, and loads where the tests are not importable.
        class Odd(mlflow.pyfunc.PythonModel):
            def predict(self, model_input, params=None):  # noqa: ANN001, ANN202
                return predict(model_input, params or {})

        logged = mlflow.pyfunc.log_model(
            name=name,
            python_model=Odd(),
            signature=signature,
            input_example=example,
            pip_requirements=["mlflow"],
            registered_model_name=name,
        )
    return f"models:/{name}/{logged.registered_model_version}"


@contextmanager
def quietly() -> Iterator[None]:
    """Spare the reader MLflow's hints about type hints, examples and pickles."""
    logger = logging.getLogger("mlflow")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        logger.setLevel(level)
