#!/bin/sh
# SPDX-License-Identifier: MIT
# check.sh [build|lint|unit|sys|vm...] - all tests, or those parts. The last
# line is the sum: "N passed, N failed, N skipped".
# check.sh quick - unit and sys less what takes long: the sanitizers, the fault
# injection, the fuzzing and some scripts.
#
#	SYS="mounts exec ..."	the scripts of sys that `quick` runs
#	REQUIRE="root cgroup1 net vm ..."	what may not be skipped for
#	NO_VM=1		leave out the virtual machines, visibly
# shellcheck disable=SC2086 # the flags are lists of words
set -u
here=$(cd "$(dirname "$0")" && pwd)
[ $# -gt 0 ] || set -- build lint unit sys vm
[ "$*" != quick ] || set -- quick_unit quick_sys
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT

# The strict warnings as errors, with both compilers and both libcs.
build() {
	passed=0 failed=0 skipped=0
	for cc in musl-gcc gcc clang; do
		if ! command -v $cc >/dev/null; then
			echo "SKIP - builds without a warning with $cc: not here"
			skipped=$((skipped + 1))
		elif out=$($cc $BUILD $WARN -Werror $CFLAGS -c \
			-o /dev/null "$here/../nsrun.c" 2>&1); then
			echo "ok - builds without a warning with $cc"
			passed=$((passed + 1))
		else
			echo "FAIL - builds without a warning with $cc"
			echo "$out" | sed 's/^/    /'
			failed=$((failed + 1))
		fi
	done
	if readelf -lW "$here/../nsrun" | grep -q INTERP; then
		echo "FAIL - the program needs no dynamic loader"
		failed=$((failed + 1))
	else
		echo "ok - the program needs no dynamic loader"
		passed=$((passed + 1))
	fi
	echo "$passed passed, $failed failed, $skipped skipped"
}

lint() {
	if ! command -v shellcheck >/dev/null; then
		echo "SKIP - the scripts are clean for shellcheck: not here"
		echo "0 passed, 0 failed, 1 skipped"
	elif out=$(cd "$here" && shellcheck -x ./*.sh sys/*.sh vm/*.sh); then
		echo "ok - the scripts are clean for shellcheck"
		echo "1 passed, 0 failed, 0 skipped"
	else
		echo "FAIL - the scripts are clean for shellcheck"
		echo "$out" | sed 's/^/    /'
		echo "0 passed, 1 failed, 0 skipped"
	fi
}

quick_unit() {
	(cd "$here/unit" && ls t_*.c) | sed 's/\.c$//; /t_inject/d' |
		SAN=no xargs "$here/run-unit.sh"
}

quick_sys() {
	"$here/run-sys.sh" ${SYS:-cgroup devices errors escape evil exec-errors \
		lifecycle mounts process root run selfprotect update userns}
}

vm() {
	if [ -n "${NO_VM:-}" ]; then
		echo "SKIP - virtual machines: NO_VM is set"
		echo "0 passed, 0 failed, 1 skipped"
	else
		CFLAGS="$BUILD $CFLAGS" LDFLAGS=$LINK "$here/vm/check.sh"
	fi
}

for part; do
	echo "== $part"
	case $part in
	build | lint | vm | quick_*) "$part" ;;
	unit)	"$here/run-unit.sh" ;;
	sys)	"$here/run-sys.sh" ;;
	*)	echo "check.sh: no part $part" >&2; exit 2 ;;
	esac 2>&1
	echo "== end $part"
done | tee "$log"

# Of each part, only its own last line counts.
awk '
/^== end / { if (!last) { failed++; bad = bad " " $3 }
	     else { split(last, n, " "); passed += n[1]; failed += n[3]
		    skipped += n[5] }
	     last = ""; next }
/^== /	   { next }
/^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$/ { last = $0; next }
	   { last = "" }
END {
	if (bad) print "without a result:" bad
	printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped
	exit failed > 0
}' "$log"
