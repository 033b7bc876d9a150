#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck source-path=SCRIPTDIR source=../lib.sh disable=SC2119,SC2317
#
# Hostile containers against `exec`, `create` and `start`: what a process in
# there can have of each nsrun that comes in, and what nsrun makes of what it
# finds there. escape.sh does the same with hostile images.

. "${0%/*}/../lib.sh"
need root sha256sum

mkdir "$T/bin"
cp "$NSRUN" "$T/bin"
NSRUN=$T/bin/${NSRUN##*/}
chmod 755 "$NSRUN"
sum=$(sha256sum <"$NSRUN")

up()		# what stays, with what the config is told
{
	create
	verb start "$ID"
	[ "$status" = 0 ] || fail_run "the container starts" \
		"$(cat "$T/pay.err")"
	wait_for said ready
}

down()
{
	verb delete --force "$ID"
}

x()		# a probe in it
{
	verb exec "$ID" /bin/probe "$@"
}

# ---- who comes in (CVE-2016-9962) -----------------------------------------

made tmp data
waits='"signal-wait","15"'
ROUNDS=100

# The spy is pid 1, and tries all it can with each process it has not got yet.
spied()
{
	rm -f "$B/rootfs/tmp/stop"
	config args='"spy","/tmp/stop"' "$@"
	up
	n=0 odd=
	while [ $n -lt $ROUNDS ]; do
		n=$((n + 1))
		x exit 7
		[ "$status" = 7 ] || odd="$odd $n:$status"
	done
	: >"$B/rootfs/tmp/stop"
	wait_for said 'denied [0-9]+'
	down
	check_is "$what: $ROUNDS times exec" "$odd" ""
}

reached()
{
	sed -n "s|^reached $1|&|p" "$T/pay" | sort | tr '\n' ' '
}

what="a spy without a capability"
spied caps=
check_is "$what reaches nothing" "$(reached '')" ""
check "and has tried in time" said 'denied [1-9][0-9]*'
able "a spy that is root in its user namespace" userns && {
	map='[{"containerID":0,"hostID":100000,"size":65536}]'
	what="a spy with all capabilities in a user namespace"
	spied caps=all ns='pid mount ipc uts network user' \
		linux="\"uidMappings\":$map,\"gidMappings\":$map"
	check_is "$what reaches nothing" "$(reached '')" ""
	check "and has tried in time" said 'denied [1-9][0-9]*'
}
# CAP_SYS_PTRACE in the host's user namespace is stronger than not to be
# dumpable: what is open is seen then (README), and it is nothing of the host.
what="a spy with CAP_SYS_PTRACE"
spied caps="CAP_SYS_PTRACE CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH"
check_is "$what finds no other root" "$(reached 'root')$(reached 'cwd')" ""
check "though it comes in time" said 'reached fd socket:'
check_is "and no directory of the host" "$(reached 'foreign directory')" ""
check_is "nor can it write the program (CVE-2019-5736)" \
	"$(reached 'exe for writing') $(sha256sum <"$NSRUN")" " $sum"

# ---- who waits, and who runs a hook ---------------------------------------

# Through a descriptor of init, if that is a directory of the host: of its
# procfs, its root, the state.
powers="CAP_SYS_PTRACE CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH"
looks='"echo","looked"' writes='"echo","wrote"'
for n in $(seq 3 20); do
	for file in sys/kernel/core_pattern 1/root state.json; do
		looks="$looks,\":\",\"try\",\"stat\",\"/proc/1/fd/$n/$file\""
	done
	for file in "1/root$T/mark" "..$T/mark" mark; do
		writes="$writes,\":\",\"try\",\"append\",
			\"/proc/1/fd/$n/$file\",\"x\""
	done
done
config caps="$powers" args="$waits"
create
eval "x $(echo "$looks" | tr , ' ')"
check_is "of an init that waits CAP_SYS_PTRACE reaches nothing of the host" \
	"$status $(echo "$out" | grep -v ^error)" "0 looked"
check_is "which is left with what the process will have" \
	"$(sed -n 's/^Cap\(Prm\|Eff\|Bnd\):.0*//p' "/proc/$pid/status" |
		tr '\n' ' ')" "80006 80006 80006 "
down
config caps=CAP_KILL user='"uid":7,"gid":8,"additionalGids":[9]' args="$waits"
create
check_is "also the ids, and no way to others" \
	"$(sed -n 's/^\(Uid\|Gid\|Groups\|CapPrm\|CapEff\|CapBnd\):.0*//p' \
		"/proc/$pid/status" | tr '\t\n' '  ')" \
	"7 7 7 7 8 8 8 8 9  20 20 20 "
verb start "$ID"
wait_for said ready
check_is "and is started with them" "$status" 0
down
config caps="$powers" args="$waits" top="\"hooks\":{\"startContainer\":[{
	\"path\":\"/bin/probe\",\"args\":[\"probe\",$writes]}]}"
up
down
made mark
check_is "nor does a hook of the image" \
	"$(find "$T" -name mark | grep -vx "$B/rootfs/mark")" ""

# ---- the program (CVE-2019-5736) ------------------------------------------

config args="$waits" caps=all
made bin
ln -s /proc/self/exe "$B/rootfs/bin/link"
printf '#!/proc/self/exe\n' >"$B/rootfs/bin/script"
chmod 755 "$B/rootfs/bin/script"
up
for program in /proc/self/exe /bin/link /bin/script; do
	verb exec "$ID" $program --version
	verb exec -d "$ID" $program run x
	check_is "exec of $program leaves the program as it is" \
		"$(sha256sum <"$NSRUN")" "$sum"
done
down
config cmd='"/bin/link","--version"' caps=all
create
verb start "$ID"
down
check_is "so does create and start of it" "$(sha256sum <"$NSRUN")" "$sum"

# ---- directories that are descriptors (CVE-2024-21626) --------------------

config args="$waits" caps=all
# shellcheck disable=SC3023 # all shells here have more than ten
exec 7<"$T" 8</ 9>>"$T/open"
up
shown=
for n in $(seq 3 20); do
	for where in /proc/self/fd/$n /proc/self/fd/$n/../.. /proc/1/fd/$n \
		/proc/self/cwd/../..; do
		verb exec --cwd "$where" "$ID" /bin/probe show cwd : \
			stat /bin/probe
		case $status:$out in
		255:)	;;
		0:*" ino=$(stat -c %i "$B/rootfs/bin/probe") "*)
			[ -d "$B/rootfs$(seen cwd)" ] ||
				shown="$shown $where:$(seen cwd)" ;;
		*)	shown="$shown $where:$status:$out" ;;
		esac
	done
done
check_is "exec --cwd of /proc/self/fd/N, N from 3 to 20, stays inside" \
	"$shown" ""
x show fd
check_is "exec hands over no descriptor but 0 to 2" \
	"$(seen fd | cut -d ' ' -f 1 | tr '\n' ' ')" "0 1 2 "
down

hooks=
for name in prestart createRuntime createContainer startContainer poststart \
	poststop; do
	program=$PROBE file=$B/rootfs/data/$name
	[ $name != startContainer ] || program=/bin/probe file=/data/$name
	hooks="$hooks${hooks:+,}\"$name\":[{\"path\":\"$program\",\"args\":
		[\"probe\",\"into\",\"$file\",\":\",\"show\",\"fd\"]}]"
done
config args="$waits" caps=all top="\"hooks\":{$hooks}"
up
down
for name in prestart createRuntime createContainer startContainer poststart \
	poststop; do
	check_is "the hook $name has no descriptor but 0 to 2" \
		"$(sed -n 's/^fd \([0-9]*\).*/\1/p' "$B/rootfs/data/$name" |
		tr '\n' ' ')" "0 1 2 "
done
exec 7<&- 8<&- 9>&-

# ---- closed standard descriptors ------------------------------------------

config args="$waits" caps=all
up
got=
for n in 0 1 2 3 4 5 6; do
	# shellcheck disable=SC2086 # words
	$limit "$NSRUN" --root "$STATE" exec "$ID" /bin/probe stat \
		/proc/self/fd/$n <&- >&- 2>&-
	got="$got$? "
done
check_is "exec with 0 to 2 closed hands over these three and no other" \
	"$got" "0 0 0 1 1 1 1 "
down
rm -f "$B"/rootfs/data/*
config args='"into","/data/fds",":","show","fd",":","signal-wait"' caps=all
"$NSRUN" --root "$STATE" create -b "$B" "$ID" <&- >&- 2>&-
check_is "so does create" $? 0
"$NSRUN" --root "$STATE" start "$ID" <&- >&- 2>&-
check_is "and start" $? 0
wait_for [ -s "$B/rootfs/data/fds" ]
check_is "of which the process has three, which are null" \
	"$(tr '\n' ' ' <"$B/rootfs/data/fds")" \
	"fd 0 /dev/null fd 1 /dev/null fd 2 /dev/null "
"$NSRUN" --root "$STATE" delete --force "$ID" <&- >&- 2>&-
check_is "delete works so too" $? 0

# ---- a hostile /etc/passwd ------------------------------------------------

config args="$waits"
up
made etc
passwd=$B/rootfs/etc/passwd
for kind in fifo zero loop self host dir line; do
	rm -rf "$passwd"
	case $kind in
	fifo)	mkfifo "$passwd" ;;
	zero)	ln -s /dev/zero "$passwd" ;;
	loop)	ln -s passwd "$passwd" ;;
	self)	ln -s /proc/self/fd/0 "$passwd" ;;
	host)	echo 'root:x:0:0::/leaked:' >"$T/passwd"
		ln -s "../../../../../../../..$T/passwd" "$passwd" ;;
	dir)	mkdir "$passwd" ;;
	line)	head -c 1048576 /dev/zero | tr '\000' a >"$passwd" ;;
	esac
	x show env
	if [ "$status" = 255 ]; then
		check_err "exec with /etc/passwd that is a $kind is refused" \
			/etc/passwd
	else
		check_out "exec with /etc/passwd that is a $kind has HOME=/" \
			'^env HOME=/$'
	fi
done
rm -rf "$passwd"
down

# ---- a hostile init -------------------------------------------------------

mkdir -p "$B/rootfs/data/jail/sub" "$B/rootfs/data/fake/self"
config args='"chroot","/data/jail",":","chdir","/sub",":","signal-wait","15"' \
	caps=CAP_SYS_CHROOT
up
x show cwd : stat /bin/probe
check_out "exec does not follow init into another root" \
	" ino=$(stat -c %i "$B/rootfs/bin/probe") "
check_is "nor into its directory" "$(seen cwd)" /
down
echo 'root:x:0:0::/fake:' >"$B/rootfs/data/fake/passwd"
config args='"mount","/data/fake","/proc","none","bind",":","signal-wait","15"' \
	caps=CAP_SYS_ADMIN
up
x ls /proc
check_out "init has a false /proc" '^passwd$'
x show uid cap nnp
check_is "exec with init's false /proc gives the ids and capabilities" \
	"$status $(seen uid) $(seen cap | tr '\n' ' ')" \
	"0 0 0 0 $(cap=$(printf %016x 2097152)
	echo "bounding $cap effective $cap permitted $cap \
inheritable 0000000000000000 ambient 0000000000000000 ")"
down

# ---- long paths of sockets ------------------------------------------------

long=$T/$(printf '%0100d' 0)/$(printf '%0100d' 1)
mkdir -p "$long"
short=$STATE
STATE=$long/state
config args='"echo","ran"'
create
check_is "create with a --root of ${#STATE} bytes" "$status" 0
verb start "$ID"
check_is "and start" "$status$err" 0
wait_for said ran
check "runs the program" said ran
down
check "and delete leaves nothing there" [ -z "$(ls -A "$STATE")" ]
STATE=$short

config args='"echo","ran"' process='"terminal":true'
(cd "$long" && exec "$PROBE" receive socket) >"$T/got" 2>&1 &
wait_for grep -q listening "$T/got"
create --console-socket "$long/socket"
check_is "create with a console socket of $((${#long} + 7)) bytes" "$status" 0
verb start "$ID"
wait_for grep -q ran "$T/got"
check_is "which gets the terminal" "$(tr -d '\r' <"$T/got" | tr '\n' ' ')" \
	"listening received /dev/ptmx ran "
down
wait
rm -f "$long/socket"

done_testing
