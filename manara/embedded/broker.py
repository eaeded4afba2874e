"""What a broker is told: its properties, its logging, its first user. Pure: values in, text out.

One node, broker and controller in one process. Three listeners: CLIENT for everybody (TLS and SCRAM-SHA-512),
INTERNAL for the broker's talk with itself and CONTROLLER for the quorum, both with certificates on both sides. Nobody
may read or write anything without an ACL. The container image is configured by the same functions.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath

ADMIN = "admin"
BROKER = "manara-broker"
"""The broker's own principal: the common name of its certificate."""
ITERATIONS = 8192
"""SCRAM's work factor; Kafka's own tools take 4096 as the least."""

LOG4J = """\
status = error
appender.file.type = Console
appender.file.name = FILE
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %d{ISO8601} %-5p %c{1} %m%n
rootLogger.level = warn
rootLogger.appenderRef.file.ref = FILE
# who was refused at the door: an audit trail (the broker says it at INFO)
logger.network.name = org.apache.kafka.common.network
logger.network.level = info
# who was refused a right
logger.authorizer.name = kafka.authorizer.logger
logger.authorizer.level = info
# "Kafka Server started"
logger.server.name = kafka.server.KafkaRaftServer
logger.server.level = info
"""


@dataclass(frozen=True)
class Listeners:
    """The three ports, and where clients find the first from outside.

    `bind` is the address that the client listener binds to, `advertised` (host:port) what clients are told to
    connect to; both differ from 127.0.0.1 in a container alone.
    """

    client: int
    internal: int
    controller: int
    bind: str = "127.0.0.1"
    advertised: str = ""


def broker_properties(
    listeners: Listeners, *, data: PurePath, keystore: PurePath, ca: PurePath, node: int = 1
) -> dict[str, str]:
    """The complete properties of a broker.

    `data` is the folder of its logs, `keystore` the PEM of key and certificate chain, `ca` the PEM of whom it trusts.
    """
    return {
        "node.id": str(node),
        "process.roles": "broker,controller",
        "log.dirs": str(data),
        **_listener_properties(listeners, node),
        **_security_properties(keystore, ca),
        **_LIMITS,
        **_GROUPS,
        **_ONE_SMALL_NODE,
    }


def _listener_properties(at: Listeners, node: int) -> dict[str, str]:
    advertised = at.advertised or f"{at.bind}:{at.client}"
    internal = f"INTERNAL://127.0.0.1:{at.internal}"
    return {
        "listeners": f"CLIENT://{at.bind}:{at.client},{internal},CONTROLLER://127.0.0.1:{at.controller}",
        "advertised.listeners": f"CLIENT://{advertised},{internal}",
        "listener.security.protocol.map": "CLIENT:SASL_SSL,INTERNAL:SSL,CONTROLLER:SSL",
        "inter.broker.listener.name": "INTERNAL",
        "controller.listener.names": "CONTROLLER",
        # a fixed voter, not a dynamic one: the same folder can be started on other ports
        "controller.quorum.voters": f"{node}@127.0.0.1:{at.controller}",
    }


def _security_properties(keystore: PurePath, ca: PurePath) -> dict[str, str]:
    return {
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(keystore),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(ca),
        "ssl.protocol": "TLSv1.3",
        "ssl.enabled.protocols": "TLSv1.3",
        "ssl.principal.mapping.rules": "RULE:^CN=([^,]+).*$/$1/,DEFAULT",
        "listener.name.client.ssl.client.auth": "none",
        "listener.name.internal.ssl.client.auth": "required",
        "listener.name.controller.ssl.client.auth": "required",
        "sasl.enabled.mechanisms": "SCRAM-SHA-512",
        "listener.name.client.scram-sha-512.sasl.jaas.config": (
            "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        ),
        # a login ends an hour after it was made: a deleted user is gone at last (its rights go at once, with its ACLs)
        "listener.name.client.scram-sha-512.connections.max.reauth.ms": "3600000",
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "allow.everyone.if.no.acl.found": "false",
        "super.users": f"User:{BROKER};User:{ADMIN}",
        "auto.create.topics.enable": "false",
        "delete.topic.enable": "true",
    }


_LIMITS = {
    # 56 bytes from a stranger stop a broker with the default of 100 MiB: it reserves what a connection announces
    "socket.request.max.bytes": "4194304",
    "message.max.bytes": "1048588",
    # a demonstration runs all processes of eight agencies and six members behind one address
    "max.connections.per.ip": "1000",
}

_GROUPS = {
    "group.initial.rebalance.delay.ms": "0",
    # classic groups: a worker that was killed is noticed after its own session timeout, 6 s by our settings
    "group.min.session.timeout.ms": "3000",
    # the newer protocol keeps these on the broker; its default would leave partitions alone for 45 s
    "group.consumer.session.timeout.ms": "10000",
    "group.consumer.min.session.timeout.ms": "5000",
    "group.consumer.heartbeat.interval.ms": "3000",
    "group.consumer.min.heartbeat.interval.ms": "2000",
}

_ONE_SMALL_NODE = {
    # after kill -9 the controller waits for the old session to end before it lets the broker in; the default is 9 s
    "broker.session.timeout.ms": "4000",
    "broker.heartbeat.interval.ms": "1000",
    "default.replication.factor": "1",
    "min.insync.replicas": "1",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    "num.network.threads": "2",
    "num.io.threads": "4",
    "num.recovery.threads.per.data.dir": "2",
    "background.threads": "2",
    # an index is mapped into memory at its full length while its segment is the newest: the default, 10 MiB for
    # each partition, is a lot
    "log.index.size.max.bytes": "1048576",
    "log.cleaner.dedupe.buffer.size": "4194304",
}


def render(properties: Mapping[str, str]) -> str:
    """The text of a Java properties file (ISO 8859-1 by definition, hence the escapes)."""
    return "".join(f"{name}={_escape(value)}\n" for name, value in properties.items())


def _escape(value: str) -> str:
    text = value.replace("\\", "\\\\")
    return "".join(char if " " <= char <= "~" else _unicode_escape(char) for char in text)


def _unicode_escape(char: str) -> str:
    units = char.encode("utf-16-be").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))


def java_arguments(arguments: list[str]) -> str:
    """The text of an argument file for `java @FILE`: what stands there is not seen in the list of processes."""
    quoted = (argument.replace("\\", "\\\\").replace('"', '\\"') for argument in arguments)
    return "".join(f'"{argument}"\n' for argument in quoted)


def scram_credential(user: str, password: str, salt: bytes) -> str:
    """The argument of `StorageTool format --add-scram` that makes a user, without the clear password in it.

    It is still worth a password (SCRAM logs in with the salted one), so keep it out of sight.
    """
    salted = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, ITERATIONS)
    salt_text, salted_text = base64.b64encode(salt).decode(), base64.b64encode(salted).decode()
    secret = f'salt="{salt_text}",saltedpassword="{salted_text}"'
    return f'SCRAM-SHA-512=[name="{user}",iterations={ITERATIONS},{secret}]'


def cluster_id(randomness: bytes) -> str:
    """A Kafka uuid: 16 bytes as base64url without padding, and no dash in front (tools would take it for an option)."""
    return base64.urlsafe_b64encode(bytes([randomness[0] & 0x7F]) + randomness[1:16]).decode().rstrip("=")
