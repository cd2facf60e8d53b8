"""Registered models whose output or example contradicts their signature."""

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
        name: Its registered name; each call adds a version.
        predict: Called with the model input and the params.
        signature: Its signature; None for none.
        example: Its input example.

    Returns:
        The URI of the version.
    """
    with quietly():
        # A class of a function is pickled by value: it loads where the tests cannot be imported.
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
    """Silence MLflow's warnings about type hints, examples and pickles."""
    logger = logging.getLogger("mlflow")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        logger.setLevel(level)
