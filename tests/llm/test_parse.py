import pytest
from pydantic import BaseModel, ConfigDict, Field

from schedcp_gym.llm import Tool
from schedcp_gym.llm.parse import NotParsed, parse_answer, parse_arguments


class Point(BaseModel):
    model_config = ConfigDict(extra="forbid")
    x: int = Field(ge=0)
    tags: tuple[str, ...] = ()


SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "limit": {"type": "integer", "maximum": 10}},
    "required": ["name"],
    "additionalProperties": False,
}
TOOL = Tool("f", "", SCHEMA)


def test_what_fits():
    assert parse_answer('{"x": 3, "tags": ["a", "b"]}', Point) == Point(x=3, tags=("a", "b"))
    assert parse_answer('<think>\n{"x": 0}?\n</think>\n\n{"x": 3}', Point) == Point(x=3)
    assert parse_arguments('{"name": "n", "limit": 3}', TOOL) == {"name": "n", "limit": 3}
    assert parse_arguments(" ", Tool("g", "", {"type": "object"})) == {}
    assert parse_arguments('{"x": 1}', Tool("h", "", Point)) == Point(x=1)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('Sure: {"x": 1}', "not valid JSON: Expecting value at line 1, column 1, near 'Sure: {"),
        ('{"x": 1} {"x": 2}', "Extra data at line 1, column 10"),
        ('```json\n{"x": 1}\n```\nDone.', "not valid JSON"),
        ('{"x": 1,}', "not valid JSON"),
        ("{'x': 1}", "property name enclosed in double quotes"),
        ('{"x": NaN}', "NaN is not JSON"),
        ('{"x": 1e999}', "too large"),
        ('{"x": 1, "x": 2}', "the key 'x' is there twice"),
        ('{"x": "1"}', 'x: Input should be a valid integer (got "1")'),
        ('{"x": 1.0}', "x: Input should be a valid integer"),
        ('{"x": -1}', "x: Input should be greater than or equal to 0 (got -1)"),
        ('{"x": 1, "tags": [1]}', "tags.0: Input should be a valid string (got 1)"),
        ('{"x": 1, "y": 2}', "y: Extra inputs are not permitted"),
        ("{}", "x: Field required"),
        ("null", "the whole: "),
        ("[" * 100_000, "too deeply nested"),
        ('{"x": ' + "9" * 5000 + "}", "not valid JSON"),
        ("", "not valid JSON"),
    ],
    ids=lambda value: value[:24],
)
def test_what_does_not_fit_is_told_exactly(text, problem):
    with pytest.raises(NotParsed) as caught:
        parse_answer(text, Point)
    assert problem in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"limit": 3}', "'name' is a required property"),
        ('{"name": 3}', "name: 3 is not of type 'string'"),
        ('{"name": "n", "limit": 11}', "limit: 11 is greater than the maximum of 10"),
        ('{"name": "n", "more": 1}', "'more' was unexpected"),
        ('["n"]', "must be a JSON object"),
    ],
)
def test_arguments_are_checked_by_a_schema(text, problem):
    with pytest.raises(NotParsed) as caught:
        parse_arguments(text, TOOL)
    assert problem in str(caught.value)


def test_not_all_of_many_mistakes_are_told():
    with pytest.raises(NotParsed) as caught:
        parse_answer('{"x": 1, "tags": [' + ", ".join(["1"] * 50) + "]}", Point)
    assert "… and 42 more" in str(caught.value)
