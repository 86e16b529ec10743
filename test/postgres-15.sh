#!/usr/bin/env bash
# A PostgreSQL 15 of its own for a run of the tests: as Debian's package postgresql-15 brings it, durable settings as they are.
#
#   test/postgres-15.sh start FOLDER PORT    makes a server in an empty folder, starts it on the loopback, prints its URL
#   test/postgres-15.sh replica FOLDER PORT OF   makes a server that copies the one in the folder OF, which from then on
#                                            acknowledges nothing that this one has not on its disk; starts it, prints its URL
#   test/postgres-15.sh promote FOLDER       makes the copy a server of its own
#   test/postgres-15.sh stop FOLDER          stops it; the folder stays
#
# PostgreSQL refuses to run as root: then the folder is given to an unprivileged user. Nothing is installed here.
set -euo pipefail

bin=${POSTGRES_15_BIN:-/usr/lib/postgresql/15/bin}
usage() { sed -n '2,11p' "${BASH_SOURCE[0]}" >&2; exit 2; }

[ $# -ge 2 ] || usage
what=$1
folder=$(realpath -m "$2")
data=$folder/data

as_nobody() {
  if [ "$(id -u)" -ne 0 ]; then
    "$@"
  else
    setpriv --reuid=nobody --regid=nogroup --clear-groups env HOME="$folder" "$@"
  fi
}

case $what in
start)
  [ $# -eq 3 ] || usage
  if [ ! -x "$bin/initdb" ]; then
    echo "There is no PostgreSQL 15 in $bin: apt-get install postgresql-15, or say where with POSTGRES_15_BIN" >&2
    exit 1
  fi
  mkdir -p "$folder"
  [ "$(id -u)" -ne 0 ] || chown nobody:nogroup "$folder"
  cd "$folder"
  password=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
  (umask 077 && printf '%s' "$password" >"$folder/password")
  [ "$(id -u)" -ne 0 ] || chown nobody:nogroup "$folder/password"
  as_nobody "$bin/initdb" -D "$data" -U holdfast --pwfile="$folder/password" --auth=scram-sha-256 -E UTF8 --locale=C \
    >"$folder/initdb.log" || { cat "$folder/initdb.log" >&2; exit 1; }
  options="-p $3 -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c max_connections=100"
  as_nobody "$bin/pg_ctl" -D "$data" -l "$folder/postgres.log" -w -t 30 -o "$options" start >"$folder/start.log" ||
    { cat "$folder/start.log" "$folder/postgres.log" >&2; exit 1; }
  echo "postgres://holdfast:$password@127.0.0.1:$3/postgres"
  ;;
replica)
  [ $# -eq 4 ] || usage
  of=$(realpath -m "$4")
  mkdir -p "$folder"
  cp "$of/password" "$folder/password"
  [ "$(id -u)" -ne 0 ] || chown nobody:nogroup "$folder" "$folder/password"
  cd "$folder"
  password=$(cat "$folder/password")
  port=$(sed -n 4p "$of/data/postmaster.pid")
  as_nobody env PGPASSWORD="$password" "$bin/pg_basebackup" -D "$data" -R -X stream -c fast -h 127.0.0.1 -p "$port" -U holdfast \
    >"$folder/backup.log" 2>&1 || { cat "$folder/backup.log" >&2; exit 1; }
  options="-p $3 -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c max_connections=100"
  as_nobody "$bin/pg_ctl" -D "$data" -l "$folder/postgres.log" -w -t 30 -o "$options" start >"$folder/start.log" ||
    { cat "$folder/start.log" "$folder/postgres.log" >&2; exit 1; }
  for statement in "alter system set synchronous_standby_names = '*'" 'select pg_reload_conf()'; do
    PGPASSWORD=$password "$bin/psql" -qAt -h 127.0.0.1 -p "$port" -U holdfast -d postgres -c "$statement" >/dev/null
  done
  echo "postgres://holdfast:$password@127.0.0.1:$3/postgres"
  ;;
promote)
  cd "$folder"
  as_nobody "$bin/pg_ctl" -D "$data" -w promote >/dev/null
  ;;
stop)
  [ -f "$data/postmaster.pid" ] || exit 0
  # One that was killed left its file behind.
  kill -0 "$(head -1 "$data/postmaster.pid")" 2>/dev/null || exit 0
  cd "$folder"
  as_nobody "$bin/pg_ctl" -D "$data" -m fast -w stop >/dev/null
  ;;
*) usage ;;
esac
