"""Reading one batch in a process of its own: who unpacks a bomb dies of it, and it need not be the gate.

`prove` starts `python -m streams.engine.sandbox` under a small memory limit. That process first asks the broker for raw
bytes and reads the batch's header, which stands before everything that is packed and says how far the batch goes. Then
it reads the batch as the gate would, and says each offset that it got. If it dies before it has got all of them, the
batch is proven to be the reason; if it dies later, something behind it was.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import signal
import struct
import subprocess
import sys
import time
from typing import Final

from confluent_kafka import KafkaError, TopicPartition

from manara import kafka as kernel
from manara.settings import KafkaSettings
from streams.engine.unreadable import POISON, Unreadable

MEMORY: Final = 256 * 1024 * 1024
"""Bytes of data that the sandbox may use. An honest batch inflates to a few megabytes."""
SECONDS: Final = 60
"""And as long it may take."""
OUT_OF_MEMORY: Final = 70
DEADLY: Final = frozenset({OUT_OF_MEMORY, -signal.SIGABRT, -signal.SIGSEGV, -signal.SIGBUS})
"""How a process ends that a batch has killed; any other end proves nothing."""
_HEADER = struct.Struct(">qiibIhi")  # base offset, length, leader epoch, magic, checksum, attributes, last offset delta


def prove(settings: KafkaSettings, topic: str, topic_id: str, partition: int, offset: int) -> Unreadable:
    """The batch at `offset` as a stretch to step past if it kills its reader, else an empty one. It waits."""
    harmless = Unreadable(topic, topic_id, partition, offset, offset - 1, poison=False)
    if _nothing_there(settings, topic, partition, offset):
        return harmless
    order = {"kafka": _with_password(settings), "topic": topic, "partition": partition, "offset": offset}
    tried = subprocess.run(
        [sys.executable, "-m", "streams.engine.sandbox"],
        input=json.dumps(order),  # by a pipe: it holds the password
        capture_output=True,
        text=True,
        check=False,
    )
    last, got = verdict(tried.stdout)
    if tried.returncode not in DEADLY or last is None or got >= last:
        return harmless
    return Unreadable(topic, topic_id, partition, offset, last, poison=True)


def verdict(said: str) -> tuple[int | None, int]:
    """What a sandbox said before its end: the batch's last offset (None: not found out), and the last one it got."""
    numbers = [int(line) for line in said.splitlines() if line.isdigit()]
    return (numbers[0], max(numbers[1:], default=-1)) if numbers else (None, -1)


def _nothing_there(settings: KafkaSettings, topic: str, partition: int, offset: int) -> bool:
    """Whether the log ends at `offset`. Asks for the end alone, and fetches nothing."""
    client = kernel.consumer(settings)
    try:
        _low, high = client.get_watermark_offsets(TopicPartition(topic, partition), timeout=10.0)
    finally:
        client.close()
    return high <= offset


def span(raw: bytes) -> tuple[int, int]:
    """First and last offset of the batch that raw bytes of Kafka begin with. ValueError for anything else."""
    if len(raw) < _HEADER.size:
        raise ValueError("shorter than the header of a batch")
    base, _length, _epoch, magic, _checksum, _attributes, delta = _HEADER.unpack_from(raw)
    if magic != 2:  # noqa: PLR2004 - the only format that brokers of today write
        raise ValueError(f"a batch of format {magic}")
    return base, base + delta


def _with_password(settings: KafkaSettings) -> dict[str, object]:
    given = settings.model_dump(mode="json") | {"password_file": None, "password": None}
    if settings.password is not None or settings.password_file is not None:
        given["password"] = settings.secret()
    return given


# ---------------------------------------------------------------------- inside


def main() -> None:
    """What the process does: it says offsets, and dies if the batch is what it is suspected to be."""
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.alarm(SECONDS)
    order = json.loads(sys.stdin.read())
    settings = KafkaSettings(**order["kafka"])
    place = order["topic"], order["partition"], order["offset"]
    last = asyncio.run(_measure(settings, *place))
    _say(last)
    try:
        _read(settings, *place, last)
    except (MemoryError, SystemError):  # the second is how the client says the first
        os._exit(OUT_OF_MEMORY)
    os._exit(0)  # before anything behind the batch is unpacked


def _say(offset: int) -> None:
    sys.stdout.write(f"{offset}\n")
    sys.stdout.flush()


def _read(settings: KafkaSettings, topic: str, partition: int, offset: int, last: int) -> None:
    """Get every record of the batch. Whatever else happens says nothing against it."""
    client = kernel.consumer(settings, fetch_message_max_bytes=1, queued_min_messages=1, enable_partition_eof=True)
    client.assign([TopicPartition(topic, partition, offset)])
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        message = client.poll(1.0)
        error = None if message is None else message.error()
        if message is None or (error is not None and kernel.is_noise(error)):
            continue
        if error is not None:
            # refused by the client itself, so it will be in the gate, which steps past it; or the end of the log
            if error.code() in POISON or error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001
                return
            continue
        _say(message.offset() or 0)
        if (message.offset() or 0) >= last:
            return


async def _measure(settings: KafkaSettings, topic: str, partition: int, offset: int) -> int:
    """The last offset of the batch at `offset`. Only its header is looked at; nothing is unpacked."""
    from aiokafka.client import AIOKafkaClient  # noqa: PLC0415 - only this process needs it
    from aiokafka.protocol.fetch import FetchRequest  # noqa: PLC0415
    from aiokafka.structs import TopicPartition as Place  # noqa: PLC0415

    client = AIOKafkaClient(**settings.aiokafka())
    await client.bootstrap()
    try:
        await client.set_topics([topic])
        node = client.cluster.leader_for_partition(Place(topic, partition))
        request = FetchRequest(1000, 1, 1, 0, [(topic, [(partition, offset, 1)])])
        answer = await client.send(node, request)
        raw = answer.topics[0][1][0][-1]
        return span(bytes(raw))[1]
    finally:
        await client.close()


if __name__ == "__main__":
    main()
