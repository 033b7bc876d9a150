#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck source-path=SCRIPTDIR source=../lib.sh disable=SC2119,SC2317
#
# nsrun is killed with SIGKILL before each of its system calls in turn, by
# test/killer.c, in every command that makes or ends something. Whatever is left
# then, `delete --force` removes it before it returns, and `run` takes the id
# over. poststop hooks run once at most.
#
#	FULL=1		at every call, not only at each $STEP-th
#	STEP=N		7; where it begins differs from run to run
#	FIRST=N		where it begins

killer=${0%/*}/../build/killer
[ -x "$killer" ] || make -s -C "${0%/*}/../.." test/build/killer 2>/dev/null
# Orphans that nobody waits for would keep a pid namespace for a while.
if [ -x "$killer" ] && [ -z "$REAPED" ]; then
	REAPED=1 exec "$killer" reap sh "$0"
fi

. "${0%/*}/../lib.sh"
killer=$test_dir/build/killer
need root
[ -x "$killer" ] || {
	skip "all of ${0##*/}" "test/build/killer is not built"
	done_testing
}
ours "all of ${0##*/}" || done_testing

STEP=${STEP:-7}
[ -z "$FULL" ] || STEP=1
FIRST=${FIRST:-$(($$ % STEP + 1))}

# ---- what may be left -----------------------------------------------------

awk '/ - cgroup2? / { print $5 }' /proc/self/mountinfo >"$T/hierarchies"
hook_file=$B/rootfs/data/hooks
made data
cd "$B" || exit 1

processes()
{
	env -i PATH="$PATH" grep -l "NSRUN_TEST=$TAG" /proc/[0-9]*/environ \
		2>/dev/null
}

wrong()
{
	found="$found${found:+
}at call $n: $1"
}

# What there is at this moment: nothing is waited for.
look()
{
	for file in "$STATE"/* "$STATE"/.[!.]*; do
		[ ! -e "$file" ] || wrong "$file"
	done
	while read -r dir; do
		[ ! -e "$dir/$TAG" ] || wrong "$dir/$TAG"
	done <"$T/hierarchies"
	! grep -q "$TAG" /proc/self/mountinfo || wrong "a mount"
	for file in $(processes); do
		dir=${file%/*}
		wrong "process ${dir#/proc/}, $(tr '\000' ' ' \
			<"$dir/cmdline" 2>/dev/null)"
	done
	times=$(grep -c '^poststop$' "$hook_file")
	if [ "$times" -lt "$1" ] || [ "$times" -gt "$2" ]; then
		wrong "poststop ran $times times"
	fi
}

nsrun()
{
	"$NSRUN" --root "$STATE" "$@" >"$T/out" 2>"$T/err" || {
		wrong "$1: $(cat "$T/err")"
		false
	}
}

# ---- before and after -----------------------------------------------------

fresh()
{
	: >"$hook_file"
}

created()
{
	fresh
	nsrun create "$ID"
}

running()
{
	created && nsrun start "$ID"
}

has_stopped()
{
	nsrun state "$ID" && grep -q '"stopped"' "$T/out"
}

stopped()
{
	running && nsrun kill "$ID" KILL && wait_for has_stopped
}

delete()
{
	nsrun delete --force "$ID"
}

again()
{
	"$NSRUN" --root "$STATE" run "$ID" >"$T/out" 2>"$T/err"
	[ $? = 4 ] || {
		wrong "run: $(cat "$T/err")"
		delete
	}
}

# ---- the killing ----------------------------------------------------------

# BEFORE AFTER LEAST MOST STATUS COMMAND..: for each n, BEFORE is called, the
# command killed at its n-th system call, and AFTER called. Then there is
# nothing, and poststop has run LEAST to MOST times if there are hooks. One that
# is not killed any more ends with STATUS.
killed()
{
	before=$1 after=$2 least=$(($3 * hooks)) most=$(($4 * hooks)) wanted=$5
	shift 5
	n=$FIRST found='' kills=0
	while :; do
		"$before" || break
		# shellcheck disable=SC2086 # words
		"$killer" "$n" "$NSRUN" --root "$STATE" "$@" "$ID" $command \
			>"$T/out" 2>"$T/err"
		status=$?
		outputs
		"$after"
		[ "$status" = 99 ] || break
		look "$least" "$most"
		kills=$((kills + 1))
		n=$((n + STEP))
	done
	look "$hooks" "$most"
	what="$*${kind:+ }$kind, killed at $kills of $n calls"
	if [ "$status" = "$wanted" ] && [ "$n" -gt 50 ]; then
		check_is "$what: nothing is left" "$found" ""
	else
		fail_run "$what, works at last" "wanted: status $wanted," \
			"and not before call 50" "$found"
	fi
}

# ARGS: what the process does, in the bundle of this kind
kind_config()
{
	base='"cgroupsPath":"/'$TAG'/a"' ns='pid mount ipc uts network' top=
	args=$1 hooks=0
	case $kind in
	"with hooks")
		hooks=1
		for name in prestart createRuntime createContainer \
			startContainer poststart poststop; do
			where=$hook_file
			program=$PROBE
			[ $name != startContainer ] ||
				where=/data/hooks program=/bin/probe
			top="$top${top:+,}\"$name\":[{\"path\":\"$program\",
				\"args\":$(printf '["probe","append","%s",
				"%s\\n"]' "$where" "$name")}]"
		done
		top="\"hooks\":{$top}" ;;
	"with a memory limit")
		base="$base,\"resources\":{\"memory\":{\"limit\":16777216}}" ;;
	"without a pid namespace")
		args='"fork","2",":",'$args ns='mount ipc uts network' ;;
	esac
	config args="$args" env="\"PATH=/bin\",\"NSRUN_TEST=$TAG\"" ns="$ns" \
		linux="$base" top="$top"
}

for kind in "" "with hooks" "with a memory limit" \
	"without a pid namespace"; do
	case $kind in
	*memory*) has cgroup1:memory || able "$kind" cgroup2:memory ;;
	*pid*)	able "$kind" cgroup ;;
	esac || continue
	command=
	kind_config '"signal-wait","15"'
	killed fresh delete 0 1 0 create
	killed created delete 1 1 0 start
	killed running delete 0 1 0 delete --force
	killed stopped delete 0 1 0 delete
	killed fresh delete 0 1 0 run -d
	command='/bin/probe exit 5'
	killed running delete 1 1 5 exec
	command='/bin/probe sleep 99'
	killed running delete 1 1 0 exec -d
	command=
	kind_config '"exit","4"'
	killed fresh again 1 2 4 run
done

# What was seen only because a hook was there is seen once more, without a kill.
kind="with hooks" n=0 found=
kind_config '"exit","4"'
fresh
again
check_is "all hooks run, in order" "$(tr '\n' ' ' <"$hook_file")$found" \
	"prestart createRuntime createContainer startContainer poststart poststop "

done_testing
