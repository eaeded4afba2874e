"""Blocks as the stages behind the gate read them: one that is none ends the process, for only the gate writes them."""

from __future__ import annotations

from typing import cast

from schemas import codec, registry
from schemas.errors import ContractError
from schemas.models import Block
from streams.engine.contract import Record
from streams.engine.errors import Exit, Stop


def read_block(record: Record) -> Block:
    """The block in a record of admitted.v1."""
    schema = registry.by_name("block")
    try:
        schema_id, body = codec.unframe(record.value or b"")
        found = codec.decode(schema if schema_id == schema.id else registry.by_id(schema_id), body)
    except ContractError as error:
        place = f"{record.topic}/{record.partition}/{record.offset}"
        raise Stop(Exit.BROKEN_BLOCK, f"{place} is not a block: {error}") from error
    if "admitted" not in found:
        raise Stop(Exit.BROKEN_BLOCK, f"{record.topic}/{record.partition}/{record.offset} holds another record")
    return cast("Block", found)
