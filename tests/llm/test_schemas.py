"""JSON schemas as a model reads them."""

from schedcp_gym.llm.chat import without_titles


def test_only_titles_of_schemas_are_left_out():
    schema = {"title": "A", "properties": {"title": {"title": "Title", "type": "string", "examples": [{"title": "x"}]}}}
    assert without_titles(schema) == {"properties": {"title": {"type": "string", "examples": [{"title": "x"}]}}}


def test_strictness_goes_where_it_is_not_wanted():
    schema = {"type": "object", "additionalProperties": False, "properties": {"a": {"additionalProperties": True}}}
    assert without_titles(schema) == schema
    left = {"type": "object", "properties": {"a": {"additionalProperties": True}}}
    assert without_titles(schema, strictness=False) == left
