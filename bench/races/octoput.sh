#!/usr/bin/env bash
# Measures octoput from a file to a file over loopback, and over a cable between two
# namespaces, with segmentation and receive offload and without, beside a floor: a program
# that does the system calls alone, and hashes. TURNS, MIB and LIMIT as in common.sh.
set -euo pipefail
. "$(dirname "$0")/common.sh"
needs go ip sha256sum

build octoput-send octoput-recv
build_bare
make_file
: >"$work/log"

prepare_octoput() {
	start 1 "$bin/octoput-recv" -o "$work/copy1" "${@:2}"
	await 1 udp 8888
}
go_octoput() {
	(within 0 timeout -k 1 "$LIMIT" "$bin/octoput-send" "${@:2}" "$work/file" "$(addr 1):8888") >>"$work/log" 2>&1
}
prepare_loopback() { prepare_octoput "$@"; }
go_loopback() {
	(within 1 timeout -k 1 "$LIMIT" "$bin/octoput-send" "${@:2}" "$work/file" 127.0.0.1:8888) >>"$work/log" 2>&1
}

# Datagrams are as long as octolegs, header and all.
octolegs="-packet 1127 -window 8 -hash"
prepare_bare() { :; }
go_bare() {
	(within 1 timeout -k 1 "$LIMIT" "$bin/bare" $octolegs get "$(addr 0):6902" "$work/copy1") >>"$work/log" 2>&1
}

make_network 1 0 0
keep 0 "$bin/bare" $octolegs serve "$(addr 0):6902" "$work/file"
await 0 udp 6902
: >"$work/results"
for ((t = 0; t < TURNS; t++)); do
	run octoput-loopback 1 loopback
	run octoput 1 octoput
	run octoput-plain 1 octoput -no-offload
	run bare 1 bare
done
printf '\n%s MiB; %s\n\n' "$MIB" "$(conditions)"
table 1 octoput octoput-plain
