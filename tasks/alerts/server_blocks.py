"""The Prefect server that alerts are installed on, and its notification blocks."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx
from prefect.blocks.core import Block
from prefect.client.orchestration import get_client
from prefect.exceptions import ObjectNotFound
from prefect.settings import get_current_settings

from ...expectations.errors import GateError, Misuse

if TYPE_CHECKING:
    from collections.abc import Generator

    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import BlockDocument

WEBHOOK = "webhook"  # the one type of block that can be called and is no notification
_PAGE = 200


def is_server_named() -> bool:
    """Whether a variable or profile of Prefect's names a server."""
    return bool(get_current_settings().api.url)


@contextmanager
def prefect_server() -> Generator[SyncPrefectClient]:
    """Open the server that is named; Misuse if none is, GateError if it does not answer."""
    address = get_current_settings().api.url
    if not address:
        msg = (
            "deployments and alerts are things of a Prefect server, and none is named. Start one "
            "with `prefect server start` and set PREFECT_API_URL, such as "
            "http://127.0.0.1:4200/api; or do without: "
            "`signature-gate score FEED.yaml --notify URL`."
        )
        raise Misuse(msg)
    try:
        with get_client(sync_client=True) as client:
            yield client
    except (httpx.HTTPError, RuntimeError) as error:
        said = str(error).partition("\n")[0] or type(error).__name__
        msg = (
            f"the Prefect server at {address} does not do as it is asked: {said}. "
            f"Check that it runs, PREFECT_API_URL, and PREFECT_API_AUTH_STRING if it wants one."
        )
        raise GateError(msg) from error


def find_block(client: SyncPrefectClient, named: str) -> BlockDocument:
    """Look up a notification block by ``TYPE/NAME``; Misuse if there is none that can notify."""
    type_, slash, name = named.partition("/")
    if not slash or not type_ or not name:
        msg = f"--block {named}: a block is named TYPE/NAME.{_those_there(client)}"
        raise Misuse(msg)
    try:
        block = client.read_block_document_by_name(name, type_, include_secrets=False)
    except ObjectNotFound as error:
        msg = f"--block {named}: the server has no such block.{_those_there(client)}"
        raise Misuse(msg) from error
    if not _can_tell(block):
        msg = f"--block {named}: a block of that type notifies nobody.{_those_there(client)}"
        raise Misuse(msg)
    return block


def load_block(named: str) -> Any:
    """Load a block by ``TYPE/NAME``, with its secrets."""
    return Block.load(named)


def _those_there(client: SyncPrefectClient) -> str:
    there = sorted(label_of(block) for block in _blocks(client) if _can_tell(block))
    if there:
        return f" Those that can tell somebody: {', '.join(there)}."
    return (
        " The server has none that could tell somebody: make one on its page Blocks, for instance "
        "a Slack Webhook, or a Custom Webhook for any other receiver."
    )


def _blocks(client: SyncPrefectClient) -> Generator[BlockDocument]:
    offset = 0
    while page := client.read_block_documents(offset=offset, limit=_PAGE, include_secrets=False):
        yield from page
        offset += len(page)


def label_of(block: BlockDocument) -> str:
    """Name a block as ``TYPE/NAME``."""
    return f"{block.block_type.slug if block.block_type else '?'}/{block.name}"


def _can_tell(block: BlockDocument) -> bool:
    capabilities = block.block_schema.capabilities if block.block_schema else []
    is_webhook = bool(block.block_type and block.block_type.slug == WEBHOOK)
    return is_webhook or "notify" in capabilities
