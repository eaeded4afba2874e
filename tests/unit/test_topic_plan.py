"""The plan: the steps from what a cluster has to what the catalogue says."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from manara.topics import Found, TopicFound, Wanted, compare, say, wanted
from schemas.topics import Acl
from tests.support.directories import network

GOAL = wanted(network().directory, lanes=2, replication=1)
ALL_TOPICS = {topic.name: TopicFound(topic.partitions, 1, dict(topic.config)) for topic in GOAL.topics}
COMPLETE = Found(ALL_TOPICS, GOAL.acls, frozenset(GOAL.users))


def test_an_empty_cluster_needs_everything() -> None:
    """All topics, rights and users, and nothing is extra."""
    plan = compare(Found({}, frozenset(), frozenset()), GOAL, have_password=())
    assert [topic.name for topic in plan.create] == [topic.name for topic in GOAL.topics]
    assert set(plan.grant) == GOAL.acls
    assert plan.users == GOAL.users
    assert not plan.prunable()


def test_a_complete_cluster_needs_nothing() -> None:
    """A second run changes nothing."""
    plan = compare(COMPLETE, GOAL, have_password=GOAL.users)
    assert plan.empty
    assert not plan.remarks


def test_a_user_whose_password_nobody_has_is_made_anew() -> None:
    """The broker's copy is of no use to anybody."""
    plan = compare(COMPLETE, GOAL, have_password=[user for user in GOAL.users if user != "az-customs"])
    assert plan.users == ("az-customs",)


def test_what_is_there_and_not_in_the_catalogue_is_listed_and_stays() -> None:
    """The administrator is not extra, nor are Kafka's own topics."""
    old = Acl("xx-old", "TOPIC", "alerts.v1.xx-old", "WRITE")
    found = Found(
        {**ALL_TOPICS, "old.v1": TopicFound(1, 1, {}), "__consumer_offsets": TopicFound(50, 1, {})},
        GOAL.acls | {old},
        frozenset({*GOAL.users, "admin", "xx-old"}),
        foreign=("a right by prefix",),
    )
    plan = compare(found, GOAL, have_password=GOAL.users, admin="admin")
    assert plan.empty
    assert plan.extra_topics == ("old.v1",)
    assert plan.extra_acls == (old,)
    assert plan.extra_users == ("xx-old",)
    assert plan.remarks == ("a right by prefix",)


def test_a_prefix_hides_what_does_not_carry_it() -> None:
    """Tests that share a broker do not see each other."""
    goal = wanted(network().directory, lanes=2, replication=1, prefix="t1-")
    plan = compare(COMPLETE, goal, have_password=goal.users, prefix="t1-")
    assert (plan.extra_topics, plan.extra_acls, plan.extra_users) == ((), (), ())
    assert len(plan.create) == len(goal.topics)


def test_a_changed_setting_and_too_few_partitions_are_mended_too_many_remarked() -> None:
    """Kafka cannot take partitions away."""
    topics = dict(ALL_TOPICS)
    topics["alerts.v1.az-customs"] = TopicFound(1, 1, {**topics["alerts.v1.az-customs"].config, "retention.ms": "1"})
    topics["register.v1"] = TopicFound(3, 2, topics["register.v1"].config)
    plan = compare(Found(topics, GOAL.acls, frozenset(GOAL.users)), GOAL, have_password=GOAL.users)
    assert plan.grow == (("alerts.v1.az-customs", 1, 2),)
    assert [(change.topic, change.name, change.was) for change in plan.change] == [
        ("alerts.v1.az-customs", "retention.ms", "1")
    ]
    assert len(plan.remarks) == 2
    assert all(remark.startswith("register.v1 has") for remark in plan.remarks)


@given(st.sets(st.sampled_from(sorted(ALL_TOPICS))), st.sets(st.sampled_from(sorted(GOAL.acls))), st.data())
def test_carrying_a_plan_out_leaves_nothing_to_do(topics: set[str], acls: set[Acl], data: st.DataObject) -> None:
    """From any state in between, one plan is enough."""
    users = data.draw(st.sets(st.sampled_from(sorted(GOAL.users))))
    found = Found({name: ALL_TOPICS[name] for name in topics}, frozenset(acls), frozenset(users))
    plan = compare(found, GOAL, have_password=users)
    after = Found(
        {**found.topics, **{topic.name: ALL_TOPICS[topic.name] for topic in plan.create}},
        found.acls | set(plan.grant),
        found.users | set(plan.users),
    )
    assert compare(after, GOAL, have_password=users | set(plan.users)).empty


def test_a_suspended_member_loses_its_rights_by_pruning() -> None:
    """They are extra as soon as the directory says so."""
    suspended = network(members={"AZ": {"standing": "SUSPENDED"}}).directory
    goal: Wanted = wanted(suspended, lanes=2, replication=1)
    plan = compare(COMPLETE, goal, have_password=GOAL.users)
    assert plan.empty
    assert set(plan.extra_users) == {"az-customs", "az-police", "edge.az"}
    assert {acl.principal for acl in plan.extra_acls} == {"az-customs", "az-police", "edge.az"}
    assert not plan.extra_topics


def test_a_plan_speaks_to_machines_and_people() -> None:
    """The same facts."""
    plan = compare(Found({}, frozenset(), frozenset()), GOAL, have_password=())
    shown = plan.as_json()
    assert shown["users"] == list(GOAL.users)
    assert say(Acl("a-b", "TOPIC", "t", "READ")) == "a-b may READ topic t"
