#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Compiles and runs the tests of test/unit, or those that are named, then some
# seconds of the fuzz targets. The last line is "N passed, N failed, N
# skipped"; the exit status is 1 if any failed.
#
#	test/run-unit.sh [t_json|fuzz ...]
#
#	CC=musl-gcc	the compiler (cc). Each test runs as it makes it, and
#			once more with sanitizers, if it, clang or gcc can link
#			them; t_inject, which clones itself, only plain
#	UPDATE=1	t_plan writes the goldens of test/plan anew
#	FUZZ=N		mutations of each target (4000)
#	SAN=no		without sanitizers, and so without fuzzing
set -u
cd "$(dirname "$0")" || exit 1
CC=${CC:-cc}
flags='-std=c11 -g -Wall -Wextra'
sanitize='-fsanitize=address,undefined -fno-sanitize-recover=all'
out=build/unit
mkdir -p "$out" || exit 1
TMPDIR=$(mktemp -d) && chmod 755 "$TMPDIR" || exit 1
trap 'rm -rf "$TMPDIR"' EXIT
export TMPDIR
log=$TMPDIR/log
# Nothing leaks that outlives a test; and what is cut off shall say where.
export ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1

# The first of these compilers whose sanitizers link, and run here.
echo 'int main(void) { return 0; }' >"$out/empty.c"
san=
[ "${SAN:-}" = no ] || for cc in "$CC" clang gcc; do
	# shellcheck disable=SC2086 # lists of words
	if $cc $sanitize -o "$out/empty" "$out/empty.c" 2>/dev/null &&
	   "$out/empty" 2>/dev/null; then
		san=$cc
		break
	fi
done

# make NAME CC FLAGS.. -- SOURCE..: the program, or its absence, and why.
make() {
	name=$1 cc=$2
	shift 2
	# shellcheck disable=SC2086
	$cc $flags "$@" -o "$out/$name" -lm >"$out/$name.log" 2>&1 ||
		rm -f "$out/$name"
}

# run NAME TITLE COMMAND..: a warning of the compiler is a failure as well.
run() {
	name=$1 title=$2
	shift 2
	echo "== $title"
	if [ -s "$out/$name.log" ]; then
		echo "FAIL - $title compiles without a warning"
		head -n 30 "$out/$name.log" | sed 's/^/    /'
		echo "0 passed, 1 failed, 0 skipped"
	fi
	[ ! -x "$out/$name" ] || "$@" </dev/null || echo "status $title $?"
}

# fuzz TARGET: its seeds, and some mutations of them.
fuzz() {
	target=$1
	case $target in
	json | plan) set -- plan/*.json ;;
	cgroup)	set -- fuzz/cgroup.seed ;;
	exec)	set -- /bin/sh fuzz/passwd.seed run-unit.sh ;;
	netlink) set -- fuzz/netlink.seed ;;
	esac
	if "$out/fuzz-$target" -n "${FUZZ:-4000}" "$@"; then
		echo "ok - finds nothing strange in ${FUZZ:-4000} mutations"
		echo "1 passed, 0 failed, 0 skipped"
	else
		echo "FAIL - finds nothing strange; see test/$out/*.crash"
		echo "0 passed, 1 failed, 0 skipped"
	fi
}

[ $# -gt 0 ] || {
	for f in unit/t_*.c; do
		f=${f#unit/}
		set -- "$@" "${f%.c}"
	done
	set -- "$@" fuzz
}

# Two at a time are compiled, one at a time is run: some measure their time.
targets='json plan cgroup exec netlink'
jobs() {
	for t in $todo; do
		[ "$t" != fuzz ] || continue
		[ "$san" = "$CC" ] && [ "$t" != t_inject ] ||
			echo "make $t '$CC' unit/$t.c"
		[ -z "$san" ] || [ "$t" = t_inject ] ||
			echo "make $t-san '$san' $sanitize unit/$t.c"
	done
	case "${san:+ $todo }" in
	*' fuzz '*) for t in $targets; do
			echo "make fuzz-$t '$san' $sanitize" \
				"fuzz/$t.c fuzz/driver.c"
		    done ;;
	esac
}
todo=$*
rm -f "$out"/*.log
jobs >"$log"
while read -r one; do
	read -r two || two=:
	eval "$one" & eval "$two"
	wait
done <"$log"

for t in $todo; do
	if [ "$t" != fuzz ]; then
		[ ! -e "$out/$t.log" ] || run "$t" "$t ($CC)" "$out/$t"
		[ ! -e "$out/$t-san.log" ] ||
			run "$t-san" "$t ($san, sanitizers)" "$out/$t-san"
	elif [ -z "$san" ]; then
		echo "== fuzz"
		echo "SKIP - fuzz: no compiler here links sanitizers"
		echo "0 passed, 0 failed, 1 skipped"
	else
		for f in $targets; do
			run "fuzz-$f" "fuzz-$f ($san, sanitizers)" fuzz "$f"
		done
	fi
done 2>&1 | tee "$log" | grep -v '^status '

awk '
/^== /		{ title = substr($0, 4) }
/^FAIL - /	{ list = list "  " title ": " substr($0, 8) "\n" }
/^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$/ {
	passed += $1; failed += $3; skipped += $5; own[title] += $3
}
/^status /	{ bad[title] = $NF }
END {
	for (title in bad)
		if (!own[title]) {	# it ended before, or after, its count
			failed++
			list = list "  " title ": ended with " bad[title] "\n"
		}
	if (list)
		printf "failed:\n%s", list
	printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped
	exit failed > 0
}' "$log"
