"""What all models share: they keep what they do not know."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, model_validator

Member = TypeVar("Member", bound="OpenEnum")

Number = int | float
"""Scores and milliseconds: whole numbers today, kept as they are if that changes."""


class Model(BaseModel):
    """A message of the API; fields that a newer server adds are kept as attributes."""

    model_config = ConfigDict(extra="allow", protected_namespaces=())

    @model_validator(mode="before")
    @classmethod
    def _without_null(cls, data: Any) -> Any:
        """Take null for absence where there is a default."""
        if not isinstance(data, Mapping):
            return data
        fields = cls.model_fields
        return {
            name: value
            for name, value in data.items()
            if value is not None or name not in fields or fields[name].is_required()
        }


class OpenEnum(str, Enum):
    """Text of which some values are known: these in any case, and others as they are.

    A value that is not known makes a member of its own, which is not
    listed and equals its text; servers may add values before clients do.
    """

    @classmethod
    def _missing_(cls: type[Member], value: object) -> Member | None:
        if not isinstance(value, str):
            return None
        for member in cls:
            if member.value.casefold() == value.casefold():
                return member
        unknown = str.__new__(cls, value)
        unknown._name_ = unknown._value_ = value
        return unknown

    def __str__(self) -> str:
        return str(self.value)

    @property
    def is_known(self) -> bool:
        """Whether this package lists the value."""
        return self.name in type(self).__members__
