"""The models of MLflow's signature tutorial, logged and registered.

Each function logs one model, registers it under the function's name, and gives its first version
the alias ``champion``. The tracking server must be set before.
"""

from __future__ import annotations

import logging
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlflow
import numpy as np
import pandas as pd
from mlflow.models import ModelSignature, infer_signature
from mlflow.types import ColSpec, Schema, TensorSpec
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlflow.models.model import ModelInfo

IRIS_COLUMNS = (
    "sepal length (cm)",
    "sepal width (cm)",
    "petal length (cm)",
    "petal width (cm)",
)


@dataclass(frozen=True)
class Tutorial:
    """A registered model, and a batch that fits it.

    Attributes:
        name: Its registered name.
        model_id: MLflow's id of the logged model.
        folder: The folder of its MLmodel file.
        batch: Rows in exactly the types of its signature: a frame, or an array for a tensor.
    """

    name: str
    model_id: str
    folder: Path
    batch: Any

    @property
    def uri(self) -> str:
        """The URI with the alias."""
        return f"models:/{self.name}@champion"

    @property
    def pinned(self) -> str:
        """The URI with the version of the alias."""
        return f"models:/{self.name}/1"


def iris_inferred() -> Tutorial:
    """Log a random forest whose signature is inferred from its training frame."""
    frame = iris_frame()
    forest = _forest(frame)
    with _silence():
        signature = infer_signature(frame, pd.DataFrame({"prediction": forest.predict(frame)}))
    return _sklearn("iris_inferred", forest, signature, frame)


def iris_columns() -> Tutorial:
    """Log the same forest with explicit columns in its signature."""
    inputs = Schema([ColSpec("double", column) for column in IRIS_COLUMNS])
    outputs = Schema([ColSpec("long", "prediction")])
    signature = ModelSignature(inputs=inputs, outputs=outputs)
    return _sklearn("iris_columns", _forest(iris_frame()), signature, iris_frame())


def iris_tensor() -> Tutorial:
    """Log the same forest with one named tensor of four features."""
    inputs = Schema([TensorSpec(np.dtype(np.float64), (-1, 4), "features")])
    outputs = Schema([TensorSpec(np.dtype(np.int64), (-1,), "prediction")])
    signature = ModelSignature(inputs=inputs, outputs=outputs)
    array = iris_frame().to_numpy()
    # MLflow passes a named tensor as a dictionary, which a bare forest cannot read.
    named = make_pipeline(FunctionTransformer(lambda batch: batch["features"]), _forest(array))
    return _sklearn("iris_tensor", named, signature, array)


def iris_tensor_bare() -> Tutorial:
    """Log the bare forest with the same named tensor, as the tutorial does: it cannot predict."""
    inputs = Schema([TensorSpec(np.dtype(np.float64), (-1, 4), "features")])
    outputs = Schema([TensorSpec(np.dtype(np.int64), (-1,), "prediction")])
    signature = ModelSignature(inputs=inputs, outputs=outputs)
    array = iris_frame().to_numpy()
    return _sklearn("iris_tensor_bare", _forest(array), signature, array)


def house_price() -> Tutorial:
    """Log a Python model whose signature MLflow infers from an input example."""
    with _silence():
        # A class of a function is pickled by value: it loads where the tests cannot be imported.
        class HousePrice(mlflow.pyfunc.PythonModel):
            # MLflow would read annotations as a schema.
            def predict(self, model_input):  # noqa: ANN001, ANN202
                return 150.0 * model_input["sqft"] + 10_000.0 * model_input["bedrooms"]

        logged = mlflow.pyfunc.log_model(
            name="house_price",
            python_model=HousePrice(),
            input_example=house_frame().head(2),
            pip_requirements=["mlflow", "pandas"],
            registered_model_name="house_price",
        )
    return _champion(logged, house_frame())


def iris_frame() -> pd.DataFrame:
    """Return the 150 irises that the forests were trained on: four doubles, no null."""
    return load_iris(as_frame=True).data.loc[:, list(IRIS_COLUMNS)]


def house_frame() -> pd.DataFrame:
    """Return three houses as the house price model takes them."""
    return pd.DataFrame(
        {
            "sqft": [850.0, 1420.5, 2300.0],
            "bedrooms": [2, 3, 4],
            "year_built": [1961, 1988, 2014],
            "neighborhood": ["Riverside", "Old Town", "Hillcrest"],
        }
    )


def _forest(features: pd.DataFrame | np.ndarray) -> RandomForestClassifier:
    forest = RandomForestClassifier(n_estimators=3, max_depth=3, random_state=0)
    return forest.fit(features, load_iris().target)


def _sklearn(name: str, model: Any, signature: ModelSignature, batch: Any) -> Tutorial:
    with _silence():
        logged = mlflow.sklearn.log_model(
            model,
            name=name,
            signature=signature,
            # MLflow 3.17 cannot write the forests of scikit-learn 1.9 in skops, its default.
            serialization_format="cloudpickle",
            # Without a list MLflow loads the model in a fresh process to find out.
            pip_requirements=["scikit-learn"],
            registered_model_name=name,
        )
    return _champion(logged, batch)


def _champion(logged: ModelInfo, batch: Any) -> Tutorial:
    client = mlflow.MlflowClient()
    client.set_registered_model_alias(logged.name, "champion", "1")
    location = client.get_logged_model(logged.model_id).artifact_location
    return Tutorial(logged.name, logged.model_id, Path(location.removeprefix("file://")), batch)


@contextmanager
def _silence() -> Iterator[None]:
    # MLflow warns of pickles, of integers that cannot be null, of missing examples.
    logger = logging.getLogger("mlflow")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        logger.setLevel(level)
