"""After a link: the author's own next version that lets the other state read it, or that says who is not meant. Pure.

Content moves in no other way. Nothing of the other side goes into the alert: every reader of ours would learn that the
other state has one, too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from producers import versions
from producers.composing import Draft
from producers.errors import AuthorError, LifeError
from producers.linking import Link, State
from producers.planning import Plan
from producers.versions import Current


def shareable(link: Link, only: str = "") -> tuple[str, ...]:
    """The members with whom this link is to be shared: all on the other sides, or `only` this one. LifeError where it
    is not agreed or they are unnamed, AuthorError where the one is none of them.
    """
    if link.state is not State.AGREED:
        raise LifeError(
            f"The link {link.link_id} is {link.state}: an alert is shared only when both have accepted.",
            "Accept it (`manara links accept`) or wait for the other side; `manara links show` says how it stands.",
        )
    if not link.members:
        raise LifeError(
            f"The link {link.link_id} does not name the other side, so there is nobody to share with.",
            "Wait until the hub names it; the relay brings the notice.",
        )
    if only and only not in link.members:
        raise AuthorError(
            f"{only} is not on the other side of the link {link.link_id}.", f"Name one of: {', '.join(link.members)}."
        )
    return (only,) if only else link.members


def widened(now_at: Current, members: Sequence[str], now: int) -> Draft:
    """The alert's next version, as it is, with these members among its readers. LifeError where they all are."""
    draft = versions.follow(now_at, "UPDATE", now)
    mode, named = draft.audience["mode"], set(draft.audience["members"])
    new = {member for member in members if mode != "ALL" and (member in named) != (mode == "LISTED")}
    if not new:
        who = ", ".join(members)
        raise LifeError(
            f"{who}: among the readers of the alert {now_at.alert_id} already (version {now_at.version}).",
            f"Nothing is to be shared; `manara status {now_at.alert_id}` says who has stored it.",
        )
    named ^= new
    draft.audience.update(mode=mode if named else "ALL", members=sorted(named))
    return draft


def check(found: Plan, members: Sequence[str]) -> None:
    """AuthorError where the policy would not let one of these read it: an update would be sent for nothing."""
    blind = [member for member in members if found.receives is not None and member not in found.receives]
    if not blind:
        return
    why = " ".join(decision.sentence for code, decision in found.decisions if code in blind)
    raise AuthorError(
        f"{', '.join(blind)} would not get it. {why}".strip(),
        "Change what the alert says about handling with `manara update`, or share it in another way.",
    )


def excluding(now_at: Current, entries: Sequence[Mapping[str, Any]], now: int) -> Draft:
    """The alert's next version with persons who are not meant by it. AuthorError where it is not about a person, or
    none of them has a name.
    """
    if now_at.kind != "person":
        raise AuthorError(
            f"The alert {now_at.alert_id} is about a {now_at.kind}: it has no place for persons who are not meant.",
            "The false hit is kept here; nothing else is to be done.",
        )
    draft = versions.follow(now_at, "UPDATE", now)
    known = draft.record["not_this_person"]
    named = [dict(entry) for entry in entries if entry["name"]]
    if not named:
        raise AuthorError(
            "Nobody knows yet who it is that our alert is not about.",
            "Say it with --not-this-person NAME, and --birth and --country where they are known.",
        )
    draft.record["not_this_person"] = [*known, *(entry for entry in named if entry not in known)]
    return draft
