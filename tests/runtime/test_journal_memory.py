"""The journal in memory: entries in order, doubt until settled or resolved."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tagline.domain.exchange import WriteKind
from tagline.errors import Disposition
from tagline.flow.effects import Reversibility, Verb
from tagline.runtime.journal import Doubt, Intent, MemoryJournal, Settled


def an_intent(record: str = "1") -> Intent:
    return Intent(
        deployment="d-1",
        integration="shop",
        flow="orders",
        record=record,
        system="dataverse",
        entity="account",
        verb=Verb.UPSERT,
        kind=WriteKind.CREATE,
        key=(("tl_customerkey", record),),
        target_id=None,
        etag=None,
        before=None,
        after={"name": "Acme"},
        action="",
        reversibility=Reversibility.R2,
    )


def settled(entry: int) -> Settled:
    return Settled(entry, Disposition.DONE, "id", None, "")


@given(st.lists(st.sampled_from(["1", "2", "3"])), st.data())
def test_an_entry_is_in_doubt_until_it_is_settled_or_resolved(
    records: list[str], data: st.DataObject
) -> None:
    journal = MemoryJournal()
    entries = [
        *journal.intend([an_intent(r) for r in records[:2]]),
        *journal.intend([an_intent(r) for r in records[2:]]),
    ]
    assert len(set(entries)) == len(records)
    ends = data.draw(
        st.lists(
            st.sampled_from(["settled", "resolved", "open"]), min_size=len(records), max_size=len(records)
        )
    )
    journal.settle([settled(e) for e, end in zip(entries, ends, strict=True) if end == "settled"])
    for entry, end in zip(entries, ends, strict=True):
        if end == "resolved":
            journal.resolve(entry, happened=False)
    expected = [
        Doubt(entry, an_intent(record))
        for entry, record, end in zip(entries, records, ends, strict=True)
        if end == "open" and record in ("1", "2")
    ]
    assert expected == list(journal.in_doubt(["1", "2"]))
