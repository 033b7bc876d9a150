# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC1091,SC2016,SC2034,SC2154
#
# Hooks of all six kinds: when, where and with what they run, and what becomes
# of the container if one fails. A hook is a probe; the one of startContainer
# is that of the bundle, and what it writes to /data is there on the host.

. "${0%/*}/../lib.sh"
need root

outside='prestart createRuntime poststart poststop'
before='prestart createRuntime createContainer startContainer'
all="$before poststart poststop"
waits='"signal-wait","15"'

# act KIND ARG..: a hook that runs the probe with these JSON strings
act()
{
	l_prog=$PROBE
	[ "$1" != startContainer ] || l_prog=/bin/probe
	printf '{"path":"%s","args":["probe",%s]}' "$l_prog" "$2"
}

# data KIND: where such a hook finds /data
data()
{
	if [ "$1" = startContainer ]; then
		echo /data
	else
		echo "$B/rootfs/data"
	fi
}

# note KIND [WORD]: a hook that appends its kind to the file `order`
note()
{
	act "$1" "\"append\",\"$(data "$1")/order\",\"${2:-$1} \""
}

# hooks PAIR..: the member for pairs of KIND and HOOK,HOOK..
hooks()
{
	printf '"hooks":{'
	while [ $# -gt 0 ]; do
		printf '"%s":[%s]' "$1" "$2"
		shift 2
		[ $# = 0 ] || printf ,
	done
	printf '}'
}

# each COMMAND: the member with the hook that COMMAND KIND prints, of each kind
each()
{
	set -- "$1" prestart createRuntime createContainer startContainer \
		poststart poststop
	l_command=$1
	shift
	printf '"hooks":{'
	for l_kind; do
		printf '"%s":[%s]' "$l_kind" "$($l_command "$l_kind")"
		[ "$l_kind" = poststop ] || printf ,
	done
	printf '}'
}

order()
{
	cat "$B/rootfs/data/order" 2>/dev/null
}

fresh()
{
	rm -rf "$B/rootfs/data"
	mkdir -m 777 "$B/rootfs/data"
}

no_state()
{
	[ -z "$(find "$STATE" -mindepth 1 2>/dev/null)" ]
}

spaces()	# the namespaces of a process, as the probe shows them
{
	for name in cgroup ipc mnt net pid time user uts; do
		readlink "/proc/$1/ns/$name" |
			sed "s/.*\\[\\(.*\\)\\]/ns $name \\1/"
	done
}

bundle
made data

# ---- when -----------------------------------------------------------------

fresh
config args='"sleep","0.3",":","append","/data/order","program "' \
	top="$(each note)"
run
check_is "run runs each kind of hook at its time" "$status $err$(order)" \
	"0 $before poststart program poststop "
fresh
create
check_is "create runs those before the start" "$status $err$(order)" \
	"0 prestart createRuntime createContainer "
verb start "$ID"
check_is "start the next two" "$status $err$(order)" "0 $before poststart "
wait_for in_state stopped
check_is "the end of the process none" "$(order)" \
	"$before poststart program "
verb delete "$ID"
check_is "delete the last" "$status $err$(order)" \
	"0 $before poststart program poststop "
fresh
create
verb delete "$ID"
check_is "delete of a created container does too" "$status $err$(order)" \
	"0 prestart createRuntime createContainer poststop "
verb delete --force "$ID"
check_is "but no second one" "$(order)" \
	"prestart createRuntime createContainer poststop "
fresh
config args="$waits" top="$(each note)"
create
verb start "$ID"
verb delete --force "$ID"
check_is "delete --force of a running one does too" "$status $err$(order)" \
	"0 $before poststart poststop "
fresh
config args="$waits" top="$(each note)"
create
config args="$waits" top="$(hooks poststop "$(note poststop changed)")"
verb start "$ID"
verb delete --force "$ID"
check_is "the hooks are those of the config at create" "$(order)" \
	"$before poststart poststop "

fresh
three()
{
	printf '%s,%s,%s' "$(note "$1" a)" "$(note "$1" b)" "$(note "$1" c)"
}
config args='"exit","7"' top="$(each three)"
run
check_is "those of one kind run in the order of the config" \
	"$status $(order)" "7 a b c a b c a b c a b c a b c a b c "
fresh
config args='"exit","7"' top='"hooks":{"prestart":[],"poststop":[]}'
run
check_is "there may be none" "$status" 7

# ---- where, and with what -------------------------------------------------

fresh
look()
{
	l_data=$(data "$1")
	act "$1" "\"into\",\"$l_data/$1.see\",\":\",\"show\",\"ns\",\"env\",
		\"cwd\",\"fd\",\"argv\",\"ignored\",\"blocked\",\":\",
		\"save\",\"$l_data/$1.state\",\":\",\"echo\",\"noise\""
}
big=$(head -c 102400 /dev/zero | tr '\0' x)
config args="$waits" top="$(each look),\"annotations\":{\"small\":\"1\",
	\"big\":\"$big\"}"
create --preserve-fds 1 3<"$PROBE" 4<"$PROBE"
check_is "annotations of 100 KiB are no hindrance" "$status $err" "0 "
inside=$(spaces "$pid")
verb start "$ID" 5<"$PROBE"
wait_for said ready || fail_run "the program runs"
verb delete --force "$ID" 5<"$PROBE"
check_is "what hooks write to stdout is not heard" "$(cat "$T/pay")" ready

of()		# of KIND KEY: what it saw
{
	sed -n "s|^$2 ||p" "$B/rootfs/data/$1.see"
}

for kind in $outside; do
	check_is "$kind runs in the namespaces of the caller" \
		"$(grep '^ns ' "$B/rootfs/data/$kind.see")" "$(spaces self)"
done
check_is "startContainer runs in those of the container" \
	"$(grep '^ns ' "$B/rootfs/data/startContainer.see")" "$inside"
check_is "createContainer runs in its mount namespace" \
	"$(of createContainer "ns mnt")" \
	"$(printf '%s\n' "$inside" | sed -n 's/^ns mnt //p')"
check_is "and in the others" \
	"$(grep '^ns ' "$B/rootfs/data/createContainer.see")" "$inside"
check "which are not the caller's" [ "$inside" != "$(spaces self)" ]
for kind in $outside createContainer; do
	check_is "$kind has the bundle as directory" "$(of "$kind" cwd)" "$B"
done
check_is "startContainer has the root" "$(of startContainer cwd)" /
for kind in $all; do
	check_is "$kind has descriptors 0, 1 and 2" "$(of "$kind" fd |
		cut -d ' ' -f 1 | tr '\n' ' ')" "0 1 2 "
	check_is "$kind has no signal ignored or blocked" \
		"$(grep -e ^ignored -e ^blocked "$B/rootfs/data/$kind.see" |
		tr '\n' ' ')" "ignored blocked "
	check_is "$kind has the arguments of the config" \
		"$(of "$kind" argv | sed -n 's/^[01] //p' | tr '\n' ' ')" \
		"probe into "
	if [ "$kind" = startContainer ]; then
		check_is "$kind has the container's environment" \
			"$(of "$kind" env | grep -v ^HOME)" PATH=/bin
	else
		check_is "$kind without env has that of the caller" \
			"$(of "$kind" env | grep NSRUN_TEST)" \
			"NSRUN_TEST=$TAG"
	fi
done

if able "hooks get the state" jq; then
	state()		# state KIND MEMBER
	{
		jq -r ".$2" <"$B/rootfs/data/$1.state"
	}
	for kind in $all; do
		case $kind in
		startContainer) wanted='created 1' ;;
		createContainer) wanted='creating 1' ;;
		poststart) wanted="running $pid" ;;
		poststop) wanted='stopped 0' ;;
		*)	wanted="creating $pid" ;;
		esac
		check_is "$kind is told the status and the pid" \
			"$(state "$kind" status) $(state "$kind" pid)" "$wanted"
		check_is "$kind is told the rest" "$(state "$kind" id) $(
			state "$kind" bundle) $(state "$kind" \
			'annotations.small')" "$ID $B 1"
		check "$kind gets the annotation of 100 KiB" \
			[ "$(state "$kind" 'annotations.big')" = "$big" ]
		check "$kind gets a version" [ "$(state "$kind" ociVersion |
			grep -Ecx '1\.[0-9]+\.[0-9]+')" = 1 ]
	done
fi

fresh
deaf()
{
	act "$1" '"exit","0"'
}
config args='"exit","7"' top="$(each deaf),\"annotations\":{\"big\":\"$big\"}"
run
check_is "a hook need not read its stdin" "$status $err" "7 "

plain()
{
	l_prog=$PROBE
	[ "$1" != startContainer ] || l_prog=/bin/probe
	printf '{"path":"%s","env":["ONE=1","TWO=2"],"args":["x","into","%s",
		":","show","env","argv"]}' "$l_prog" "$(data "$1")/$1.see"
}
config args='"exit","7"' top="$(each plain)"
run
for kind in $all; do
	check_is "$kind with env has that and no more" \
		"$(of "$kind" env | tr '\n' ' ')" "ONE=1 TWO=2 "
	check_is "args[0] of $kind is free" \
		"$(of "$kind" argv | sed -n 's/^0 //p')" x
done

fresh
cat >"$T/bare" <<END
#!/bin/sh
echo "\$# \$0" >"$T/bare.out"
sed -n 's/.*"pid": *\([0-9]*\).*/\1/p' >"$T/bare.pid"
readlink "/proc/\$(cat "$T/bare.pid")/ns/mnt" >"$T/bare.mnt"
END
chmod 755 "$T/bare"
config args='"exit","7"' top="$(hooks prestart "{\"path\":\"$T/bare\"}")"
run
check_is "without args there is the path alone" \
	"$status $(cat "$T/bare.out")" "7 0 $T/bare"
check "its pid leads to the mount namespace of the container" \
	[ "$(cat "$T/bare.mnt")" != "$(readlink /proc/self/ns/mnt)" ]
check "which is one" grep -q '^mnt:\[' "$T/bare.mnt"

fresh
config args='"ls","/data"' top="$(hooks createContainer "$(act \
	createContainer '"mount","'"$B"'/rootfs/bin","'"$B"'/rootfs/data",
	"none","bind"')")"
run
check_is "createContainer can mount for the container" "$status $out" \
	"0 probe"
check "without the host seeing it" [ ! -e "$B/rootfs/data/probe" ]

config args='"exit","7"' top='"hooks":{"prestart":[{"path":"bin/true"}]}'
run
refused "a relative path is an error" 'hooks\.prestart\[0\]\.path'

# ---- time -----------------------------------------------------------------

slow()		# slow KIND [ARGS]: it would take a minute, with children
{
	act "$1" '"fork","2",":","sleep","60"' | sed 's/}$/,"timeout":1}/'
}
for kind in $all; do
	fresh
	config args="$waits" top="$(hooks "$kind" "$(slow "$kind")")"
	[ "$kind" != poststop ] || config args='"exit","7"' \
		top="$(hooks poststop "$(slow poststop)")"
	begin=$(date +%s)
	run
	took=$(($(date +%s) - begin))
	[ "$kind" != poststop ] || {
		check_is "poststop that takes too long is no failure" \
			"$status" 7
		status=1
		err="nsrun: cannot run $err"
	}
	[ "$kind" != poststart ] || out=	# the program did run
	refused "$kind is killed after its timeout" \
		"hooks\\.$kind: hook #0.*(took more than|timeout).*1 second"
	check "within it" [ "$took" -ge 1 ]
	check "or soon after ($took)" [ "$took" -le 5 ]
	check "its children too" eval 'LIMIT=2 wait_for no_processes'
	no_processes || sweep
done

fresh
config args='"exit","7"' top="$(hooks prestart "$(act prestart \
	'"sleep","0.2"' | sed 's/}$/,"timeout":9}/')" poststop \
	"$(note poststop)")"
run
check_is "one that ends in time is well" "$status $err$(order)" "7 poststop "

cat >"$T/daemon" <<END
#!/bin/sh
sleep 77 &
echo \$! >"$T/daemon.pid"
END
chmod 755 "$T/daemon"
for kind in prestart poststart poststop; do
	fresh
	rm -f "$T/daemon.pid"
	config args='"exit","7"' \
		top="$(hooks "$kind" "{\"path\":\"$T/daemon\",\"timeout\":9}")"
	begin=$(date +%s)
	run
	took=$(($(date +%s) - begin))
	check_is "a daemon of $kind that keeps stdout open is not waited for" \
		"$status $((took <= 5))" "7 1"
	check "nor killed" alive "$(cat "$T/daemon.pid")"
	kill -KILL "$(cat "$T/daemon.pid")"
done

# ---- failure --------------------------------------------------------------

breaks()	# breaks KIND: it tells its cause in the last line
{
	act "$1" '"fd","2","first line\nthe cause\n",":","exit","3"'
}

for kind in $before poststart; do
	fresh
	set -- poststop "$(note poststop)"
	[ "$kind" = poststart ] || set -- "$@" poststart "$(note poststart)"
	config args='"append","/data/order","program ",":",'"$waits" \
		top="$(hooks "$kind" "$(note "$kind"),$(breaks "$kind"),$(
			note "$kind" later)" "$@")"
	run --pid-file "$T/pid"
	[ "$kind" != poststart ] || out=	# the program did run
	refused "run: a failure of $kind is one, with hook and cause" \
		"hooks\\.$kind: hook #1: .*status 3.*the cause"
	check "nothing is left of it" eval 'no_state && no_processes'
	check "not even the pid file" [ ! -e "$T/pid" ]
	if [ "$kind" = poststart ]; then
		check_is "poststop ran once, poststart to the failure" \
			"$(order | tr ' ' '\n' | grep -vx program |
			tr '\n' ' ' | sed 's/ *$//')" "poststart poststop"
	else
		check_is "poststop ran once, the program and others did not" \
			"$(order)" "$kind poststop "
	fi
done

for kind in prestart createRuntime createContainer; do
	fresh
	config args="$waits" top="$(hooks $kind "$(breaks $kind)" \
		poststop "$(note poststop)")"
	create
	out=
	declined "create: a failure of $kind is one, with hook and cause" \
		"hooks\\.$kind: hook #0: .*status 3.*the cause" 1 \
		"cannot create '$ID'"
	check "nothing is left of it" eval 'no_state && no_processes'
	check_is "poststop ran once" "$(order)" "poststop "
done

for kind in startContainer poststart; do
	fresh
	config args="$waits" top="$(hooks $kind "$(breaks $kind)" \
		poststop "$(note poststop)")"
	create
	verb start "$ID"
	declined "start: a failure of $kind is one, with hook and cause" \
		"hooks\\.$kind: hook #0: .*status 3.*the cause" 1 \
		"cannot start '$ID'"
	if [ -n "$peer" ]; then
		check "the container is stopped" wait_for in_state stopped
		verb delete "$ID"
		check_is "delete runs poststop, once" "$status $err$(order)" \
			"0 poststop "
	else
		check "the container is destroyed" \
			eval 'no_state && wait_for no_processes'
		check_is "poststop ran once" "$(order)" "poststop "
	fi
	fresh
	# shellcheck disable=SC2086 # words
	$limit "$NSRUN" --root "$STATE" run -d -b "$B" --pid-file "$T/pid" \
		"$ID" >"$T/pay" 2>"$T/err"
	status=$?
	err=$(cat "$T/err") out=
	refused "run -d: a failure of $kind is one" \
		"hooks\\.$kind: hook #0: .*the cause"
	check "nothing is left of it" \
		eval 'wait_for no_processes && no_state && [ ! -e "$T/pid" ]'
	check_is "poststop ran once" "$(order)" "poststop "
done

fresh
config args='"exit","7"' top="$(hooks poststop \
	"$(note poststop a),$(breaks poststop),$(note poststop b)")"
run
check_is "a failure of poststop does not change the exit status" "$status" 7
check_err "but is told" 'hooks\.poststop: hook #1: .*status 3.*the cause'
check "nothing is left" no_state
check_is "the hooks after it run all the same" "$(order)" "a b "
fresh
create
verb start "$ID"
wait_for in_state stopped
verb delete "$ID"
check_is "nor that of delete" "$status" 0
check_err "where it is told too" \
	'hooks\.poststop: hook #1: .*status 3.*the cause'
check "nothing is left there" no_state

config args='"exit","7"' top="$(hooks prestart "$(act prestart \
	'"kill","9"')")"
run
refused "a signal is a failure" 'hooks\.prestart: hook #0: .*signal 9'
config args='"exit","7"' top='"hooks":{"prestart":[{"path":"/none/x"}]}'
run
refused "so is a program that is not there" \
	'hooks\.prestart: hook #0: .*/none/x.*[Nn]o such file'
echo "no program" >"$T/text"
config args='"exit","7"' top="$(hooks prestart "{\"path\":\"$T/text\"}")"
run
refused "and one that cannot be executed" \
	"hooks\\.prestart: hook #0: .*$T/text.*[Pp]ermission denied"

# ---- nsrun ends while a hook runs -----------------------------------------

fresh
config args="$waits" top="$(hooks prestart "$(act prestart \
	'"append","'"$B"'/rootfs/data/order","in ",":","sleep","60"')" \
	poststop "$(note poststop)")"
start_nowait
wait_for test -s "$B/rootfs/data/order"
kill -KILL "$runner"
wait "$runner" 2>/dev/null
check "a hook dies with its nsrun" wait_for no_processes
check_is "the id can be deleted" "$(verb delete "$ID"; echo "$status $err")" \
	"0 "
check_is "poststop runs then" "$(order)" "in poststop "
check "nothing is left then" no_state

fresh
start_nowait
wait_for test -s "$B/rootfs/data/order"
last=$ID
kill -TERM "$runner"
LIMIT=5 finish
check_is "TERM ends nsrun while a hook runs" "$status" 143
check_is "poststop runs then too" "$(order)" "in poststop "
verb delete --force "$last"

done_testing
