-- Intent: what every decision writes costs less. No row changes its meaning.

-- Nobody looks for an attempt by its basket: the name of the basket stays in the row.
drop index reservation_basket_idx;

-- Most entries are holds and words, and most holds have the cause 'checkout'. An index finds what is rare; those are found by time.
drop index ledger_entry_kind_idx;
create index ledger_entry_kind_idx on ledger_entry (kind, at, seq) where kind not in ('hold', 'word');
drop index ledger_entry_cause_idx;
create index ledger_entry_cause_idx on ledger_entry (left(cause, 100), at, seq) where cause <> 'checkout';

-- The body is kept as the very text that was hashed: taken apart only by who looks into it, not by who writes it (4 us an entry).
alter table ledger_entry alter column body type json using body::text::json;
