# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC1091,SC2154
#
# What the process has as stdin, stdout, stderr and further descriptors, and
# the terminal.

. "${0%/*}/../lib.sh"
need root

# ---- passing through ------------------------------------------------------

config args='"cat"'
run <<END
first
second
END
check_is "stdin and stdout are passed through" "$status $out" "0 first
second"

"$PROBE" seq 200000 >"$T/big"
run <"$T/big"
check "a megabyte goes through unchanged" cmp -s "$T/big" "$T/out"

config args='"fd","1","to out",":","fd","2","to err"'
run
check_is "stdout and stderr are kept apart" "$out/$err" "to out/to err"

config args='"show","fd"'
run
check_is "no descriptor but 0, 1 and 2 reaches the process" \
	"$(seen fd | cut -d ' ' -f 1 | tr '\n' ' ')" "0 1 2 "
run 3<"$T/big" 4>"$T/four" 9<"$T/big"
check_is "also when the caller has more" \
	"$(seen fd | cut -d ' ' -f 1 | tr '\n' ' ')" "0 1 2 "

# The status is that of head's neighbour, which a pipe does not tell.
config ns='mount ipc uts network' args='"seq","1000000"'
# shellcheck disable=SC2086 # words
{ $limit "$NSRUN" --root "$STATE" run -b "$B" "$ID" 2>"$T/err"
	echo $? >"$T/status"; } | head -n 1 >"$T/out"
status=$(cat "$T/status")
outputs
check_is "a closed pipe ends the process by SIGPIPE" "$status $out" "141 1"

# ---- closed at the start --------------------------------------------------

closed()	# runs with the given descriptors closed; the report is a file
{
	rm -f "$B/rootfs/data/fds"
	# shellcheck disable=SC2086 # words
	case $1 in
	0)	$limit "$NSRUN" --root "$STATE" run -b "$B" "$ID" \
			<&- >"$T/out" 2>"$T/err" ;;
	1)	$limit "$NSRUN" --root "$STATE" run -b "$B" "$ID" \
			>&- 2>"$T/err" ;;
	all)	$limit "$NSRUN" --root "$STATE" run -b "$B" "$ID" \
			<&- >&- 2>&- ;;
	esac
	status=$?
	out=$(cat "$B/rootfs/data/fds")
}
config args='"into","/data/fds",":","show","fd",":","exit","3"'
made data
if ours "without stdin, stdout, stderr it runs"; then
	closed all
	check_is "without stdin, stdout, stderr it runs" "$status" 3
	check_is "and the process gets /dev/null for them" \
		"$(seen fd | tr '\n' ' ')" "0 /dev/null 1 /dev/null 2 /dev/null "
	closed 0
	check_is "the same with stdin closed only" \
		"$status $(seen fd | sed -n 1p)" "3 0 /dev/null"
	closed 1
	check_is "and with stdout" "$status $(seen fd | sed -n 2p)" \
		"3 1 /dev/null"
fi

# ---- descriptors to keep --------------------------------------------------

bundle
echo three >"$T/three"
config args='"fd","3",":","fd","4","four",":","show","fd"'
run --preserve-fds 2 3<"$T/three" 4>"$T/four" 5<"$T/three" 7<"$T/three"
check_is "--preserve-fds 2 keeps 3 and 4" \
	"$(seen fd | cut -d ' ' -f 1 | tr '\n' ' ')" "0 1 2 3 4 "
check_out "what is in 3 can be read" '^three$'
check_is "what is written to 4 arrives" "$(cat "$T/four")" four
if ours "a gap in --preserve-fds is an error"; then
	run --preserve-fds 3 3<"$T/three" 4>&- 5<"$T/three"
	refused "a gap in --preserve-fds is an error" '4'
	config args='"show","fd"'
	run --preserve-fds 4 3>&- 4>&- 5>&- 6>&-
	refused "nsrun's own descriptors do not stand in for missing ones" 3
fi
config args='"fd","3",":","show","fd"'
"$PROBE" fill-fds 252 : exec "$NSRUN" --root "$STATE" run -b "$B" \
	--preserve-fds 200 "$ID" >"$T/out" 2>"$T/err" 3<"$T/three"
status=$?
outputs
check_out "--preserve-fds 200 keeps the first" '^three$'
check_is "and all 200" "$(seen fd | wc -l) $(seen fd | sed -n '$s/ .*//p')" \
	"203 202"
for n in -1 x 99999999999 ''; do
	run --preserve-fds "$n"
	check "--preserve-fds '$n' is an error" [ "$status" != 0 ]
done

config args='"show","fd","env"'
# LISTEN_PID names the process that is meant, so nsrun takes the shell's place.
# shellcheck disable=SC2016 # for the inner shell
# shellcheck disable=SC2086 # words
$limit sh -c 'LISTEN_FDS=1 LISTEN_PID=$$ exec "$@"' sh \
	"$NSRUN" --root "$STATE" run -b "$B" "$ID" \
	>"$T/out" 2>"$T/err" 3<"$T/three" 4<"$T/three"
status=$?
outputs
check_is "LISTEN_FDS=1 passes descriptor 3" \
	"$(seen fd | cut -d ' ' -f 1 | tr '\n' ' ')" "0 1 2 3 "
check_is "and tells the process so" \
	"$(seen env | grep LISTEN | sort | tr '\n' ' ')" \
	"LISTEN_FDS=1 LISTEN_PID=1 "

# ---- owner of stdio -------------------------------------------------------

null=$(stat -c '%u %g %a' /dev/null)
config user='"uid":1234,"gid":1234' \
	args='"open","/proc/self/fd/1","w",":","open","/proc/self/fd/2","w"'
run
check_is "a user can open the process's own stdout and stderr again" \
	"$status $out" "0 "
check_is "the owner of the host's /dev/null stays" \
	"$(stat -c '%u %g %a' /dev/null)" "$null"

# ---- a terminal, with none outside ----------------------------------------

# runc sets the size after the start.
shown=${peer:+'"sleep","0.3",":",'}'"show","tty","ctty","foreground","fd","sid"'
if ours "a terminal works without one outside"; then
	config process='"terminal":true,"consoleSize":{"height":41,"width":99}' \
		args="$shown"
	run
	out=$(printf '%s\n' "$out" | tr -d '\r')
	check_is "a terminal works without one outside" \
		"$status $(seen tty | tr '\n' ' ')$(seen ctty)" \
		"0 0 41x99 1 41x99 2 41x99 yes"
	config process='"terminal":true' args='"seq","100000"'
	run
	tr -d '\r' <"$T/out" >"$T/lines"
	"$PROBE" seq 100000 >"$T/big"
	check "nothing that is written to it is lost" \
		cmp -s "$T/big" "$T/lines"
	config process='"terminal":true' args='"exit","9"'
	run
	check_is "the exit status is kept" "$status" 9

	config process='"terminal":true' args='"fd","0"'
	wrong=
	for text in 'one\n' 'one' 'one\ntwo' ''; do
		printf '%b' "$text" >"$T/input"
		run <"$T/input"
		[ "$status" = 0 ] || wrong="$wrong [$text]:$status"
	done
	check_is "the end of the input is passed on, also within a line" \
		"$wrong" ""

	# The terminal takes some lines, then nothing more.
	config process='"terminal":true' args='"signal-wait","15"'
	(exec "$NSRUN" --root "$STATE" run -b "$B" "$ID" <"$T/big" \
		>"$T/out" 2>"$T/err") &
	runner=$!
	wait_for grep -q ready "$T/out"
	sleep 0.5
	kill -TERM "$runner"
	LIMIT=3 finish
	check_is "a process that does not read its terminal still gets signals" \
		"$status" 55
fi

# ---- a terminal, with one outside -----------------------------------------

# tty INPUT COMMAND: runs nsrun below a pty of 33 lines and 77 columns; shell
# words around it come as COMMAND with NSRUN in it. INPUT writes to the pty.
tty()
{
	cat >"$T/tty.sh" <<-END
	NSRUN() { "$NSRUN" --root "$STATE" run -b "$B" --pid-file "$T/pid" "$ID"; }
	stty rows 33 cols 77
	$2
	END
	: >"$T/out"
	# shellcheck disable=SC2086 # words
	$1 | $limit script -qfec "sh '$T/tty.sh'" /dev/null \
		>"$T/out" 2>"$T/err"
	status=$?
	[ "$status" != 137 ] || no_processes || sweep
	out=$(tr -d '\r' <"$T/out")
	err=$(cat "$T/err")
}

# Something that keeps the pty's input open and types nothing.
idle()
{
	sleep "${1:-1}"
}

if able "a terminal inside and outside" script stty; then
	config process='"terminal":true' args="$shown"
	tty idle NSRUN
	check_is "all three are the terminal, in the size of the outer one" \
		"$status $(seen tty | tr '\n' ' ')" "0 0 33x77 1 33x77 2 33x77 "
	# The size must be there before the process is, not soon after.
	wrong=
	if [ -z "$peer" ]; then
		for n in 1 2 3 4 5 6 7 8 9 10; do
			tty 'idle 0.2' NSRUN
			size=$(seen tty | sed -n 1p)
			[ "$size" = "0 33x77" ] || wrong="$wrong $size"
		done
	fi
	check_is "each time" "$wrong" ""
	check_is "it is the controlling one, in the foreground" \
		"$(seen ctty) $(seen foreground) $(seen sid)" "yes 1 1"
	check_is "and belongs to the container's /dev/pts" \
		"$(seen fd | tr '\n' ' ')" "0 /dev/pts/0 1 /dev/pts/0 2 /dev/pts/0 "

	config process='"terminal":true' args='"stat","/dev/console"'
	tty idle NSRUN
	check_out "it is /dev/console too" \
		'^stat /dev/console type=char .* rdev=136:0 '

	config process='"terminal":true' user='"uid":1234,"gid":0' \
		args='"stat","/dev/pts/0",":","open","/dev/console","rw"'
	tty idle NSRUN
	check_out "it belongs to the user" '^stat /dev/pts/0 .* uid=1234 '

	config process='"terminal":true' args='"seq","100000"'
	tty idle NSRUN
	"$PROBE" seq 100000 >"$T/big"
	tr -d '\r' <"$T/out" >"$T/lines"
	check "nothing that is written to it is lost" \
		cmp -s "$T/big" "$T/lines"
	check_is "each line end has one carriage return" \
		"$(tr -dc '\r' <"$T/out" | wc -c)" 100000

	config process='"terminal":true' args='"exit","9"'
	tty idle NSRUN
	check_is "the exit status is kept" "$status" 9

	config process='"terminal":true' args='"signal-wait","2"'
	interrupt()
	{
		wait_for grep -q ready "$T/out"
		printf '\003'
		sleep 1
	}
	tty interrupt NSRUN
	check_is "^C becomes a SIGINT inside" "$status" 42

	config process='"terminal":true' \
		args='"echo","ready",":","fd","0"'
	typed()
	{
		wait_for grep -q ready "$T/out"
		printf 'words\n\004'
		sleep 1
	}
	tty typed NSRUN
	# Once as echo, once as what the process read.
	check_is "what is typed is echoed and read, once each" \
		"$status $(printf '%s\n' "$out" | grep -c '^words$')" "0 2"

	config process='"terminal":true' \
		args='"echo","ready",":","sleep","1",":","show","tty"'
	# shellcheck disable=SC2016 # for the inner shell
	tty 'idle 2' '(sleep 0.4; stty rows 20 cols 50 </dev/tty) & NSRUN; n=$?; wait
		exit $n'
	check_is "a new size of the outer one goes inside" \
		"$(seen tty | sed -n 1p)" "0 20x50"

	config process='"terminal":true' args='"exit","0"'
	tty idle "stty -a >$T/before; NSRUN; stty -a >$T/after"
	check "its modes are restored at the end" \
		cmp -s "$T/before" "$T/after"
	check "and were read" grep -q icanon "$T/before"
	config process='"terminal":true' args='"sleep","9"'
	killer()
	{
		wait_for test -s "$T/pid"
		sleep 0.3
		kill -KILL "$(cat "$T/pid")"
		sleep 0.5
	}
	rm -f "$T/pid"
	tty killer "stty -a >$T/before; NSRUN; n=\$?; stty -a >$T/after
		exit \$n"
	check_is "a killed process ends it" "$status" 137
	check "and the modes are restored too" cmp -s "$T/before" "$T/after"

	# script(1) stops to read the terminal when its own stdout is full.
	config process='"terminal":true' args='"seq","100000"'
	mkfifo "$T/full"
	exec 8<>"$T/full"
	rm -f "$T/pid"
	(exec script -qfec "exec '$NSRUN' --root '$STATE' run -b '$B' \
		--pid-file '$T/pid' '$ID'" /dev/null >&8 2>&8 8>&-) &
	job=$!
	wait_for test -s "$T/pid"
	sleep 0.5
	runner=$(sed -n 's/^PPid:[[:space:]]*//p' \
		"/proc/$(cat "$T/pid")/status")
	kill -KILL "$(cat "$T/pid")"
	# shellcheck disable=SC2016 # for eval
	check "nor does a terminal outside that nobody reads stop it" \
		eval 'LIMIT=4 wait_for not alive "$runner"'
	kill -KILL "$job" ${runner:+"$runner"} 2>/dev/null
	wait "$job"
	exec 8>&-

	# Without a terminal inside, the outer one is just passed through.
	config args='"show","tty","ctty"'
	if ours "terminal false passes the outer terminal through"; then
		tty idle NSRUN
		check_is "terminal false passes the outer terminal through" \
			"$(seen tty | sed -n 1p)" "0 33x77"
		check "but it is not the controlling one" \
			[ "$(seen ctty)" != yes ]
	fi
fi

done_testing
