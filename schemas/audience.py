"""Who may read an alert: one pure function over facts, audience and one directory snapshot.

It fails closed: whatever it does not know (a member, a mode, a TLP label, a handling code, an author) denies. Every
decision names the rule that made it, so that an operator can ask afterwards why a member did or did not receive an
alert (`manara explain`). The hub decides by it; an agency asks it beforehand who would receive an alert. Rules:
contract section 5, "Audience".
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from schemas.directory import Directory, Member

# TLP 2.0, least restrictive first; UNKNOWN is not here, so that it clears nobody and nothing.
TLP_RANK: Mapping[str, int] = {"CLEAR": 0, "GREEN": 1, "AMBER": 2, "AMBER_STRICT": 3, "RED": 4}
HANDLING_CODES = frozenset({"H0", "H1", "H2", "H3"})
GOOD = "GOOD"


class Rule(StrEnum):
    """Ids of the rules. The first three grant, all others deny; the first that applies decides."""

    AUDIENCE_ALL = "AUDIENCE_ALL"
    AUDIENCE_LISTED = "AUDIENCE_LISTED"
    AUDIENCE_ALL_BUT = "AUDIENCE_ALL_BUT"
    AUTHOR_UNKNOWN = "AUTHOR_UNKNOWN"
    AUTHOR_STANDING = "AUTHOR_STANDING"
    READER_UNKNOWN = "READER_UNKNOWN"
    READER_STANDING = "READER_STANDING"
    AUDIENCE_UNKNOWN = "AUDIENCE_UNKNOWN"
    OWN_ALERT = "OWN_ALERT"
    NOT_LISTED = "NOT_LISTED"
    EXCLUDED = "EXCLUDED"
    TLP_UNKNOWN = "TLP_UNKNOWN"
    RED_NEEDS_LIST = "RED_NEEDS_LIST"
    NOT_SUBSCRIBED = "NOT_SUBSCRIBED"
    TLP_CLEARANCE = "TLP_CLEARANCE"
    HANDLING_UNKNOWN = "HANDLING_UNKNOWN"
    HANDLING_CLEARANCE = "HANDLING_CLEARANCE"


GRANTS: Mapping[str, Rule] = {
    "ALL": Rule.AUDIENCE_ALL,
    "LISTED": Rule.AUDIENCE_LISTED,
    "ALL_BUT": Rule.AUDIENCE_ALL_BUT,
}

_SENTENCES: Mapping[Rule, str] = {
    Rule.AUDIENCE_ALL: "{reader} reads it: the alert is for all members, and {reader} is in good standing, subscribed "
    "to {kind} and cleared for {tlp} and {codes}.",
    Rule.AUDIENCE_LISTED: "{reader} reads it: the author listed {reader}, which is in good standing, subscribed to "
    "{kind} and cleared for {tlp} and {codes}.",
    Rule.AUDIENCE_ALL_BUT: "{reader} reads it: the alert is for all members but {members}, and {reader} is in good "
    "standing, subscribed to {kind} and cleared for {tlp} and {codes}.",
    Rule.AUTHOR_UNKNOWN: "Nobody reads it: the author's member {author} is not in the directory.",
    Rule.AUTHOR_STANDING: "Nobody reads it: the author's member {author} is not in good standing.",
    Rule.READER_UNKNOWN: "{reader} does not read it: it is not in the directory.",
    Rule.READER_STANDING: "{reader} does not read it: it is not in good standing.",
    Rule.AUDIENCE_UNKNOWN: "Nobody reads it: the audience mode {mode} is not one this hub knows.",
    Rule.OWN_ALERT: "{reader} does not read it: its own agency wrote it, and the audience is not a list that names it.",
    Rule.NOT_LISTED: "{reader} does not read it: the author listed {members}.",
    Rule.EXCLUDED: "{reader} does not read it: the author excluded it by name.",
    Rule.TLP_UNKNOWN: "Nobody reads it: the TLP label {tlp} is not one this hub knows.",
    Rule.RED_NEEDS_LIST: "Nobody reads it: TLP RED needs a listed audience.",
    Rule.NOT_SUBSCRIBED: "{reader} does not read it: it does not subscribe to {kind}.",
    Rule.TLP_CLEARANCE: "{reader} does not read it: it is cleared up to {clearance}, the alert is {tlp}.",
    Rule.HANDLING_UNKNOWN: "Nobody reads it: one of the handling codes {codes} is not one this hub knows.",
    Rule.HANDLING_CLEARANCE: "{reader} does not read it: it is not cleared for all of the handling codes {codes}.",
}


class Facts(NamedTuple):
    """What the policy looks at in an alert: kind, the author's member code, TLP label, handling codes (sorted)."""

    kind: str
    member: str
    tlp: str
    codes: tuple[str, ...]


class Audience(NamedTuple):
    """Whom the author addressed: mode ALL, LISTED or ALL_BUT, and the members that the mode is about."""

    mode: str
    members: tuple[str, ...]


class Readers(NamedTuple):
    """Members to deliver to, sorted; and the ids of every rule that granted or denied somebody, sorted."""

    deliver: tuple[str, ...]
    rules: tuple[str, ...]


class Decision(NamedTuple):
    """Whether one member may read one alert, by which rule, in a sentence for people."""

    allowed: bool
    rule: Rule
    sentence: str


def facts(kind: str, header: Mapping[str, Any]) -> Facts:
    """The facts of an alert: `header` is its AlertHeader."""
    handling = header["handling"]
    return Facts(kind, header["member"], handling["tlp"], tuple(sorted(set(handling["codes"]))))


def audience(hub: Mapping[str, Any]) -> Audience:
    """The audience in a hub header (HubHeader)."""
    return Audience(hub["mode"], tuple(hub["members"]))


def readers(facts: Facts, audience: Audience, directory: Directory) -> Readers:
    """The members that may read the alert: for each of the directory's members, `decide`."""
    decisions = [(code, decide(facts, audience, directory, code)) for code in sorted(directory.members)]
    granted = GRANTS.get(audience.mode)
    deliver = tuple(code for code, rule in decisions if rule is granted)
    return Readers(deliver, tuple(sorted({rule.value for _, rule in decisions})))


def decide(facts: Facts, audience: Audience, directory: Directory, member: str) -> Rule:
    """The rule that decides about one member. Only a rule of GRANTS lets it read."""
    common = _nobody(facts, audience, directory)
    if common is not None:
        return common
    reader = directory.members.get(member)
    if reader is None:
        return Rule.READER_UNKNOWN
    return _addressed(facts, audience, reader) or _cleared(facts, reader) or GRANTS[audience.mode]


def explain(facts: Facts, audience: Audience, directory: Directory, member: str) -> Decision:
    """The decision about one member with the sentence that an operator reads."""
    rule = decide(facts, audience, directory, member)
    reader = directory.members.get(member)
    sentence = _SENTENCES[rule].format(
        reader=member,
        author=facts.member,
        kind=facts.kind,
        tlp=facts.tlp,
        codes=", ".join(facts.codes) or "no handling code",
        mode=audience.mode,
        members=", ".join(audience.members) or "nobody",
        clearance=reader.tlp if reader else "nothing",
    )
    return Decision(rule in GRANTS.values(), rule, sentence)


def _nobody(facts: Facts, audience: Audience, directory: Directory) -> Rule | None:
    """The rule that denies everybody, if one does."""
    author = directory.members.get(facts.member)
    if author is None:
        return Rule.AUTHOR_UNKNOWN
    if author.standing != GOOD:
        return Rule.AUTHOR_STANDING
    if audience.mode not in GRANTS:
        return Rule.AUDIENCE_UNKNOWN
    if facts.tlp not in TLP_RANK:
        return Rule.TLP_UNKNOWN
    if facts.tlp == "RED" and audience.mode != "LISTED":
        return Rule.RED_NEEDS_LIST
    if not HANDLING_CODES.issuperset(facts.codes):
        return Rule.HANDLING_UNKNOWN
    return None


def _addressed(facts: Facts, audience: Audience, reader: Member) -> Rule | None:
    """The rule that says this member was not addressed, if one does."""
    if reader.standing != GOOD:
        return Rule.READER_STANDING
    if audience.mode == "LISTED":
        return None if reader.code in audience.members else Rule.NOT_LISTED
    if reader.code == facts.member:
        return Rule.OWN_ALERT
    return Rule.EXCLUDED if audience.mode == "ALL_BUT" and reader.code in audience.members else None


def _cleared(facts: Facts, reader: Member) -> Rule | None:
    """The rule that says this member may not see such an alert, if one does."""
    if facts.kind not in reader.subscriptions:
        return Rule.NOT_SUBSCRIBED
    if TLP_RANK.get(reader.tlp, -1) < TLP_RANK[facts.tlp]:
        return Rule.TLP_CLEARANCE
    if not reader.handling.issuperset(facts.codes):
        return Rule.HANDLING_CLEARANCE
    return None
