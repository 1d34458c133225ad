import time

import pytest

from schedcp_gym.llm.scrub import MASK, scrub

KEYS = [
    "sk-proj-abc123def456ghi789",
    "sk-ant-api03-abcDEF123_456-xyz",
    "sk-abc***************xyz",
    "gsk_abcdefghij1234567890",
    "hf_abcdefghij1234567890",
    "ghp_abcdefghij1234567890abcdefghij123456",
    "github_pat_11ABCDEFG0abcdefghij_klmnop",
    "AKIAIOSFODNN7EXAMPLE",
    "AIzaSyA1234567890abcdefghijklmnopqrstuv",
    "xoxb-1234567890-abcdef",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abcdefghijkl",
]


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("around", ["{}", "key={}, more", '{{"error": "wrong key {}"}}', "Authorization: Bearer {}"])
def test_keys_are_seen_by_their_form(key, around):
    assert key not in scrub(around.format(key))
    assert MASK in scrub(around.format(key))


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("Authorization: Basic dXNlcjpwYXNz", f"Authorization: {MASK}"),
        ("'authorization': 'opensesame',", f"'authorization': '{MASK}',"),
        ('"api_key": "abc12345"', f'"api_key": "{MASK}"'),
        ("x-api-key: 0123456789", f"x-api-key: {MASK}"),
        ("https://me:pass@host/v1", f"https://{MASK}@host/v1"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIB\n-----END RSA PRIVATE KEY-----", MASK),
    ],
)
def test_secrets_are_seen_by_what_is_said_of_them(text, clean):
    assert scrub(text) == clean


@pytest.mark.parametrize(
    "text",
    [
        "the task-runner-2024-long-name and a desk-lamp-12345678",
        "a risk-based 95 % interval",
        "Bearer tokens of authority; authorization is needed",
        "const volatile u64 slice_ns = 5000000; key = bpf_get_prandom_u32();",
        "int fd = bpf_map_update_elem(&map, &key, &value, BPF_ANY);",
        "api_key = read_key_from_user();",
        "sha256 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "scp1.eyJvYmplY3RfZGlnZXN0IjoiMDAifQ.c2lnbmF0dXJlMDEyMzQ1Njc4OQ",  # a verifier's token is for the model to use
        "https://example.org/a:b@c",
    ],
)
def test_plain_texts_stay_as_they_are(text):
    assert scrub(text) == text


def test_the_environments_secrets(monkeypatch):
    monkeypatch.setenv("SOME_API_KEY", "plain-words-as-a-key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wJalrXUt/K7MDENG/bPxRfiCY")
    monkeypatch.setenv("DB_PASSWORD", "short")
    monkeypatch.setenv("SSH_KEY", "/home/me/.ssh/id_ed25519")
    text = "plain-words-as-a-key wJalrXUt/K7MDENG/bPxRfiCY short /home/me/.ssh/id_ed25519"
    assert scrub(text) == f"{MASK} {MASK} short /home/me/.ssh/id_ed25519"


def test_half_a_surrogate_pair_becomes_text():
    assert scrub({"log": ["a\udc80b"]}) == {"log": ["a?b"]}


def test_megabytes_take_no_time():
    text = "sk-learn bearer of 0123456789 https://x:y api_key = f(); eyJ.eyJ. authorization " * 20_000
    began = time.monotonic()
    assert scrub(text) == text
    assert time.monotonic() - began < 10


def test_nested_values():
    value = {"headers": {"Authorization": "x", "api-key": "y", "n": 1}, "list": [("sk-abc1234567890", None)]}
    assert scrub(value) == {"headers": {"Authorization": MASK, "api-key": MASK, "n": 1}, "list": [[MASK, None]]}
