"""`manara topics`: makes the cluster as the catalogue says, and shows the catalogue."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from pathlib import Path
from typing import Annotated

import typer

from manara.administration import Administrator, password_path
from manara.console import confirm, err, out, print_json, print_table, progress, settings_of
from manara.directory import DirectoryReader
from manara.directory_file import load_yaml
from manara.errors import ManaraError
from manara.settings import Settings
from manara.topics import Plan, say, wanted
from schemas.directory import Directory
from schemas.topics import Acl

DirectoryOption = Annotated[
    Path | None,
    typer.Option(
        "--directory", help="The directory file; without it, what is published on the cluster.", show_default=False
    ),
]
Json = Annotated[bool, typer.Option("--json", help="For machines: one JSON document on standard output.")]

PATIENCE = 5.0
"""Seconds that somebody at a terminal waits for a cluster that does not answer."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    group = typer.Typer(no_args_is_help=True, help="Topics, rights and users, derived from catalogue and directory.")
    group.command("apply")(apply)
    group.command("list")(list_)
    app.add_typer(group, name="topics")


def apply(
    ctx: typer.Context,
    directory: DirectoryOption = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask; needed without a terminal.")] = False,
    prune: Annotated[bool, typer.Option(help="Also take away rights and users that are not in the catalogue.")] = False,
    secrets: Annotated[
        Path | None,
        typer.Option(help="Where passwords are kept (mode 0600); default: <folder>/secrets.", show_default=False),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show what differs from the catalogue, then mend it: topics, rights, users. Nothing is removed unless --prune.

    Needs the broker's administrator. Example:

      manara --config operator.toml topics apply --directory directory.yaml
    """
    settings = settings_of(ctx)
    who = _directory(settings, directory)
    folder = secrets or settings.folder / "secrets"
    administrator = Administrator(settings, folder, timeout=PATIENCE)
    plan = administrator.plan(who)
    removing = prune and plan.prunable()
    if as_json:
        print_json(plan.as_json())
    else:
        show(plan, folder)
    if plan.empty and not removing:
        err().print("Nothing to do: the cluster is as the catalogue says.")
        return
    if not confirm("Do this?", yes=yes):
        raise ManaraError("Nothing was changed.", "Run it again with --yes to carry the plan out.")
    with progress() as bar:
        task = bar.add_task("topics", total=1)
        administrator.apply(
            plan, step=lambda what, done, of: bar.update(task, description=what, completed=done, total=max(of, 1))
        )
        if removing:
            administrator.prune(plan)
    err().print(f"Done. Passwords of {len(plan.users)} users are in {folder}." if plan.users else "Done.", markup=False)


def list_(
    ctx: typer.Context,
    directory: DirectoryOption = None,
    as_json: Json = False,
) -> None:
    """Show the catalogue: each topic with its writers and readers. Asks no cluster when --directory is given.

    Example:

      manara topics list --directory directory.yaml
    """
    settings = settings_of(ctx)
    goal = wanted(
        _directory(settings, directory),
        lanes=settings.lanes,
        replication=settings.replication,
        prefix=settings.topic_prefix,
    )
    if as_json:
        print_json([_row(topic.name, goal.topics) for topic in goal.topics])
        return
    rows = [
        (topic.name, str(topic.partitions), " ".join(topic.writers), _few(topic.readers), " ".join(topic.schemas))
        for topic in goal.topics
    ]
    print_table(("topic", "partitions", "written by", "read by", "holds"), rows)


def show(plan: Plan, folder: Path) -> None:
    """Print a plan for people: + makes, ~ changes, ? is there and not in the catalogue."""
    screen = out()
    lines = [
        *(f"+ topic {topic.name} ({topic.partitions} partitions)" for topic in plan.create),
        *(f"~ topic {name}: {was} partitions become {to}" for name, was, to in plan.grow),
        *(f"~ topic {change.topic}: {change.name} {change.was} becomes {change.wanted}" for change in plan.change),
        *(f"+ rights of {who}: {_rights(acls)}" for who, acls in groupby(plan.grant, lambda acl: acl.principal)),
        *(f"+ user {user}, password in {password_path(folder, user)}" for user in plan.users),
        *(f"? topic {name} is not in the catalogue; it stays" for name in plan.extra_topics),
        *(f"? right {say(acl)} is not in the catalogue; --prune takes it away" for acl in plan.extra_acls),
        *(f"? user {user} is not in the catalogue; --prune takes it away" for user in plan.extra_users),
        *(f"! {remark}" for remark in plan.remarks),
    ]
    for line in lines:
        screen.print(line, markup=False)


def _rights(acls: Iterable[Acl]) -> str:
    """The rights of one principal in one line; looks are left out beside Read or Write."""
    by_name: dict[str, list[str]] = {}
    for acl in acls:
        by_name.setdefault(acl.name, []).append(acl.operation)
    said = []
    for name, operations in by_name.items():
        strong = [operation for operation in operations if not operation.startswith("DESCRIBE")]
        said.append(f"{'+'.join(strong or operations)} {name}")
    return ", ".join(said)


def _directory(settings: Settings, path: Path | None) -> Directory:
    if path is not None:
        return load_yaml(path).directory()
    with DirectoryReader(settings) as reader:
        return reader.wait(PATIENCE)


def _row(name: str, topics: tuple[object, ...]) -> dict[str, object]:
    topic = next(topic for topic in topics if getattr(topic, "name", "") == name)
    fields = ("name", "partitions", "replication", "config", "schemas", "writers", "readers", "describers", "groups")
    return {field: getattr(topic, field) for field in fields}


def _few(principals: tuple[str, ...]) -> str:
    many = 6
    return " ".join(principals) if len(principals) <= many else f"{len(principals)} principals"
