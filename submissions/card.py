"""The model card of a submission: who made the model, what it looks at, what it was trained on, what it took."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from ..benchmark.errors import DataError
from ..benchmark.plain_yaml import parse_yaml

CARD = "card.yaml"
_LARGEST = 64 * 1024
# ASCII only, so that two names which look alike are alike.
_NAME = r"^[A-Za-z0-9](?:[A-Za-z0-9.+_ -]{0,58}[A-Za-z0-9+])?$"
# Cc, Cf, Cs, Co, Zl, Zp: invisible, or able to turn the direction of a line.
_UNPRINTABLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_BLANK = set("\u115f\u1160\u3164\uffa0\u2800")  # letters and symbols that look like nothing
# Folders that some systems cannot have, and names that entries' own folders have.
_RESERVED = re.compile(r"(?i)(con|nul|aux|prn|com\d|lpt\d)(\..*)?|(fixed|cv)-.*")


def _printable(text: str) -> str:
    for character in text:
        if (unicodedata.category(character) in _UNPRINTABLE and character not in "\n\t") or character in _BLANK:
            raise ValueError(f"has the invisible character U+{ord(character):04X}")
    return unicodedata.normalize("NFC", text).strip()


def _one_line(text: str) -> str:
    if "\n" in text.strip() or not text.strip():
        raise ValueError("has more than one line, or none")
    return text


def _not_reserved(name: str) -> str:
    if _RESERVED.fullmatch(slug_of(name)):
        raise ValueError(f"is a name that a folder cannot have here ({name})")
    return name


def _orcid(value: str) -> str:
    digits = value.replace("-", "")
    total = 0
    for digit in digits[:-1]:  # ISO 7064, mod 11-2
        total = (total + int(digit)) * 2
    check = (12 - total % 11) % 11
    if digits[-1] != ("X" if check == 10 else str(check)):
        raise ValueError("is not a valid ORCID: its check digit is wrong")
    return value


Line = Annotated[
    str,
    StringConstraints(min_length=1, max_length=200),
    AfterValidator(_one_line),
    AfterValidator(_printable),
]
Paragraph = Annotated[str, StringConstraints(max_length=4000), AfterValidator(_printable)]
Orcid = Annotated[
    str, StringConstraints(pattern=r"^[0-9]{4}-[0-9]{4}-[0-9]{4}-[0-9]{3}[0-9X]$"), AfterValidator(_orcid)
]
Link = Annotated[str, StringConstraints(pattern=r"^https://[A-Za-z0-9.-]+(?:[/?#][!-~]*)?$", max_length=300)]
Amount = Annotated[float, Field(ge=0, allow_inf_nan=False, le=1e12)]
InputName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]


_TEMPLATE_AUTHOR, _TEMPLATE_NOTES = "Your Name", "What a reader should know."


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Author(_Strict):
    """Who made the model."""

    name: Line
    orcid: Orcid | None = Field(None, description="As in 0000-0002-1825-0097.")


class Licenses(_Strict):
    """SPDX identifiers, or words where there is none."""

    code: Line
    weights: Line | None = Field(None, description="Leave out where there are no weights.")


class Pretraining(_Strict):
    """What the model saw before it was fitted here."""

    data: Line | None = Field(None, description="As in ImageNet-1k; leave out where the model is not pretrained.")
    exposure: Literal["none", "unrelated", "possible", "known"] = Field(
        description="Could it have met the holdout? none: not pretrained. unrelated: on data without materials. "
        "possible: on data that may hold these materials, such as web text. known: it saw rows of this benchmark."
    )


class Card(_Strict):
    """A model card. `ecdbench card init` writes a template, `ecdbench card schema` this as a JSON schema."""

    name: Annotated[str, StringConstraints(pattern=_NAME), AfterValidator(_not_reserved)] = Field(
        description="Letters, digits, spaces and . + _ - of ASCII, at most 60; one model, one name."
    )
    version: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9.+_-]{0,30}$")]
    authors: list[Author] = Field(min_length=1, max_length=50)
    licenses: Licenses
    link: Link | None = Field(None, description="Code or paper, https.")
    inputs: list[InputName] = Field(max_length=12, description="The inputs the model looks at; [] for none.")
    text_tier: InputName = Field(description="The text it was given, as in single, key, all; none for no text.")
    pretraining: Pretraining
    parameters: int | None = Field(None, ge=0, le=10**15, description="How many numbers it has learnt, in all.")
    hardware: Line | None = None
    training_hours: Amount | None = Field(None, description="Hours for all seeds and folds of one task.")
    cost: Amount | None = Field(None, description="Dollars for all answers of one task, where a service was paid.")
    seeds: int = Field(ge=1, le=100, description="How many seeds the fixed protocol has.")
    notes: Paragraph = ""

    @model_validator(mode="after")
    def _says_one_thing(self) -> Card:
        if ("text" in self.inputs) != (self.text_tier != "none"):
            raise ValueError(
                "inputs and text_tier disagree: a model has the input text exactly where it has a text tier"
            )
        if self.notes == _TEMPLATE_NOTES or any(author.name == _TEMPLATE_AUTHOR for author in self.authors):
            raise ValueError("it still holds texts of the template: fill in authors and notes")
        return self

    @property
    def is_pretrained(self) -> bool:
        """Whether the model saw other data before."""
        return self.pretraining.exposure != "none"

    @property
    def slug(self) -> str:
        """The name of its folder."""
        return slug_of(self.name)


def slug_of(name: str) -> str:
    """A name as a folder is called: lower case, dashes for spaces."""
    return re.sub(r"[ _]+", "-", name.lower())


def read_card(path: Path) -> Card:
    """Read a card.

    Raises:
        DataError: it is absent, too large, not plain YAML, or not a card; the message names the line or the field.
    """
    if not path.is_file():
        raise DataError(f"There is no file {path}; `ecdbench card init` writes a card to fill in.")
    try:
        if (size := path.stat().st_size) > _LARGEST:
            raise DataError(f"{path} has {size:,} bytes; a card has at most {_LARGEST:,}: shorten its texts.")
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read as UTF-8 text ({type(error).__name__}).") from error
    try:
        found = parse_yaml(text)
    except ValueError as error:
        raise DataError(f"{path} is not plain YAML: {error}.") from error
    if not isinstance(found, dict) or not all(isinstance(key, str) for key in found):
        raise DataError(f"{path} is not a YAML mapping of names to values; `ecdbench card init` writes a template.")
    return card_of(found, path)


def card_of(values: dict[str, Any], path: Path) -> Card:
    """A card from its values; `path` is named in errors.

    Raises:
        DataError: a field is absent, unknown, or not what it should be.
    """
    try:
        return Card.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part)[:60] for part in first["loc"]) or "card"
        problem = first["msg"].removeprefix("Value error, ")
        others = dict.fromkeys(str(one["loc"][0])[:60] for one in error.errors()[1:] if one["loc"])
        more = f" (also: {', '.join(list(others)[:8])})" if others else ""
        raise DataError(f"{path}: {where}: {problem}{more}; `ecdbench card schema` says what is expected.") from error


TEMPLATE = f"""\
# A model card. Fill in, delete what does not apply, and give it to `ecdbench submit RUN... --card card.yaml`.
name: my-model                # ASCII letters, digits, spaces, . + _ -; one model, one name
version: "1.0"                # yours; in quotes, so that 1.10 stays 1.10
authors:
  - name: {_TEMPLATE_AUTHOR}
    # orcid: 0000-0002-1825-0097
licenses:
  code: Apache-2.0            # SPDX identifier
  # weights: Apache-2.0       # where there are weights
# link: https://example.org/my-model
inputs: [image]               # all it looks at, as in [formula, density]; `ecdbench tasks show TASK` lists them
text_tier: none               # the text it was given: none, single, key or all
pretraining:
  # data: ImageNet-1k         # what it was trained on before
  exposure: none              # none: not pretrained; unrelated: on data without materials; possible: on data that may
                              # hold these materials, such as web text; known: it saw rows of this benchmark
# parameters: 1746433         # how many it has
# hardware: one A100
# training_hours: 0.5         # all seeds and folds of one task
# cost: 1.20                  # dollars for all answers of one task, where a service was paid
seeds: 1                      # seeds of the fixed protocol; those of cross-validation are not meant
notes: |
  {_TEMPLATE_NOTES}
"""
