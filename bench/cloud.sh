#!/usr/bin/env bash
# The emulated cloud beside its peers: requests/s of the API, CPU a handshake and a message, memory of idle connections.
# Each prints its own table, with what it was held against. `./rig bench cloud` comes here.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."

echo "== API: signed requests/s (aim: 20000)"
build/hilmark_bench_cloud_control build/tests/control_plane_server 4
echo "== server CPU a full handshake with client certificates (aims: 0.65 of Mosquitto's, 0.8 of s_server's)"
/usr/bin/python3 bench/cloud_handshake.py 200 3
echo "== messages (aims: 0.8 of Mosquitto's rate, 1.5 of its CPU)"
/usr/bin/python3 bench/cloud_messages.py 2 3
echo "== memory of an idle connection (aim: 2 of Mosquitto's)"
/usr/bin/python3 bench/cloud_idle.py "${1:-10000}"
