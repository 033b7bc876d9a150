#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck source-path=SCRIPTDIR source=../lib.sh disable=SC2119,SC2086,SC2317
#
# Control groups: where the payload is, what is there afterwards, what it sees
# of them and whose they are; hosts with none. Limits are in resources.sh.

. "${0%/*}/../lib.sh"
need root cgroup

cgroups

# ---- where it is ----------------------------------------------------------

# The payload's paths in all hierarchies that are mounted: in others it stays
# where we are.
paths()
{
	for mount_point in $hierarchies; do
		if [ "$mount_point" = "$v2_mount" ]; then
			seen cgroup | sed -n 's/^0:://p'
			continue
		fi
		name=$(awk -v at="$mount_point" '$5 == at { print $NF }' \
			/proc/self/mountinfo | sed 's/^rw,//; s/,.*//')
		seen cgroup | grep "[:,]${name}[:,]" | cut -d : -f 3
	done
}

# PATTERN: every path matches; prints those that do not.
strangers()
{
	paths | grep -Evx -e "$1"
}

config linux="\"cgroupsPath\":\"/$TAG-a/b\"" args='"show","cgroup"'
run
check_is "an absolute cgroupsPath is below the top of every hierarchy" \
	"$status$(strangers "/$TAG-a/b")" 0
config linux="\"cgroupsPath\":\"$TAG-a/b\"" args='"show","cgroup"'
run
check_is "a relative one is somewhere below" \
	"$status$(strangers ".*/$TAG-a/b")" 0
for path in "" '"cgroupsPath":""'; do
	config args='"show","cgroup"' linux="$path"
	run
	check_is "without one the id names the cgroup${path:+, or if it is ""}" \
		"$status$(strangers ".*/([^/]*[-.])?$ID([.].*)?")" 0
done
# Never with a peer: in the end runc kills what is in it and removes what is
# below, which is the machine.
ours "the top as a cgroupsPath" && {
	config linux='"cgroupsPath":"/"' ns="mount"
	run
	refused "the top of the hierarchies is not the container's" cgroupsPath
}
config linux="\"cgroupsPath\":\"/$TAG-a//./b/\"" args='"show","cgroup"'
run
check_is "superfluous slashes and dots do not count" \
	"$status$(strangers "/$TAG-a/b")" 0

for path in "../../$TAG-x" "/$TAG-a/../../../$TAG-x" "/../../../$TAG-x" \
	"$TAG-a/../../../../../../../$TAG-x" ".." "/.." "/$TAG-a/.."; do
	case $path in
	*..)	ours "cgroupsPath $path" || continue ;;
	esac
	config linux="\"cgroupsPath\":\"$path\"" args='"show","cgroup"'
	run
	if [ "$status" = 0 ]; then
		check_is "cgroupsPath $path does not leave the hierarchy" \
			"$(paths | grep -F -e ..)" ""
	else
		refused "cgroupsPath $path is refused" "cgroupsPath"
	fi
done
beside=
for dir in "" /sys /sys/fs /sys/fs/cgroup; do
	[ "$dir" = "$v2_mount" ] || [ ! -e "$dir/$TAG-x" ] ||
		beside="$beside $dir/$TAG-x"
done
check_is "nothing was made beside the hierarchies" "$beside" ""

hold "" "/$TAG-a/b"
in_all=
for mount_point in $hierarchies; do
	[ "$(wc -l <"$mount_point/$TAG-a/b/cgroup.procs")" = 1 ] ||
		in_all="$in_all $mount_point"
done
release
check_is "the payload, and only it, is in each of them" "$in_all" ""
gone=
for mount_point in $hierarchies; do
	[ ! -e "$mount_point/$TAG-a" ] || gone="$gone $mount_point"
done
check_is "and what was made for it is gone afterwards" "$gone" ""

config cmd='"/bin/none"' linux="\"cgroupsPath\":\"/$TAG-f/x\""
run
refused "a program that is not there fails" "/bin/none"
for mount_point in $hierarchies; do
	[ ! -e "$mount_point/$TAG-f" ] || gone="$gone $mount_point"
done
check_is "after a failure nothing is left either" "$gone" ""

# A name on the way may be that of a file that each group has, or that those of
# one controller have.
ours "files in a cgroupsPath" && for path in cgroup.procs tasks/x a/cgroup.procs \
	a/cgroup.procs/x/y a/memory.stat; do
	config linux="\"cgroupsPath\":\"/$TAG-f/$path\"" args='"exit","0"'
	run
	left=
	for mount_point in $hierarchies; do
		[ ! -e "$mount_point/$TAG-f" ] || left="$left $mount_point"
	done
	check_is "a create that ends at $path leaves no cgroup" "$left" ""
	case $path in
	*cgroup.procs*)	refused "and says so" \
			"linux\.cgroupsPath: make cgroup .*cgroup\.procs" ;;
	esac
done

for mount_point in $hierarchies; do
	mkdir "$mount_point/$TAG-parent" "$mount_point/$TAG-own"
	# A child of a v1 cpuset takes tasks only when it has both: peers do
	# not see to it.
	for file in cpuset.cpus cpuset.mems; do
		[ -z "$peer" ] || [ "$mount_point" != "$(v1_mount cpuset)" ] ||
		for child in parent own; do
			cat "$mount_point/$file" \
				>"$mount_point/$TAG-$child/$file"
		done
	done
done
config linux="\"cgroupsPath\":\"/$TAG-parent/x\"" args='"exit","0"'
run
check_is "a parent that existed will do" "$status" 0
config linux="\"cgroupsPath\":\"/$TAG-own\"" args='"exit","0"'
run
ours "a cgroup that existed, empty" &&
	check_is "a cgroup that existed will do, when it is empty" "$status" 0
kept=
for mount_point in $hierarchies; do
	for child in parent own; do
		[ -d "$mount_point/$TAG-$child" ] ||
			kept="$kept $mount_point/$TAG-$child"
		rmdir "$mount_point/$TAG-$child" 2>/dev/null
	done
done
ours "cgroups that existed" &&
	check_is "and what existed is still there afterwards" "$kept" ""

busy=$(v1_mount pids)
busy=${busy:-$v2_mount}/$TAG-busy
mkdir "$busy"
"$PROBE" sleep 1000 &
sleeper=$!
echo $sleeper >"$busy/cgroup.procs"
config linux="\"cgroupsPath\":\"/$TAG-busy\""
run
refused "a cgroup with processes is refused" \
	"cgroup.*not empty.*$TAG-busy"
check "whose process goes on" alive $sleeper
kill $sleeper
wait $sleeper 2>/dev/null
sh -c 'echo $$ >"$1/cgroup.procs"; exec "$2" fork 250' - "$busy" "$PROBE" \
	>"$T/forked"
run
refused "and all of them are counted" "not empty: 250 process"
while read -r pid; do
	[ "$pid" -gt 1 ] && kill "$pid"
done <"$busy/cgroup.procs"
removed()
{
	rmdir "$1" 2>/dev/null
}
wait_for removed "$busy"

able "a cgroup namespace" kernel:4.6 && {
	config ns="pid mount ipc uts network cgroup" args='"show","cgroup","ns"'
	run
	check_is "with a cgroup namespace the payload sees itself at the top" \
		"$status$(strangers /)" 0
}

# ---- what others limit ------------------------------------------------------

if able "a limit of groups" cgroup2 && ours "a limit of groups"; then
	mkdir "$v2_mount/$TAG-max"
	echo 1 >"$v2_mount/$TAG-max/cgroup.max.descendants"
	config linux="\"cgroupsPath\":\"/$TAG-max/a/b\"" args='"exit","0"'
	run
	refused "a limit of groups is told by its name" \
		"$TAG-max/a/b: .*$TAG-max/cgroup.max.descendants is 1, and"
	echo max >"$v2_mount/$TAG-max/cgroup.max.descendants"
	echo 1 >"$v2_mount/$TAG-max/cgroup.max.depth"
	run
	refused "and one of their depth" "$TAG-max/cgroup.max.depth is 1\\)"
	rmdir "$v2_mount/$TAG-max"
fi
controller "a limit of processes" pids && ours "a limit of processes" && {
	full=$(v1_mount pids)
	full=${full:-$v2_mount}/$TAG-full
	mkdir "$full" "$full/in"
	echo 1 >"$full/pids.max"
	real=$NSRUN NSRUN=$T/full-${NSRUN##*/}
	printf '#!/bin/sh\necho $$ >%s/in/cgroup.procs\nexec %s "$@"\n' \
		"$full" "$real" >"$NSRUN"
	chmod 755 "$NSRUN"
	config args='"exit","0"'
	run
	refused "a limit of processes above is told by its name" \
		"$TAG-full/pids.max is 1, and there are 1\\)"
	NSRUN=$real
	rmdir "$full/in" "$full"
	config linux='"resources":{"pids":{"limit":1}}' args='"exit","0"' \
		top='"hooks":{"startContainer":[{"path":"/bin/probe"}]}'
	run
	refused "and the container's own" "$ID/pids.max is 1, and there are 1\\)"
}

# ---- one group for two ------------------------------------------------------

waits=$(json_list echo ready : signal-wait 15)

# What is a second one that comes to the same group between the first one's
# look and its mkdir?
if able "a group that is made by two at once" strace &&
   strace -o "$T/trace" -e trace=mkdir true && ours "two at once"; then
	config linux="\"cgroupsPath\":\"/$TAG-s/x\"" args="$waits"
	strace -o "$T/trace" -e trace=mkdir,mkdirat \
		-e inject=mkdir:delay_enter=500000:when=1 \
		"$NSRUN" --root "$STATE" create -b "$B" $ID-late \
		>"$T/late" 2>&1 &
	late=$!
	wait_for grep -qs "mkdirat(.*$ID-late" "$T/trace"
	sleep 0.2
	create
	wait $late
	check_is "of two creates with one group one wins" "$? $(grep -c \
		"not empty" "$T/late") $status" "1 1 0"
	check "and lives on" alive $pid
	check "in its group" grep -q "/$TAG-s/x" "/proc/$pid/cgroup"
	verb delete --force $ID
	check_is "which goes with it" \
		"$status$err$(list_cgroups | grep "$TAG-s")" 0
fi

# A dead one has no process in the group of another.
if ours "a dead one with the group of another"; then
	config linux="\"cgroupsPath\":\"/$TAG-s/x\"" args="$waits"
	ID=$ID-dead create
	verb kill "$TAG-dead" KILL
	wait_for not alive $pid
	create
	check_is "a group that a dead one had will do" "$status$err" 0
	verb delete "$TAG-dead"
	declined "whose delete fails" "remove .*/$TAG-s/x: .* do not end" 1 \
		"cannot delete '$TAG-dead': "
	check "and does not end the other" alive $pid
	verb delete --force $ID
	check_is "which can be deleted" "$status$err" 0
	verb delete "$TAG-dead"
	check_is "then the delete can be repeated" \
		"$status$err$(list_cgroups | grep "$TAG-s")" 0
fi

# With --best-effort it may have no group, and then none to be paused by.
if ours "no group to be paused by"; then
	config linux="\"cgroupsPath\":\"/$TAG-s/x\"" args="$waits"
	ID=$ID-first create
	first=$pid
	create --best-effort
	check_is "a group that is taken is done without" "$status $(grep -c \
		"$TAG-s" "/proc/$pid/cgroup")" "0 0"
	verb pause $ID
	declined "then there is no pause" "no cgroup here has a freezer"
	check_is "which would be that of the other" \
		"$(ID=$TAG-first in_state created && echo alive)" alive
	verb delete --force $ID
	verb delete --force $TAG-first
	check "the other ends by its own delete" not alive $first
fi

# What a container without a pid namespace leaves in a group that was there.
if ours "what is left in a group that was there"; then
	for mount_point in $hierarchies; do
		mkdir -p "$mount_point/$TAG-s/sub"
	done
	config ns="mount ipc uts" args="$(json_list fork 3 : signal-wait 15)" \
		linux="\"cgroupsPath\":\"/$TAG-s\""
	create
	verb start $ID
	wait_for said ready
	verb delete --force $ID
	check_is "delete --force succeeds in a group that was there" \
		"$status$err" 0
	check "and ends all that is in it" wait_for no_processes
	config ns="mount ipc uts" args='"fork","3"' \
		linux="\"cgroupsPath\":\"/$TAG-s\""
	run
	check_is "a run there ends" "$status$err" 0
	check "and so does what it leaves" wait_for no_processes
	for mount_point in $hierarchies; do
		rmdir "$mount_point/$TAG-s/sub" "$mount_point/$TAG-s"
	done
fi

# Frozen ones: a process that is put there does nothing.
freezer=$(v1_mount freezer) file=freezer.state on=FROZEN off=THAWED
[ -n "$freezer" ] || freezer=$v2_mount file=cgroup.freeze on=1 off=0
mkdir "$freezer/$TAG-s"
if [ -e "$freezer/$TAG-s/$file" ]; then
	echo $on >"$freezer/$TAG-s/$file"
	for path in "$TAG-s" "$TAG-s/x"; do
		config linux="\"cgroupsPath\":\"/$path\""
		run
		refused "a frozen group is refused${path#"$TAG-s"}" \
			"cgroup is frozen.*/$TAG-s"
	done
	echo $off >"$freezer/$TAG-s/$file"
	config linux="\"cgroupsPath\":\"/$TAG-s/x\"" top="\"hooks\":{
		\"createRuntime\":[{\"path\":\"/bin/sh\",\"args\":[\"sh\",
		\"-c\",\"echo $on >$freezer/$TAG-s/x/$file; exit 1\"]}]}"
	run
	refused "what is frozen later ends all the same" "createRuntime"
fi
rmdir "$freezer/$TAG-s"

# ---- groups of v2 that are not as others -----------------------------------

# Below a threaded group only threaded ones can be, without some controllers.
# v2 has to be all there is for limits; on a hybrid host it has hugetlb.
if ours "threaded groups" && [ -n "$v2_mount" ]; then
	domain=hugetlb threaded=
	limit_of='"hugepageLimits":[{"pageSize":"2MB","limit":0}]'
	[ "$hierarchies" != "$v2_mount" ] || {
		domain=memory threaded='"pids":{"limit":9},"cpu":{"shares":512}'
		limit_of='"memory":{"limit":67108864}'
	}
	t=$v2_mount/$TAG-t
	mkdir "$t" "$t/th"
	[ -z "$threaded" ] || echo "+cpu +pids" >"$t/cgroup.subtree_control"
	echo threaded >"$t/th/cgroup.type"
	hold "$threaded" "/$TAG-t/th/x"
	check_is "a group below a threaded one is threaded" \
		"$(cat "$t/th/x/cgroup.type")" threaded
	check_is "and has the payload" "$(wc -l <"$t/th/x/cgroup.threads")" 1
	[ -z "$threaded" ] || check_is "and its limits" \
		"$(cat "$t/th/x/pids.max" "$t/th/x/cpu.weight" | xargs)" "9 59"
	release
	check_is "and the payload runs" "$status $err" "0 "
	if able "a limit of $domain there" cgroup2:$domain; then
		config linux="\"cgroupsPath\":\"/$TAG-t/th/x\",
			\"resources\":{$limit_of}" args='"exit","3"'
		run
		refused "a limit of $domain there is refused" \
			"linux\.resources\.(memory|hugepageL).*threaded"
		run --best-effort
		check_is "or with --best-effort told" "$status $(printf \
			'%s\n' "$err" | grep -c 'threaded.*not applied$')" "3 1"
	fi
	check_is "the threaded group is as it was" \
		"$(find "$t/th" -type d) $(cat "$t/th/cgroup.type")" \
		"$t/th threaded"
	rmdir "$t/th" "$t"

	# A group with processes has no domain controllers for those below it.
	mkdir "$t"
	"$PROBE" sleep 1000 &
	sleeper=$!
	echo $sleeper >"$t/cgroup.procs"
	config linux="\"cgroupsPath\":\"/$TAG-t/x\"" args='"exit","3"'
	run
	check_is "a group below one with processes will do" "$status $err" "3 "
	able "a limit of $domain there" cgroup2:$domain && {
		config linux="\"cgroupsPath\":\"/$TAG-t/x\",
			\"resources\":{$limit_of}"
		run
		refused "a limit of $domain there is refused" \
			"linux\.resources\.(memory|hugepageL)"
	}
	check "whose process goes on" alive $sleeper
	kill $sleeper
	wait $sleeper 2>/dev/null
	wait_for rmdir "$t"
fi

# Groups made by hand pass no controller on.
if [ "$hierarchies" = "$v2_mount" ] && able "groups made by hand" cgroup2:pids
then
	t=$v2_mount/$TAG-t
	mkdir "$t" "$t/sub" "$t/sub/own"
	for path in "/$TAG-t/sub/x" "/$TAG-t/sub/own"; do
		hold '"pids":{"limit":9}' "$path"
		got=$(cat "$v2_mount$path/pids.max")
		release
		check_is "a limit in a group below those made by hand" \
			"$status $got$err" "0 9"
	done
	rmdir "$t/sub/own" "$t/sub" "$t"
fi

# ---- whose it is ------------------------------------------------------------

# What a host with v2 alone has, made of a hybrid one.
v2_alone=:
[ "$hierarchies" = "$v2_mount" ] ||
	v2_alone="mount --bind $v2_mount /sys/fs/cgroup"

# The group of v2 is given to the user of the process if it has a cgroup
# namespace and a mount that it can write; else never.
if [ -n "$v2_mount" ] && able "whose a group is" unshare; then
	chmod 711 "$T"
	made sys/fs
	at=/sys/fs/cgroup
	odd "$v2_alone"
	user='"uidMappings":[{"containerID":0,"hostID":100000,"size":65536}],
		"gidMappings":[{"containerID":0,"hostID":100000,"size":65536}]'
	while IFS='|' read -r what owner spaces option; do
		able "the owner $what" kernel:4.6 || continue
		id=$((owner < 100000 ? 1000 : 7)) do=
		case $spaces in
		*user*)	able "the owner $what" userns || continue ;;
		esac
		[ "$owner" = 0 ] || do=": mkdir $at/sub :
			write $at/sub/cgroup.procs 1"
		config user="\"uid\":$id,\"gid\":0" ns="pid mount ipc uts
			network $spaces" mounts="{\"destination\":
			\"/sys/fs/cgroup\",\"type\":\"cgroup\",\"source\":
			\"cgroup\",\"options\":[\"$option\"]}" \
			linux="\"cgroupsPath\":\"/$TAG-a/b\"$(case $spaces in
			*user*) echo ",$user" ;; esac)" \
			args="$(json_list show cgroup $do : echo ready : \
			read /tmp/go)"
		start
		wait_for ready
		outputs
		d=$v2_mount/$TAG-a/b
		check_is "the owner $what" "$(stat -c %u "$d" \
			"$d/cgroup.procs" "$d/cgroup.subtree_control" \
			"$d/cgroup.threads" "$d/cgroup.max.depth" \
			"$d/.." 2>&1 | xargs)" \
			"$owner $owner $owner $owner 0 0"
		release
		check_is "and the payload runs" "$status $err" "0 "
	done <<-END
	with a namespace and a mount|1000|cgroup|rw
	that a user namespace maps|100007|cgroup user|rw
	with a mount that is read-only|0|cgroup|ro
	without a cgroup namespace|0||rw
	END
	even
fi

# ---- /sys/fs/cgroup -------------------------------------------------------

sys='{"destination":"/sys","type":"sysfs","source":"sysfs",
	"options":["nosuid","noexec","nodev","ro"]}'
top=/sys/fs/cgroup
pids=$top$([ -z "$(v1_mount pids)" ] || echo /pids)

# OPTIONS SPACES WORD..: what probe does with a cgroup mount
mounted()
{
	config mounts="$sys,{\"destination\":\"/sys/fs/cgroup\",
		\"type\":\"cgroup\",\"source\":\"cgroup\",
		\"options\":[\"nosuid\",\"noexec\",\"nodev\",\"relatime\"$1]}" \
		linux='"resources":{"pids":{"limit":33}}' \
		ns="pid mount ipc uts network $2" caps=CAP_DAC_OVERRIDE
	shift 2
	config_args=$(json_list "$@")
	sed -i "s|\"args\": .*|\"args\": [\"/bin/probe\",$config_args],|" \
		"$B/config.json"
	run
}
controller "/sys/fs/cgroup" pids && {
	for mount_point in $hierarchies; do
		mkdir "$mount_point/$TAG-other"
	done
	for space in "" cgroup; do
		# all of v2: see below
		[ -n "$space" ] || [ -n "$(v1_mount pids)" ] || continue
		what="/sys/fs/cgroup${space:+ in a cgroup namespace}"
		mounted ',"ro"' "$space" ls $pids : read $pids/pids.max : \
			read $pids/cgroup.procs : \
			try write $pids/pids.max max : try mkdir $pids/sub
		check_out "$what shows the payload's own cgroup" "^33\$"
		check_out "in which it is" "^1\$"
		check "$what shows no other" \
			not grep -q "^$TAG-other" "$T/out"
		check_is "and is read-only" "$(printf '%s\n' "$out" |
			grep -c '^error .*Read-only')" 2
	done
	[ -z "$(v1_mount pids)" ] || {
		mounted ',"ro"' "" ls $top : try mkdir $top/new
		lost=
		for mount_point in $hierarchies; do
			[ "$mount_point" != "$v2_mount" ] || continue
			printf '%s\n' "$out" | grep -qx "${mount_point##*/}" ||
				lost="$lost $mount_point"
		done
		check_is "it has all v1 hierarchies of the host" "$lost" ""
		[ -z "$v2_mount" ] || check "but not its v2 part" \
			not grep -qx "${v2_mount##*/}" "$T/out"
		ours "a directory for hierarchies" && check_out \
			"and nothing can be made beside them" \
			"^error mkdir .*Read-only"
	}
	mounted "" cgroup mkdir $pids/inner : mkdir $pids/inner/deep : \
		write $pids/inner/cgroup.procs 1 : read $pids/inner/cgroup.procs
	check_out "without ro the payload makes cgroups in its own" "^1\$"
	# a hundred, one in the other, and two beside each
	inside=$pids deep=
	for level in $(seq 100); do
		deep="$deep echo $level :"
		deep="$deep mkdir $inside/a : mkdir $inside/b : mkdir $inside/c :"
		inside=$inside/b
	done
	# shellcheck disable=SC2086 # words
	mounted "" cgroup $deep write $inside/cgroup.procs 1 : echo deep
	check_out "as deep as it likes" "^deep\$"
	check_is "and they all go with it" \
		"$(find $hierarchies -maxdepth 1 -name "$ID")" ""
	for mount_point in $hierarchies; do
		rmdir "$mount_point/$TAG-other"
	done
}

# A mount point below it is made before it becomes read-only.
config mounts="$sys,{\"destination\":\"$top\",\"type\":\"cgroup\",
	\"source\":\"cgroup\",\"options\":[\"ro\"]},{\"destination\":
	\"$top/new\",\"type\":\"tmpfs\",\"source\":\"tmpfs\"}" \
	args="$(json_list write $top/new/x 1 : try mkdir $top/other)"
[ -z "$(v1_mount pids)" ] || {
	run
	check_is "a mount of the config can be below it" "$status" 0
	ours "a directory for hierarchies" && check_out \
		"and it is read-only then" "^error mkdir .*Read-only"
}

# Without a cgroup namespace v2 is seen from the host's top, where the path of
# /proc/self/cgroup leads from.
if [ -n "$v2_mount" ] && able "v2 without a cgroup namespace" unshare; then
	chmod 711 "$T"
	for space in "" user; do
		case $space in
		user)	able "v2 in a user namespace" userns || continue
			maps='"uidMappings":[{"containerID":0,"hostID":100000,
				"size":65536}],"gidMappings":[{"containerID":0,
				"hostID":100000,"size":65536}],' ;;
		*)	maps= ;;
		esac
		config mounts="$sys,{\"destination\":\"$top\",\"type\":
			\"cgroup\",\"source\":\"cgroup\",\"options\":[\"ro\"]}" \
			ns="pid mount ipc uts network $space" \
			linux="$maps\"cgroupsPath\":\"/$TAG-a/b\"" \
			args="$(json_list show cgroup : \
			read $top/$TAG-a/b/cgroup.procs : \
			try mkdir $top/$TAG-new)"
		odd_host "$v2_alone"
		check_out "v2 without a cgroup namespace${space:+, in a user \
namespace}: the payload is found by its own path" "^1\$"
		check_out "and it is read-only" "^error mkdir .*Read-only"
	done
fi

# ---- hosts without --------------------------------------------------------

all_gone='sed -n "/ - cgroup2* /p" /proc/self/mountinfo | cut -d " " -f 5 |
	sort -r | xargs -n 1 umount -l; umount -l /sys/fs/cgroup 2>/dev/null'

if able "hosts without cgroups" unshare && ours "hosts without cgroups"; then
	for host in "$all_gone" 'mount -t tmpfs none /sys/fs/cgroup' \
		'umount -l /sys'; do
		case $host in
		sed*)	what="a host without cgroups" ;;
		mount*)	what="a host whose cgroups are covered" ;;
		*)	what="a host without /sys" ;;
		esac
		config args='"echo","alive"'
		odd_host "$host"
		check_out "it runs on $what" "^alive\$"
		config linux='"resources":{"pids":{"limit":20}}'
		odd_host "$host"
		refused "$what: a limit of processes is refused by name" \
			"pids"
		config linux='"resources":{"memory":{"limit":20000000}}'
		odd_host "$host"
		refused "$what: one of memory too" \
			"config\.json: linux\.resources\.memory.limit: .*memory"
		config args='"exit","3"' linux='"resources":{
			"pids":{"limit":20},"memory":{"limit":20000000}}'
		odd_host "$host" --best-effort
		check_is "$what: with --best-effort it runs and tells" "$status \
$(printf '%s\n' "$err" | grep -c '^nsrun: linux\..*is not applied$')" "3 2"
		config linux="\"cgroupsPath\":\"/$TAG-a\"" args='"echo","alive"'
		odd_host "$host"
		check_out "$what: a cgroupsPath alone does not matter" \
			"^alive\$"
	done
	config mounts="{\"destination\":\"/data\",\"type\":\"cgroup\",
		\"source\":\"cgroup\",\"options\":[\"ro\"]}" \
		args="$(json_list ls /data : try mkdir /data/x : show mount)"
	odd_host "$all_gone"
	check_out "a cgroup mount is an empty, read-only directory there" \
		"^error mkdir /data/x: Read-only"
	check_is "really empty" "$(printf '%s\n' "$out" |
		grep -v '^error\|^mount ')" ""

	# A policy that nothing enforces is refused, unless no node can be made.
	# Then those of the image must not open.
	mknod "$B/rootfs/data/zero" c 1 5
	made data/zero
	deny='"resources":{"devices":[{"allow":false,"access":"rwm"}]}'
	config caps=CAP_MKNOD linux="$deny"
	odd_host "$all_gone"
	refused "a device policy that nothing enforces is refused" \
		"linux\.resources\.devices"
	odd_host "$all_gone" --best-effort
	refused "with --best-effort too" "linux\.resources\.devices"
	config linux="$deny" args="$(json_list try open /data/zero r : \
		open /dev/null rw : open /dev/zero r : open /dev/ptmx rw)"
	odd_host "$all_gone"
	check_out "without CAP_MKNOD the nodes of the image do not open" \
		"^error open /data/zero: Permission denied"
	check_is "but the default devices do" "$status" 0

	# shellcheck disable=SC2016
	read_only='for dir in $(sed -n "/ - cgroup2* /p" /proc/self/mountinfo |
		cut -d " " -f 5); do mount -o remount,bind,ro $dir; done'
	config args='"echo","alive"'
	odd_host "$read_only"
	check_out "it runs on a host with read-only cgroups" "^alive\$"
	config args='"exit","3"' linux='"resources":{"pids":{"limit":20}}'
	odd_host "$read_only"
	refused "where a limit is refused" "linux\.resources\.pids\.limit"
	odd_host "$read_only" --best-effort
	check_is "or told" "$status $(printf '%s\n' "$err" | grep -c \
		'^nsrun: linux\..*is not applied$')" "3 1"

	if [ -n "$(v1_mount pids)" ] && [ -n "$(v1_mount memory)" ]; then
		config linux='"resources":{"pids":{"limit":20}}'
		odd_host "umount -l $(v1_mount pids)"
		refused "only pids is missing: its limit is refused" "pids"
		config linux='"resources":{"memory":{"limit":20000000}}' \
			args='"echo","alive"'
		odd_host "umount -l $(v1_mount pids)"
		check_out "others are set" "^alive\$"
		config args='"read","/data/memory/memory.limit_in_bytes"' \
			mounts='{"destination":"/data","type":"cgroup",
			"source":"cgroup","options":["ro"]}' \
			linux='"resources":{"pids":{"limit":20},
			"memory":{"limit":67108864}}'
		odd_host "umount -l $(v1_mount pids)" --best-effort
		check_is "also with --best-effort, which tells of the first" \
			"$status $out $(printf '%s\n' "$err" | grep -c \
			'pids\.limit: .*is not applied$')" "0 67108864 1"
	fi
fi

# A peer leaves the parents that it made.
[ -z "$peer" ] || drop_cgroups "$TAG-"
done_testing
