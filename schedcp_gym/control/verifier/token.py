"""Tokens: the verifier's signed result, so that only what passed is deployed.

A token is text: ``scp1.<claims>.<signature>``, both in base64url. The claims are canonical JSON; the signature is
Ed25519, by a key that is made on this host when it is first needed and never leaves it.
"""

import base64
import binascii
import contextlib
import datetime
import errno
import hashlib
import hmac
import json
import os
import re
import stat
from collections.abc import Iterable
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from schedcp_gym.control.verifier.report import Stage
from schedcp_gym.machine.image import Image
from schedcp_gym.paths import state_root
from schedcp_gym.spec import BadInput, MachineSpec, SchedcpError
from schedcp_gym.spec.policy import Value

PREFIX = "scp1"
#: Characters a token may have; a policy with a hundred tunables needs less than half.
TOKEN_LIMIT = 16_384
LIFETIME = datetime.timedelta(days=30)
#: How far the clocks of two processes may be apart.
CLOCK_SKEW = datetime.timedelta(minutes=5)
KEY_LIMIT = 1024

_KEY_TEXT = re.compile(r"ed25519 ([0-9a-f]{64}) ([0-9a-f]{64})\n")
_SHA256 = r"^[0-9a-f]{64}$"
_TOPOLOGY = r"^(\d{1,3}(x\d{1,3}){3})?$"


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid", strict=True))
class TokenClaims:
    """The statement that a token signs.

    Attributes:
        object_digest: SHA-256 (hex) of the compiled object.
        kernel: Release of the kernel it was verified on.
        image_digest: The image's digest.
        tunables: (name, value) pairs in order of name.
        stages: The stages it passed, by name.
        cpus: CPUs of the machine it was verified on.
        topology: That machine's topology, as nodes x LLCs x cores x threads; empty when it had none, and then not
            written: tokens from before there were topologies are of this kind.
        issued_at: UTC, seconds since 1970.
        expires_at: UTC, seconds since 1970.
    """

    object_digest: str = Field(pattern=_SHA256)
    kernel: str = Field(min_length=1, max_length=200)
    image_digest: str = Field(pattern=_SHA256)
    tunables: tuple[tuple[str, Value], ...]
    stages: tuple[str, ...]
    cpus: int = Field(ge=1, le=1024)
    topology: str = Field(default="", pattern=_TOPOLOGY)
    issued_at: int = Field(ge=0, le=1 << 40)
    expires_at: int = Field(ge=0, le=1 << 40)


_CLAIMS = TypeAdapter(TokenClaims)


def object_digest(compiled: bytes) -> str:
    """Return the SHA-256 (hex) of a compiled policy."""
    return hashlib.sha256(compiled).hexdigest()


def issue(
    *,
    object_digest: str,
    image: Image,
    tunables: tuple[tuple[str, Value], ...],
    stages: Iterable[Stage],
    machine: MachineSpec,
    now: datetime.datetime | None = None,
    lifetime: datetime.timedelta = LIFETIME,
) -> str:
    """Sign that a policy passed.

    Args:
        object_digest: Of the compiled policy, as ``object_digest`` gives it.
        image: What it was verified on.
        tunables: The values it was verified with.
        stages: What it passed.
        machine: The machine it was verified on.
        now: Time of issue (with a time zone); the present if None.
        lifetime: How long the token is good for.

    Raises:
        BadInput: The claims are too long for a token.
        SchedcpError: The host's key can't be read or made.
    """
    issued_at = int(_moment(now).timestamp())
    claims = TokenClaims(
        object_digest=object_digest,
        kernel=image.kernel,
        image_digest=image.digest,
        tunables=tuple(sorted(tunables)),
        stages=tuple(stage.value for stage in Stage if stage in set(stages)),
        cpus=machine.cpus,
        topology=machine.topology,
        issued_at=issued_at,
        expires_at=issued_at + int(lifetime.total_seconds()),
    )
    signed = f"{PREFIX}.{_encode(_canonical(claims))}"
    text = f"{signed}.{_encode(_key().sign(signed.encode()))}"
    if len(text) > TOKEN_LIMIT:
        raise BadInput(f"the token would have {len(text)} characters; {TOKEN_LIMIT} are allowed")
    return text


def read(token: str, *, now: datetime.datetime | None = None) -> TokenClaims:
    """Return what a token claims, if it is complete, signed by this host, and in date.

    Raises:
        BadInput: It is malformed, forged or expired; the text says which.
        SchedcpError: The host's key can't be read.
    """
    signed, payload, signature = _parts(token.strip())
    try:
        _key().public_key().verify(signature, signed.encode())
    except InvalidSignature:
        raise BadInput("the token is forged: its signature is not this host's, or it was changed") from None
    claims = _claims(payload)
    at = _moment(now).timestamp()
    if at >= claims.expires_at:
        raise BadInput(f"the token expired at {_shown(claims.expires_at)}: verify the policy again")
    if at < claims.issued_at - CLOCK_SKEW.total_seconds():
        raise BadInput(f"the token is not valid before {_shown(claims.issued_at)}: is the clock right?")
    return claims


def check(
    token: str,
    *,
    object_digest: str,
    image: Image,
    tunables: tuple[tuple[str, Value], ...],
    machine: MachineSpec,
    needed_stages: Iterable[Stage] = tuple(Stage),
    now: datetime.datetime | None = None,
) -> TokenClaims:
    """Return what a token claims, if it is good for this policy on this kernel.

    Args:
        token: The text.
        object_digest: Of what is about to be deployed.
        image: Where it is about to be deployed.
        tunables: With which values.
        machine: The machine it is about to be deployed on.
        needed_stages: What it must have passed.
        now: The time (with a time zone); the present if None.

    Raises:
        BadInput: It is not good; one sentence says why.
        SchedcpError: The host's key can't be read.
    """
    claims = read(token, now=now)
    if not hmac.compare_digest(claims.object_digest, object_digest):
        raise BadInput("the token is for another object: the policy's source, or its compiler, has changed since")
    if claims.kernel != image.kernel:
        raise BadInput(f"the token is for another kernel: {claims.kernel}, not {image.kernel}")
    if not hmac.compare_digest(claims.image_digest, image.digest):
        raise BadInput(f"the token is for another image of kernel {image.kernel}: verify the policy again")
    if _plain(claims.tunables) != _plain(sorted(tunables)):
        verified = " ".join(f"{name}={value}" for name, value in claims.tunables) or "the defaults"
        raise BadInput(f"the token is for other tunables: {verified}; deploy it with those, or verify it with these")
    if (claims.cpus, claims.topology) != (machine.cpus, machine.topology):
        verified, here = _shape(claims.cpus, claims.topology), _shape(machine.cpus, machine.topology)
        option = f"--machine {machine.topology}" if machine.topology else f"--cpus {machine.cpus}"
        raise BadInput(f"the token is for a machine of {verified}, not {here}: verify the policy with {option}")
    missing = [stage.value for stage in needed_stages if stage.value not in claims.stages]
    if missing:
        raise BadInput(f"the token lacks {'stage' if len(missing) == 1 else 'stages'} {', '.join(missing)}")
    return claims


def _moment(now: datetime.datetime | None) -> datetime.datetime:
    if now is not None and now.tzinfo is None:
        raise BadInput("a time without a time zone can't be compared with a token's: give one with a time zone")
    return now or datetime.datetime.now(datetime.UTC)


def _shown(seconds: int) -> str:
    try:
        return datetime.datetime.fromtimestamp(seconds, datetime.UTC).isoformat(timespec="seconds")
    except (ValueError, OverflowError, OSError):
        return f"second {seconds}"


def _shape(cpus: int, topology: str) -> str:
    return f"{cpus} CPU{'s' if cpus > 1 else ''}" + (f" ({topology})" if topology else "")


def _plain(value: object) -> str:
    """Return a value as JSON, which tells true from 1; Python does not."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _canonical(claims: TokenClaims) -> bytes:
    values = _CLAIMS.dump_python(claims, mode="json")
    if not claims.topology:
        del values["topology"]
    return _plain(values).encode()


def _encode(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    """Return the bytes, if the text is the only way to write them."""
    try:
        content = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise BadInput("the token is malformed: it is not base64url") from None
    if _encode(content) != text:
        raise BadInput("the token is malformed: it is not base64url as it is written here")
    return content


def _parts(token: str) -> tuple[str, bytes, bytes]:
    if len(token) > TOKEN_LIMIT:
        raise BadInput(f"the token is malformed: it has {len(token)} characters; {TOKEN_LIMIT} are allowed")
    parts = token.split(".")
    if len(parts) != 3 or parts[0] != PREFIX or not token.isascii():
        raise BadInput(f"the token is malformed: a token looks like {PREFIX}.CLAIMS.SIGNATURE")
    return f"{parts[0]}.{parts[1]}", _decode(parts[1]), _decode(parts[2])


def _claims(payload: bytes) -> TokenClaims:
    """Read claims whose signature is right: if they can't be read, another version wrote them."""
    try:
        claims = _CLAIMS.validate_json(payload)
    except ValidationError:
        raise BadInput("the token is malformed: its claims are not of this version") from None
    if _canonical(claims) != payload:
        raise BadInput("the token is malformed: its claims are not in canonical form")
    return claims


def key_path() -> Path:
    """Return ``$SCHEDCP_STATE/token.key``, else that in the user's state folder (``~/.local/state/schedcp_gym``)."""
    return state_root() / "token.key"


def _key() -> Ed25519PrivateKey:
    """Return the host's key; make it when there is none."""
    path = key_path()
    try:
        return _read_key(path)
    except FileNotFoundError:
        _make_key(path)
        return _read_key(path)


def _read_key(path: Path) -> Ed25519PrivateKey:
    remedy = f"delete it, and verify again what is to be deployed: `rm {path}`"
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        raise
    except OSError as error:
        why = "is a symbolic link" if error.errno == errno.ELOOP else f"can't be read ({error.strerror})"
        raise SchedcpError(f"the key for tokens {path} {why}: {remedy}") from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise SchedcpError(f"the key for tokens {path} is no file: {remedy}")
        if status.st_mode & 0o077:
            raise SchedcpError(f"the key for tokens {path} is open to others: `chmod 600 {path}`")
        text = os.read(descriptor, KEY_LIMIT).decode("latin-1")
    finally:
        os.close(descriptor)
    found = _KEY_TEXT.fullmatch(text)
    key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(found[1])) if found else None
    if key is None or found is None or not hmac.compare_digest(_public(key), found[2]):
        raise SchedcpError(f"the key for tokens {path} is damaged: {remedy}")
    return key


def _public(key: Ed25519PrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()


def _make_key(path: Path) -> None:
    """Make the key. Of several processes that do so at once, the first wins, and none reads half of a key."""
    key = Ed25519PrivateKey.generate()
    part = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(f"ed25519 {key.private_bytes_raw().hex()} {_public(key)}\n".encode())
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(part, path)
    except OSError as error:
        raise SchedcpError(f"the key for tokens {path} can't be made: {error.strerror}") from None
    finally:
        part.unlink(missing_ok=True)
