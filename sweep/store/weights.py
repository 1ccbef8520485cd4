"""The trainings of a store by what decided their weights, so that none is repeated only to be measured otherwise."""

from collections.abc import Iterable

from sweep.spec.keys import weights_digest
from sweep.spec.trials import TRAINED
from sweep.store.schema import Record


def trained(records: Iterable[Record]) -> dict[str, Record]:
    """The finished trainings by the digest of what decided their weights (`sweep.spec.trials.Trial.weights`).

    Runs that do not say what decided them, or whose parent is not in the store, are left out.
    """
    by_key = {record.key: record for record in records}
    digests: dict[str, str] = {}

    def digest(record: Record) -> str:
        if record.key not in digests:
            parent = record.decides.get("parent", "")
            origin = digest(by_key[parent]) if parent in by_key else ""
            known = bool(record.decides) and bool(origin) == bool(parent)
            digests[record.key] = weights_digest(record.decides, origin) if known else ""
        return digests[record.key]

    found = {digest(record): record for record in by_key.values() if record.finished and record.kind in TRAINED}
    return {weights: record for weights, record in found.items() if weights}
