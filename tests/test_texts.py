"""Drawn texts: from their seed alone, whatever the machine and the host program."""

from datetime import datetime

import numpy as np
import pytest

from tfic.synth import texts


@pytest.mark.parametrize("kind", texts.KINDS)
def test_every_kind_of_text_depends_on_its_seed_alone(kind: str) -> None:
    def some() -> list[str]:
        rng, fake = np.random.default_rng(4), texts.seeded_faker(4)
        return [texts.phrase(kind, rng, fake) for _ in range(20)]

    assert some() == some()
    assert len(set(some())) > 5
    assert all(text.isascii() and text.isprintable() and text.strip() == text != "" for text in some())


def test_the_language_of_the_host_program_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """`strftime` names months in the language of LC_TIME, which a host program may set."""

    class Foreign(datetime):
        def strftime(self, form: str) -> str:
            return super().strftime(form.replace("%B", "Floreal").replace("%b", "Flo"))

    def drawn() -> list[str]:
        return [texts.phrase("date", np.random.default_rng(i), texts.seeded_faker(i)) for i in range(60)]

    english = drawn()
    monkeypatch.setattr("faker.providers.date_time.datetime", Foreign)
    assert drawn() == english
