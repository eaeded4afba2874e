"""Looks at a cluster and carries a plan out: topics, rights, users. The one file that administers Kafka.

It needs the cluster's administrator. Rights and users reach the brokers a moment after Kafka has said yes, so the last
step waits until they can be seen there.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Final

import confluent_kafka.admin
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from manara import rights
from manara.errors import BrokerError, Cause, in_words
from manara.kafka import Problem, admin, reach, words
from manara.settings import Settings, read_private
from manara.topics import Found, Plan, TopicFound, compare, wanted
from schemas.directory import Directory
from schemas.topics import Acl

ITERATIONS: Final = 8192
"""Of SCRAM: the broker's work for each login."""
PASSWORD_BYTES: Final = 24
AT_ONCE: Final = 100
"""Topics in one request: thousands at once make a controller slow for everybody else."""
SETTLE_SECONDS: Final = 30.0
Step = Callable[[str, int, int], None]
"""Told what is being done, how many are done, and of how many."""

_kafka: Any = confluent_kafka.admin  # its stubs hide most of what it exports


class Administrator:
    """The cluster's administrator, for one command. Raises `BrokerError` in words from every method."""

    def __init__(self, settings: Settings, secrets_folder: Path, *, timeout: float = 15.0) -> None:
        self._settings = settings
        self._folder = secrets_folder
        self._timeout = timeout
        problem = Problem(settings.kafka)
        self._client: AdminClient = admin(settings.kafka, problem=problem)
        reach(self._client, problem, timeout)

    def plan(self, directory: Directory) -> Plan:
        """What there is to do so that the cluster is as the catalogue says for this directory."""
        settings = self._settings
        goal = wanted(directory, lanes=settings.lanes, replication=settings.replication, prefix=settings.topic_prefix)
        return compare(
            self.look([topic.name for topic in goal.topics]),
            goal,
            have_password=[user for user in goal.users if password_path(self._folder, user).exists()],
            prefix=settings.topic_prefix,
            admin=settings.kafka.username,
        )

    def look(self, described: Sequence[str] = ()) -> Found:
        """What the cluster has; settings of the topics in `described` alone."""
        listed = self._client.list_topics(timeout=self._timeout).topics
        configs = self._configs([name for name in described if name in listed])
        topics = {
            name: TopicFound(
                partitions=len(found.partitions),
                replication=min((len(part.replicas) for part in found.partitions.values()), default=0),
                config=configs.get(name, {}),
            )
            for name, found in listed.items()
        }
        acls, foreign = self._acls()
        return Found(topics, acls, self._users(), foreign)

    def apply(self, plan: Plan, *, step: Step | None = None) -> None:
        """Carry a plan out, then wait until the brokers know it. Doing it again does no harm."""
        step = step or _silent
        for start in range(0, len(plan.create), AT_ONCE):
            step("topics", start, len(plan.create))
            self._create(plan.create[start : start + AT_ONCE])
        if plan.grow:
            self._done(self._client.create_partitions([_kafka.NewPartitions(name, to) for name, _, to in plan.grow]))
        self._change(plan)
        step("rights", 0, len(plan.grant))
        if plan.grant:
            self._done(self._client.create_acls([rights.binding(acl) for acl in plan.grant]), str)
        step("users", 0, len(plan.users))
        self._make_users(plan.users)
        step("waiting until the brokers know it", 0, 1)
        self._settle(plan)

    def prune(self, plan: Plan) -> None:
        """Take away the rights and users that are not in the catalogue. Sessions of theirs end at their next login."""
        if plan.extra_acls:
            filters = [rights.filter_of(acl) for acl in plan.extra_acls]
            self._done(self._client.delete_acls(filters), str)
        if plan.extra_users:
            gone = [
                _kafka.UserScramCredentialDeletion(user, _kafka.ScramMechanism.SCRAM_SHA_512)
                for user in plan.extra_users
            ]
            self._done(self._client.alter_user_scram_credentials(gone))

    def _create(self, topics: Iterable[Any]) -> None:
        new = [
            _kafka.NewTopic(
                topic.name,
                num_partitions=topic.partitions,
                replication_factor=topic.replication,
                config=dict(topic.config),
            )
            for topic in topics
        ]
        self._done(self._client.create_topics(new), allowed=KafkaError.TOPIC_ALREADY_EXISTS)

    def _change(self, plan: Plan) -> None:
        by_topic: dict[str, list[Any]] = {}
        for change in plan.change:
            entry = _kafka.ConfigEntry(change.name, change.wanted, incremental_operation=_kafka.AlterConfigOpType.SET)
            by_topic.setdefault(change.topic, []).append(entry)
        if by_topic:
            resources = [
                _kafka.ConfigResource(_kafka.ConfigResource.Type.TOPIC, name, incremental_configs=entries)
                for name, entries in by_topic.items()
            ]
            self._done(self._client.incremental_alter_configs(resources), str)

    def _make_users(self, users: Sequence[str]) -> None:
        upsertions = [
            _kafka.UserScramCredentialUpsertion(
                user,
                _kafka.ScramCredentialInfo(_kafka.ScramMechanism.SCRAM_SHA_512, ITERATIONS),
                keep_password(password_path(self._folder, user)).encode(),
            )
            for user in users
        ]
        if upsertions:
            self._done(self._client.alter_user_scram_credentials(upsertions))

    def _settle(self, plan: Plan) -> None:
        deadline = time.monotonic() + SETTLE_SECONDS
        names = {topic.name for topic in plan.create}
        while True:
            found = self.look()
            left = (
                (names - found.topics.keys())
                | (set(plan.users) - found.users)
                | {a.name for a in plan.grant if a not in found.acls}
            )
            if not left:
                return
            if time.monotonic() > deadline:
                raise BrokerError(
                    f"The brokers still do not know {len(left)} things that they were told, as {min(left)}.",
                    "Look at the brokers' logs, then run the command again: it goes on where it stopped.",
                    cause=Cause.CLIENT,
                )
            time.sleep(0.1)

    def _configs(self, topics: Sequence[str]) -> dict[str, Mapping[str, str]]:
        found: dict[str, Mapping[str, str]] = {}
        for start in range(0, len(topics), AT_ONCE):
            asked = [
                _kafka.ConfigResource(_kafka.ConfigResource.Type.TOPIC, name)
                for name in topics[start : start + AT_ONCE]
            ]
            for resource, future in self._client.describe_configs(asked).items():
                entries = self._result(future, resource.name)
                found[resource.name] = {name: str(entry.value) for name, entry in entries.items()}
        return found

    def _acls(self) -> tuple[frozenset[Acl], tuple[str, ...]]:
        ours, foreign = set(), []
        for binding in self._result(self._client.describe_acls(rights.everything()), "the rights"):
            acl = rights.acl_of(binding)
            if acl is None:
                foreign.append(rights.foreign(binding))
            else:
                ours.add(acl)
        return frozenset(ours), tuple(sorted(foreign))

    def _users(self) -> frozenset[str]:
        asked: Any = self._client.describe_user_scram_credentials()
        return frozenset(self._result(asked, "the users"))

    def _done(
        self, futures: Mapping[Any, Future[Any]], name: Callable[[Any], str] = str, allowed: int | None = None
    ) -> None:
        for thing, future in futures.items():
            try:
                future.result(self._timeout * 4)
            except KafkaException as error:
                if error.args[0].code() != allowed:
                    raise self._said(error, name(thing)) from error

    def _result(self, future: Future[Any], what: str) -> Any:
        try:
            return future.result(self._timeout * 4)
        except KafkaException as error:
            raise self._said(error, what) from error

    def _said(self, error: KafkaException, what: str) -> BrokerError:
        said = words(error.args[0], self._settings.kafka, what=what)
        if said.cause is Cause.RIGHTS:
            who = self._settings.kafka.username or "this client"
            remedy = "Use settings with the broker's administrator; of a broker of our own that is the user `admin`."
            return BrokerError(f"{who} may not administer this cluster.", remedy, cause=Cause.RIGHTS)
        return said


def _silent(_what: str, _done: int, _of: int) -> None:
    """Nobody watches."""


def password_path(folder: Path, principal: str) -> Path:
    """Where a principal's password is kept."""
    return folder / f"{principal}.password"


def keep_password(path: Path) -> str:
    """The password in a file, readable by its owner alone; a random one is put there the first time."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return read_private(path).strip()
    except OSError as error:
        raise in_words(error) from error
    password = secrets.token_urlsafe(PASSWORD_BYTES)
    with os.fdopen(handle, "w") as file:
        file.write(f"{password}\n")
        file.flush()
        os.fsync(file.fileno())
    return password
