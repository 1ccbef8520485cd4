"""Texts for images: short pieces of text from faker and random codes, in printable ASCII."""

from datetime import UTC, datetime
from functools import lru_cache

import numpy as np
from faker import Faker

CODE_ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz23456789"
"""Letters and digits of random codes, without those that many typefaces draw alike (0 O o, 1 l I)."""

KINDS = ("name", "company", "street", "city", "date", "price", "phone", "email", "sentence", "words", "code")
"""The kinds of text there are; `phrase` makes each."""

LATEST_DATE = datetime(2026, 11, 29, 12, tzinfo=UTC)
"""Dates in texts are before it; faker's own end is now, which would move every date from one day to the next."""

MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
"""Names of the months; `strftime` would give those of the language that the host program has set."""


@lru_cache(maxsize=1)
def _faker() -> Faker:
    # Building one takes tens of milliseconds, seeding it almost none: one per process, seeded for every image.
    return Faker("en_US")


def seeded_faker(seed: int) -> Faker:
    """A faker whose next texts depend on `seed` alone; the previous one of this process must no longer be used."""
    fake = _faker()
    fake.seed_instance(seed)
    return fake


def code(rng: np.random.Generator, length: int) -> str:
    """A random string of that many letters and digits."""
    return "".join(CODE_ALPHABET[i] for i in rng.integers(len(CODE_ALPHABET), size=length))


def price(rng: np.random.Generator) -> str:
    """An amount of money, such as "$14.90", "1,280.00" or "7.25 EUR"."""
    amount = f"{int(rng.integers(1, 10 ** int(rng.integers(1, 5)))):,}.{int(rng.integers(100)):02d}"
    return ("$" + amount, amount, amount + " EUR")[int(rng.integers(3))]


def date(rng: np.random.Generator, fake: Faker) -> str:
    """A day, such as "04.07.1983", "1983-07-04", "04 July 1983", "Jul 04, 1983" or "07/04/83"."""
    form, at = int(rng.integers(5)), fake.date_time(end_datetime=LATEST_DATE)
    year, month, day, name = f"{at.year}", f"{at.month:02d}", f"{at.day:02d}", MONTHS[at.month - 1]
    return (
        f"{day}.{month}.{year}",
        f"{year}-{month}-{day}",
        f"{day} {name} {year}",
        f"{name[:3]} {day}, {year}",
        f"{month}/{day}/{year[2:]}",
    )[form]


def phrase(kind: str, rng: np.random.Generator, fake: Faker) -> str:
    """A text of that kind (one of `KINDS`), in one line of printable ASCII."""
    match kind:
        case "name":
            text = fake.name()
        case "company":
            text = fake.company()
        case "street":
            text = fake.street_address()
        case "city":
            text = f"{fake.city()}, {fake.state_abbr()} {fake.postcode()}"
        case "date":
            text = date(rng, fake)
        case "price":
            text = price(rng)
        case "phone":
            text = fake.numerify(("(###) ###-####", "+# ### ### ####", "### ####")[int(rng.integers(3))])
        case "email":
            text = fake.ascii_safe_email()
        case "sentence":
            text = fake.sentence(nb_words=int(rng.integers(4, 11)))
        case "words":
            text = " ".join(fake.words(int(rng.integers(1, 4))))
            text = (text, text.title(), text.upper(), text.capitalize())[int(rng.integers(4))]
        case "code":
            text = code(rng, int(rng.integers(5, 11)))
        case _:
            raise AssertionError(f"no such kind of text: {kind!r}")
    return text.encode("ascii", "ignore").decode()


def label(rng: np.random.Generator, fake: Faker) -> str:
    """The left half of a row of a form or receipt: an item or the name of a field."""
    fields = (
        "Date",
        "Name",
        "Total",
        "Subtotal",
        "Tax",
        "Amount",
        "Invoice",
        "Order",
        "Phone",
        "Table",
        "Cash",
        "Card",
    )
    if rng.random() < 0.45:
        return fields[int(rng.integers(len(fields)))] + ("", ":")[int(rng.integers(2))]
    return str(fake.word()).capitalize()


def value(rng: np.random.Generator, fake: Faker) -> str:
    """The right half of a row of a form or receipt: mostly a price."""
    draw = rng.random()
    if draw < 0.6:
        return price(rng)
    return phrase("date" if draw < 0.7 else "code" if draw < 0.9 else "phone", rng, fake)
