"""A saved verdict in the data docs of any GX project."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlparse

from pydantic import ValidationError

from ..errors import Misuse
from ..escaping import slug
from ..verdict.verdict import Verdict
from .gx_results import answers, contract_of, safe, suite_of

if TYPE_CHECKING:
    from ..gx.engine import ExpectationSuiteValidationResult

_MARKUP = re.compile(r"<[a-zA-Z/!?]|javascript:", re.IGNORECASE)


def validation_result(verdict: Verdict) -> ExpectationSuiteValidationResult:
    """Build the result that GX would have returned, had it judged.

    Data docs show it, and actions of checkpoints take it. Each expectation that was judged is
    there; the facts of the verdict are in its ``meta``. A verdict without a contract raises Misuse.
    """
    from ..gx.engine import suite_result

    meta = {
        "name": safe(verdict.batch.name),
        "run": slug(verdict.batch.name),
        "model": str(verdict.model) if verdict.model else None,
        "disposition": verdict.disposition,
        "engine": verdict.engine,
        "violations": [violation.message for violation in verdict.violations],
    }
    return suite_result(suite_of(verdict)["name"], answers(verdict), meta)


def publish_docs(verdict_path: str | Path, project_folder: str | Path) -> Path:
    """Put a saved verdict into a GX project, build its data docs, and return their index page.

    Nothing that was in the project is overwritten. Misuse is raised if there is no such verdict or
    contract, if the project cannot be opened or has no data docs on this machine, and if GX's pages
    would run the name of a column.
    """
    from ..gx.engine import project, store

    verdict = _read(Path(verdict_path))
    _refuse_markup(verdict)
    suite, result = suite_of(verdict, whole=True), validation_result(verdict)
    with project(Path(project_folder)) as context:
        key = store(context, suite, result)
        pages: Any = [key, key.expectation_suite_identifier]
        context.build_data_docs(resource_identifiers=pages)
        sites = [site["site_url"] for site in context.get_docs_sites_urls()]
    index = [Path(unquote(urlparse(url).path)) for url in sites if url and url.startswith("file:")]
    if not index:
        msg = (
            f"the GX project in {project_folder} has the result now, but no data docs on this "
            "machine. Add a site to its great_expectations.yml, and build them with GX."
        )
        raise Misuse(msg)
    return index[0]


def _refuse_markup(verdict: Verdict) -> None:
    contract = contract_of(verdict)
    marked = [column.name for column in contract.columns if _MARKUP.search(column.name)]
    if not marked and _MARKUP.search(json.dumps(contract.rules, ensure_ascii=False)):
        msg = (
            "a rule holds what would be markup in GX's pages, which do not escape rules. Write the "
            "rule without `<` before a letter and without `javascript:` to publish its verdicts."
        )
        raise Misuse(msg)
    if marked:
        msg = (
            f"column {marked[0]!r} would be markup in GX's pages, which do not escape names. "
            "Log the model with another name for it to publish its verdicts there."
        )
        raise Misuse(msg)


def _read(path: Path) -> Verdict:
    try:
        return Verdict.from_json(path.read_text("utf-8"))
    except OSError as error:
        msg = f"cannot read the verdict {path}: {error.strerror}. Check the path."
        raise Misuse(msg) from error
    except (ValidationError, UnicodeDecodeError) as error:
        msg = f"{path} is no verdict. Save one with `signature-gate check … --json > FILE`."
        raise Misuse(msg) from error
