"""Every metric of every process: this file is their catalogue, and contains nothing else.

Base units (seconds, bytes), `_total` on counters alone. Labels come from closed sets: those in `LABELS`, whose every
value stands at zero from the start, and the members, agencies and holders of the directory. Never the id of an alert, a
person or an address. Update once a batch. The objects live in a registry of our own; the global one is not touched.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Final, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from manara.errors import Cause
from schemas.models import LinkClass, LinkState, Outcome, Precedence, Stage
from schemas.notices import MATCHES
from schemas.reasons import REMEDY

REGISTRY: Final = CollectorRegistry(auto_describe=True)
"""What /metrics of this process shows."""

RULE_OTHER: Final = "RULE_OTHER"


def _known(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(value for value in values if value != "UNKNOWN")


LABELS: Final[Mapping[str, tuple[str, ...]]] = {
    "stage": ("gate", "route", "receipts", "clock", "index", "correlate", "links", "edge", "relay"),
    "kind": ("person", "route", "transfer"),
    "precedence": _known(get_args(Precedence)),
    "outcome": _known(get_args(Outcome)),
    "reason": (*REMEDY, RULE_OTHER),
    "cause": tuple(Cause),
    "receipt": _known(get_args(Stage)),
    "sink": ("postgres", "filedrop", "webhook", "syslog"),
    "spool": ("outbox", "inbox", "receipts"),
    "partition": ("live", "bulk"),
    "result": ("admitted", "refused"),
    "link_class": _known(get_args(LinkClass)),
    "link_state": _known(get_args(LinkState)),
    "notice": MATCHES,
    "answered": ("taken", "again", "refused"),
}
"""The closed sets of label values. `UNKNOWN` of the enums is left out: no sender of ours writes it."""
DIRECTORY_LABELS: Final = frozenset({"member", "agency", "holder", "child", "version"})
"""Labels whose values come from the directory, from the list of processes that a supervisor was given, or from this
release.
"""

_MILLISECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_DELIVERY = (
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1,
    2.5,
    5,
    10,
    30,
    60,
    300,
    1800,
    14400,
)  # the clocks of receipts are edges
_MESSAGES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


def reason_label(reason: str) -> str:
    """A refusal's reason as a label: a rule that this release does not know is counted under `RULE_OTHER`."""
    return reason if reason in REMEDY else RULE_OTHER


def _zero(metric: Counter | Gauge | Histogram, labels: tuple[str, ...]) -> None:
    if labels and DIRECTORY_LABELS.isdisjoint(labels):
        for values in itertools.product(*(LABELS[label] for label in labels)):
            metric.labels(*values)


def _counter(name: str, help_: str, *labels: str) -> Counter:
    made = Counter(f"manara_{name}", help_, labels, registry=REGISTRY)
    _zero(made, labels)
    return made


def _gauge(name: str, help_: str, *labels: str) -> Gauge:
    made = Gauge(f"manara_{name}", help_, labels, registry=REGISTRY)
    _zero(made, labels)
    return made


def _histogram(name: str, help_: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
    made = Histogram(f"manara_{name}", help_, labels, buckets=buckets, registry=REGISTRY)
    _zero(made, labels)
    return made


# every process
build_info = _gauge("build_info", "Always 1; the label tells which release runs.", "version")
broker_errors = _counter("broker_errors_total", "Complaints of this process's Kafka clients, by cause.", "cause")
batches = _counter("batches_total", "Batches worked off, by stage.", "stage")
records = _counter("records_total", "Records taken in, by stage.", "stage")
batch_seconds = _histogram(
    "batch_seconds", "Time from a batch's arrival to its last confirmed effect.", _MILLISECONDS, "stage"
)
lag_records = _gauge("lag_records", "Records that wait in the stage's inputs.", "stage")
lag_seconds = _gauge("lag_seconds", "Age of the oldest record not yet worked off; 0 when there is none.", "stage")
last_progress = _gauge(
    "last_progress_timestamp_seconds", "When the stage last finished a batch or found nothing to do.", "stage"
)
directory_seq = _gauge("directory_seq", "Number of the directory snapshot in use; 0 when there is none.")
directory_refused = _counter("directory_refused_total", "Directory snapshots or keys in them that were not believed.")
key_expiry = _gauge(
    "key_expiry_timestamp_seconds", "When the key that this process signs with stops being valid.", "holder"
)
heartbeat_age = _gauge("heartbeat_age_seconds", "Time since the hub's last sign of life, by our clock.")
clock_skew = _gauge("clock_skew_seconds", "Our clock less the broker's; positive when ours is ahead.")
child_restarts = _counter("child_restarts_total", "Processes that a supervisor had to start again.", "child")

# agency
accepted = _counter("accepted_total", "Alerts signed and durable in the outbox.", "kind")
spool_waiting = _gauge("spool_waiting", "Messages that wait in a durable spool.", "spool")
spool_oldest = _gauge(
    "spool_oldest_seconds", "Age of the oldest message that waits in a spool; 0 when there is none.", "spool"
)
relay_sent = _counter("relay_sent_total", "Messages that the broker has confirmed to the relay.", "partition")
relay_resent = _counter("relay_resent_total", "Messages sent again because the cluster or the topic was made anew.")
verdicts_received = _counter("verdicts_received_total", "Verdicts of the hub on our messages.", "outcome")
verdicts_unmatched = _counter("verdicts_unmatched_total", "Verdicts on messages that the outbox does not know.")

# gate
admitted = _counter("admitted_total", "Messages admitted, first time.", "kind", "precedence")
admitted_again = _counter("admitted_again_total", "Messages that were admitted before and came again.", "kind")
refused = _counter("refused_total", "Messages refused, by reason.", "reason")
agency_messages = _counter("agency_messages_total", "Messages of each agency that were judged.", "agency", "result")
agency_gaps = _counter("agency_sequence_gaps_total", "Gaps in an agency's sequence numbers.", "agency")
quarantined = _counter("quarantined_total", "Messages kept in quarantine.")
poisoned = _counter("poisoned_batches_total", "Batches that could not be read from the log and were stepped past.")
verify_seconds = _histogram("verify_seconds", "Time to verify the signatures of one batch.", _MILLISECONDS)
block_messages = _histogram("block_messages", "Admitted messages in a block.", _MESSAGES)
block_bytes = _counter("block_bytes_total", "Bytes of blocks written.")
lanes_owned = _gauge("lanes_owned", "Lanes that this gate works.")
lanes_waiting = _gauge(
    "lanes_waiting", "Lanes that stand still: blocks are lost between snapshot and log. Above 0 is an alarm."
)
register_entries = _gauge("register_entries", "Alerts in this gate's register.")

# route, receipts, clock
routed = _counter("routed_total", "Messages put into the members' feeds.", "member", "kind")
nobody = _counter("routed_to_nobody_total", "Admitted messages that no member may read.", "kind")
receipts_forwarded = _counter("receipts_forwarded_total", "Receipts handed on to their authors.", "receipt")
receipts_refused = _counter("receipts_refused_total", "Receipts that were not believed, by reason.", "reason")
heartbeats = _counter("heartbeats_total", "Signs of life written by the clock.")

# index, correlate, links
indexed = _counter("indexed_total", "Versions of alerts handed on to correlation.", "kind")
unindexed = _counter("unindexed_total", "Alerts that could not be made ready for correlation.", "kind")
correlated = _gauge("correlation_entries", "Living alerts in the index of correlation.")
compared = _counter("compared_total", "Pairs of alerts that were compared.")
uncompared = _counter("uncompared_total", "Pairs whose comparison failed: a defect of a matcher.")
links_written = _counter("links_written_total", "Matches written, by class and state.", "link_class", "link_state")
over_correlating = _gauge("over_correlating_entries", "Values held by too many alerts to say anything.")
excluded = _counter("excluded_tokens_total", "Times that a value of the exclusion list was passed over.")
match_notices = _counter("match_notices_total", "Notices of matches to authors, by type.", "notice")
match_answers = _counter("match_answers_total", "Answers of authors to matches, by what became of them.", "answered")
match_quota = _counter("match_quota_total", "Offers held back because an agency's day is used up.", "agency")

# edge
received = _counter("received_total", "Messages read from the feeds.", "member", "kind")
repeated = _counter("repeated_total", "Messages that were in the inbox already.", "member")
edge_refused = _counter("edge_refused_total", "Messages from the hub that an edge refused.", "member", "reason")
inbox_waiting = _gauge("inbox_waiting", "Messages in the inbox that a sink has not stored yet.", "member", "sink")
stored = _counter("stored_total", "Messages stored in a national system.", "member", "sink")
sink_failures = _counter(
    "sink_failures_total", "Batches that a sink could not store and will try again.", "member", "sink"
)
dead_letters = _counter("dead_letters_total", "Messages that a sink can never store.", "member", "sink")
receipts_sent = _counter(
    "receipts_sent_total", "Receipts that the broker has confirmed to the edge.", "member", "receipt"
)
delivery_seconds = _histogram(
    "delivery_seconds", "From admission at the hub to the commit in the national system.", _DELIVERY, "precedence"
)

_BY_DIRECTORY: Final = (
    agency_messages, agency_gaps, routed, received, repeated, edge_refused, stored, sink_failures, dead_letters,
    receipts_sent, match_quota,
)  # fmt: skip


def start(members: Collection[str] = (), agencies: Collection[str] = ()) -> None:
    """Put what only the directory tells at zero, and say which release runs.

    Call it again when the directory has changed.
    """
    try:
        build_info.labels(version("manara")).set(1)
    except PackageNotFoundError:  # run from a folder that was never installed
        build_info.labels("unknown").set(1)
    values = {**LABELS, "member": tuple(members), "agency": tuple(agencies)}
    for metric in _BY_DIRECTORY:
        for combination in itertools.product(*(values[label] for label in labels_of(metric))):
            metric.labels(*combination)


def labels_of(metric: Counter | Gauge | Histogram) -> tuple[str, ...]:
    """The names of a metric's labels, in order."""
    return tuple(metric._labelnames)  # noqa: SLF001 - the library has no public way to ask


def catalogue() -> list[tuple[str, str, str]]:
    """Name, type and help of every metric, for documents and tests."""
    return sorted((family.name, family.type, family.documentation) for family in REGISTRY.collect())
