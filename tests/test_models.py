"""The pydantic models of what users configure."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cycletls import InvalidOption, Profile, profiles
from cycletls._models import as_profile, coerce, profile_schema
from cycletls._profiles import profile_document

GOLDEN = Path(__file__).parent.parent / "golang" / "internal" / "fingerprint" / "testdata"


@pytest.mark.parametrize("name", list(profiles))
def test_every_profile_survives_the_model(name: str) -> None:
    """What is read and written again says the same."""
    profile = Profile.load(name)
    assert json.loads(profile.document()) == json.loads(profile_document(name))


def test_a_profile_is_saved_and_loaded(tmp_path: Path) -> None:
    """A changed copy goes to a file that profile= takes."""
    mine = Profile.load("plain").model_copy(update={"name": "mine"})
    mine.save(tmp_path / "mine.json")
    assert Profile.load(tmp_path / "mine.json") == mine


def test_an_unknown_field_is_named_by_its_path() -> None:
    """A typo deep inside a document is found."""
    document = json.loads(profile_document("plain"))
    document["tls"]["extensions"][3]["gruops"] = []
    with pytest.raises(InvalidOption, match=r"tls\.extensions\.3\.gruops: Extra inputs"):
        as_profile(document)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"name": ', "Expecting value"),
        ('{"name": "x"}', "tls: Field required"),
        ("[]", "not a list"),
        ("[" * 200_000, "(recursion|overflow)"),
    ],
    ids=["cut", "incomplete", "list", "deep"],
)
def test_a_file_that_is_no_profile_is_named(text: str, problem: str, tmp_path: Path) -> None:
    """With what is wrong in it: a folder may have many."""
    (tmp_path / "broken.json").write_text(text)
    with pytest.raises(InvalidOption, match=rf"broken\.json: .*{problem}"):
        Profile.load(tmp_path / "broken.json")


def test_a_profile_cannot_be_changed_by_accident() -> None:
    """It may be shared, so it is frozen."""
    with pytest.raises(ValueError, match="frozen"):
        Profile.load("plain").name = "other"  # type: ignore[misc, unused-ignore]  # known with pydantic's plugin only


def test_the_schema_describes_every_profile() -> None:
    """What the model would write is what the schema names, part by part."""
    schema = profile_schema()
    for name in profiles:
        unnamed(json.loads(profile_document(name)), schema, schema["$defs"], name)


def unnamed(value: Any, schema: Any, parts: Any, path: str) -> None:
    """Fail at the first member of a document that the schema does not name."""
    if "$ref" in schema:
        schema = parts[schema["$ref"].removeprefix("#/$defs/")]
    choices = [choice for choice in schema.get("anyOf", ()) if choice.get("type") != "null"]
    if choices and isinstance(value, dict):
        (schema,) = [choice for choice in choices if "$ref" in choice]
        schema = parts[schema["$ref"].removeprefix("#/$defs/")]
    if isinstance(value, dict) and "properties" in schema:
        assert schema["additionalProperties"] is False
        for name, member in value.items():
            unnamed(member, schema["properties"][name], parts, f"{path}.{name}")
    elif isinstance(value, list) and "$ref" in schema.get("items", {}):
        for at, item in enumerate(value):
            unnamed(item, schema["items"], parts, f"{path}[{at}]")


def test_coerce_says_which_option_and_why() -> None:
    """The value is shown, cut short where it is long."""
    assert coerce("max_redirects", "5", {int}) == 5
    with pytest.raises(InvalidOption, match=r"max_redirects='x{50,99}: ") as caught:
        coerce("max_redirects", "x" * 10_000, {int})
    assert len(str(caught.value)) < 400
