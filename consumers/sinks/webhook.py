"""The webhook sink: batches of documents to a receiver over HTTPS, signed as Standard Webhooks has it.

    webhook-id         <inbox>-<first>-<last>: the same entries carry the same id, so that a repeat can be told
    webhook-timestamp  seconds, of this attempt
    webhook-signature  one `v1,<base64>` a secret: HMAC-SHA256 over `id.timestamp.body`

At least once. 2xx takes the batch; 400, 413 and 422 refuse something in it; 410 disables the sink until the operator
enables it; all else, redirects included, is tried again later. Withdrawals go out as documents like all others.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import http.client
import ssl
import time
from collections.abc import Callable, Sequence
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from consumers.entry import Cursor, Entry
from consumers.errors import EntryRefusedError, SinkUnavailableError
from consumers.sinks.address import connect
from consumers.sinks.breaker import Breaker
from consumers.sinks.contract import Delivered
from consumers.sinks.ledger import Ledger, Planned
from consumers.view import document, iso, line
from manara.errors import in_words
from manara.settings import WebhookSettings, read_private

BATCH_LIMIT: Final = 100
EVENT: Final = "manara.alerts"
SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - how a secret begins, not one
LEAST_SECRET: Final = 24
MOST_READ: Final = 4096
LONGEST_ASKED: Final = 3600.0
REFUSING: Final = (400, 413, 422)
GONE: Final = 410
TLS_PORT, PLAIN_PORT = 443, 80


def secret(path: Path) -> bytes:
    """The key in a secret's file: `whsec_` and base64 of 24 bytes or more. Raises `SinkUnavailableError`, and
    `SettingsError` where others may read the file."""
    text = read_private(path).strip().removeprefix(SECRET_PREFIX)
    try:
        key = base64.b64decode(text, validate=True)
    except binascii.Error:
        key = b""
    if len(key) < LEAST_SECRET:
        raise SinkUnavailableError(
            f"{path} holds no secret of a webhook.", f"Write {SECRET_PREFIX} and 24 or more bytes."
        )
    return key


def signatures(secrets: Sequence[bytes], id_: str, timestamp: int, body: bytes) -> str:
    """The header `webhook-signature`: one a secret, the newest first, so that a receiver may know either."""
    signed = f"{id_}.{timestamp}.".encode() + body
    made = (base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode() for key in secrets)
    return " ".join(f"v1,{one}" for one in made)


def body_of(batch: Sequence[Entry]) -> bytes:
    """The request's body: type, the time of the last entry, and the documents. The same for the same entries."""
    documents = ",".join(line(document(entry)) for entry in batch)
    return f'{{"type":"{EVENT}","timestamp":"{iso(batch[-1].received_at)}","data":[{documents}]}}'.encode()


class Webhook:
    """Delivers to one receiver. Its cursor is kept in `folder`."""

    name = "webhook"
    batch_limit = BATCH_LIMIT

    def __init__(self, settings: WebhookSettings, folder: Path, *, now: Callable[[], float] = time.time) -> None:
        self._settings, self._now = settings, now
        self._ledger = Ledger(folder)
        self._breaker = Breaker(time.monotonic)
        self._secrets: list[bytes] = []

    def open(self, inbox: str) -> Cursor:
        """Read the secrets and the cursor. Raises `SinkUnavailableError` where the sink is disabled."""
        try:
            cursor = self._ledger.open(inbox)
        except OSError as error:
            raise _said(error) from error
        self._secrets = [secret(path) for path in self._settings.secrets_files]
        self._enabled()
        return cursor

    def deliver(self, batch: Sequence[Entry], upto: Cursor) -> Delivered:
        """One request, then the cursor."""
        self._enabled()
        try:
            return self._ledger.deliver(batch, upto, self._send)
        except OSError as error:
            raise _said(error) from error

    def tell_time(self, at: int) -> None:
        """A receiver hears of expiry by `expires_at`."""

    def close(self) -> None:
        """No connection outlives its request."""

    def _enabled(self) -> None:
        if self._ledger.state.disabled:
            raise SinkUnavailableError(
                f"The webhook is disabled: {self._ledger.state.disabled}.", "Run `manara edge enable --sink webhook`."
            )

    def _send(self, planned: Planned) -> None:
        self._breaker.check("The webhook")
        try:
            status, again_after = self._request(planned.name, body_of(planned.batch))
            self._judge(status, again_after)
        except SinkUnavailableError:
            self._breaker.failed()
            raise
        except (OSError, http.client.HTTPException) as error:
            self._breaker.failed()
            raise _unanswered(error) from error
        self._breaker.worked()

    def _judge(self, status: int, again_after: float) -> None:
        if 200 <= status < 300:  # noqa: PLR2004 - the class of success
            return
        if status in REFUSING:
            self._breaker.worked()
            raise EntryRefusedError(f"The webhook's receiver answered {status}.", "Ask its owner what it cannot take.")
        if status == GONE:
            self._ledger.disable("the receiver answered 410, it wants no more")
        if 300 <= status < 400:  # noqa: PLR2004 - the class of redirects
            raise SinkUnavailableError(
                f"The webhook's receiver answered {status}: redirects are not followed.", "Write the right address."
            )
        raise SinkUnavailableError(
            f"The webhook's receiver answered {status}.", "Ask its owner; the inbox keeps everything meanwhile."
        ).after(again_after)

    def _request(self, id_: str, body: bytes) -> tuple[int, float]:
        """Status, and the seconds to wait that the receiver asks for."""
        url = urlsplit(self._settings.url)
        path = f"{url.path or '/'}{'?' + url.query if url.query else ''}"
        timestamp = int(self._now())
        headers = {
            "content-type": "application/json",
            "user-agent": "manara",
            "webhook-id": id_,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signatures(self._secrets, id_, timestamp, body),
        }
        connection = _Connection(self._settings)
        try:
            connection.request("POST", path, body, headers)
            answer = connection.getresponse()
            answer.read(MOST_READ)
            return answer.status, asked(answer.getheader("retry-after", ""), self._now())
        finally:
            connection.close()


class _Connection(http.client.HTTPConnection):
    """One request to a checked address, by TLS unless the settings say http."""

    def __init__(self, settings: WebhookSettings) -> None:
        url = urlsplit(settings.url)
        self._tls, self._private, host = url.scheme == "https", settings.allow_private, url.hostname or ""
        if not self._tls and not settings.allow_private:
            raise SinkUnavailableError(
                "The webhook's address begins with http:.", "Write https:, or set allow_private."
            )
        super().__init__(host, url.port or (TLS_PORT if self._tls else PLAIN_PORT), timeout=settings.timeout)
        self._patience = settings.timeout

    def connect(self) -> None:
        """Connect to an address that was checked; the certificate must be for the name."""
        self.sock = connect(self.host, self.port, self._patience, allow_private=self._private)
        if self._tls:
            self.sock = ssl.create_default_context().wrap_socket(self.sock, server_hostname=self.host)


def asked(header: str, now: float) -> float:
    """The seconds that a `Retry-After` asks for, an hour at most; 0 where it says nothing of use."""
    try:
        seconds = float(header) if header.strip().isdecimal() else parsedate_to_datetime(header).timestamp() - now
    except (ValueError, TypeError):
        return 0.0
    return min(max(seconds, 0.0), LONGEST_ASKED)


def _unanswered(error: Exception) -> SinkUnavailableError:
    if isinstance(error, ssl.SSLCertVerificationError):
        return SinkUnavailableError(
            f"The webhook's receiver shows a certificate that does not hold: {error.verify_message}.",
            "Ask its owner; do not go on without one that does.",
        )
    return SinkUnavailableError(
        f"The webhook's receiver does not answer ({type(error).__name__}).", "The inbox keeps everything meanwhile."
    )


def _said(error: OSError) -> SinkUnavailableError:
    said = in_words(error)
    return SinkUnavailableError(f"The webhook's state cannot be kept: {said.message}", said.remedy)
