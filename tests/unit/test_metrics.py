"""The catalogue of metrics: complete, well named, closed in its labels, at zero from the start."""

from __future__ import annotations

import ast
from pathlib import Path

from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.exposition import generate_latest

from manara import metrics
from schemas.reasons import REMEDY, Reason

ROOT = Path(__file__).parents[2]
ROLES = ("manara", "producers", "streams", "consumers")
DECLARED = {name: value for name, value in vars(metrics).items() if isinstance(value, (Counter, Gauge, Histogram))}
UNITS = ("_seconds", "_bytes", "_total", "_records", "_messages", "_entries", "_waiting", "_owned", "_info", "_seq")


def uses() -> set[tuple[str, str]]:
    """Every `metrics.<name>` in our code, with its file."""
    found = set()
    for role in ROLES:
        for path in (ROOT / role).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "metrics":
                    found.add((node.attr, str(path.relative_to(ROOT))))
    return found


def test_every_metric_is_named_and_described() -> None:
    """One prefix, base units, `_total` on counters alone, a sentence of help."""
    for name, kind, text in metrics.catalogue():
        assert name.startswith("manara_")
        assert text.endswith("."), name
        assert kind == "counter" or not name.endswith("_total")
        assert not name.endswith(("_ms", "_kb"))
    for name, metric in DECLARED.items():
        whole = metric._name + ("_total" if isinstance(metric, Counter) else "")
        assert whole.endswith(UNITS), f"{name} has no unit"


def test_labels_come_from_closed_sets() -> None:
    """Of this file or of the directory; never an alert id or a person."""
    for name, metric in DECLARED.items():
        known = set(metrics.LABELS) | metrics.DIRECTORY_LABELS
        assert set(metrics.labels_of(metric)) <= known, name


def test_known_values_stand_at_zero_from_the_start() -> None:
    """A rate needs a first value, and a dashboard shows that nothing was refused."""
    shown = generate_latest(metrics.REGISTRY).decode()
    for reason in Reason:
        assert f'manara_refused_total{{reason="{reason}"}} ' in shown
    assert 'manara_admitted_total{kind="person",precedence="FLASH"} ' in shown
    assert 'manara_batches_total{stage="gate"} ' in shown


def test_the_directory_adds_its_members_and_agencies_at_zero() -> None:
    """As soon as it is known."""
    metrics.start(["QA"], ["qa-test"])
    shown = generate_latest(metrics.REGISTRY).decode()
    assert 'manara_stored_total{member="QA",sink="postgres"} 0.0' in shown
    assert 'manara_agency_messages_total{agency="qa-test",result="refused"} 0.0' in shown


def test_every_reason_is_a_label_and_an_unknown_one_is_folded() -> None:
    """The set stays closed whatever a newer hub says."""
    assert {metrics.reason_label(reason) for reason in REMEDY} == set(REMEDY)
    assert metrics.reason_label("RULE_OF_TOMORROW") == metrics.RULE_OTHER


def test_every_metric_that_is_used_is_declared() -> None:
    """And nothing else of this module is made up elsewhere."""
    for name, path in uses():
        assert hasattr(metrics, name), f"{path} uses metrics.{name}, which is not declared"


def test_metrics_are_declared_nowhere_else() -> None:
    """This catalogue is the whole truth: nobody else imports a kind of metric."""
    for role in ROLES:
        for path in (ROOT / role).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if (
                    isinstance(node, ast.ImportFrom)
                    and node.module == "prometheus_client"
                    and path.name != "metrics.py"
                ):
                    assert {name.name for name in node.names} <= {"CollectorRegistry"}, path
