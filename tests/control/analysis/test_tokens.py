from schedcp_gym.control.analysis import tokens


def test_tokens_are_counted_without_a_network():
    assert tokens.count("") == 0
    assert tokens.count("the run queue of CPU 0 was 3.5 tasks long") == 14


def test_what_looks_like_a_models_own_mark_is_counted_as_text():
    assert tokens.count("<|endoftext|>") > 1
