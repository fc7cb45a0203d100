#!/usr/bin/env bash
# Races p2mp-send against UFTP, udpcast and TCP copies one after another, to N
# receivers on one bridge. TURNS, MIB and LIMIT as in common.sh;
#   CASES  N:LOSS:CUT of each network (see make_network)
#   RATES  Mbit/s that UFTP is told to send at; -1 is as fast as it can
#   ONLY   a regular expression of contenders
set -euo pipefail
. "$(dirname "$0")/common.sh"
needs go ip nft ethtool uftp uftpd udp-sender udp-receiver socat sha256sum

CASES=${CASES:-1:0:0 8:0:0 8:5:1}
RATES=${RATES:-300 500 800 1600 -1}
ONLY=${ONLY:-.}
group=239.255.7.35:7735

build p2mp-send p2mp-recv
make_file

# hosts N SUFFIX
hosts() { for ((h = 1; h <= $1; h++)); do echo "$(addr "$h")$2"; done; }

# digests N hashes all copies at once, as receivers on machines of their own would.
digests() {
	local d pids=()
	for ((d = 1; d <= $1; d++)); do digest "$d" & pids+=($!); done
	wait "${pids[@]}"
}

# ferry's receivers verify before they confirm, and the sender ends when all have.
prepare_group() {
	local n=$1 i
	shift
	for ((i = 1; i <= n; i++)); do start "$i" "$bin/p2mp-recv" -group $group -iface veth0 -o "$work/copy$i" "$@"; done
	for ((i = 1; i <= n; i++)); do await "$i" udp 7735; done
}
go_group() {
	local n=$1
	shift
	(within 0 timeout -k 1 "$LIMIT" "$bin/p2mp-send" -mss 1464 -group $group -iface veth0 "$@" "$work/file" $(hosts "$n" :7735)) >>"$work/log" 2>&1
}
prepare_unicast() { prepare_group "$@"; }
go_unicast() {
	local n=$1
	shift
	(within 0 timeout -k 1 "$LIMIT" "$bin/p2mp-send" -mss 1464 "$@" "$work/file" $(hosts "$n" :7735)) >>"$work/log" 2>&1
}

# The same without hashing the file beforehand, as the peers do.
prepare_group_once() { prepare_group "$@"; }
go_group_once() { go_group "$@" -no-resume; }
prepare_unicast_once() { prepare_group "$@"; }
go_unicast_once() { go_unicast "$@" -no-resume; }

# UFTP with large buffers, a first guess of the round trip that suits a LAN, and a list of
# receivers, so that it need not wait for more.
prepare_uftp() {
	local i
	for ((i = 1; i <= $1; i++)); do
		mkdir -p "$work/uftp$i"
		start "$i" uftpd -d -B 4194304 -I veth0 -D "$work/uftp$i"
	done
	for ((i = 1; i <= $1; i++)); do await "$i" udp 1044; done
}
go_uftp() {
	local n=$1 rate=$2 i
	[ "$rate" = -1 ] || rate=$((rate * 1000))
	(within 0 timeout -k 1 "$LIMIT" uftp -R "$rate" -B 4194304 -b 1440 -r 0.01 -I veth0 -H "$(hosts "$n" "" | awk -F. '{ printf "%s0x%02X%02X%02X%02X", sep, $1, $2, $3, $4; sep = "," }')" "$work/file") >>"$work/log" 2>&1 || return
	for ((i = 1; i <= n; i++)); do mv "$work/uftp$i/file" "$work/copy$i"; done
	digests "$n"
}

receive_udpcast() {
	(within "$1" timeout -k 1 "$LIMIT" udp-receiver --nokbd --interface veth0 --file "$work/copy$1") && digest "$1"
}
prepare_udpcast() {
	local i
	receivers=()
	for ((i = 1; i <= $1; i++)); do
		receive_udpcast "$i" >>"$work/log" 2>&1 &
		receivers+=($!)
	done
	for ((i = 1; i <= $1; i++)); do await "$i" udp 9000; done
}
go_udpcast() {
	local r
	(within 0 timeout -k 1 "$LIMIT" udp-sender --nokbd --interface veth0 --full-duplex --min-receivers "$1" --file "$work/file") >>"$work/log" 2>&1 || return
	for r in "${receivers[@]}"; do wait "$r" || return; done
}

# A copy is hashed while the next is on its way.
receive_tcp() {
	(within "$1" timeout -k 1 "$LIMIT" socat -u -b 262144 TCP-LISTEN:7000,reuseaddr "CREATE:$work/copy$1") && digest "$1"
}
prepare_tcp() {
	local i
	receivers=()
	for ((i = 1; i <= $1; i++)); do
		receive_tcp "$i" >>"$work/log" 2>&1 &
		receivers+=($!)
	done
	for ((i = 1; i <= $1; i++)); do await "$i" tcp 7000; done
}
go_tcp() {
	local n=$1 i
	for ((i = 1; i <= n; i++)); do
		(within 0 timeout -k 1 "$LIMIT" socat -u -b 262144 "OPEN:$work/file,rdonly" "TCP:$(addr "$i"):7000") >>"$work/log" 2>&1 || return
	done
	for i in "${receivers[@]}"; do wait "$i" || return; done
}

# turn N
turn() {
	local rate
	try() { [[ $1 =~ $ONLY ]] && run "$@" || true; }
	try ferry "$1" group
	try ferry-once "$1" group_once
	try ferry-plain "$1" group -no-offload
	try ferry-plain-once "$1" group_once -no-offload
	if [ "$1" = 1 ]; then
		try ferry-unicast 1 unicast
		try ferry-unicast-once 1 unicast_once
		try ferry-unicast-plain 1 unicast -no-offload
	fi
	for rate in $RATES; do try "uftp@$rate" "$1" uftp "$rate"; done
	try udpcast "$1" udpcast
	try tcp "$1" tcp
}

: >"$work/log"
for case in $CASES; do
	IFS=: read -r n loss cut <<<"$case"
	make_network "$n" "$loss" "$cut"
	: >"$work/results"
	for ((t = 0; t < TURNS; t++)); do turn "$n"; done
	printf '\nN = %s, %s %% loss%s; %s MiB; %s\n\n' "$n" "$loss" "$([ "$cut" = 0 ] || echo ", super-packets cut at the sender's interface")" "$MIB" "$(conditions)"
	table "$n" ferry ferry-plain
done
