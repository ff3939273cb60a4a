"""The honest entry and the corpus of hostile ones, as the tests of submissions make them."""

from ..submissions.conftest import card_text, honest

__all__ = ["card_text", "honest"]
