"""The question as it is asked, and the same with something taken away or exchanged."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Variant:
    """What a question shows.

    Attributes:
        name: of the probe; empty for the question itself.
        image: whether images are shown.
        text: whether texts are.
        shots: how many examples.
        selection: how they are chosen.
        other_image: whether the image asked about is another row's.
        other_text: the same for the text.
    """

    name: str
    image: bool
    text: bool
    shots: int
    selection: str
    other_image: bool = False
    other_text: bool = False

    @property
    def inputs(self) -> tuple[str, ...]:
        """The columns it looks at; the nearest examples tell of the composition, too."""
        formula = self.shots > 0 and self.selection == "nearest"
        seen = (("image", self.image), ("text", self.text), ("formula", formula))
        return tuple(name for name, shown in seen if shown)

    def with_text(self, there: bool) -> Variant:
        """The same, with a text where rows have one."""
        return replace(self, text=there)

    def probes(self) -> list[Variant]:
        """Variants that tell what the answers rest on.

        Without the text, the nearest examples would still tell the composition: they are chosen at random then.
        """
        found = []
        if self.image:
            found.append(replace(self, name="image of another row", other_image=True))
        if self.image and self.text:
            blind = "random" if self.selection == "nearest" else self.selection
            found.append(replace(self, name="no image", image=False))
            found.append(replace(self, name="no text", text=False, selection=blind))
        if self.text:
            found.append(replace(self, name="text of another row", other_text=True))
        if self.shots:
            found.append(replace(self, name="no examples", shots=0))
        if self.shots and self.image and self.text:  # what is left is the model's memory
            found.append(replace(self, name="no image, no examples", image=False, shots=0))
        return found
