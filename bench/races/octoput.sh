#!/usr/bin/env bash
# Measures octoput from a file to a file over a cable between two namespaces, with
# segmentation and receive offload and without. TURNS, MIB and LIMIT as in common.sh.
set -euo pipefail
. "$(dirname "$0")/common.sh"
needs go ip sha256sum

build octoput-send octoput-recv
make_file
: >"$work/log"

prepare_octoput() {
	start 1 "$bin/octoput-recv" -o "$work/copy1" "${@:2}"
	await 1 udp 8888
}
go_octoput() {
	(within 0 timeout -k 1 "$LIMIT" "$bin/octoput-send" "${@:2}" "$work/file" "$(addr 1):8888") >>"$work/log" 2>&1
}

make_network 1 0 0
: >"$work/results"
for ((t = 0; t < TURNS; t++)); do
	run octoput 1 octoput
	run octoput-plain 1 octoput -no-offload
done
printf '\n%s MiB; %s\n\n' "$MIB" "$(conditions)"
table 1 octoput octoput-plain
