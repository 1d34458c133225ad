import pytest

from schedcp_gym.control.analysis import Analysis, Tier, cache

ANALYSIS = Analysis(Tier.SUMMARY, "summary", "w", "text\n\N{SNOWMAN}", {"a": [1, 2.5, None, {"b": "c"}]}, 5, 1.5, 2.5)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "cache_root", lambda: tmp_path)
    return tmp_path


def test_what_was_stored_comes_back_marked():
    assert cache.read("ab12") is None
    cache.write("ab12", ANALYSIS)
    found = cache.read("ab12")
    assert found.cached
    assert (found.text, found.data, found.tokens) == (ANALYSIS.text, ANALYSIS.data, ANALYSIS.tokens)
    assert (found.host_s, found.guest_s) == (1.5, 2.5)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"format": 0}', '{"format": 1, "analysis": {}}', "null"])
def test_a_damaged_store_is_as_good_as_none(elsewhere, content, caplog):
    cache.write("ab12", ANALYSIS)
    (path,) = elsewhere.rglob("ab12.json")
    path.write_text(content)
    assert cache.read("ab12") is None
    assert "analysing again" in caplog.text


def test_the_engines_version_is_a_digest_of_its_files():
    assert len(cache.engine_version()) == 64
