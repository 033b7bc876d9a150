# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC1091,SC2154
#
# `nsrun run`: exit status, signals, ids, the pid file, the state directory,
# and what becomes of a container whose nsrun is killed.

. "${0%/*}/../lib.sh"
need root

# ---- the exit status ------------------------------------------------------

wrong=
for n in 0 1 2 3 42 77 99 100 124 125 126 127 128 129 137 143 200 254 255; do
	config args="\"exit\",\"$n\""
	run
	[ "$status" = "$n" ] || wrong="$wrong $n:$status"
done
check_is "the exit status is that of the process, 0 to 255" "$wrong" ""

for signal in 1 2 6 9 10 13 14 15; do
	config ns='mount ipc uts network' args="\"kill\",\"$signal\""
	run
	[ "$status" = $((128 + signal)) ] || wrong="$wrong $signal:$status"
done
check_is "a signal n that ends the process gives 128 + n" "$wrong" ""

config args='"fault"'
run
check_is "a fault of pid 1 gives 139" "$status" 139

config args='"signal-wait","15"'
start --pid-file "$T/pid"
kill -KILL "$(cat "$T/pid")"
finish
check_is "pid 1 killed from outside gives 137" "$status" 137

config args='"fork","3",":","exit","5"'
run
check_is "the status is that of pid 1, whatever its children do" "$status" 5

if able "the same without a pid namespace" cgroup; then
	config ns='mount ipc uts network' args='"fork","3",":","exit","6"'
	run
	check_is "the same without a pid namespace" "$status" 6
	check "and there the children end too" wait_for no_processes
fi

# ---- the pid file ---------------------------------------------------------

config args='"signal-wait","15"'
start --pid-file "$T/pid"
pid=$(cat "$T/pid")
check_is "the pid file holds digits and no line end" \
	"$(tr -d 0-9 <"$T/pid" | wc -c) $(wc -l <"$T/pid")" "0 0"
check "its pid is that of pid 1 of the container" \
	grep -Eq "^NSpid:.*[[:space:]]${pid}[[:space:]]+1\$" "/proc/$pid/status"
# shellcheck disable=SC3013 # both shells have -ef
check "and the root of that process is the bundle's" \
	[ "/proc/$pid/root" -ef "$B/rootfs" ]
kill -TERM "$runner"
finish
check_is "TERM is forwarded to pid 1" "$status" 55

config args='"write","/data/ran","yes"'
run --pid-file "$T/none/pid"
refused "a pid file that cannot be written is an error" "$T/none"
mkdir "$T/piddir"
run --pid-file "$T/piddir"
ours "a directory as pid file" && {
	refused "nor can it take the place of a directory" "$T/piddir"
	check "which stays one" [ -d "$T/piddir" ]
}
check "and the process does not run then" [ ! -e "$B/rootfs/data/ran" ]

if ours "a pid file that is no regular file"; then
	config args='"exit","0"'
	mkfifo "$T/pidfifo"
	exec 8<>"$T/pidfifo"
	ln -s /proc/self/fd/1 "$T/pidout"
	ln -s "$T/pidlater" "$T/pidlink"
	echo 1234567 >"$T/pidold"
	ln -s "$T/pidold" "$T/pidlink2"
	run --pid-file "$T/pidfifo"
	check_is "a FIFO gets the pid and stays one" \
		"$status $($limit head -c 1 <&8 | tr 0-9 N) $(stat -c %F "$T/pidfifo")" \
		"0 N fifo"
	exec 8>&-
	# busybox's timeout has the first one open for a moment more.
	mkfifo "$T/pidalone"
	run --pid-file "$T/pidalone"
	refused "one that nobody reads is an error" "pidalone.*nobody reads it"
	run --pid-file "$T/pidout"
	check_is "a link to stdout gets it, and stays" \
		"$status $(printf '%s\n' "$out" | tr -d 0-9)$(
		readlink "$T/pidout")" "0 /proc/self/fd/1"
	run --pid-file "$T/pidlink2"
	check "what a link leads to is written as a whole" \
		[ -L "$T/pidlink2" -a "$(wc -c <"$T/pidold")" -lt 8 ]
	run --pid-file "$T/pidlink"
	check_is "a link that leads nowhere is replaced" \
		"$status $(stat -c %F "$T/pidlink")" "0 regular file"
	mkdir -m 1777 "$T/pub"
	echo precious >"$T/owned"
	ln -s "$T/owned" "$T/pub/pid"
	chown -h 65534 "$T/pub/pid"
	run --pid-file "$T/pub/pid"
	check_is "a link of another user's is replaced, not followed" \
		"$status $(cat "$T/owned") $(stat -c %F "$T/pub/pid")" \
		"0 precious regular file"
	ln -s /dev/full "$T/pidfull"
	run --pid-file "$T/pidfull"
	refused "a full device is an error" "pidfull: no space left"
	check "and the link stays" [ -L "$T/pidfull" ]
fi

if ours "an empty NOTIFY_SOCKET"; then
	config args='"show","env"'
	NOTIFY_SOCKET='' run
	check_is "an empty NOTIFY_SOCKET is none" \
		"$status $(printf '%s\n' "$out" | grep -c NOTIFY)" "0 0"
	config args='"signal-wait","15"'
	NOTIFY_SOCKET='' LIMIT=5 verb run -d -b "$B" "$ID"
	check_is "nothing is waited for then" "$status" 0
	verb delete --force "$ID"
fi

# ---- who does not answer --------------------------------------------------

# WHAT COMMAND..: nsrun, which waits for somebody, ends when it is told to
gives_up()
{
	l_what=$1
	shift
	(exec "$NSRUN" --root "$STATE" "$@" >"$T/out" 2>"$T/err") &
	runner=$!
	sleep 0.5
	alive "$runner" || fail "$l_what: it waits" "$(cat "$T/err")"
	kill -TERM "$runner"
	LIMIT=3 finish
	check_is "$l_what: TERM ends it" "$status $(echo "$err" | wc -l)" "143 1"
}

if ours "who does not answer"; then
	config args='"exit","0"'
	mkdir "$T/slow"
	mkfifo "$T/slow/config.json"
	gives_up "config.json is a FIFO" run -b "$T/slow" "$ID"
	check_err "and it says so" "config.json: interrupted"
	gives_up "so is that of --config" create -b "$B" \
		-f "$T/slow/config.json" "$ID"
	(exec cat "$B/config.json" >"$T/slow/config.json") &
	run -f "$T/slow/config.json"
	check_is "one that somebody writes to is read" "$status" 0

	exec 8<>"$T/slow/config.json"
	(exec head -c 200000 /dev/zero >&8) &
	job=$!
	sleep 0.3
	(exec "$NSRUN" --root "$STATE" run -b "$T/none" "$ID" 2>&8) &
	runner=$!
	sleep 0.3
	kill -TERM "$runner"
	LIMIT=3 finish
	check_is "stderr is a full pipe: TERM ends it" "$status" 143
	kill -KILL "$job"
	wait "$job" 2>/dev/null
	exec 8>&-

	config process='"terminal":true' args='"exit","0"'
	"$PROBE" listen-full "$T/busy" >"$T/got" &
	job=$!
	wait_for grep -q listening "$T/got"
	gives_up "a console socket whose queue is full" create -b "$B" \
		--console-socket "$T/busy" "$ID"
	kill -KILL "$job"
	wait "$job" 2>/dev/null

	config args='"signal-wait","15"'
	NOTIFY_SOCKET=$T/none gives_up "a process that is never READY" \
		run -d -b "$B" "$ID"
	verb state "$ID"
	check_is "and is not there any more" "$status" 1
	made run

	config args='"exit","0"'
	mkfifo "$T/logfifo"
	G="--log $T/logfifo"
	run
	check_is "a log that is a FIFO nobody reads is an error" \
		"$status $err" "1 nsrun: cannot open the log $T/logfifo: $(
		)no such device or address (nobody reads it)"
	cat "$T/logfifo" >"$T/log" &
	job=$!
	run -b "$T/none"
	G=
	wait "$job"
	check "one that somebody reads gets the record" \
		grep -q 'level=error msg="cannot run' "$T/log"
fi
made data

made data
echo 12345678901234567890 >"$T/pid"
config args='"signal-wait","15"'
start --pid-file "$T/pid"
check "an older pid file is replaced" alive "$(cat "$T/pid")"
kill -TERM "$runner"
finish

# ---- signals --------------------------------------------------------------

# A shell starts a background program with INT and QUIT ignored: they must be
# forwarded all the same.
config args='"signal-wait","15"'
start
wanted=ready
for signal in 1 2 3 10 12 14 18 25 30 35 40 64; do
	kill -"$signal" "$runner"
	wait_for grep -qx "signal $signal" "$T/out"
	wanted="$wanted signal $signal"
done
kill -15 "$runner"
finish
# URG is what the Go runtime sends to itself.
check_is "signals are forwarded, each once" \
	"$(printf '%s\n' "$out" | grep -vx 'signal 23' | tr '\n' ' ')" \
	"$wanted signal 15 "
check_is "and the status is the payload's own" "$status" 55

if ours "PIPE, CHLD, URG and WINCH are not forwarded"; then
	start
	for signal in 13 17 23 28; do
		kill -"$signal" "$runner"
	done
	sleep 0.2
	kill -15 "$runner"
	finish
	check_is "PIPE, CHLD, URG and WINCH are not forwarded" \
		"$(printf '%s\n' "$out" | tr '\n' ' ')" "ready signal 15 "
fi

bare()		# run, by a probe that did before what the arguments say
{
	# shellcheck disable=SC2086 # words
	$limit "$PROBE" "$@" : exec "$NSRUN" --root "$STATE" $G run -b "$B" "$ID" \
		>"$T/out" 2>"$T/err"
	status=$?
	outputs
}

config args='"show","ignored","blocked",":","exit","7"'
bare ignore 17
check_is "the status is right if SIGCHLD was ignored" "$status" 7
check_is "the process does not inherit that it was" "$(seen ignored)" ""
bare ignore 1 2 13 15
check_is "no signal is ignored by the process" "$(seen ignored)" ""
if ours "no signal is blocked in the process"; then
	bare block 1 10 15 17 40
	check_is "no signal is blocked in the process" "$(seen blocked)" ""
fi

if ours "TERM is forwarded though it was blocked"; then
	config args='"signal-wait","15"'
	: >"$T/out"
	"$PROBE" block 10 15 17 : exec "$NSRUN" --root "$STATE" run -b "$B" "$ID" \
		>"$T/out" 2>"$T/err" &
	runner=$!
	wait_for started
	kill -TERM "$runner"
	finish
	check_is "TERM is forwarded though it was blocked" "$status" 55
fi

# ---- ids ------------------------------------------------------------------

bundle
bundle_id=$ID
long=$(printf '%01100d' 0)
for id in "" . .. a/b /a ../a "a b" "a
b" "a*" é "$long"; do
	config args='"write","/data/ran","yes"'
	ID=$id
	run
	name=$(printf %.10s "$id" | tr '\n' '?')
	refused "the id '$name' is refused" .
done
ID=$bundle_id
check "and none of them ran" [ ! -e "$B/rootfs/data/ran" ]
check "and none of them has a state" \
	[ -z "$(find "$STATE" -mindepth 1 2>/dev/null)" ]

config args='"exit","3"'
for id in a "$ID.a" "$ID-b" "${ID}_c" "$ID+d" "${ID}E9"; do
	ID=$id
	run
	[ "$status" = 3 ] || wrong="$wrong $id:$status"
done
ID=$bundle_id
check_is "letters, digits and . - _ + are allowed in an id" "$wrong" ""

# ---- the same id twice ----------------------------------------------------

config args='"signal-wait","15"'
start --pid-file "$T/pid"
pid=$(cat "$T/pid")
cp "$T/out" "$T/out.first"
# shellcheck disable=SC2086 # words
$limit "$NSRUN" --root "$STATE" run -b "$B" "$ID" >"$T/out" 2>"$T/err"
status=$?
outputs
refused "an id that runs is refused" "already exists"
check_err "with the words that callers look for" "already exists"
check "the first one is unharmed" alive "$pid"
cp "$T/out.first" "$T/out"
kill -TERM "$runner"
finish
check_is "and ends as it should" "$status" 55
run_again()
{
	config args='"exit","4"'
	run
	check_is "$1" "$status" 4
}
run_again "then the id is free again"

config args='"exit","5"'
run --keep
if ours "an id that is kept is refused"; then
	check_is "run --keep gives the exit status" "$status" 5
	config args='"exit","4"'
	run --keep
	refused "an id that is kept is refused" "already exists"
	run
	refused "also without --keep" "already exists"
	verb state "$ID"
	check_is "it is stopped" "$(member status)" stopped
fi
verb delete "$ID"
check_is "and can be deleted" "$status $err" "0 "
run_again "which frees it"

# ---- nsrun is killed ------------------------------------------------------

if ours "a container dies with its nsrun"; then
	config args='"fork","2",":","signal-wait","99"'
	start --pid-file "$T/pid"
	pid=$(cat "$T/pid")
	kill -KILL "$runner"
	LIMIT=5 wait_for not alive "$pid"
	check "a container dies with its nsrun" not alive "$pid"
	wait "$runner" 2>/dev/null
	run_again "its id can be used again"

	# A change of ids clears the parent-death signal.
	config args='"signal-wait","99"' user='"uid":1234,"gid":1234'
	start --pid-file "$T/pid"
	pid=$(cat "$T/pid")
	kill -KILL "$runner"
	LIMIT=5 wait_for not alive "$pid"
	check "also if the process has another user" not alive "$pid"
	wait "$runner" 2>/dev/null
	run_again "and this id can be used again too"

	# At whatever moment: the delays step through the whole start.
	config args='"signal-wait","15"'
	stuck='' lost=''
	for delay in 0 0.001 0.002 0.003 0.004 0.005 0.006 0.008 0.01 0.02; do
		start_nowait
		sleep "$delay"
		kill -KILL "$runner"
		wait "$runner" 2>/dev/null
		LIMIT=5 wait_for no_processes || stuck="$stuck $delay"
		config args='"exit","4"'
		run
		[ "$status" = 4 ] || lost="$lost $delay: $err"
		config args='"signal-wait","15"'
	done 2>/dev/null
	check_is "nsrun killed at any moment leaves no process" "$stuck" ""
	check_is "and an id that can be used again" "$lost" ""

	terminated()
	{
		not alive "$runner" || not kill -TERM "$runner"
	}

	stuck=
	for delay in 0 0.001 0.002 0.003 0.004 0.005 0.006 0.008 0.01 0.02; do
		start_nowait
		sleep "$delay"
		# Again and again: before the payload has its handler, the
		# kernel drops a signal for pid 1.
		LIMIT=5 wait_for terminated || stuck="$stuck $delay"
		wait "$runner"
		status=$?
		case $status in 55 | 143 | 1) ;; *) stuck="$stuck:$status" ;; esac
	done
	check_is "TERM at any moment ends it" "$stuck" ""
	check "and leaves no state" \
		[ -z "$(find "$STATE" -mindepth 1 2>/dev/null)" ]
fi

# ---- many at once ---------------------------------------------------------

config args='"sleep","0.3",":","exit","7"'
many=
for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
	# shellcheck disable=SC2086 # words
	$limit "$NSRUN" --root "$STATE" run -b "$B" "$ID-$n" \
		>>"$T/out.many" 2>&1 &
	many="$many $!"
done
for job in $many; do
	wait "$job"
	status=$?
	[ "$status" = 7 ] || wrong="$wrong $status"
done
check_is "20 run side by side" "$wrong$(cat "$T/out.many")" ""

config args='"exit","7"'
n=0
while [ $n -lt 50 ]; do
	run
	[ "$status" = 7 ] || wrong="$wrong $status"
	n=$((n + 1))
done
check_is "50 short ones in a row" "$wrong" ""

config args='"sleep","0.5",":","exit","7"'
for n in 1 2 3 4 5; do
	# shellcheck disable=SC2086 # words
	$limit "$NSRUN" --root "$STATE" run -b "$B" "$ID" \
		>/dev/null 2>"$T/err.$n" &
	eval "job$n=$!"
done
won=0 lost=0
for n in 1 2 3 4 5; do
	eval "wait \$job$n"
	case $? in
	7)	won=$((won + 1)) ;;
	*)	grep -q "already exists" "$T/err.$n" && lost=$((lost + 1)) ;;
	esac
done
check_is "of five with one id, one runs and four are refused" "$won $lost" "1 4"

# ---- the state directory --------------------------------------------------

state_was=$STATE
config args='"echo","ran"'
STATE=$T/new/deep/state
run
check_out "a missing state directory is made" '^ran$'
mkdir "$T/real"
ln -s real "$T/link"
STATE=$T/link/
run
check_out "the state directory may be a symbolic link" '^ran$'
cd "$T" || exit 1
STATE=real
run
check_out "and relative" '^ran$'
cd / || exit 1
if ours "without a place for state it runs all the same"; then
	mkdir "$T/ro"
	mount -t tmpfs -o ro tmpfs "$T/ro"
	STATE=$T/ro/state
	run
	check_out "without a place for state it runs all the same" '^ran$'
	STATE=$T/ro
	run
	check_out "also in a read-only directory" '^ran$'
	umount "$T/ro"
fi
# What another user may write to could have us run hooks of his as root.
if ours "a state of another user's is not trusted"; then
	# SENTENCE REGEX: whatever is done with the id, the hook does not run
	distrust()
	{
		for command in create state kill start exec delete \
			"delete --force"; do
			case $command in
			create)	verb create -b "$B" "$ID" ;;
			exec)	verb exec "$ID" /bin/probe ;;
			*)	# shellcheck disable=SC2086 # words
				verb $command "$ID" ;;
			esac
			check "$1: $command" [ "$status" != 0 ]
			check_err "and the reason is named" "$2"
		done
		check "and its hook has not run" [ ! -e "$T/hook" ]
	}
	chmod 711 "$T"
	config args='"echo","ran"' top="\"hooks\":{\"poststop\":[{
		\"path\":\"/bin/sh\",\"args\":[\"sh\",\"-c\",\"echo >$T/hook\"]}]}"
	mv "$B/config.json" "$T/planted.json"
	planted()	# USER DIRECTORY: what it left of an id there
	{
		STATE=$T/$2
		mkdir -p "$STATE/$ID"
		cp "$T/planted.json" "$STATE/$ID/config.json"
		echo "{\"id\":\"$ID\",\"status\":\"creating\"}" \
			>"$STATE/$ID/state.json"
		chown -R "$1" "$STATE/$ID"
	}
	config args='"echo","ran"'
	planted 0 own
	run
	check_out "what a killed nsrun left is taken over" '^ran$'
	check "and undone with its hook" [ -e "$T/hook" ]
	rm "$T/hook"
	mkdir -m 1777 "$T/shared"
	STATE=$T/shared
	run
	check_out "run does without a state directory that all may write to" \
		'^ran$'
	check_err "and says why" "$T/shared may be written to by others.*go-w"
	check_is "and nothing is made in it" "$(ls "$T/shared")" ""
	verb list
	declined "list does not look into it" "may be written to by others" 1
	verb create -b "$B" "$ID"
	declined "create refuses it" "may be written to by others"
	chmod 775 "$T/shared"
	verb create -b "$B" "$ID"
	declined "one of a group's as well" "may be written to by others"
	chmod 755 "$T/shared"
	chown 65534 "$T/shared"
	verb create -b "$B" "$ID"
	declined "or of another user's" "$T/shared belongs to user 65534"
	rmdir "$T/shared"
	planted 65534 foreign
	chown 65534 "$T/foreign"
	distrust "an id in a directory of another user's" \
		"belongs to user 65534"
	chown 0 "$T/foreign"
	distrust "an id of another user's" "$ID belongs to user 65534"
	chown 0 "$T/foreign/$ID"
	chmod 777 "$T/foreign/$ID"
	distrust "an id that others may write to" "may be written to by others"
	verb list
	check_is "list leaves it out" "$status $(printf '%s\n' "$out" | wc -l)" \
		"0 1"
	check_err "and says why" "$ID is skipped: its directory may be written"
	rm -r "$T/foreign" "$T/own" "$T/planted.json"
fi
STATE=$state_was

# ---- the bundle -----------------------------------------------------------

cd "$T" || exit 1
base=$B
B=${B##*/}
run
check_out "the bundle's path may be relative" '^ran$'
cd "$base" || exit 1
# shellcheck disable=SC2086 # words
$limit "$NSRUN" --root "$STATE" run "$ID" >"$T/out" 2>"$T/err"
status=$?
outputs
check_out "without -b the bundle is the working directory" '^ran$'
cd / || exit 1
B=$T/nothing
run
refused "a missing bundle is an error that names it" "$T/nothing"
mkdir "$T/nothing"
run
refused "so is one without a config.json" "$T/nothing|config.json"
B=$base

config args='"echo","ran"' process='"terminal":false'
run --no-pivot
check_out "--no-pivot runs too" '^ran$'

"$NSRUN" --root "$STATE" run -b "$B" >"$T/out" 2>"$T/err"
check "no id is an error" [ $? != 0 ]
"$NSRUN" --root "$STATE" run -b "$B" --nonsense "$ID" >"$T/out" 2>"$T/err"
check "an unknown option is an error" [ $? != 0 ]
"$NSRUN" --root "$STATE" nonsense >"$T/out" 2>"$T/err"
check "an unknown command is an error" [ $? != 0 ]

done_testing
