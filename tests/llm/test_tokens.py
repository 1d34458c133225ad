from schedcp_gym.llm import tokens


def test_tokens_are_counted_without_a_network():
    assert tokens.count("") == 0
    assert tokens.count("the run queue of CPU 0 was 3.5 tasks long") == 14


def test_what_looks_like_a_models_own_mark_is_counted_as_text():
    assert tokens.count("<|endoftext|>") > 1


def test_a_request_counts_messages_tool_calls_and_tools():
    message = {"role": "user", "content": "the run queue of CPU 0 was 3.5 tasks long"}
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    assert tokens.count_request([message]) == 18
    assert tokens.count_request([message, {"role": "assistant", "content": None, "tool_calls": [call]}]) > 30
    assert tokens.count_request([message], [{"type": "function", "function": {"name": "f"}}]) > 25


def test_a_short_text_is_not_cut():
    assert tokens.cut("one two three", 32) == "one two three"


def test_a_long_text_keeps_its_beginning_and_its_end():
    text = "\n".join(f"line {number}" for number in range(5000))
    short = tokens.cut(text, 100)
    assert tokens.count(short) <= 100
    assert short.startswith("line 0\nline 1\n")
    assert short.endswith("line 4999")
    left_out = int(short.split("[… ")[1].split(" ")[0])
    assert len(short.replace(f"\n[… {left_out} characters left out …]\n", "")) + left_out == len(text)


def test_megabytes_of_one_character_are_cut_at_once():
    assert tokens.count(tokens.cut("x" * 5_000_000, 100)) <= 100
