"""The files that a model was trained on, as its run logged them: MLflow's dataset inputs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from ..batch.formats import format_of
from ..credentials import unmasked
from ..errors import Misuse
from .connection import ask_registry
from .local import local_path
from .resolve import resolve_uri

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import DatasetInput

    from ..contract.model_version import ModelVersion

_CONTEXT = "mlflow.data.context"
_OF_TRAINING = {"train", "training"}  # MLflow's autologging says the first, its docs the second
_NAME_THEM = "Name the files: signature-gate learn MODEL DATA…"


class _Source(NamedTuple):
    place: str
    fault: str


def training_data(uri: str, timeout: float | None = None) -> list[str]:
    """List the files that a model was trained on, by their names; Misuse if one cannot be read."""
    if local_path(uri) is not None:
        msg = f"{uri} does not say what it was trained on: only a registry does. {_NAME_THEM}"
        raise Misuse(msg)

    def question(client: MlflowClient) -> tuple[str, list[DatasetInput]]:
        run = _run_of(client, resolve_uri(client, uri))
        logged = client.get_run(run).inputs if run else None
        return run, list(logged.dataset_inputs) if logged else []

    run, inputs = ask_registry(uri, timeout, question)
    sources = {_source(one.dataset) for one in _of_training(inputs)}
    if not sources:
        logged = f"its run {run} logged no data for training" if run else "it has no run"
        msg = f"{uri} does not say what it was trained on: {logged}. {_NAME_THEM}"
        raise Misuse(msg)
    if faults := sorted(f"  {place}: {fault}" for place, fault in sources if fault):
        msg = f"{uri}: its run {run} logged data that cannot be read here:"
        raise Misuse("\n".join([msg, *faults, _NAME_THEM]))
    return sorted(place for place, _ in sources)


def _run_of(client: MlflowClient, model: ModelVersion) -> str:
    if model.model_id:
        return str(client.get_logged_model(model.model_id).source_run_id or "")
    if model.name and model.version:
        return str(client.get_model_version(model.name, model.version).run_id or "")
    return unmasked(model.pinned).removeprefix("runs:/").partition("/")[0]


def _of_training(inputs: list[DatasetInput]) -> list[DatasetInput]:
    """Leave out what was logged for evaluation, if contexts are told at all."""
    contexts = [{tag.value for tag in one.tags if tag.key == _CONTEXT} for one in inputs]
    if not any(contexts):
        return inputs
    return [
        one
        for one, said in zip(inputs, contexts, strict=True)
        if {*map(str.lower, said)} & _OF_TRAINING
    ]


def _source(dataset: Any) -> _Source:
    """Tell where a dataset lies, and what is wrong with that place."""
    kind = str(dataset.source_type)
    stated: dict[str, Any] = json.loads(dataset.source)
    place = stated.get("uri") or stated.get("url")
    if kind in ("spark", "delta_table"):
        place = place or stated.get("path")
    if not place:
        from_memory = "was logged from memory, so that only the code that made it is known"
        fault = from_memory if kind == "code" else f"is a source of the kind {kind}"
        return _Source(f"{dataset.name} ({kind})", fault)
    path = local_path(str(place))
    if path is None:
        fault = "the gate reads files of this machine alone"
    elif not path.exists():
        fault = "there is no such file or folder here"
    else:
        known = path.is_dir() or format_of(path)
        fault = "" if known else "is written in a format that the gate does not read"
    return _Source(str(place if path is None else path), fault)
