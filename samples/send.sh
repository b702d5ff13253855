#!/bin/sh
# Send events to a running monitor with curl.
#
#   samples/send.sh                          one application, made now
#   samples/send.sh samples/one_case.json    a file: one event, an array, or one event on each line
#
# MONITOR_URL  address of the monitor, by default http://127.0.0.1:8450
# MONITOR_KEY  key of the source (monitor keys create SOURCE), by default the one in data/demo.key
set -eu

if [ $# -gt 0 ] && [ ! -r "$1" ]; then
  echo "$1: no such file, or not readable" >&2
  exit 2
fi

url=${MONITOR_URL:-http://127.0.0.1:8450}
key=${MONITOR_KEY:-$(cat "${MONITOR_DATA:-data}/demo.key")}

events() {
  if [ $# -gt 0 ]; then
    cat -- "$1"
  else
    cat <<EVENT
{"id": "1", "source": "hall", "type": "apply", "time": "$(date -u +%Y-%m-%dT%H:%M:%SZ)",
 "case": "HAND-$(date -u +%Y%m%d-%H%M%S)", "region": "450900", "item": "AJJ-002", "department": "AJJ",
 "window": "AJJ-W01", "channel": "window"}
EVENT
  fi
}

# Without a declared type the monitor tells JSON from lines of JSON by their look.
events "$@" | curl --silent --show-error --fail-with-body --header "Authorization: Bearer $key" --header 'Content-Type:' \
  --write-out '\n' --data-binary @- "$url/api/events"
