#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Runs the scripts of test/sys, or those that are named, and adds up. The last
# line is "N passed, N failed, N skipped"; the exit status is 1 if any failed.
#
#	test/run-sys.sh [run|test/sys/run.sh ...]

dir=${0%/*}
[ "$dir" != "$0" ] || dir=.
[ $# -gt 0 ] || set -- "$dir"/sys/*.sh
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT

for script; do
	[ -f "$script" ] || script=$dir/sys/${script%.sh}.sh
	echo "== $script"
	sh "$script" </dev/null || echo "status $script $?"
done 2>&1 | tee "$log" | awk '!/^status /'

awk '
/^== /		{ script = $2 }
/^FAIL - /	{ list = list "  " script ": " substr($0, 8) "\n" }
/^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$/ {
	passed += $1; failed += $3; skipped += $5; counted[script] = 1
}
/^status /	{ bad[$2] = $3 }
END {
	for (script in bad)
		if (!(script in counted)) {
			failed++
			list = list "  " script ": ended with " bad[script] "\n"
		}
	if (list)
		printf "failed:\n%s", list
	printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped
	exit failed > 0
}' "$log"
