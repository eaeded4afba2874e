"""Rights of the catalogue and of Kafka, each in the other's terms."""

from __future__ import annotations

from typing import Any, Final

import confluent_kafka.admin

from schemas.topics import Acl, Operation, ResourceType

_kafka: Any = confluent_kafka.admin  # its stubs hide most of what it exports
_USER: Final = "User:"
_RESOURCES: Final[dict[str, ResourceType]] = {"TOPIC": "TOPIC", "GROUP": "GROUP"}
_OPERATIONS: Final[dict[str, Operation]] = {
    "READ": "READ",
    "WRITE": "WRITE",
    "DESCRIBE": "DESCRIBE",
    "DESCRIBE_CONFIGS": "DESCRIBE_CONFIGS",
}


def binding(acl: Acl) -> Any:
    """The right as Kafka takes it: literal, from any host, allowed."""
    return _kafka.AclBinding(*_terms(acl))


def filter_of(acl: Acl) -> Any:
    """A filter that this right alone matches."""
    return _kafka.AclBindingFilter(*_terms(acl))


def everything() -> Any:
    """A filter that every right matches."""
    any_type, any_pattern = _kafka.ResourceType.ANY, _kafka.ResourcePatternType.ANY
    any_operation, any_permission = _kafka.AclOperation.ANY, _kafka.AclPermissionType.ANY
    return _kafka.AclBindingFilter(any_type, None, any_pattern, None, None, any_operation, any_permission)


def acl_of(found: Any) -> Acl | None:
    """A right in the catalogue's terms; None for one that no catalogue could give."""
    resource, operation = _RESOURCES.get(found.restype.name), _OPERATIONS.get(found.operation.name)
    literal = found.resource_pattern_type == _kafka.ResourcePatternType.LITERAL
    allowed = found.permission_type == _kafka.AclPermissionType.ALLOW and found.host == "*"
    if resource is None or operation is None or not (literal and allowed and found.principal.startswith(_USER)):
        return None
    return Acl(found.principal.removeprefix(_USER), resource, found.name, operation)


def foreign(found: Any) -> str:
    """A right that no catalogue gives, and what to do about it."""
    return (
        f"a right that no catalogue gives: {found.principal} {found.permission_type.name} {found.operation.name} "
        f"{found.restype.name} {found.name} ({found.resource_pattern_type.name}, host {found.host}); "
        "look who needs it, and take it away with kafka-acls"
    )


def _terms(acl: Acl) -> tuple[Any, ...]:
    return (
        _kafka.ResourceType[acl.resource_type],
        acl.name,
        _kafka.ResourcePatternType.LITERAL,
        f"{_USER}{acl.principal}",
        "*",
        _kafka.AclOperation[acl.operation],
        _kafka.AclPermissionType.ALLOW,
    )
