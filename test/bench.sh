#!/bin/sh
# SPDX-License-Identifier: MIT
# bench.sh - what `nsrun run` of the default bundle costs: wall time beside
# floor.c, crun, runc and bubblewrap, peak memory, size, smallest memory limit.
#
#	ROUNDS=200	runs of each program, interleaved
#	PAUSE=0		milliseconds before each run; with 50 or more they are
#			cold, and a move into a v1 cgroup waits for RCU
#	NSRUN CRUN RUNC BWRAP	the programs; those that are missing are left out
#
# Needs root. Installs musl-tools if there is no musl-gcc and CC is not set.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source-path=SCRIPTDIR source=vm/debian.sh
. "$here/vm/debian.sh"

ROUNDS=${ROUNDS:-200} PAUSE=${PAUSE:-0}
NSRUN=${NSRUN:-$here/../nsrun} CRUN=${CRUN:-crun} RUNC=${RUNC:-runc}
BWRAP=${BWRAP:-bwrap}
CC=${CC:-musl-gcc}
CFLAGS=${CFLAGS:--Os -std=c11 -ffunction-sections -fdata-sections
	-fno-asynchronous-unwind-tables -fno-stack-protector}
LDFLAGS=${LDFLAGS:--Wl,--gc-sections -static}

[ "$(id -u)" = 0 ] || die "needs root"
NSRUN=$(readlink -f "$(command -v "$NSRUN")") || die "no nsrun: run make first"
[ "$CC" != musl-gcc ] || deb_need musl-gcc=musl-tools

tmp=$(mktemp -d)
made=
unified=/sys/fs/cgroup/unified

finish() {
	for h in $made; do
		if umount "/sys/fs/cgroup/$h"; then
			rmdir "/sys/fs/cgroup/$h"
		fi
	done
	umount "$tmp/run"
	rm -rf "$tmp"
}
# State lives on a tmpfs, as /run is nearly everywhere.
mkdir "$tmp/run"
mount -t tmpfs run "$tmp/run"
trap finish EXIT
trap 'exit 1' HUP INT TERM

# crun refuses a hybrid machine that has a controller in v2.
hybrid() {
	[ -r $unified/cgroup.controllers ] || return 0
	read -r have < $unified/cgroup.controllers || :
	for h in $have; do
		mkdir "/sys/fs/cgroup/$h"
		if mount -t cgroup -o "$h" "$h" "/sys/fs/cgroup/$h"; then
			made="$made $h"
		else
			rmdir "/sys/fs/cgroup/$h"
		fi
	done
}

# The container's program: with an argument it says that it is there, and
# ends when its standard input does.
programs() {
	cat > "$tmp/job.c" <<-'EOF'
	#include <unistd.h>
	int main(int argc, char **argv)
	{
		char c;

		(void)argv;
		return argc > 1 && (write(1, "up\n", 3) < 0 ||
				    read(0, &c, 1) < 0);
	}
	EOF
	for src in "$tmp/job.c" "$here/floor.c" "$here/rounds.c"; do
		# shellcheck disable=SC2086 # flags are words
		"$CC" $CFLAGS $LDFLAGS -static -s \
			-o "$tmp/$(basename "$src" .c)" "$src"
	done
}

# bundle NAME SED... - the default bundle, its config changed by SED.
bundle() {
	b=$tmp/$1
	shift
	mkdir -p "$b/rootfs/bin" "$b/rootfs/proc" "$b/rootfs/dev" \
		"$b/rootfs/sys"
	cp "$tmp/job" "$b/rootfs/bin/true"
	(cd "$b" && "$NSRUN" spec)
	# Old crun refuses a newer specification by its number.
	sed -e 's/"terminal": *true/"terminal": false/' \
		-e 's/"ociVersion": *"[^"]*"/"ociVersion": "1.0.0"/' "$@" "$b/config.json" \
		> "$b/new"
	mv "$b/new" "$b/config.json"
}

# peak NAME RUNTIME - the high-water mark of a runtime that waits, in KiB.
peak() {
	rm -f "$tmp/in" "$tmp/out"
	mkfifo "$tmp/in" "$tmp/out"
	"$2" --root "$tmp/run/$1" run -b "$tmp/wait" "wait-$1" \
		< "$tmp/in" > "$tmp/out" &
	pid=$!
	exec 8> "$tmp/in"
	read -r line < "$tmp/out" && [ "$line" = up ] &&
		sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$pid/status"
	exec 8>&-
	wait $pid || die "$1 failed in the memory measurement"
}

# small NAME RUNTIME - whether a container limited to 128 KiB runs at all.
small() {
	if "$2" --root "$tmp/run/$1" run -b "$tmp/small" "small-$1" \
		2> "$tmp/err"; then
		echo yes
	else
		echo "no, status $? $(tail -n 1 "$tmp/err" | cut -c 1-90)"
	fi
}

# Only the runtimes that work here are measured; a failure is told.
works() {
	command -v "$2" >/dev/null || { echo "$1: not installed"; return 1; }
	"$2" --root "$tmp/run/$1" run -b "$tmp/bundle" "try-$1" 2>"$tmp/err" ||
		{ echo "$1: fails: $(tail -n 1 "$tmp/err")"; return 1; }
}

programs
args='s|"sh"|"/bin/true"|'
bundle bundle -e "$args"
bundle wait -e 's|"sh"|"/bin/true", "wait"|'
bundle small -e "$args" \
	-e 's|"resources": *{|&"memory": { "limit": 131072 },|'
grep -q 131072 "$tmp/small/config.json" || die "spec has no resources"
! command -v "$CRUN" >/dev/null || hybrid

runtimes=
! works nsrun "$NSRUN" || runtimes="nsrun=$NSRUN"
! works crun "$CRUN" || runtimes="$runtimes crun=$CRUN"
! works runc "$RUNC" || runtimes="$runtimes runc=$RUNC"

root=$tmp/bundle/rootfs
set -- floor "$tmp/floor" "$root" /bin/true -- \
	"fork and exec" "$root/bin/true"
for r in $runtimes; do
	set -- "$@" -- "${r%%=*} run" "${r#*=}" --root "$tmp/run/${r%%=*}" \
		run -b "$tmp/bundle" "bench-${r%%=*}"
done
if command -v "$BWRAP" >/dev/null; then
	set -- "$@" -- "bwrap, no cgroup" "$BWRAP" --unshare-pid --unshare-net \
		--unshare-ipc --unshare-uts --hostname bench --bind "$root" / \
		--proc /proc --dev /dev --tmpfs /dev/shm --mqueue /dev/mqueue \
		--ro-bind /sys /sys --ro-bind /dev/null /proc/timer_list \
		--remount-ro / --new-session --cap-drop ALL --clearenv \
		/bin/true
fi

"$tmp/rounds" "$ROUNDS" "$PAUSE" "$@" > "$tmp/times"
awk -v rounds="$ROUNDS" -v floor=floor -f "$here/rounds.awk" "$tmp/times"
awk -F '\t' '
	{ by[$1] = $2 }
	END {
		if (by["nsrun run"] && by["crun run"])
			printf "nsrun / crun: %.2f\n",
				by["nsrun run"] / by["crun run"]
	}' "$tmp/times"

echo
for r in $runtimes; do
	kib=$(peak "${r%%=*}" "${r#*=}")
	fits=$(small "${r%%=*}" "${r#*=}")
	echo "${r%%=*}: peak memory $kib KiB; runs with 128 KiB: $fits"
done
cp "$NSRUN" "$tmp/stripped"
strip "$tmp/stripped"
echo "nsrun: $(wc -c < "$tmp/stripped") bytes stripped"

# Wrong numbers are worse than none.
awk -F '\t' '$4 { bad = 1 } END { exit bad }' "$tmp/times"
