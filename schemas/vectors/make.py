"""Makes the test vectors: what the contract's words mean, in bytes, for every other language.

`python -m schemas.vectors.make` writes them from `input.json`; with `--check` it only compares, and exits with 1 where
they differ. Keys come from seeds in the files, so the same bytes come out every time. Bytes are lower-case hex, times
are microseconds since 1970, UTC.

* `network.json`: the schemas with ids and hashes, who takes part, their keys, and the directory as a value with pins;
* `messages.json`: sealed alerts and signed records: decoded, body, value, headers, Kafka key, digest;
* `hostile.json`: records that must be refused, each with the reason.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from typing import Any, Final

from schemas import codec, message, signature
from schemas.registry import by_name
from schemas.vectors.hostile import hostile
from schemas.vectors.network import AGENCY, FOLDER, inputs, key, network, plain

SIGNERS: Final[Mapping[str, str]] = {
    "verdict": "hub.gate",
    "receipt": "edge.tr",
    "notice": "hub.gate",
    "heartbeat": "hub.clock",
    "answer": "az-customs",
}


def messages() -> dict[str, Any]:
    """`messages.json`."""
    audiences = inputs()["audience"]
    alerts = [
        _alert_vector(name, inputs()[name], audiences[audience])
        for name, audience in (("person", "all"), ("route", "listed"), ("transfer", "all"), ("end", "listed"))
    ]
    return {"alerts": alerts, "records": [_record_vector(name, signer) for name, signer in SIGNERS.items()]}


def _alert_vector(name: str, record: Any, audience: Any) -> dict[str, Any]:
    sealed = message.seal(by_name(name), record, audience, key(AGENCY))
    headers = dict(sealed.headers)
    _, body = codec.unframe(sealed.value)
    claim = signature.read(headers[message.SIG])
    return {
        "name": name,
        "signer": AGENCY,
        "record": plain(codec.decode(by_name(name), body)),
        "audience": audience,
        "body": body.hex(),
        "protected": claim.protected.hex(),
        "sig_structure": signature.structure(claim.protected, body).hex(),
        "key": sealed.key.decode(),
        "value": sealed.value.hex(),
        "sig": headers[message.SIG].hex(),
        "hub": headers[message.HUB].hex(),
        "digest": sealed.digest,
    }


def _record_vector(name: str, signer: str) -> dict[str, Any]:
    value, headers = message.sign_record(by_name(name), inputs()[name], key(signer))
    claim = signature.read(headers[0][1])
    return {
        "name": name,
        "signer": signer,
        "record": inputs()[name],
        "body": value[codec.PREFIX_LENGTH :].hex(),
        "value": value.hex(),
        "sig": headers[0][1].hex(),
        "digest": signature.digest(claim.protected, value[codec.PREFIX_LENGTH :]),
    }


FILES: Final[Mapping[str, Callable[[], Any]]] = {
    "network.json": network,
    "messages.json": messages,
    "hostile.json": hostile,
}


def text_of(made: Any) -> str:
    """A file's text."""
    return json.dumps(made, ensure_ascii=False, indent=1) + "\n"


def main(arguments: list[str]) -> int:
    """Write or compare the files; the exit code of the command."""
    different = []
    for name, make in FILES.items():
        file, text = FOLDER / name, text_of(make())
        if "--check" not in arguments:
            file.write_text(text, encoding="utf-8")
        elif not file.exists() or file.read_text(encoding="utf-8") != text:
            different.append(name)
    if different:
        sys.stderr.write(f"{', '.join(different)}: not what the contract makes; run: python -m schemas.vectors.make\n")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
