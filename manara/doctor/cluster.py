"""Checks of the cluster: TLS, login, directory, rights, our key, the hub's heartbeat and the clock."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import confluent_kafka.admin
from confluent_kafka import TIMESTAMP_NOT_AVAILABLE, KafkaException, Message, TopicCollection, TopicPartition

from manara import keys
from manara.directory import DirectoryReader
from manara.doctor.findings import Finding, fail, ok, skip, warn
from manara.kafka import Problem, admin, consumer, is_noise, reach, without_log_time, words
from manara.settings import Security, Settings
from schemas.directory import Directory
from schemas.topics import Acl, Names, acls

PATIENCE: Final = 5.0
DAY: Final = 86_400
SOON_DAYS: Final = 30
BEAT_SECONDS: Final = 5.0
SILENT_SECONDS: Final = 3 * BEAT_SECONDS
SKEW_WARN, SKEW_FAIL = 1.0, 60.0
"""Seconds between our clock and the broker's; log time decides validity and expiry, so a large one harms."""


@dataclass
class Cluster:
    """What the checks learn from each other: each does its own work, later ones use what earlier ones found."""

    settings: Settings
    reached: bool = False
    directory: Directory | None = None
    refused: tuple[str, ...] = field(default=())

    def tls(self) -> Iterator[Finding]:
        """Whether the broker's certificate holds, and for how long."""
        kafka = self.settings.kafka
        if kafka.security is Security.PLAINTEXT:
            text = f"{kafka.bootstrap} is spoken to without encryption."
            yield warn("tls", text, "Use SASL_SSL outside of a test (MANARA_KAFKA__SECURITY).")
            return
        host, _, port = kafka.bootstrap.split(",")[0].strip().rpartition(":")
        try:
            context = ssl.create_default_context(cafile=kafka.ca)
            with (
                socket.create_connection((host, int(port)), timeout=PATIENCE) as plain,
                context.wrap_socket(plain, server_hostname=host) as wrapped,
            ):
                certificate: Any = wrapped.getpeercert()
                version = wrapped.version()
        except ssl.SSLCertVerificationError as error:
            fix = "Set kafka.ca to the authority that signed it, or renew the broker's certificate."
            yield fail("tls", f"The certificate of {host}:{port} does not hold: {error.verify_message}.", fix)
            return
        except ssl.SSLError:
            fix = "The port may speak another protocol: check MANARA_KAFKA__BOOTSTRAP and MANARA_KAFKA__SECURITY."
            yield fail("tls", f"{host}:{port} does not speak TLS.", fix)
            return
        left = int((ssl.cert_time_to_seconds(certificate["notAfter"]) - time.time()) / DAY)
        text = f"{version} with {host}:{port}; its certificate holds for {left} days more."
        yield ok("tls", text) if left > SOON_DAYS else warn("tls", text, "Renew the broker's certificate.")

    def login(self) -> Iterator[Finding]:
        """Whether the cluster knows us."""
        kafka = self.settings.kafka
        problem = Problem(kafka)
        client = admin(kafka, problem=problem)
        began = time.monotonic()
        reach(client, problem, PATIENCE)
        self.reached = True
        brokers = len(client.list_topics(timeout=PATIENCE).brokers)
        took = (time.monotonic() - began) * 1000
        yield ok(
            "login", f"{kafka.username or 'We'} may log in at {kafka.bootstrap}: {brokers} brokers, {took:.0f} ms."
        )

    def known(self) -> Iterator[Finding]:
        """Whether there is a directory, and what in it is not believed here."""
        if not self.reached:
            yield skip("directory", "The cluster was not reached.")
            return
        with DirectoryReader(self.settings) as reader:
            self.directory, self.refused = reader.wait(PATIENCE), reader.refused
        found = self.directory
        counts = f"{len(found.members)} members, {len(found.agencies)} agencies, {len(found.keys)} believed keys"
        text = f"Snapshot {found.seq}: {counts}."
        if not self.settings.roots:
            fix = "Set their fingerprints under [roots], as their owners told you in person."
            yield warn("directory", f"{text} No root is pinned here, so no key is believed.", fix)
        elif self.refused:
            said = "; ".join(self.refused[:3])
            fix = "Compare pins and directory with the owners of these roots; `manara directory show` lists all."
            yield warn("directory", f"{text} Not believed: {said}.", fix)
        else:
            yield ok("directory", text)

    def rights(self) -> Iterator[Finding]:
        """Whether we may do what the catalogue says that we may."""
        if self.directory is None:
            yield skip("rights", "There is no directory to derive them from.")
            return
        who, names = self.settings.kafka.username, Names(self.settings.topic_prefix)
        due = [acl for acl in acls(self.directory, self.settings.lanes, names=names) if acl.principal == who]
        if not due:
            fix = "Good for the broker's administrator; else a member of the directory has another user name."
            yield warn("rights", f"The catalogue knows no {who or 'user without a name'}.", fix)
            return
        missing = self._missing([acl for acl in due if acl.resource_type == "TOPIC"])
        fix = "The broker's administrator runs `manara topics apply`."
        for acl in missing[:3]:
            yield fail("rights", f"{who} may not {acl.operation} {acl.name}, or it does not exist.", fix)
        if not missing:
            topics = len({acl.name for acl in due})
            yield ok(
                "rights", f"{who} has all {len(due)} rights that the catalogue gives it, on {topics} topics and groups."
            )

    def log_time(self) -> Iterator[Finding]:
        """Whether the broker gives the time wherever strangers write; for the hub and its operator."""
        if self.directory is None:
            yield skip("log time", "There is no directory to derive the topics from.")
            return
        who, names = self.settings.kafka.username, Names(self.settings.topic_prefix)
        rights = acls(self.directory, self.settings.lanes, names=names)
        seen = [a.name for a in rights if a.operation == "DESCRIBE_CONFIGS" and a.principal == who]
        if not seen:
            yield skip("log time", "Only the hub and its operator see the settings of topics.")
            return
        kafka = self.settings.kafka
        try:
            wrong = without_log_time(admin(kafka, problem=Problem(kafka)), seen)
        except KafkaException as error:
            raise words(error.args[0], kafka, what=seen[0]) from error
        for topic in wrong[:3]:
            fix = "The broker's administrator runs `manara topics apply`."
            yield fail("log time", f"Whoever writes to {topic} chooses the time by which it is judged.", fix)
        if not wrong:
            yield ok("log time", f"The broker gives the time on all {len(seen)} topics that we may look at.")

    def our_key(self) -> Iterator[Finding]:
        """Whether the directory believes our signing key, and for how long; for others, which keys end soon."""
        if self.directory is None:
            yield skip("keys", "There is no directory to look them up in.")
            return
        now = int(time.time() * keys.MICROSECONDS)
        if self.settings.key is None:
            yield self._ending(now)
            return
        kid = keys.load(self.settings.key).kid
        key = self.directory.keys.get(kid)
        if key is None:
            fix = "Have it certified (`manara keys certify`), publish the directory, and pin its root here."
            yield fail("keys", f"Our key {kid.hex()} is not in the directory, or not believed.", fix)
        elif key.compromised_since:
            yield fail("keys", f"Our key {kid.hex()} is marked as compromised.", "Make a new one: `manara keys new`.")
        else:
            yield self._validity(key.holder, key.valid_from, key.valid_until, now)

    def heartbeat(self) -> Iterator[Finding]:
        """Whether the hub lives, and how far our clock is from the broker's: the next beat's log time is now."""
        if not self.reached:
            yield skip("heartbeat", "The cluster was not reached.")
            return
        last, fresh = self._beats()
        if last is None:
            yield warn(
                "heartbeat", "The hub has never given a sign of life.", "Start it: `manara hub clock`, gate and route."
            )
            return
        age = time.time() - last
        if not fresh:
            yield warn(
                "heartbeat",
                f"The hub's last sign of life is {age:.0f} s old.",
                "The hub's operator starts `manara hub clock`.",
            )
            yield skip("clock", "It is measured by the hub's sign of life.")
            return
        yield ok("heartbeat", "The hub has just given a sign of life.")
        yield skew(fresh)

    def _missing(self, due: list[Acl]) -> list[Acl]:
        problem = Problem(self.settings.kafka)
        client: Any = admin(self.settings.kafka, problem=problem)
        asked = TopicCollection(sorted({acl.name for acl in due}))
        granted: dict[str, set[str]] = {}
        kafka_admin: Any = confluent_kafka.admin
        described = client.describe_topics(asked, include_authorized_operations=True, request_timeout=PATIENCE)
        for name, future in described.items():
            try:
                operations = future.result().authorized_operations or []
            except KafkaException:  # it does not exist, or we may not even see it
                operations = []
            granted[name] = {kafka_admin.AclOperation(operation).name for operation in operations}
        return [acl for acl in due if acl.operation not in granted[acl.name]]

    def _ending(self, now: int) -> Finding:
        if self.directory is None or not self.directory.keys:
            return skip("keys", "No key is believed here.")
        limit = now + SOON_DAYS * keys.DAY
        ending = sorted(key.holder for key in self.directory.keys.values() if now < key.valid_until < limit)
        if ending:
            fix = "Their owners make new ones (`manara keys new`) and have them certified."
            return warn("keys", f"Keys of {', '.join(ending)} end within {SOON_DAYS} days.", fix)
        return ok("keys", f"No key of the directory ends within {SOON_DAYS} days.")

    def _validity(self, holder: str, start: int, end: int, now: int) -> Finding:
        left = (end - now) // keys.DAY
        if now < start:
            return fail(
                "keys", f"Our key of {holder} is not valid yet.", "Wait, or have it certified with an earlier start."
            )
        if now >= end:
            return fail(
                "keys", f"Our key of {holder} has expired.", "Make a new one (`manara keys new`) and have it certified."
            )
        text = f"Our key of {holder} is believed and holds for {left} days more."
        fix = "Make the next one (`manara keys new`) and have it certified."
        return ok("keys", text) if left > SOON_DAYS else warn("keys", text, fix)

    def _beats(self) -> tuple[float | None, tuple[float, float] | None]:
        """Log time of the last beat in seconds, and log time and arrival of a fresh one where one came in time."""
        topic = Names(self.settings.topic_prefix).heartbeat
        reader = consumer(self.settings.kafka, auto_offset_reset="latest", fetch_wait_max_ms=100)
        try:
            low, high = reader.get_watermark_offsets(TopicPartition(topic, 0), timeout=PATIENCE)
            reader.assign([TopicPartition(topic, 0, max(low, high - 1))])
            last = None
            deadline = time.monotonic() + BEAT_SECONDS + 2
            while time.monotonic() < deadline:
                message = reader.poll(0.05)
                at = self._log_time(message, topic)
                if at is not None and message is not None and (message.offset() or 0) >= high:
                    return at, (at, time.time())
                last = at or last
                if last is not None and time.time() - last > SILENT_SECONDS:
                    return last, None
            return last, None
        except KafkaException as error:
            raise words(error.args[0], self.settings.kafka, what=topic) from error
        finally:
            reader.close()

    def _log_time(self, message: Message | None, topic: str) -> float | None:
        if message is None:
            return None
        error = message.error()
        if error is not None:
            if is_noise(error):
                return None
            raise words(error, self.settings.kafka, what=topic)
        kind, at = message.timestamp()
        return None if kind == TIMESTAMP_NOT_AVAILABLE else at / 1000


def skew(fresh: tuple[float, float]) -> Finding:
    """Our clock against the broker's, from a beat's log time and its arrival by our clock, both in seconds."""
    logged, arrived = fresh
    ahead = arrived - logged
    text = f"Our clock is {abs(ahead):.1f} s {'ahead of' if ahead > 0 else 'behind'} the broker's."
    fix = "Set the clock by NTP (`timedatectl set-ntp true`): validity and expiry are judged by time."
    if abs(ahead) > SKEW_FAIL:
        return fail("clock", text, fix)
    return warn("clock", text, fix) if abs(ahead) > SKEW_WARN else ok("clock", text)
