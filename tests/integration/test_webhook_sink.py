"""The webhook sink against a real HTTP server: the contract of sinks, signatures, and receivers that misbehave."""

from __future__ import annotations

import base64
import json
import secrets
import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from consumers.entry import Entry
from consumers.errors import EntryRefusedError, SinkUnavailableError
from consumers.sinks import address
from consumers.sinks.breaker import Breaker
from consumers.sinks.contract import Sink
from consumers.sinks.ledger import Ledger
from consumers.sinks.webhook import Webhook, asked
from manara.errors import SettingsError
from manara.settings import WebhookSettings
from tests.support.certificates import self_signed
from tests.support.entries import entries, mixture
from tests.support.receivers import Receiver
from tests.support.sink_contract import Key, SinkContract, keys, told

pytestmark = pytest.mark.integration

INBOX = "0123456789abcdef" * 2


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Somebody else's server."""
    server = Receiver()
    yield server
    server.close()


def secret_file(folder: Path, name: str = "secret") -> tuple[Path, bytes]:
    """A new secret in a file as the operator writes it, and its bytes."""
    key = secrets.token_bytes(32)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.touch(0o600)
    path.write_text("whsec_" + base64.b64encode(key).decode() + "\n")
    return path, key


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A server's certificate and key."""
    return self_signed(tmp_path / "server")


class WebhookSystem:
    """A receiver that keeps all it gets, and dedupes by id."""

    forgets = False

    def __init__(self, receiver: Receiver, folder: Path) -> None:
        self.receiver, self.folder = receiver, folder
        self.path, self.key = secret_file(folder)
        self.given: dict[str, Any] = {"allow_private": True, "timeout": 2}

    def sink(self, **changes: Any) -> Sink:
        """A new adapter."""
        given = {"url": f"http://127.0.0.1:{self.receiver.port}/hook?x=1", "secrets_files": (self.path,)}
        return Webhook(WebhookSettings(**{**given, **self.given, **changes}), self.folder / "webhook")

    def holds(self) -> list[Key]:
        """The alerts taken; every request that was taken must be signed."""
        taken = self.receiver.taken()
        assert all(got.holds(self.key) for got in taken)
        rows = [row for got in taken for row in got.documents if row["type"] == "ALERT"]
        return sorted((row["agency"], row["alert_id"], row["version"]) for row in rows)

    def state(self, agency: str, alert_id: str) -> str:
        """By the documents."""
        return told((row for got in self.receiver.taken() for row in got.documents), agency, alert_id)

    def finds(self, text: str) -> bool:
        """In any request."""
        return any(text.encode() in got.body for got in self.receiver.got)

    def fail(self) -> Callable[[], None]:
        """Answer 503 to all."""
        self.receiver.answer = lambda _: (503, {})

        def cure() -> None:
            self.receiver.answer = lambda _: (200, {})

        return cure


class TestWebhookKeepsTheContract(SinkContract):
    """The webhook passes every law."""

    @pytest.fixture
    def system(self, receiver: Receiver, tmp_path: Path) -> WebhookSystem:
        """A fresh receiver."""
        return WebhookSystem(receiver, tmp_path / "edge")


@pytest.fixture
def system(receiver: Receiver, tmp_path: Path) -> WebhookSystem:
    """A receiver and its adapter's folder."""
    return WebhookSystem(receiver, tmp_path / "edge")


@pytest.fixture
def batch(tmp_path: Path) -> list[Entry]:
    """Nine alerts and a notice."""
    return entries(mixture(9), tmp_path / "inbox")


def opened(sink: Sink) -> Sink:
    """The same, open."""
    sink.open(INBOX)
    return sink


def test_during_a_rotation_both_secrets_are_believed(system: WebhookSystem, batch: list[Entry]) -> None:
    """One signature a secret; a third party's secret fits none, nor does another body."""
    newer, key = secret_file(system.folder, "newer")
    opened(system.sink(secrets_files=(newer, system.path))).deliver(batch, batch[-1].cursor)
    (got,) = system.receiver.got
    assert got.holds(key)
    assert got.holds(system.key)
    assert not got.holds(secrets.token_bytes(32))
    assert not got._replace(body=got.body + b" ").holds(key)
    assert not got._replace(timestamp=str(int(got.timestamp) + 1)).holds(key)


def test_after_a_lost_answer_the_same_batch_has_the_same_id(system: WebhookSystem, batch: list[Entry]) -> None:
    """The receiver has taken it, we do not know: with more waiting, the old borders and the old id come again."""
    sink = opened(system.sink(timeout=0.3))
    system.receiver.delay.clear()
    with pytest.raises(SinkUnavailableError):
        sink.deliver(batch[:4], batch[3].cursor)
    system.receiver.delay.set()
    again = system.sink()
    assert again.open(INBOX).number == 0
    done = again.deliver(batch, batch[-1].cursor)
    assert done.cursor == batch[3].cursor
    again.deliver(batch[4:], batch[-1].cursor)
    assert {got.id[9:] for got in system.receiver.got} == {"000000000001-000000000004", "000000000005-000000000010"}
    assert system.holds() == keys(batch)


def test_a_receiver_that_is_gone_is_left_alone_until_enabled(system: WebhookSystem, batch: list[Entry]) -> None:
    """410: not one request more, over restarts; then the same batch goes."""
    system.receiver.answer = lambda _: (410, {})
    sink = opened(system.sink())
    with pytest.raises(SinkUnavailableError):
        sink.deliver(batch, batch[-1].cursor)
    for again in (sink, system.sink()):
        with pytest.raises(SinkUnavailableError, match="disabled"):
            again.open(INBOX)
    assert len(system.receiver.got) == 1
    assert Ledger(system.folder / "webhook").enable()
    assert not Ledger(system.folder / "webhook").enable()
    system.receiver.answer = lambda _: (200, {})
    opened(system.sink()).deliver(batch, batch[-1].cursor)
    assert system.holds() == keys(batch)


def test_a_redirect_is_not_followed(system: WebhookSystem, batch: list[Entry]) -> None:
    """Neither to ourselves nor to anybody's inner network."""
    system.receiver.answer = lambda _: (307, {"location": f"http://127.0.0.1:{system.receiver.port}/other"})
    with pytest.raises(SinkUnavailableError, match="redirects are not followed"):
        opened(system.sink()).deliver(batch, batch[-1].cursor)
    assert len(system.receiver.got) == 1


@pytest.mark.parametrize("status", [400, 413, 422])
def test_what_the_receiver_cannot_take_is_refused(system: WebhookSystem, batch: list[Entry], status: int) -> None:
    """The drain finds out which entry it is."""
    system.receiver.answer = lambda _: (status, {})
    with pytest.raises(EntryRefusedError, match=str(status)):
        opened(system.sink()).deliver(batch, batch[-1].cursor)


@pytest.mark.parametrize("status", [401, 404, 429, 500, 503])
def test_retry_after_is_kept(system: WebhookSystem, batch: list[Entry], status: int) -> None:
    """The receiver says when."""
    system.receiver.answer = lambda _: (status, {"retry-after": "17"})
    with pytest.raises(SinkUnavailableError) as caught:
        opened(system.sink()).deliver(batch, batch[-1].cursor)
    assert caught.value.again_after == 17


def test_after_five_failures_nobody_is_asked_for_a_minute(system: WebhookSystem, batch: list[Entry]) -> None:
    """The circuit breaker outlives the closing and opening of the sink."""
    cure = system.fail()
    sink = system.sink()
    asked_for = []
    for _ in range(7):
        opened(sink)
        with pytest.raises(SinkUnavailableError) as caught:
            sink.deliver(batch, batch[-1].cursor)
        asked_for.append(caught.value.again_after)
    assert len(system.receiver.got) == 5
    assert 0 < asked_for[-1] <= 60
    cure()


def test_the_breaker_lets_one_try_through_after_its_rest() -> None:
    """One more failure opens it again; one success closes it."""
    clock = [0.0]
    breaker = Breaker(lambda: clock[0])
    for _ in range(5):
        breaker.check("It")
        breaker.failed()
    with pytest.raises(SinkUnavailableError):
        breaker.check("It")
    clock[0] = 60.0
    breaker.check("It")
    breaker.failed()
    with pytest.raises(SinkUnavailableError):
        breaker.check("It")
    clock[0] = 120.0
    breaker.check("It")
    breaker.worked()
    breaker.failed()
    breaker.check("It")


@pytest.mark.parametrize(
    "where",
    ["127.0.0.1", "10.1.2.3", "169.254.169.254", "192.168.0.1", "::1", "fe80::1", "::ffff:127.0.0.1", "0.0.0.0",
     "100.64.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "224.0.0.1", "fc00::1"],
)  # fmt: skip
def test_inner_addresses_are_not_public(where: str) -> None:
    """However they are written."""
    assert not address.public(where)
    assert address.public("9.9.9.9")
    assert address.public("2620:fe::fe")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "2130706433", "0x7f000001"])
def test_an_inner_address_is_refused_before_a_connection(system: WebhookSystem, batch: list[Entry], host: str) -> None:
    """Also where it hides in a number or behind a name."""
    sink = opened(system.sink(url=f"https://{host}:{system.receiver.port}/", allow_private=False))
    with pytest.raises(SinkUnavailableError, match=r"no public address|cannot be resolved"):
        sink.deliver(batch, batch[-1].cursor)
    assert system.receiver.got == []


def test_the_address_that_was_checked_is_the_one_connected_to(
    system: WebhookSystem, batch: list[Entry], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name server that answers otherwise the second time (rebinding) is not asked a second time."""
    asked_for: list[str] = []
    connected: list[Any] = []
    real = socket.getaddrinfo

    def rebinding(host: str, port: int, *args: Any, **more: Any) -> Any:
        asked_for.append(host)
        return real("9.9.9.9" if len(asked_for) == 1 else "127.0.0.1", port, *args, **more)

    def connect(where: Any, *_: Any) -> socket.socket:
        connected.append(where)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    monkeypatch.setattr(socket, "create_connection", connect)
    sink = opened(system.sink(url="https://rebinding.invalid/", allow_private=False))
    with pytest.raises(SinkUnavailableError):
        sink.deliver(batch, batch[-1].cursor)
    assert asked_for == ["rebinding.invalid"]
    assert connected == [("9.9.9.9", 443)]


def test_one_inner_address_among_several_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name with a good and a bad address is bad."""
    real = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo",
        lambda _host, port, **more: [*real("9.9.9.9", port, **more), *real("10.0.0.1", port, **more)],
    )  # fmt: skip
    with pytest.raises(SinkUnavailableError, match=r"10\.0\.0\.1"):
        address.connect("both.invalid", 443, 1, allow_private=False)


def test_plain_http_is_refused(system: WebhookSystem, batch: list[Entry]) -> None:
    """Unless the operator allows what is private."""
    with pytest.raises(SinkUnavailableError, match="http"):
        opened(system.sink(allow_private=False)).deliver(batch, batch[-1].cursor)


def test_a_certificate_that_nobody_vouches_for_is_refused(
    tmp_path: Path, batch: list[Entry], certificate: tuple[Path, Path]
) -> None:
    """TLS is verified; with its authority trusted the same receiver is believed."""
    receiver = Receiver(certificate)
    system = WebhookSystem(receiver, tmp_path / "edge")
    try:
        sink = opened(system.sink(url=f"https://localhost:{receiver.port}/"))
        with pytest.raises(SinkUnavailableError, match="certificate"):
            sink.deliver(batch, batch[-1].cursor)
        assert receiver.got == []
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SSL_CERT_FILE", str(certificate[0]))
            opened(sink).deliver(batch, batch[-1].cursor)
        assert system.holds() == keys(batch)
    finally:
        receiver.close()


def test_a_secret_that_others_can_read_is_refused(system: WebhookSystem) -> None:
    """As every secret of ours."""
    system.path.chmod(0o644)
    with pytest.raises(SettingsError, match="others can read"):
        system.sink().open(INBOX)


def test_a_file_without_a_secret_is_said_and_not_repeated(system: WebhookSystem) -> None:
    """Too short, or no base64."""
    system.path.write_text("whsec_shortsecret")
    with pytest.raises(SinkUnavailableError, match="no secret") as caught:
        system.sink().open(INBOX)
    assert "shortsecret" not in str(caught.value)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("12", 12), ("", 0), ("soon", 0), ("99999999", 3600), ("Tue, 24 Nov 2026 12:00:30 GMT", 30), ("-5", 0)],
)
def test_retry_after_is_read_in_both_forms(header: str, seconds: float) -> None:
    """Seconds or a date; an hour at most; nonsense is nothing."""
    assert asked(header, 1795521600.0) == seconds


def test_the_body_is_the_same_for_the_same_entries(system: WebhookSystem, batch: list[Entry]) -> None:
    """A receiver may compare repeats; it is JSON with type, timestamp and documents."""
    for _ in range(2):
        opened(system.sink()).deliver(batch, batch[-1].cursor)
    one, two = system.receiver.got
    assert (one.id, one.body) == (two.id, two.body)
    assert json.loads(one.body)["type"] == "manara.alerts"
    assert [row["number"] for row in one.documents] == list(range(1, 11))


def test_python_verifies_certificates_by_default() -> None:
    """What the sink rests on."""
    assert ssl.create_default_context().verify_mode == ssl.CERT_REQUIRED
