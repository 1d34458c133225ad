"""Tokens: good for what was verified, and for nothing else."""

import base64
import datetime
import json
import multiprocessing
import os
import stat
from types import SimpleNamespace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from schedcp_gym.control.verifier import token as tokens
from schedcp_gym.control.verifier.report import Stage
from schedcp_gym.spec import BadInput, MachineSpec, SchedcpError

OBJECT = tokens.object_digest(b"an object")
IMAGE = SimpleNamespace(kernel="7.3.4+deb14-amd64", digest="ab" * 32)
TUNABLES = (("favour", "ember"), ("on", True), ("slice_us", 5000))
NOW = datetime.datetime(2026, 11, 24, 12, 0, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch):
    monkeypatch.setenv("SCHEDCP_STATE", str(tmp_path / "state"))
    return tmp_path / "state"


def issue(**changes):
    values = {
        "object_digest": OBJECT,
        "image": IMAGE,
        "tunables": TUNABLES,
        "stages": Stage,
        "machine": MachineSpec(),
        "now": NOW,
    }
    return tokens.issue(**{**values, **changes})


def check(token, **changes):
    values = {"object_digest": OBJECT, "image": IMAGE, "tunables": TUNABLES, "machine": MachineSpec(), "now": NOW + DAY}
    return tokens.check(token, **{**values, **changes})


def refused(token, why, **changes):
    with pytest.raises(BadInput) as error:
        check(token, **changes)
    assert why in str(error.value), str(error.value)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 200


def signed(payload: bytes):
    """A token with such claims, signed with the host's own key."""
    text = f"scp1.{base64.urlsafe_b64encode(payload).rstrip(b'=').decode()}"
    signature = tokens._key().sign(text.encode())
    return f"{text}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def test_a_token_is_good_for_what_was_verified():
    claims = check(issue())
    assert claims.object_digest == OBJECT
    assert (claims.kernel, claims.image_digest, claims.cpus) == (IMAGE.kernel, IMAGE.digest, 2)
    assert claims.tunables == TUNABLES
    assert claims.stages == ("source", "kernel", "behaviour", "performance")
    assert claims.issued_at == NOW.timestamp()
    assert claims.expires_at - claims.issued_at == 30 * 86400


def test_it_is_one_short_line_and_the_same_each_time():
    token = issue()
    assert token == issue()
    assert set(token) <= set(ALPHABET + ".")
    assert len(token) < 700


def test_the_order_of_tunables_does_not_matter():
    assert check(issue(tunables=tuple(reversed(TUNABLES)))) == check(issue())
    check(issue(), tunables=tuple(reversed(TUNABLES)))


def test_it_is_for_one_object():
    refused(issue(), "another object", object_digest=tokens.object_digest(b"another"))


def test_it_is_for_one_kernel_and_one_image_of_it():
    refused(
        issue(), "another kernel: 7.3.4+deb14-amd64, not 7.2", image=SimpleNamespace(kernel="7.2", digest="ab" * 32)
    )
    refused(issue(), "another image", image=SimpleNamespace(kernel=IMAGE.kernel, digest="cd" * 32))


@pytest.mark.parametrize(
    "other",
    [
        (),
        TUNABLES[:2],
        (*TUNABLES, ("more", 1)),
        (("favour", "ember"), ("on", 1), ("slice_us", 5000)),
        (("favour", "ember"), ("on", True), ("slice_us", "5000")),
        (("favour", "ember"), ("on", True), ("slice_us", 5001)),
    ],
)
def test_it_is_for_one_setting_of_tunables(other):
    refused(issue(), "other tunables: favour=ember on=True slice_us=5000", tunables=other)


def test_it_is_for_one_number_of_cpus():
    refused(issue(), "a machine of 2 CPUs, not 4 CPUs: verify the policy with --cpus 4", machine=MachineSpec(cpus=4))


def test_it_is_for_one_shape_of_machine():
    groups, nodes = (MachineSpec(cpus=8, topology=shape) for shape in ("1x2x4x1", "2x1x4x1"))
    token = issue(machine=groups)
    assert check(token, machine=groups).topology == "1x2x4x1"
    refused(
        token,
        "a machine of 8 CPUs (1x2x4x1), not 8 CPUs (2x1x4x1): verify the policy with --machine 2x1",
        machine=nodes,
    )
    refused(token, "8 CPUs (1x2x4x1), not 8 CPUs: verify the policy with --cpus 8", machine=MachineSpec(cpus=8))
    refused(issue(machine=MachineSpec(cpus=8)), "8 CPUs, not 8 CPUs (1x2x4x1)", machine=groups)


def test_a_token_from_before_there_were_topologies_is_good_on_a_machine_without_one():
    payload = json.loads(base64.urlsafe_b64decode(issue().split(".")[1] + "=="))
    assert "topology" not in payload
    assert payload["cpus"] == 2
    assert check(signed(json.dumps(payload, sort_keys=True, separators=(",", ":")).encode())).topology == ""


def test_a_stage_that_was_left_out_is_missed():
    refused(issue(stages=[Stage.SOURCE, Stage.KERNEL]), "lacks stages behaviour, performance")
    refused(issue(stages=list(Stage)[:3]), "lacks stage performance")
    assert check(issue(stages=[Stage.KERNEL]), needed_stages=[Stage.KERNEL]).stages == ("kernel",)


def test_it_expires():
    token = issue(lifetime=2 * DAY)
    check(token, now=NOW + 2 * DAY - datetime.timedelta(seconds=1))
    refused(token, "expired at 2026-11-26T12:00:00+00:00", now=NOW + 2 * DAY)


def test_it_is_not_from_the_future():
    check(issue(), now=NOW - datetime.timedelta(minutes=4))
    refused(issue(), "not valid before", now=NOW - datetime.timedelta(minutes=6))


def test_a_time_without_a_zone_is_refused():
    refused(issue(), "time zone", now=datetime.datetime(2026, 11, 24))


def test_another_hosts_token_is_forged(monkeypatch, tmp_path):
    token = issue()
    monkeypatch.setenv("SCHEDCP_STATE", str(tmp_path / "elsewhere"))
    refused(token, "forged")


def test_each_changed_character_is_noticed():
    token = issue()
    for place, old in enumerate(token):
        for new in {ALPHABET[(ALPHABET.find(old) + step) % 64] for step in (1, 2, 4, 8, 16, 32)} | {".", "=", "é"}:
            if new != old:
                with pytest.raises(BadInput):
                    check(token[:place] + new + token[place + 1 :])


def test_each_missing_doubled_or_swapped_character_is_noticed():
    token = issue()
    for place in range(len(token)):
        for other in (
            token[:place] + token[place + 1 :],
            token[:place] + token[place] + token[place:],
            token[:place] + token[place : place + 2][::-1] + token[place + 2 :],
            token[:place],
        ):
            if other != token:
                with pytest.raises(BadInput):
                    check(other)


def test_claims_and_signature_of_two_tokens_do_not_mix():
    one, two = issue().split("."), issue(machine=MachineSpec(cpus=4)).split(".")
    refused(".".join([*one[:2], two[2]]), "forged")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "scp1",
        "scp1..",
        "scp2.AA.AA",
        "scp1.AA.AA.AA",
        "scp1.A.A",
        "scp1.AB.AA",
        "x" * 20_000,
        "scp1.\0.\0",
        "scp1.é.é",
    ],
)
def test_what_is_no_token_is_malformed(text):
    with pytest.raises(BadInput, match=r"malformed|forged"):
        check(text)


def test_a_token_may_have_white_space_around_it():
    check(f"  {issue()}\n")


@pytest.mark.parametrize("payload", [b"", b"null", b"[]", b"{}", b"\xff", b"1e999", b"[" * 5000])
def test_claims_that_are_none_are_malformed_even_if_signed(payload):
    refused(signed(payload), "malformed")


def test_claims_have_one_form():
    claims = json.loads(base64.urlsafe_b64decode(issue().split(".")[1] + "=="))
    canonical = json.dumps(claims, sort_keys=True, separators=(",", ":")).encode()
    check(signed(canonical))
    refused(signed(json.dumps(claims).encode()), "canonical")
    refused(signed(json.dumps({**claims, "more": 1}, sort_keys=True, separators=(",", ":")).encode()), "this version")
    wrong = {**claims, "cpus": "2"}
    refused(signed(json.dumps(wrong, sort_keys=True, separators=(",", ":")).encode()), "this version")


def test_claims_too_long_for_a_token_are_refused():
    with pytest.raises(BadInput, match="characters"):
        issue(tunables=tuple((f"name_{number}", number) for number in range(1000)))


def test_the_key_is_the_owners_alone_and_stays(state):
    issue()
    key = state / "token.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    before = key.read_bytes()
    issue()
    assert key.read_bytes() == before
    assert [path.name for path in state.iterdir()] == ["token.key"]


def test_the_key_is_in_no_text(state, caplog):
    token = issue()
    private = (state / "token.key").read_text().split()[1]
    key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(private))
    assert private not in token + caplog.text + repr(tokens._key()) + repr(key)
    (state / "token.key").write_text("damaged " + private)
    with pytest.raises(SchedcpError) as error:
        issue()
    assert private not in str(error.value)


def test_a_damaged_key_is_said_so_with_the_remedy(state):
    issue()
    key = state / "token.key"
    whole = key.read_bytes()
    damaged = [whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :] for place in range(len(whole))]
    for content in [b"", whole[:-1], whole + b"\n", whole * 2, b"\0" * 5000, *damaged]:
        key.write_bytes(content)
        with pytest.raises(SchedcpError) as error:
            issue()
        assert str(error.value) == (
            f"the key for tokens {key} is damaged: delete it, and verify again what is to be deployed: `rm {key}`"
        )


def test_a_key_open_to_others_is_refused_with_the_remedy(state):
    issue()
    (state / "token.key").chmod(0o640)
    with pytest.raises(SchedcpError, match="open to others: `chmod 600"):
        issue()


def test_a_key_that_is_a_link_or_a_folder_is_refused(state, tmp_path):
    token = issue()
    key = state / "token.key"
    key.rename(tmp_path / "moved")
    key.symlink_to(tmp_path / "moved")
    with pytest.raises(SchedcpError, match="symbolic link"):
        check(token)
    key.unlink()
    key.mkdir()
    with pytest.raises(SchedcpError, match="is no file"):
        check(token)


def test_a_key_that_can_not_be_made_is_an_error(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SCHEDCP_STATE", str(tmp_path / "file" / "state"))
    with pytest.raises(SchedcpError, match="can't be"):
        issue()


def _issue_in(folder, barrier, queue):
    os.environ["SCHEDCP_STATE"] = folder
    barrier.wait()
    queue.put(issue())


def test_processes_that_need_the_key_at_once_make_one(state):
    context = multiprocessing.get_context("fork")
    barrier, queue = context.Barrier(8), context.Queue()
    processes = [context.Process(target=_issue_in, args=(str(state), barrier, queue)) for _ in range(8)]
    for process in processes:
        process.start()
    found = {queue.get(timeout=30) for _ in processes}
    for process in processes:
        process.join(30)
    assert found == {issue()}
    assert [path.name for path in state.iterdir()] == ["token.key"]
