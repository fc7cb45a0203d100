#!/usr/bin/env bash
# Races tftpd and tftp against atftpd and atftp, and each with the other's, over a cable
# between two namespaces, and beside a floor: a program that does the system calls
# alone. TURNS, MIB and LIMIT as in common.sh;
#   REPEATS  transfers of blocks of 65464 bytes, each of which must complete
#   ATFTPD   the server, which is unpacked if it is not given: its package conflicts
#            with tftpd-hpa
set -euo pipefail
. "$(dirname "$0")/common.sh"
needs go ip atftp sha256sum

REPEATS=${REPEATS:-10}
ATFTPD=${ATFTPD:-$(command -v atftpd || true)}

build tftp tftpd
build_bare
mkdir "$work/served"
make_file
mv "$work/file" "$work/served/file"
chmod 755 "$work" "$work/served"
: >"$work/log"
if [ -z "$ATFTPD" ]; then
	(cd "$work" && apt-get download -qq atftpd && dpkg -x atftpd_*.deb atftpd) 2>>"$work/log"
	ATFTPD=$work/atftpd/usr/sbin/atftpd
fi

# used PROCESS is its CPU time in hundredths of a second.
used() { awk '{ sub(/.*\) /, ""); print $12 + $13 }' "/proc/$1/stat"; }

get_tftp() {
	(within 1 timeout -k 1 "$LIMIT" "$bin/tftp" -blksize "$2" -windowsize "$3" get "$(addr 0):$1" file "$work/copy1")
}
get_atftp() {
	(within 1 timeout -k 1 "$LIMIT" atftp --get --remote-file file --local-file "$work/copy1" \
		--option "blksize $2" --option "windowsize $3" "$(addr 0)" "$1")
}

get_bare() {
	(within 1 timeout -k 1 "$LIMIT" "$bin/bare" -packet $(($2 + 4)) -window "$3" get "$(addr 0):$1" "$work/copy1")
}

# A contender is a server, which runs all the time, a client, a block size and a
# windowsize. What both took of the processors is kept beside the times.
prepare_pair() { :; }
go_pair() {
	local server=$2 client=$3 pid port before
	case $server in
	tftpd) pid=$ours port=6900 ;;
	atftpd) pid=$theirs port=6901 ;;
	bare) pid=$floor port=6902 ;;
	esac
	before=$(used "$pid")
	TIMEFORMAT='%3U %3S'
	{ time "get_$client" "$port" "$4" "$5" >>"$work/log" 2>&1; } 2>"$work/cpu" || return
	echo "$server/$client-$4-$5 $(($(used "$pid") - before)) $(cat "$work/cpu")" >>"$work/cpus"
}

try() { run "$1/$2-$3-$4" 1 pair "$@"; }

make_network 1 0 0
keep 0 "$bin/tftpd" "$work/served"
ours=$!
keep 0 "$ATFTPD" --daemon --no-fork --logfile - --verbose=1 --user root.root --port 6901 "$work/served"
theirs=$!
keep 0 "$bin/bare" serve "$(addr 0):6902" "$work/served/file"
floor=$!
await 0 udp 6900
await 0 udp 6901
await 0 udp 6902

: >"$work/results"
for ((t = 0; t < TURNS; t++)); do
	for server in tftpd atftpd; do
		for client in tftp atftp; do try $server $client 1428 64; done
	done
	try bare bare 1428 64
done
printf '\nSERVER/CLIENT-BLKSIZE-WINDOWSIZE; %s MiB; %s\n\n' "$MIB" "$(conditions)"
table 1 tftpd/tftp-1428-64 atftpd/atftp-1428-64
printf '\nCPU time of both ends, ns for each byte:\n\n'
awk -v bytes="$((MIB << 20))" '{ sum[$1] += $2 / 100 + $3 + $4; n[$1]++ }
	END { for (c in sum) printf "| %-24s | %5.2f |\n", c, sum[c] / n[c] / bytes * 1e9 }' "$work/cpus" | sort

: >"$work/results"
for ((t = 0; t < REPEATS; t++)); do
	for window in 4 16; do
		try tftpd tftp 65464 $window
		try atftpd atftp 65464 $window
	done
done
printf '\nBlocks of 65464 bytes, %s transfers each; one that is not complete is a failure.\n\n' "$REPEATS"
table 1 tftpd/tftp-65464-4 tftpd/tftp-65464-16
