-- Shops that an operator invited to register: for the first time where that is asked, again without proof of the former secret (a shop
-- that moved, an installation whose end never reached us), or in place of another installation. Over once a registration is confirmed.

create table invitation (
  shop text primary key,
  until timestamptz not null
);
