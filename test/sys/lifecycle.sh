# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC1091,SC2034,SC2154
#
# create, start, state, list, kill and delete, `run -d`, and what becomes of
# them when they meet.

. "${0%/*}/../lib.sh"
need root

waits='"signal-wait","15"'

destroy()
{
	verb delete --force "$ID"
	[ "$status" = 0 ] || fail_run "the container can be deleted"
}

like()		# like TEXT REGEX: the whole of it
{
	printf '%s\n' "$1" | grep -Eqx -e "$2"
}

no_state()
{
	[ -z "$(find "$STATE" -mindepth 1 2>/dev/null)" ]
}

# ---- one life -------------------------------------------------------------

config args="$waits" \
	top='"annotations":{"org.test/a":"one","org.test/b":"q\"é\n"}'
# As runc, it wants to be asked in vain before there is a state root.
verb list
check_out "list with a missing state root has a head only" '^ID +PID +STATUS'
check_is "and no container" "$(printf '%s\n' "$out" | wc -l)" 1
verb list -q
check_is "nor has list -q" "$status $out$err" "0 "
if ours "nor has list --format json"; then
	verb list --format json
	check_is "nor has list --format json" "$status $out$err" "0 []"
	check "and it makes none" [ ! -e "$STATE" ]
fi

before=$(date -u +%Y-%m-%dT%H:%M)
: >"$T/reaped"
"$PROBE" reap "$NSRUN" --root "$STATE" create -b "$B" --pid-file "$T/pid" \
	"$ID" >"$T/reaped" 2>"$T/err" &
reaper=$!
ended()		# ended PID: what the reaper saw of it
{
	sed -n "s/^reaped $1 //p" "$T/reaped"
}
wait_for grep -q '^reaped ' "$T/reaped"
check "create ends with 0" grep -q '^reaped [0-9]* 0$' "$T/reaped"
check_is "and says nothing" "$(cat "$T/err")" ""
pid=$(cat "$T/pid")
check_is "its pid file holds digits and no line end" \
	"$(tr -d 0-9 <"$T/pid" | wc -c) $(wc -l <"$T/pid")" "0 0"
check "the pid is that of pid 1 of the container" \
	grep -Eq "^NSpid:.*[[:space:]]${pid}[[:space:]]+1\$" "/proc/$pid/status"
check_is "whose parent is the subreaper of the caller" \
	"$(sed -n 's/^PPid:[[:space:]]*//p' "/proc/$pid/status")" "$reaper"
check "the program does not run yet" \
	not grep -q ready "$T/reaped"
# shellcheck disable=SC3013 # both shells have -ef
check "but the root is entered" [ "/proc/$pid/root" -ef "$B/rootfs" ]

verb state "$ID"
check_is "state succeeds" "$status $err" "0 "
check_is "id is told" "$(member id)" "$ID"
check_is "pid is that of the pid file" "$(member pid)" "$pid"
check_is "status is created" "$(member status)" created
check_is "bundle is the bundle, absolute" "$(member bundle)" "$B"
check_is "rootfs is the root" "$(member rootfs)" "$B/rootfs"
check "ociVersion is a version" \
	like "$(member ociVersion)" '1\.[0-9]+\.[0-9]+'
check "created is a time of now, in UTC" like "$(member created)" \
	"($before|$(date -u +%Y-%m-%dT%H:%M)):[0-9]{2}\\.[0-9]+Z"
check_is "owner is root" "$(member owner)" root
if able "annotations are told" jq; then
	check_is "annotations are told" \
		"$(printf '%s\n' "$out" | jq -c .annotations)" \
		'{"org.test/a":"one","org.test/b":"q\"é\n"}'
fi

verb list
check_out "list tells of it" "^$ID +$pid +created +$B +20[^ ]* +root\$"
verb list -q
check_is "list -q has the id alone" "$status $out" "0 $ID"
verb list --quiet
check_is "so has list --quiet" "$status $out" "0 $ID"
verb list --format json
check_is "list --format json is one line" "$(printf '%s\n' "$out" | wc -l)" 1
if able "of an array of what state tells" jq; then
	cp "$T/out" "$T/list"
	verb state "$ID"
	check_is "of an array of what state tells" \
		"$(jq -cS . <"$T/list")" "[$(jq -cS . <"$T/out")]"
fi
verb list --format nonsense
declined "another format is an error" nonsense

verb delete x"$ID"
declined "a longer id is another container" "container does not exist"
verb start "$ID"
check_is "start ends with 0 and says nothing" "$status $out$err" "0 "
wait_for grep -q ready "$T/reaped"
check "the program runs, its output is that of create" \
	grep -qx ready "$T/reaped"
verb state "$ID"
check_is "the same pid is running now" "$(member pid) $(member status)" \
	"$pid running"

verb start "$ID"
declined "a second start is refused" \
	"cannot start an already running container" 1 "cannot start '$ID'"
verb delete "$ID"
declined "delete of a running one is refused" \
	"cannot delete container $ID that is not stopped: running"
check "which lives on" alive "$pid"
check "in the state running" in_state running

verb kill "$ID"
check_is "kill without a name sends TERM" "$status $out$err" "0 "
wait_for not alive "$pid"
wait "$reaper"
check_is "the subreaper gets the exit status of the program" \
	"$(ended "$pid")" 55
verb state "$ID"
check_is "a container that has ended is stopped, with pid 0" \
	"$(member status) $(member pid)" "stopped 0"
verb list
check_out "for list too" "^$ID +0 +stopped "
verb start "$ID"
declined "start of a stopped one is refused" \
	"cannot start a container that has stopped"
verb kill "$ID" 9
declined "kill of a stopped one is refused" "container not running"
verb delete "$ID"
check_is "delete ends with 0 and says nothing" "$status $out$err" "0 "
check "and leaves no state" no_state
check "but the state root" [ -d "$STATE" ]
verb list
check_is "list with an empty state root" \
	"$status $(printf '%s\n' "$out" | wc -l)" "0 1"

for command in state start kill delete; do
	verb $command "$ID"
	declined "$command of a missing id is refused" \
		"container does not exist" 1 "cannot .*'$ID'"
done
verb delete --force "$ID"
check_is "delete --force of a missing id is none" "$status $out$err" "0 "
for command in state start kill delete 'delete --force'; do
	# shellcheck disable=SC2086 # words
	verb $command ../x
	declined "$command of a bad id is refused" "invalid container ID"
	# shellcheck disable=SC2086 # words
	verb $command
	declined "$command without an id too" "takes"
done

# ---- before the start -----------------------------------------------------

create
check "a container is created" in_state created
verb delete "$ID"
check_is "delete of a created one ends with 0" "$status $out$err" "0 "
check "it kills its init" not alive "$pid"
check "and leaves no state" no_state

umask 0
create
umask 022
if ours "nobody else may write to the start socket"; then
	check_is "nobody else may write to the start socket" \
		"$(stat -c %a "$STATE/$ID/start")" 600
fi
verb delete --force "$ID"
check_is "so does delete --force" "$status $out$err" "0 "
check "it kills the init too" not alive "$pid"

early=
for sig in 15 1 2 10 34 40; do
	: >"$T/reaped"
	"$PROBE" reap "$NSRUN" --root "$STATE" create -b "$B" \
		--pid-file "$T/pid" "$ID" >"$T/reaped" 2>"$T/err" &
	reaper=$!
	wait_for grep -q '^reaped ' "$T/reaped"
	pid=$(cat "$T/pid")
	verb kill "$ID" CHLD
	verb kill "$ID" WINCH
	alive "$pid" || early="$early $sig"
	verb kill "$ID" $sig
	LIMIT=3 wait_for not alive "$pid" || kill -KILL "$pid"
	wait "$reaper"
	[ "$(ended "$pid")" = $((128 + sig)) ] ||
		wrong="${wrong:-} $sig:$(ended "$pid")"
	destroy
done
check_is "a created one ends by signal n with 128 + n" "${wrong:-}" ""
check_is "but not by CHLD and WINCH" "$early" ""

config ns='mount ipc uts network' args="$waits"
create
verb kill "$ID" TERM
wait_for not alive "$pid"
check "the same without a pid namespace" not alive "$pid"
destroy

config args="$waits"
create
kill -KILL "$pid"
wait_for in_state stopped
verb start "$ID"
declined "start of one that was killed from outside is refused" \
	"cannot start a container that has stopped"
verb delete "$ID"
check_is "delete of it is not" "$status" 0

bundle
made data
config args='"echo","old"'
create
config args='"echo","new"'
verb start "$ID"
wait_for said .
check_is "the config may be changed after create" \
	"$status $(cat "$T/pay")" "0 old"
destroy
config args='"echo","old"'
create
mv "$B/config.json" "$B/config.away"
verb start "$ID"
wait_for said .
check_is "and removed" "$status $(cat "$T/pay")" "0 old"
mv "$B/config.away" "$B/config.json"
wait_for in_state stopped
verb delete "$ID"
check_is "delete does not miss it" "$status $err" "0 "

# ---- what start cannot execute --------------------------------------------

cp "$PROBE" "$B/rootfs/data/prog"
config cmd='"/data/prog","exit","0"'
create
rm "$B/rootfs/data/prog"
verb start "$ID"
declined "start tells of a program that was removed" \
	'/data/prog.*[Nn]o such file or directory' 1 "cannot start '$ID'"
check "which is stopped then" wait_for in_state stopped
verb delete "$ID"
check_is "and can be deleted" "$status" 0
cp "$PROBE" "$B/rootfs/data/prog"
create
chmod 644 "$B/rootfs/data/prog"
verb start "$ID"
declined "start tells of one that lost its x bit" \
	'/data/prog.*[Pp]ermission denied'
destroy
chmod 755 "$B/rootfs/data/prog"
create
echo nonsense >"$B/rootfs/data/prog"
verb start "$ID"
declined "and of one that is no program any more" \
	'/data/prog.*[Ee]xec format error'
destroy
config cmd='"/data/none"'
create
out=
declined "create tells of one that never was" \
	'/data/none.*[Nn]o such file or directory' 1 "cannot create '$ID'"
check "and leaves no state" no_state
check "nor a pid file" [ ! -e "$T/pay.pid" ]
verb run -d -b "$B" --pid-file "$T/pid.d" "$ID"
declined "so does run -d" '/data/none.*[Nn]o such file' 1 "cannot run '$ID'"
check "without a state either" no_state
check "nor a pid file there" [ ! -e "$T/pid.d" ]

# ---- in the background ----------------------------------------------------

config args="$waits"
# shellcheck disable=SC2086 # words
$limit "$NSRUN" --root "$STATE" run -d -b "$B" --pid-file "$T/pid" "$ID" \
	>"$T/pay" 2>"$T/err"
status=$?
pid=$(cat "$T/pid")
check_is "run -d ends with 0 while the program runs" "$status" 0
check "which it does" alive "$pid"
check "it is running at once" in_state running
check_is "with the pid of the pid file" "$(member pid)" "$pid"
wait_for said ready
check "what it writes goes to the stdout of run" said '^ready$'
verb run -d -b "$B" "$ID"
declined "its id is taken" "already exists"
check "which does it no harm" alive "$pid"
verb kill "$ID" 15
wait_for not alive "$pid"
check "its state outlives it" in_state stopped
verb run -b "$B" "$ID"
declined "so the id is still taken" "already exists"
verb delete "$ID"
check_is "until delete" "$status" 0
config args='"exit","3"'
# shellcheck disable=SC2086 # words
$limit "$NSRUN" --root "$STATE" run --detach -b "$B" "$ID" 2>"$T/err"
check_is "run --detach does not tell the exit status" $? 0
wait_for in_state stopped
destroy

# ---- kill -----------------------------------------------------------------

# kills WORD N: signal N arrives
kills()
{
	verb kill "$ID" "$1"
	[ "$status" = 0 ] || odd="$odd $1:$status"
	LIMIT=3 wait_for said "^signal $2\$" || odd="$odd $1:lost"
}

config args="$waits"
bundle
config args="$waits"
odd=
create
verb start "$ID"
wait_for said ready
for word in 1:1 HUP:1 SIGINT:2 sigquit:3 usr1:10 SigUsr2:12 CONT:18 \
	35:35 RTMIN+3:37 SIGRTMIN+4:38 rtmin+5:39 RTMAX-1:63 64:64; do
	kills "${word%%:*}" "${word##*:}"
done
check_is "signals by number and by name, in upper and lower case" "$odd" ""
odd=
# A libc may keep signal 34 for itself: the probe does not see it.
for word in RTMIN sigrtmax; do
	verb kill "$ID" $word
	[ "$status" = 0 ] || odd="$odd $word"
done
check_is "RTMIN and RTMAX are such names" "$odd" ""
both_came()
{
	[ "$(grep -c '^signal 64$' "$T/pay")" = 2 ]
}
wait_for both_came
count=$(grep -c '^signal' "$T/pay")
odd=
for word in FOO "" 65 -1 +9 09x 9x 0x9 SIG SIGSIGKILL KILL9 RTMIN+31 \
	RTMAX-31 RTMIN+ " 9" "9 " 4294967305; do
	verb kill "$ID" "$word"
	[ "$status" = 1 ] && [ -n "$err" ] || odd="$odd '$word':$status"
done
check_is "what is no signal is an error" "$odd" ""
sleep 0.1
check_is "that sends nothing" "$(grep -c '^signal' "$T/pay")" "$count"
verb kill "$ID" 9 9
declined "one argument too many is an error" takes
check "that sends nothing either" alive "$pid"
destroy
check "delete --force ends a running one" not alive "$pid"

# Signals that a libc keeps for itself are signals like others.
config args='"echo","ready",":","sleep","0.3",":","exit","7"'
odd=
for sig in 32 33 34; do
	start
	kill -$sig "$runner"
	finish
	[ "$status" = 7 ] || odd="$odd $sig:$status"
done
check_is "signals 32 to 34 do not end run" "$odd" ""

config args="$waits"
odd=
for word in 9 KILL SIGKILL sigkill; do
	create
	verb kill "$ID" $word
	LIMIT=3 wait_for not alive "$pid" || odd="$odd $word"
	destroy
done
check_is "KILL by all its names" "$odd" ""

config args='"fork","3",":","signal-wait","15"' ns='mount ipc uts network'
if able "KILL ends all processes without a pid namespace" cgroup; then
	create
	verb start "$ID"
	wait_for said ready
	check_is "it has three others" \
		"$(wc -w <"/proc/$pid/task/$pid/children")" 3
	verb kill "$ID" KILL
	check "KILL ends all processes without a pid namespace" \
		wait_for no_processes
	destroy
	create
	verb start "$ID"
	wait_for said ready
	verb kill --all "$ID" USR1
	# The children have the default: they die of it.
	wait_for said "signal 10"
	check "kill --all reaches the others" \
		wait_for sh -c "[ \"\$(cat /proc/$pid/task/$pid/children |
			wc -w)\" = 0 ] || ! grep -qs '^State:.[^ZX]' \
			\$(sed 's|\\([0-9]*\\) |/proc/\\1/status |g' \
			/proc/$pid/task/$pid/children)"
	check "and the init" said '^signal 10$'
	able "but not the freezer" strace && {
		strace -o "$T/trace" "$NSRUN" --root "$STATE" kill --all "$ID" \
			CONT
		check_is "but not the freezer" \
			"$? $(grep -c 'FROZEN\|freeze' "$T/trace")" "0 0"
	}
	verb kill "$ID" 15
	wait_for not alive "$pid"
	verb delete "$ID"
	check_is "it can be deleted" "$status" 0
	create
	verb start "$ID"
	wait_for said ready
	verb delete --force "$ID"
	check_is "delete --force ends with 0 there" "$status $err" "0 "
	check "and ends all of them" wait_for no_processes

	# In the pid namespace of another container, init is not pid 1.
	config args="$waits"
	ID=$ID-pod create
	pod=$pid
	config args='"fork","3",":","signal-wait","15"' \
		ns="mount pid:/proc/$pod/ns/pid"
	create
	verb start "$ID"
	wait_for said ready
	read -r others <"/proc/$pid/task/$pid/children"
	verb kill "$ID" KILL
	wait_for not alive "$pid"
	odd=
	for other in $others; do
		LIMIT=1 wait_for not alive "$other" || odd="$odd $other"
	done
	# shellcheck disable=SC2086 # words
	check_is "KILL ends all processes in a pid namespace of another" \
		"$(echo $others | wc -w)$odd" 3
	check "which lives on" alive "$pod"
	destroy
	verb delete --force "$ID-pod"
fi

# ---- the freezer ----------------------------------------------------------

config args="$waits"
create
verb start "$ID"
wait_for said ready
freezer=$(sed -n 's/^ *"freezer": "\(.*\)".*/\1/p' "$STATE/$ID/state.json" \
	2>/dev/null)
if [ -z "$freezer" ] || [ ! -e "$freezer" ]; then
	skip "a frozen container is paused" "no freezer here"
else
	case $freezer in
	*.state) echo FROZEN >"$freezer" ;;
	*)	echo 1 >"$freezer" ;;
	esac
	check "a frozen container is paused" wait_for in_state paused
	verb delete "$ID"
	declined "it is not deleted" "not stopped: paused"
	verb start "$ID"
	declined "nor started" "paused"
	verb delete --force "$ID"
	check_is "but by force" "$status $err" "0 "
	check "which ends it" not alive "$pid"
fi
destroy

# ---- a pid is used again --------------------------------------------------

if ours "another process with its pid is not the container"; then
	create
	verb start "$ID"
	wait_for said ready
	file=$STATE/$ID/state.json
	cp "$file" "$T/state.json"
	sleep 99 &
	other=$!
	sed "s/\"pid\": $pid,/\"pid\": $other,/" "$T/state.json" >"$file"
	check "the state was changed" not cmp -s "$file" "$T/state.json"
	verb state "$ID"
	check_is "another process with its pid is not the container" \
		"$(member status) $(member pid)" "stopped 0"
	verb kill "$ID" 9
	declined "and is not killed" "container not running"
	verb start "$ID"
	declined "nor started" "has stopped"
	verb exec "$ID" /bin/true
	declined "nor entered" "stopped container" 255
	verb delete --force "$ID"
	declined "nor does delete end what is in its cgroup" "do not end" 1 \
		"cannot delete"
	check "or the other" alive "$other"
	kill -KILL "$other"
	wait "$other" 2>/dev/null
	alive "$pid" && kill -KILL "$pid"
	wait_for not alive "$pid"
	verb delete --force "$ID"
	check_is "when that has ended delete succeeds" "$status $err" "0 "
	create
	check_is "the id can be used again" "$status $err" "0 "
	destroy
fi

# ---- sd_notify ------------------------------------------------------------

# What it is mounted from is in the state directory.
if ours "delete removes what a container wrote beside its notify socket"; then
	deep=/run/notify
	set -- mount none /run/notify none remount,bind : \
		fill /run/notify/file 10
	for level in 1 2 3 4 5 6 7 8 9; do
		deep=$deep/d
		set -- "$@" : mkdir "$deep" : mkdir "$deep/other"
	done
	# names that nsrun could want while it removes them
	set -- "$@" : symlink /proc "$deep/link" : mkdir /run/notify/.1 : \
		mkdir /run/notify/.1/.2 : mkdir /run/notify/.1/.2/.3 : \
		fill /run/notify/.2 1 : mkdir /run/notify/.3
	config args="$(json_list "$@"),\":\",$waits" caps=CAP_SYS_ADMIN
	made run
	NOTIFY_SOCKET=$T/systemd
	export NOTIFY_SOCKET
	create
	verb start "$ID" &
	starter=$!
	wait_for said ready
	check "the socket's directory can be written to" \
		[ -d "$STATE/$ID/${deep#/run/}" ]
	unset NOTIFY_SOCKET
	verb delete --force "$ID"
	wait "$starter"
	check_is "delete removes what a container wrote beside its notify socket" \
		"$status $err" "0 "
	check "all of it" no_state
	config args="$waits"
fi

# ---- a damaged state ------------------------------------------------------

# As a power cut leaves it on a disk: empty, cut, zeroed. Without some members
# it is no text of ours.
damage()	# HOW
{
	case $1 in
	empty)	: ;;
	cut)	head -c 40 "$STATE/$ID/state.json" ;;
	zeroed)	head -c 400 /dev/zero ;;
	bare)	echo '{"status":"creating"}' ;;
	esac >"$T/damaged"
	cat "$T/damaged" >"$STATE/$ID/state.json"
}
lives()		# a container runs that is known by its cgroup only
{
	create
	verb start "$ID"
	wait_for said ready
	damage "$1"
}
if ours "an id with a damaged state can be used again"; then
	for how in empty cut zeroed bare; do
		create
		kill -KILL "$pid"
		wait_for not alive "$pid"
		damage $how
		$limit "$NSRUN" --root "$STATE" run -d -b "$B" \
			--pid-file "$T/pid" "$ID" >"$T/pay" 2>"$T/err"
		check_is "an id with a damaged state can be used again ($how)" \
			"$?" 0
		err=$(cat "$T/err")
		[ $how = bare ] || check_err "which says so ($how)" \
			"$ID is taken over, its state is damaged: state.json"
		destroy
		create
		kill -KILL "$pid"
		wait_for not alive "$pid"
		damage $how
		if [ $how != bare ]; then
			for command in state delete; do
				verb $command "$ID"
				declined "$command says what is wrong ($how)" \
					"state.json.*damaged: delete --force" 1
			done
		fi
		verb delete --force "$ID"
		check_is "delete --force clears it ($how)" "$status $err" "0 "
		check "nothing is left of it ($how)" no_state
	done
	if able "one that lives is not taken over" cgroup; then
		lives cut
		run
		refused "one that lives is not taken over" \
			"already exists, its state is damaged: 1 process.*$ID"
		check "and goes on" alive "$pid"
		verb delete --force "$ID"
		check_is "delete --force ends it" "$status $err" "0 "
		# shellcheck disable=SC2016 # for eval
		check "all of it" \
			eval 'wait_for not alive "$pid" && no_state'
		lives cut
		rm "$STATE/$ID/init"
		verb delete --force "$ID"
		declined "but no process that may be another container's" \
			"1 process.* live in the cgroup $ID.*end them first" 1
		check "which goes on" alive "$pid"
		kill -KILL "$pid"
		wait_for not alive "$pid"
		verb delete --force "$ID"
		check_is "when that has ended it succeeds" "$status $err" "0 "
	fi
fi

# ---- the log --------------------------------------------------------------

if ours "each failure is one record in the log"; then
	config args="$waits"
	create
	verb start "$ID"
	odd=
	for command in "start $ID" "state x$ID" "start x$ID" "kill x$ID" \
		"kill $ID FOO" "delete $ID" "delete x$ID" "exec x$ID true" \
		"exec $ID /none" "run -b $B $ID" "create -b $B $ID" \
		"create -b /none x$ID" "run -b /none x$ID" "state" \
		"none" "list --format x" "exec --cap CAP_NO $ID true" \
		"state --none $ID" "run --preserve-fds x x$ID"; do
		: >"$T/log"
		G="--log $T/log --log-format json"
		# shellcheck disable=SC2086 # words
		verb $command
		G=
		[ "$status" != 0 ] || odd="$odd $command: succeeds;"
		lines=$(wc -l <"$T/log")
		[ "$lines" = 1 ] || odd="$odd $command: $lines lines;"
		grep -q '^{"level":"error","msg":".*","time":"20.*Z"}$' \
			"$T/log" || odd="$odd $command: $(cat "$T/log");"
		has jq || continue
		[ "nsrun: $(jq -r .msg <"$T/log")" = "$err" ] ||
			odd="$odd $command: $err, $(cat "$T/log");"
	done
	check_is "each failure is one record in the log" "$odd" ""
	rm -f "$T/log"
	G="--log $T/log --log-format json"
	verb state "$ID"
	verb list
	verb kill "$ID" USR1
	check_is "a success is none" "$(cat "$T/log")" ""
	G="-log=$T/log -log-format=text"
	verb state x"$ID"
	check "the log is text if that is asked for" \
		grep -Eq '^time="20.*Z" level=error msg="cannot .*"$' "$T/log"
	G="--log $T/log"
	verb state x"$ID"
	check_is "and is appended to" "$(grep -c level=error "$T/log")" 2
	G="--log-format xml"
	verb state "$ID"
	declined "another format is an error" xml
	G="--log $T/none/log"
	verb state "$ID"
	declined "so is a log that cannot be opened" "$T/none/log"
	G=
	destroy
fi

# ---- warnings -------------------------------------------------------------

if ours "warnings"; then
	config caps='CAP_NONE CAP_NONE2' args='"echo","ran"' \
		mounts='{"destination":"/data","source":"/none","type":"none",
			"options":["bind"]}'
	for command in create run; do
		verb $command -b "$B" "$ID"
		check_is "$command that fails says why first" \
			"$(printf '%s\n' "$err" | cut -d ' ' -f 2,3 | uniq |
			tr '\n' ' ')" "cannot $command unknown capability "
	done
	config caps='CAP_NONE' args='"echo","ran"'
	wrong=
	for n in 1 2 3 4 5 6 7 8; do
		$limit "$NSRUN" --root "$STATE" run -b "$B" "$ID" >"$T/out" 2>&1
		sed -n 1p "$T/out" | grep -q 'unknown capability' ||
			wrong="$wrong $n"
	done
	check_is "one that succeeds warns before the process says anything" \
		"$wrong $(sed -n '$p' "$T/out")" " ran"
fi

# ---- options --------------------------------------------------------------

config args="$waits"
# shellcheck disable=SC2086 # words
$limit "$NSRUN" -root "$STATE" create -bundle "$B" -pid-file="$T/pid" "$ID" \
	>"$T/pay" 2>"$T/err"
check_is "options with one dash" $? 0
check "with = too" alive "$(cat "$T/pid")"
verb list -quiet
check_is "list -quiet" "$out" "$ID"
verb list -format=json
check_out "list -format=json" "^\\[\\{.*\"$ID\""
verb delete -force "$ID"
check_is "delete -force" "$status $err" "0 "
check "ends it" not alive "$(cat "$T/pid")"
verb delete --none "$ID"
declined "an unknown option is an error" "none"
$limit "$NSRUN" --root "$STATE" create "$ID" --bundle "$B" --pid-file "$T/pid" \
	>"$T/pay" 2>"$T/err"
check_is "options behind the id of create" \
	"$? $(sed 's/[0-9][0-9]*/N/' "$T/pid")$(cat "$T/err")" "0 N"
verb ps "$ID" --format json
check_is "of ps" "$out" "[$(cat "$T/pid")]"
verb kill "$ID" KILL --all
check_is "behind the last word" "$status $err" "0 "
verb delete "$ID" --force
check_is "of delete" "$status $err" "0 "
if ours "the order of list"; then
	for name in b 10 a C 9 aa; do
		verb create -b "$B" "$ID-$name" >/dev/null
	done
	verb list -q
	check_is "list is sorted by id" "$(printf '%s\n' "$out" |
		sed "s/^$ID-//" | tr '\n' ' ')" "10 9 C a aa b "
	for name in b 10 a C 9 aa; do
		verb delete --force "$ID-$name"
	done
	verb --version
	check_is "--version has the lines that engines show" \
		"$(printf '%s\n' "$out" | sed 's/[: ].*//' | tr '\n' ' ')$(
		printf '%s\n' "$out" | grep -c '^commit: [^ ]')" \
		"nsrun commit spec 1"
fi
if ours "what a command does not take"; then
	verb ps "$ID" aux
	declined "words for a ps program are refused by name" "not aux"
	verb ps "$ID" -ef
	declined "and its options" "unknown option -ef"
	verb delete -- "$ID" --force
	declined "behind -- there are no options" "not --force"
	verb --help
	check_is "the help has no blanks at the end of a line" \
		"$status $(printf '%s\n' "$out" | grep -c ' $')" "0 0"
fi

# ---- descriptors ----------------------------------------------------------

echo three >"$T/three"
config args='"fd","3",":","fd","4","four",":","show","fd"'
create --preserve-fds 2 3<"$T/three" 4>"$T/four" 5<"$T/three"
exec 6<"$T/three"
verb start "$ID"
exec 6<&-
wait_for in_state stopped
out=$(cat "$T/pay") status=0
check_is "--preserve-fds of create passes them at the start" \
	"$(seen fd | cut -d ' ' -f 1 | tr '\n' ' ')" "0 1 2 3 4 "
check_out "the first can be read" '^three$'
check_is "the second written to" "$(cat "$T/four")" four
destroy

config args='"show","fd","env"'
# LISTEN_PID names the process that is meant, so nsrun takes the shell's place.
# shellcheck disable=SC2016 # for the inner shell
# shellcheck disable=SC2086 # words
$limit sh -c 'LISTEN_FDS=1 LISTEN_PID=$$ exec "$@"' sh \
	"$NSRUN" --root "$STATE" create -b "$B" "$ID" \
	>"$T/pay" 2>"$T/err" 3<"$T/three" 4<"$T/three"
verb start "$ID"
wait_for in_state stopped
out=$(cat "$T/pay")
check_is "so does LISTEN_FDS" \
	"$(seen fd | cut -d ' ' -f 1 | tr '\n' ' ')" "0 1 2 3 "
check_is "of which the program is told" \
	"$(seen env | grep LISTEN | sort | tr '\n' ' ')" \
	"LISTEN_FDS=1 LISTEN_PID=1 "
destroy

config args='"show","fd"'
create
verb start "$ID"
wait_for in_state stopped
out=$(cat "$T/pay")
check_is "else there are 0, 1 and 2" "$(seen fd | sed 's/ .*/ /' |
	tr -d '\n')" "0 1 2 "
destroy

config process='"terminal":true' args='"show","tty"'
create
out=
declined "a terminal wants a console socket" \
	"cannot allocate tty if .* will detach without setting console socket"
check "no state is left" no_state
: >"$T/got"
"$PROBE" receive "$T/tty" >"$T/got" &
job=$!
wait_for grep -q listening "$T/got"
create --console-socket "$T/tty"
verb start "$ID"
wait "$job"
check_is "which gets it" "$(sed -n 's/^received //p' "$T/got") $(
	tr -d '\r' <"$T/got" | grep -c '^tty [012] 0x0$')" "/dev/ptmx 3"
check_is "with the modes of a new one: a line ends in CR LF" \
	"$(grep -c "^tty [012] 0x0$(printf '\r')\$" "$T/got")" 3
wait_for in_state stopped
destroy
config args='"exit","0"'
create --console-socket "$T/tty"
check_is "no terminal wants none" "$status" 1

# ---- memory ---------------------------------------------------------------

if ours "an init that waits has at most 200 KB"; then
	config args="$waits"
	create
	rss=$(sed -n 's/^VmRSS:[[:space:]]*\([0-9]*\) kB/\1/p' \
		"/proc/$pid/status")
	check "an init that waits has at most 200 KB (${rss:=9999})" \
		[ "$rss" -le 200 ]
	destroy
fi

# ---- killed at any moment -------------------------------------------------

config args="$waits"
if ours "create killed at any moment leaves what delete --force removes"; then
	stuck=
	for delay in 0 0.001 0.002 0.003 0.004 0.005 0.006 0.008 0.01 0.02; do
		(exec "$NSRUN" --root "$STATE" create -b "$B" "$ID" \
			>"$T/pay" 2>"$T/err") &
		job=$!
		sleep $delay
		kill -KILL $job
		wait $job
		verb delete --force "$ID"
		[ "$status" = 0 ] || stuck="$stuck $delay: $err"
		LIMIT=5 wait_for no_processes || stuck="$stuck $delay: alive"
		no_state || stuck="$stuck $delay: $(find "$STATE")"
	done 2>/dev/null
	check_is "create killed at any moment leaves what delete --force removes" \
		"$stuck" ""
	stuck=
	for delay in 0 0.0005 0.001 0.0015 0.002 0.003 0.004 0.005; do
		create
		(exec "$NSRUN" --root "$STATE" start "$ID" 2>"$T/err") &
		job=$!
		sleep $delay
		kill -KILL $job
		wait $job
		verb delete --force "$ID"
		[ "$status" = 0 ] || stuck="$stuck $delay: $err"
		LIMIT=5 wait_for no_processes || stuck="$stuck $delay: alive"
		no_state || stuck="$stuck $delay: $(find "$STATE")"
	done 2>/dev/null
	check_is "so does start" "$stuck" ""
fi

if ours "an id without a state does not exist yet"; then
	mkdir -m 700 "$STATE" "$STATE/$ID" 2>/dev/null
	verb state "$ID"
	declined "an id without a state does not exist yet" \
		"container does not exist" 1
	verb delete "$ID"
	check_is "but can be deleted" "$status $err$(ls "$STATE")" "0 "
fi

# ---- two at once ----------------------------------------------------------

odd=
for round in 1 2 3 4 5; do
	for n in 1 2 3 4; do
		rm -f "$T/pid.$n"
		(exec "$NSRUN" --root "$STATE" create -b "$B" \
			--pid-file "$T/pid.$n" "$ID" \
			>"$T/pay.$n" 2>"$T/err.$n") &
		eval "job$n=$!"
	done
	won='' lost=0
	for n in 1 2 3 4; do
		eval "wait \$job$n"
		case $? in
		0)	won="$won$n" ;;
		*)	grep -q "already exists" "$T/err.$n" &&
			[ ! -e "$T/pid.$n" ] && lost=$((lost + 1)) ;;
		esac
	done
	[ "${#won} $lost" = "1 3" ] || {
		odd="$odd round $round: won $won, $lost lost;"
		destroy
		continue
	}
	verb state "$ID"
	[ "$(member status) $(member pid)" = \
		"created $(cat "$T/pid.$won")" ] || odd="$odd $out"
	verb start "$ID"
	[ "$status" = 0 ] || odd="$odd $err"
	wait_for grep -q ready "$T/pay.$won" || odd="$odd not ready"
	destroy
done
check_is "of four creates of one id, one wins and is left in peace" "$odd" ""

odd=
for round in 1 2 3 4 5 6 7 8 9 10; do
	create
	(exec "$NSRUN" --root "$STATE" start "$ID" 2>"$T/err.1") &
	job1=$!
	(exec "$NSRUN" --root "$STATE" start "$ID" 2>"$T/err.2") &
	job2=$!
	wait $job1
	first=$?
	wait $job2
	second=$?
	[ $((first + second)) = 1 ] && cat "$T/err.1" "$T/err.2" |
		grep -q "cannot start an already running container" ||
		odd="$odd $first $second $(cat "$T/err.1" "$T/err.2")"
	destroy
done
check_is "of two starts, one wins" "$odd" ""

odd=
for round in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
	create
	force=
	[ $((round % 2)) = 0 ] || force=--force
	(exec "$NSRUN" --root "$STATE" start "$ID" 2>"$T/err.1") &
	job1=$!
	# shellcheck disable=SC2086 # words
	(exec "$NSRUN" --root "$STATE" delete $force "$ID" 2>"$T/err.2") &
	job2=$!
	wait $job1
	first=$?
	wait $job2
	second=$?
	case $force$first$second in
	--force[01]0) ;;
	10)	not alive "$pid" || odd="$odd $round: lives;" ;;
	01)	grep -q "not stopped: running" "$T/err.2" && alive "$pid" ||
			odd="$odd $round: $(cat "$T/err.2");" ;;
	*)	odd="$odd $round: $force $first $second $(cat "$T/err.1" \
			"$T/err.2");" ;;
	esac
	[ -n "$force" ] || destroy
	not alive "$pid" || odd="$odd $round: lives;"
	no_state || odd="$odd $round: state;"
done
check_is "delete against start: one of them wins, wholly" "$odd" ""

rm -f "$T"/done.*
for n in 1 2; do
	(
		i=0
		while [ $i -lt 60 ]; do
			"$NSRUN" --root "$STATE" create -b "$B" "$ID-$n" &&
				"$NSRUN" --root "$STATE" delete "$ID-$n" ||
				echo "round $i"
			i=$((i + 1))
		done >"$T/loop.$n" 2>&1
		: >"$T/done.$n"
	) &
done
asked=0
: >"$T/state.err"
: >"$T/list.err"
: >"$T/list.json"
until [ -e "$T/done.1" ] && [ -e "$T/done.2" ]; do
	"$NSRUN" --root "$STATE" state "$ID-1" >/dev/null 2>>"$T/state.err"
	{
		"$NSRUN" --root "$STATE" list --format json >>"$T/list.json" &&
			"$NSRUN" --root "$STATE" list >/dev/null &&
			"$NSRUN" --root "$STATE" list -q >/dev/null
	} 2>>"$T/list.err" || echo "list $?" >>"$T/list.err"
	asked=$((asked + 1))
done
wait
check_is "list beside create and delete prints no error" \
	"$(cat "$T/list.err")" ""
check "nor half an array" not grep -vqx '\[.*\]' "$T/list.json"
check_is "state prints none but that there is no container" \
	"$(grep -v 'container does not exist$' "$T/state.err")" ""
check "they were asked often ($asked)" [ "$asked" -ge 20 ]
check "and came upon containers" grep -q '"status"' "$T/list.json"
check_is "create and delete fare well beside them" \
	"$(cat "$T/loop.1" "$T/loop.2")" ""

config args='"exit","0"'
odd=
batch=0
while [ $batch -lt 10 ]; do
	jobs=
	for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
		(exec "$NSRUN" --root "$STATE" run -b "$B" "$ID-$n" \
			>>"$T/out.many" 2>&1) &
		jobs="$jobs $!"
	done
	for job in $jobs; do
		wait "$job" || odd="$odd $batch:$?"
	done
	batch=$((batch + 1))
done
check_is "200 short ones, 20 at a time" "$odd$(cat "$T/out.many")" ""
check "and no state is left" no_state

done_testing
