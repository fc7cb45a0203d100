# Sourced by the races beside it. Makes networks of namespaces, runs contenders in turns,
# and prints a table of medians. Everything is made under names of this process's own
# and removed when the shell ends, however it does.
set -euo pipefail

TURNS=${TURNS:-5} # How often each contender runs.
MIB=${MIB:-64}    # Size of the file that is moved.
LIMIT=${LIMIT:-60} # Seconds after which a run has failed; a contender that failed does not run again.

[ "$(id -u)" = 0 ] || { echo "namespaces need root" >&2; exit 1; }

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
net=race$$ # Begins the name of every namespace.
work=$(mktemp -d /dev/shm/ferry-race.XXXXXX)
bin=$work/bin
members=()
started=() # Processes of the current run,
kept=()    # and of the current network.

# end_started ends what runs at the receivers, whoever started it.
end_started() {
	local ns
	for ns in ${members[@]+"${members[@]}"}; do
		[ "$ns" = "$net-0" ] || ip netns pids "$ns" 2>/dev/null | xargs -r kill 2>/dev/null || true
	done
	[ ${#started[@]} = 0 ] || wait "${started[@]}" 2>/dev/null || true
	started=()
}

unmake_network() {
	local ns
	end_started
	[ ${#kept[@]} = 0 ] || kill "${kept[@]}" 2>/dev/null || true
	[ ${#kept[@]} = 0 ] || wait "${kept[@]}" 2>/dev/null || true
	kept=()
	for ns in ${members[@]+"${members[@]}"}; do ip netns del "$ns" 2>/dev/null || true; done
	members=()
}

trap 'unmake_network; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

needs() {
	local tool missing=()
	for tool; do command -v "$tool" >/dev/null || missing+=("$tool"); done
	[ ${#missing[@]} = 0 ] || { echo "not installed: ${missing[*]}" >&2; exit 1; }
}

# build PROGRAM... makes ferry's programs.
build() {
	local p
	for p; do (cd "$here/../../examples" && go build -o "$bin/$p" "./$p"); done
}

# build_bare makes the floor: a program with the system calls alone.
build_bare() { (cd "$here/.." && GOWORK=off go build -o "$bin/bare" ./races/bare); }

# within HOST COMMAND... runs in the namespace of host 0, the sender, or 1 to N.
within() {
	local host=$1
	shift
	exec ip netns exec "$net-$host" "$@"
}

addr() { echo "10.88.0.$((1 + $1))"; }

# make_network N LOSS CUT joins host 0 and N others by a bridge. LOSS of a hundred
# packets that arrive at each of the others are dropped. If CUT is 1, host 0's
# interface segments what it is handed, as hardware would: on a cable of this kind a
# super-packet travels in one piece otherwise, is one packet to the filter, and is
# counted with one header.
make_network() {
	local n=$1 loss=$2 cut=$3 i
	unmake_network
	ip netns add "$net-hub"
	members+=("$net-hub")
	ip -n "$net-hub" link add br0 type bridge mcast_snooping 0
	ip -n "$net-hub" link set br0 up
	for ((i = 0; i <= n; i++)); do
		ip netns add "$net-$i"
		members+=("$net-$i")
		ip link add veth0 netns "$net-$i" type veth peer name "port$i" netns "$net-hub"
		ip -n "$net-hub" link set "port$i" master br0 up
		ip -n "$net-$i" addr add "$(addr "$i")/24" broadcast 10.88.0.255 dev veth0
		ip -n "$net-$i" link set lo up
		ip -n "$net-$i" link set veth0 up
		ip -n "$net-$i" route add 224.0.0.0/4 dev veth0
		[ "$i" = 0 ] || [ "$loss" = 0 ] || (within "$i" nft "
			add table inet t
			add chain inet t in { type filter hook input priority 0; }
			add rule inet t in iifname veth0 meta l4proto { tcp, udp } numgen random mod 100 < $loss drop")
	done
	if [ "$cut" = 1 ]; then
		(within 0 ethtool -K veth0 gso off tso off tx-udp-segmentation off)
	fi
}

# start HOST COMMAND... leaves a command running for the rest of the run.
start() {
	(within "$@") >>"$work/log" 2>&1 &
	started+=($!)
}

# keep HOST COMMAND... leaves it running until the network is unmade; its process is $!.
keep() {
	(within "$@") >>"$work/log" 2>&1 &
	kept+=($!)
}

# await HOST tcp|udp PORT waits until somebody listens there.
await() {
	local port tries
	port=$(printf ':%04X 0*:0000 ' "$3")
	for ((tries = 0; tries < 200; tries++)); do
		! (within "$1" grep -q "$port" "/proc/net/$2" "/proc/net/${2}6") || return 0
		sleep 0.02
	done
	echo "nobody listens at port $3 of host $1" >>"$work/log"
	return 1
}

# digest HOST writes the digest of host HOST's copy; correct compares it.
digest() { sha256sum <"$work/copy$1" >"$work/digest$1"; }
correct() { cmp -s "$work/digest$1" "$work/digest"; }

make_file() {
	head -c "$((MIB << 20))" /dev/urandom >"$work/file"
	sha256sum <"$work/file" >"$work/digest"
	sync -f "$work/file"
}

# counter NAME is one of host 0's interface.
counter() { (within 0 cat "/sys/class/net/veth0/statistics/$1"); }

# run NAME N CONTENDER... is one turn of one contender: prepare_CONTENDER starts what
# listens, go_CONTENDER is timed and ends when all copies are there and hashed. The
# digests are compared afterwards.
run() {
	local name=$1 n=$2 contender=$3 i bytes answers packets begin end status=ok
	shift 3
	grep -q "^$name failed" "$work/results" 2>/dev/null && return
	rm -f "$work"/copy* "$work"/digest[0-9]*
	if "prepare_$contender" "$n" "$@"; then
		bytes=$(counter tx_bytes) answers=$(counter rx_packets) packets=$(counter tx_packets)
		begin=$EPOCHREALTIME
		"go_$contender" "$n" "$@" || status=failed
		end=$EPOCHREALTIME
		bytes=$(($(counter tx_bytes) - bytes)) answers=$(($(counter rx_packets) - answers)) packets=$(($(counter tx_packets) - packets))
	else
		status=failed begin=0 end=0 bytes=0 answers=0 packets=1
	fi
	end_started
	for ((i = 1; i <= n; i++)); do
		[ -e "$work/digest$i" ] || digest "$i" 2>/dev/null || true
		correct "$i" || status=failed
	done
	echo "$name $status $begin $end $bytes $answers $packets" >>"$work/results"
	if [ $status = failed ]; then
		echo "$name failed; the end of what was said:" >&2
		tail -n 5 "$work/log" >&2
	fi
	: >"$work/log"
}

# table N prints the medians: bytes that left host 0 for each of the file's, and how many
# packets each of the others sent for a hundred full ones of host 0,
# and how many times the time of each of OURS... the others take.
table() {
	local n=$1
	shift
	awk -v n="$n" -v bytes="$((MIB << 20))" -v ours="$*" '
	function median(list, a, m, i, j, t) {
		m = split(list, a, " ")
		for (i = 2; i <= m; i++) for (j = i; j > 1 && a[j-1] + 0 > a[j] + 0; j--) { t = a[j]; a[j] = a[j-1]; a[j-1] = t }
		least = a[1]; most = a[m]
		return (a[int((m + 1) / 2)] + a[int(m / 2) + 1]) / 2
	}
	!($1 in seen) { seen[$1] = 1; order[++count] = $1 }
	$2 != "ok" { failed[$1] = 1; next }
	{ time[$1] = time[$1] " " ($4 - $3); wire[$1] = wire[$1] " " ($5 / bytes); answers[$1] = answers[$1] " " ($5 ? 100 * $6 / n / ($5 / 1506) : 0) }
	END {
		k = split(ours, our, " ")
		printf "| %-24s | %6s | %-14s | %6s | %6s | %7s |", "contender", "s", "least to most", "MB/s", "wire", "answers"
		for (j = 1; j <= k; j++) printf " / %s |", our[j]
		printf "\n| --- | ---: | --- | ---: | ---: | ---: |"
		for (j = 1; j <= k; j++) printf " ---: |"
		print ""
		for (i = 1; i <= count; i++) if (order[i] in time) mid[order[i]] = median(time[order[i]])
		for (i = 1; i <= count; i++) {
			c = order[i]
			if (c in failed) { printf "| %-24s | failed |\n", c; continue }
			m = median(time[c]); range = sprintf("%.3f to %.3f", least, most)
			printf "| %-24s | %6.3f | %-14s | %6.1f | %6.3f | %6.2f%% |", c, m, range, bytes / m / 1e6, median(wire[c]), median(answers[c])
			for (j = 1; j <= k; j++) if (our[j] in mid) printf " %5.2f |", m / mid[our[j]]; else printf " |"
			print ""
		}
	}' "$work/results"
	: >"$work/results"
}

conditions() { echo "$(nproc) processors, load $(cut -d' ' -f1-3 /proc/loadavg), $(uname -sr), $(go version | cut -d' ' -f3), $TURNS turns, $(date -u +%F)"; }

ip netns add "$net-try" 2>/dev/null && ip netns del "$net-try" || { echo "no network namespaces here" >&2; exit 1; }
