-- Intent: what a shop showed when it fell silent counts as sold for everyone else until its orders are read, whatever a look finds
-- meanwhile: the shop has lowered it by the very orders that are still to be read. Empty wherever the shop is read.

alter table publication add unread_units integer;
