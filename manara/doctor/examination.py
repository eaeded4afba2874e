"""The doctor's round: which checks there are, and in which order."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from manara.doctor import machine, sink
from manara.doctor.cluster import Cluster
from manara.doctor.findings import Check, Finding, examine, of_error, skip
from manara.errors import SettingsError
from manara.settings import Settings


def round_(config: Path | None) -> Iterator[Finding]:
    """Every finding, as soon as it is found.

    Wrong settings are a finding too: the rest is looked at with the defaults.
    """
    yield from examine("python", machine.python)
    yield from examine("schemas", machine.contract)
    try:
        settings = Settings.load(config)
    except SettingsError as error:
        yield of_error("settings", error)
        settings = Settings()
    else:
        yield from machine.settings_file(settings, config)
    for name, check in _checks(settings):
        yield from examine(name, check)


def _checks(settings: Settings) -> list[tuple[str, Check]]:
    here: list[tuple[str, Check]] = [
        ("folder", partial(machine.folder, settings)),
        ("spools", partial(machine.spools, settings)),
        ("lanes", partial(machine.lanes, settings)),
        ("key file", partial(machine.key_file, settings)),
        ("port", partial(machine.http_port, settings)),
        ("java", partial(machine.java, settings)),
        ("kafka jars", partial(machine.jars, settings)),
        ("postgres", partial(sink.postgres, settings)),
    ]
    if not settings.kafka.bootstrap:
        return [*here, ("login", _no_cluster)]
    cluster = Cluster(settings)
    return [
        *here,
        ("tls", cluster.tls),
        ("login", cluster.login),
        ("directory", cluster.known),
        ("rights", cluster.rights),
        ("log time", cluster.log_time),
        ("keys", cluster.our_key),
        ("heartbeat", cluster.heartbeat),
    ]


def _no_cluster() -> Iterator[Finding]:
    yield skip(
        "login", "The settings name no cluster (MANARA_KAFKA__BOOTSTRAP); `manara broker` starts one of your own."
    )
