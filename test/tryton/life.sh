#!/usr/bin/env bash
# Ends, begins, copies and puts back the Tryton of the tests: life.sh WMS DIR PORT stop | start | backup | restore.
# WMS is the script that runs it; a backup is its whole database, as it lies on the disk while nothing runs.
set -euo pipefail
wms=$1 dir=$2 port=$3
case $4 in
  stop) bash "$wms" --dir "$dir" stop ;;
  start) bash "$wms" start --dir "$dir" --port "$port" >/dev/null ;;
  backup) rm -rf "$dir.backup" && cp -a "$dir/pg" "$dir.backup" ;;
  restore) rm -rf "$dir/pg" && mv "$dir.backup" "$dir/pg" ;;
  *) sed -n 2,3p "${BASH_SOURCE[0]}" >&2; exit 2 ;;
esac
