#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck source-path=SCRIPTDIR source=../lib.sh disable=SC2119
#
# User namespaces: maps, devices, file systems; then nsrun run by a user.

# What is covered here is covered in a mount namespace of our own.
if [ -z "${OWN_MOUNTS:-}" ] && unshare -m true 2>/dev/null; then
	export OWN_MOUNTS=1
	exec unshare -m sh "$0"
fi
. "${0%/*}/../lib.sh"
need root unshare userns
chmod 711 "$T"

all="pid mount ipc uts network user"

# CONTAINER:HOST:SIZE..: the mappings as JSON
mappings()
{
	json=
	for mapping; do
		size=${mapping##*:} host=${mapping#*:} host=${host%:*}
		json="$json,{\"containerID\":${mapping%%:*},\"hostID\":$host,
			\"size\":$size}"
	done
	printf '[%s]' "${json#,}"
}

# Both maps
maps()
{
	printf '"uidMappings":%s,"gidMappings":%s' \
		"$(mappings "$@")" "$(mappings "$@")"
}
usual=$(maps 0:100000:65536)

# All lines of a map that the payload shows, with commas
shown()
{
	seen "$1" | tr '\n' ,
}

# ---- maps -----------------------------------------------------------------

config ns="$all" linux="$usual" args='"show","ns","uid","gid","groups",
	"uid_map","gid_map","setgroups"'
run
check_is "one line of uid map" "$(shown uid_map)" "0 100000 65536,"
check_is "and of gid map" "$(shown gid_map)" "0 100000 65536,"
check_is "the payload is root there" "$(seen uid) $(seen gid)" "0 0 0 0 0 0"
check_is "root lets it set groups" "$(seen setgroups)" allow
check "the namespace is new" [ "$(seen 'ns user')" != \
	"$(readlink /proc/self/ns/user | tr -dc 0-9)" ]

config ns="$all" linux="$(maps 0:100000:10 10:200000:5 1000:5000:1)" \
	user='"uid":1000,"gid":12' args='"show","uid_map","gid_map","uid","gid"'
run
check_is "three lines, and ids from the middle" \
	"$(shown uid_map)$(shown gid_map)$(seen uid) $(seen gid)" \
	"0 100000 10,10 200000 5,1000 5000 1,0 100000 10,10 200000 5,\
1000 5000 1,1000 1000 1000 12 12 12"

config ns="$all" linux="$(maps 5:100000:2 0:3:1)" user='"uid":6,"gid":5' \
	args='"show","uid_map","uid"'
run
check_is "a map that does not start at 0, out of order" \
	"$(shown uid_map)$(seen uid)" "5 100000 2,0 3 1,6 6 6"

config ns="$all" linux="\"uidMappings\":$(mappings 0:100000:10),
	\"gidMappings\":$(mappings 0:300000:20)" args='"show","uid_map","gid_map"'
run
check_is "uid and gid maps that differ" "$(shown uid_map)$(shown gid_map)" \
	"0 100000 10,0 300000 20,"

config ns="$all" linux="$(maps 0:0:4294967295)" args='"show","uid_map"'
run
check_is "the identity map" "$(shown uid_map)" "0 0 4294967295,"

config ns="$all" linux="$(maps 0:3000000000:10)" args='"show","uid_map"'
run
check_is "ids over 2^31" "$(shown uid_map)" "0 3000000000 10,"

# The kernel takes less than a page of text.
many=
for i in $(seq 0 339); do
	many="$many $i:$i:1"
done
able "340 lines of map" kernel:4.15 && {
	# shellcheck disable=SC2086 # words
	config ns="$all" linux="$(maps $many)" args='"show","uid_map"'
	run
	check_is "340 lines of map" \
		"$(printf '%s\n' "$out" | grep -c '^uid_map ')" 340
	# shellcheck disable=SC2086 # words
	config ns="$all" linux="$(maps $many 900:900:1)"
	run
	refused "341 lines are refused" "linux\.[ug]idMappings"
}

mkdir "$B/rootfs/data/mine"
chown 100000:100000 "$B/rootfs/data/mine"
made data/mine data/foreign
echo host >"$B/rootfs/data/foreign"
config ns="$all" linux="$usual" user='"uid":7,"gid":8,
	"additionalGids":[9,9,10]' caps="CAP_CHOWN CAP_DAC_OVERRIDE" \
	args="$(json_list show uid groups : try write /data/foreign x : \
	lstat /data/foreign)"
run
check_is "a user with groups" \
	"$(seen uid) $(seen groups | sed 's/9 9/9/')" "7 7 7 9 10"
check_out "files of the host's root are nobody's" \
	"/data/foreign .* uid=65534 gid=65534 "
check_is "and not written" "$(cat "$B/rootfs/data/foreign")" host
config ns="$all" linux="$usual" args="$(json_list write /data/mine/new x)"
run
check_is "a file that the payload makes has the mapped owner" \
	"$(stat -c %u:%g "$B/rootfs/data/mine/new")" 100000:100000

for set in all unset; do
	config ns="$all" linux="$usual" caps=$set args='"show","cap"'
	run
	check_is "capabilities: $set" "$status" 0
done

ours "a map without 0" && {
	config ns="$all" linux="$(maps 1000:100000:100)" \
		user='"uid":1000,"gid":1001,"additionalGids":[1002]' \
		mounts='{"destination":"/data","type":"tmpfs","source":"tmpfs"}' \
		args="$(json_list show uid gid groups cap : lstat /data : \
		write /data/x x : lstat /data/x : open /dev/null rw)"
	run
	check_is "a map without 0: the process has its ids" \
		"$status $(seen uid)/$(seen gid)/$(seen groups)$err" \
		"0 1000 1000 1000/1001 1001 1001/1002"
	check_is "and no capability" "$(seen 'cap effective' | tr -d 0)" ""
	check_out "what is made for it is its own" \
		"^stat /data .* uid=1000 gid=1001 "
	config ns="$all" linux="$(maps 1000:100000:100)"
	run
	refused "id 0 is refused there" "user namespace.*mapped"
}

for map in 0:100000:65536 0:0:4294967295 1000:100000:100; do
	able "a time namespace with the map $map" timens || break
	ours "a time namespace" || break
	first=${map%%:*}
	config ns="$all time" user='"uid":'"$first"',"gid":'"$first" \
		linux="$(maps "$map")"',"timeOffsets":{"boottime":
		{"secs":1000000,"nanosecs":0}}' args='"show","boottime","uid"'
	run
	check_is "a time namespace with the map $map" "$(seen uid)$err" \
		"$first $first $first"
	check "has its offsets" [ "$(seen boottime | cut -d . -f 1)" \
		-ge 1000000 ]
done

# ---- what only the user may enter -----------------------------------------

# Its owner is not mapped, so that only the group lets in.
mkdir "$B/rootfs/data/team"
chown 5:100044 "$B/rootfs/data/team"
made data/team
for user in 1000 0; do
	inside='"uid":'$user',"gid":'$user',"additionalGids":[44]'
	chmod 770 "$B/rootfs/data/team"
	config ns="$all" linux="$usual" user="$inside" cwd=/data/team \
		args='"show","cwd"'
	run
	check_is "user $user enters a cwd that only its group may" \
		"$(seen cwd)$err" /data/team
	cp "$PROBE" "$B/rootfs/data/team/mine"
	chown 5:100044 "$B/rootfs/data/team/mine"
	chmod 750 "$B/rootfs/data/team/mine"
	for program in ./mine mine /data/team/mine; do
		config ns="$all" linux="$usual" user="$inside" cwd=/data/team \
			env='"PATH=/data/team:/bin"' \
			cmd="\"$program\",\"show\",\"cwd\""
		run
		check_is "and runs $program there" "$(seen cwd)$err" /data/team
	done
	config ns="$all" linux="$usual" user="$inside" cwd=/data/team \
		cmd='"./none"'
	run
	refused "what is not there is told" '\./none.*[Nn]o such file'
	chmod 700 "$B/rootfs/data/team"
	config ns="$all" linux="$usual" user="$inside" cwd=/data/team
	run
	refused "a cwd that it may not enter is told" \
		'process\.cwd.*/data/team: permission denied'
	chmod 770 "$B/rootfs/data/team"
	config ns="$all" linux="$usual" args='"signal-wait","15"'
	create
	verb start "$ID"
	cat >"$T/process" <<-END
	{"args":["./mine","show","cwd"],"cwd":"/data/team","user":{$inside}}
	END
	verb exec --process "$T/process" "$ID"
	check_is "so does a process of exec" "$(seen cwd)$err" /data/team
	verb delete --force "$ID"
done
rm "$B/rootfs/data/team/mine"

# ---- faults ---------------------------------------------------------------

config ns="$all" linux="$usual" user='"uid":70000,"gid":0'
run
refused "a uid that is not mapped is refused" "process\.user\.uid"
config ns="$all" linux="$usual" user='"uid":0,"gid":70001'
run
refused "so is a gid" "process\.user\.gid"
config ns="$all" linux="$usual" user='"uid":0,"gid":0,
	"additionalGids":[1,70002]'
run
refused "and a group" "process\.user\.additionalGids"
ours "maps that do not fit" && {
	config linux="$usual"
	run
	refused "mappings without a user namespace are refused" \
		"linux\.uidMappings.*user namespace"
	config ns="$all"
	run
	refused "a user namespace without mappings is refused" \
		"linux\.uidMappings"
	config ns="$all" linux="\"uidMappings\":$(mappings 0:100000:10)"
	run
	refused "one without gid mappings too" "linux\.gidMappings"
	while IFS='|' read -r fault map; do
		# shellcheck disable=SC2086 # words
		config ns="$all" linux="$(maps $map)"
		run
		refused "a map is refused for $fault" \
			"linux\.[ug]idMappings"
	done <<-END
	a size of 0|0:100000:10 10:5:0
	an overlap inside|0:100000:10 5:200000:10
	an overlap outside|0:100000:10 20:100005:10
	an id that is none|0:4294967295:1
	a range over the end|4294967290:0:10
	END
}

# ---- devices --------------------------------------------------------------

bundle
config ns="$all" linux="$usual" args="$(json_list lstat /dev/null : \
	lstat /dev/urandom : open /dev/null rw : open /dev/zero r : \
	try open /dev/tty rw)"
run
check_out "default devices are there" "^stat /dev/null type=char .* rdev=1:3 "
check_out "all of them" "^stat /dev/urandom type=char .* rdev=1:9 "
check_out "and open" "^error open /dev/tty: No such device or address"
# Another than the default ones; 1:11 is the kernel's log.
if [ -c /dev/kmsg ]; then
	config ns="$all" linux="$usual"',"devices":[{"path":"/dev/kmsg",
		"type":"c","major":1,"minor":11},{"path":"/dev/pipe",
		"type":"p"}]' args="$(json_list lstat /dev/kmsg : \
		lstat /dev/pipe)"
	run
	check_out "a listed device is that of the host" \
		"^stat /dev/kmsg type=char .* rdev=1:11 "
	check_out "a fifo is made" "^stat /dev/pipe type=fifo "
	ours "a device that is another on the host" && {
		config ns="$all" linux="$usual"',"devices":[{
			"path":"/dev/kmsg","type":"c","major":250,"minor":11}]' \
			args="$(json_list lstat /dev/kmsg)"
		run
		check_out "one that is another on the host is that of the config" \
			"^stat /dev/kmsg type=char mode=0666 uid=0 gid=0 rdev=250:11 "
	}
else
	skip "listed devices" "no /dev/kmsg here"
fi
able "one that the host has not" kernel:5.2 &&
	ours "one that the host has not" && {
	config ns="$all" linux="$usual"',"devices":[{"path":"/dev/none",
		"type":"c","major":1,"minor":5,"fileMode":416,"uid":7,
		"gid":8}]' args="$(json_list lstat /dev/none : \
		open /dev/none rw)" caps=CAP_DAC_OVERRIDE
	run
	check_is "one that the host has not is made and opens" "$status$err" 0
	check_out "as the config has it" \
		"^stat /dev/none type=char mode=0640 uid=7 gid=8 rdev=1:5 "
}

# ---- file systems ---------------------------------------------------------

at='^mount [0-9]+ [0-9]+ [0-9:]+ [^ ]+'
config ns="$all" linux="$usual" mounts='{"destination":"/sys","type":"sysfs",
	"source":"sysfs","options":["nosuid","noexec","nodev","ro"]},
	{"destination":"/data","type":"tmpfs","source":"tmpfs"}' \
	args="$(json_list show mount pid : ls /sys : lstat /data : \
	write /data/x x)"
run
check_out "sysfs is mounted, read-only" "$at /sys ro,.* - sysfs "
check_out "procfs too" "$at /proc rw,.* - proc "
check_out "a tmpfs belongs to the payload's root" "^stat /data .* uid=0 gid=0 "
check_is "and is written" "$status" 0

if able "mqueue" fs:mqueue; then
	config ns="$all" linux="$usual" mounts='{"destination":"/data",
		"type":"mqueue","source":"mqueue"}' \
		args="$(json_list show mount : lstat /data)"
	run
	check_out "mqueue is mounted" "$at /data rw,.* - mqueue "
	check_out "and belongs to the payload's root" "^stat /data .* uid=0 gid=0 "
fi

pts='{"destination":"/dev","type":"tmpfs","source":"tmpfs"},
	{"destination":"/dev/pts","type":"devpts","source":"devpts",
	"options":["newinstance","ptmxmode=0666","mode=0620","gid=5"]}'
config ns="$all" linux="$(maps 0:100000:1)" base="$pts" \
	args="$(json_list open /dev/ptmx rw)"
ours "devpts with a gid that is not mapped" && {
	run
	check_is "devpts with a gid that is not mapped goes without" \
		"$status" 0
}
config ns="$all" linux="$usual" base="$pts" args="$(json_list open /dev/ptmx rw)"
run
check_is "devpts with one that is" "$status" 0

ours "sysfs without a network namespace" && {
	config ns="pid mount ipc uts user" linux="$usual" \
		mounts='{"destination":"/sys","type":"sysfs",
		"source":"sysfs","options":["ro","nosuid"]}' \
		args="$(json_list show mount)"
	run
	if [ "$status" = 0 ]; then
		check_out "sysfs of the host's network is read-only" \
			"$at /sys ro,"
	else
		refused "sysfs without a network namespace is refused" \
			"mounts\[3\].*/sys"
	fi
}

config ns="$all" linux="$usual"',"maskedPaths":["/proc/meminfo","/proc/fs",
	"/data"],"readonlyPaths":["/proc/sys","/etc"]' root='"readonly":true' \
	args="$(json_list show mount : read /proc/meminfo : ls /data : \
	try write /etc/x x : try mkdir /x)"
run
check_out "masked and read-only paths" "$at /proc/sys ro,"
check_out "a read-only root" "^error mkdir /x: Read-only"

# A procfs may only be mounted where one is seen whole.
mount -t tmpfs nst /proc/fs
config ns="$all" linux="$usual"
run
umount /proc/fs
ours "a host with a covered /proc" &&
	refused "a covered /proc of the host is told as the cause" \
		"mounts\[0\].*/proc.*(mask|cover|visible|hidden)"

# No more namespaces of a kind: the limit is set in a user namespace of its own,
# or in one around that.
cat >"$T/limited-${NSRUN##*/}" <<-END
#!/bin/sh
exec unshare -U -r -m sh -c 'echo 0 >/proc/sys/user/max_\${kind}_namespaces &&
exec \$around "$NSRUN" "\$@"' sh "\$@"
END
chmod 755 "$T/limited-${NSRUN##*/}"
real=$NSRUN
NSRUN=$T/limited-${real##*/}
export kind around
for kind in user pid mnt ipc uts net cgroup time; do
	file=/proc/sys/user/max_${kind}_namespaces around=
	[ -e "$file" ] || continue
	"$real" --version | grep -q nsrun || continue
	for more in '' ' time'; do
		[ "$kind$more" != time ] || continue
		[ -z "$more" ] || has timens || continue
		config ns="$all cgroup$more" linux="$(maps 0:0:1)"
		run
		check_err "no more $kind namespaces$more is told" \
			"^nsrun: cannot run .*no space left .*${kind}[^ ]*_namesp"
		check_is "and nothing else is" \
			"$(echo "$err" | grep -o 'user\.max_[a-z*]*')" \
			"user.max_$kind"
	done
done
kind=net around='unshare -U -r'
config ns="$all" linux="$(maps 0:0:1)"
run
NSRUN=$real
ours "a limit of a user namespace around" &&
	check_err "a limit that cannot be seen is one of all" \
		'max_\*_namespaces, of this user namespace or one around'

# As root of a namespace that a user made, which denies setgroups.
cat >"$T/inner-${NSRUN##*/}" <<-END
#!/bin/sh
exec "$PROBE" setgid 4321 : setuid 4321 : exec \
	"$(command -v unshare)" -U -r -m "$T/bin-${NSRUN##*/}" "\$@"
END
cp "$NSRUN" "$T/bin-${NSRUN##*/}"
chmod 755 "$T/inner-${NSRUN##*/}"
saved=$STATE STATE=$T/inner-state
mkdir "$STATE"
bundle
chown -R 4321:4321 "$B" "$STATE"
NSRUN=$T/inner-${NSRUN##*/}
for none in '' ',"additionalGids":[]'; do
	config ns="pid mount ipc uts" user='"uid":0,"gid":0'"$none" \
		args='"show","uid","setgroups"'
	run
	check_is "no groups where no setgroups is allowed" \
		"$status $(seen setgroups)" "0 deny"
done
config ns="pid mount ipc uts" user='"uid":0,"gid":0,"additionalGids":[0]'
run
NSRUN=$real STATE=$saved
check_err "groups are refused there" 'additionalGids: .*allows no setgroups'
# ---- nsrun itself in a user namespace --------------------------------------

# A device policy is no obstacle there, where mknod is powerless, and what the
# host does not give is nothing to talk of.
if able "in a user namespace of another" nsenter cgroup && ours "nested"; then
	unshare -U "$PROBE" sleep 1000 &
	outer=$!
	# shellcheck disable=SC2317 # called by wait_for
	unshared()
	{
		[ "$(readlink "/proc/$outer/ns/user")" != \
			"$(readlink /proc/self/ns/user)" ]
	}
	wait_for unshared
	for map in uid_map gid_map; do
		echo "0 100000 65536" >"/proc/$outer/$map"
	done
	bundle
	chown 100000:100000 "$B"
	STATE=$T/outer-state
	mkdir "$STATE"
	chown 100000:100000 "$STATE"
	nested="exec nsenter -U -t $outer -S 0 -G 0"
	policy='"resources":{"devices":[{"allow":false,"access":"rwm"}]}'
	powers="CAP_MKNOD CAP_SYS_ADMIN"
	while IFS='|' read -r what words <&3; do
		real=$NSRUN
		printf '#!/bin/sh\n%s %s "$@"\n' "$nested" "$real $words" \
			>"$T/outer-${NSRUN##*/}"
		chmod 755 "$T/outer-${NSRUN##*/}"
		NSRUN=$T/outer-${NSRUN##*/}
		config linux="$policy" caps="$powers" \
			args="$(json_list try mknod /dev/x c 1 3 : open /dev/null rw)"
		run
		check_is "a device policy is no obstacle $what" "$status$err" 0
		check_out "and no node is made $what" \
			"^error mknod /dev/x: Operation not permitted"
		NSRUN=$real
	done 3<<-END
	where no group may be made|
	without cgroups|--cgroup-manager disabled
	END
	dev=$(v1_mount devices)
	if [ -z "$dev" ]; then
		skip "in a v1 group of one's own" "no devices controller of v1"
	else
		mkdir "$dev/$TAG-outer"
		chown -R 100000:100000 "$dev/$TAG-outer"
		real=$NSRUN NSRUN=$T/outer-${NSRUN##*/}
		printf '#!/bin/sh\necho $$ >%s/cgroup.procs\n%s %s "$@"\n' \
			"$dev/$TAG-outer" "$nested" "$real" >"$NSRUN"
		config linux="$policy" caps="$powers" args='"exit","0"'
		run
		check_is "nor where a group may be made, but no policy" \
			"$status$err" 0
		NSRUN=$real
		rmdir "$dev/$TAG-outer"
	fi
	kill $outer
	wait $outer 2>/dev/null
	STATE=$T/state
	bundle
fi

# ---- run by a user --------------------------------------------------------

me=12345
mkdir -m 755 "$T/bin"
cp "$NSRUN" "$T/bin"
cat >"$T/bin/user-${NSRUN##*/}" <<-END
#!/bin/sh
exec "$PROBE" setgid $me : setuid $me : exec "$T/bin/${NSRUN##*/}" "\$@"
END
chmod 755 "$T/bin/user-${NSRUN##*/}"

user_bundle()
{
	bundle
	chown -R $me:$me "$B"
}

if ! "$PROBE" setgid $me : setuid $me : unshare user >/dev/null; then
	skip "nsrun run by a user" "users may not make user namespaces here"
	done_testing
fi
unset XDG_RUNTIME_DIR
NSRUN=$T/bin/user-${NSRUN##*/}
STATE=$T/user-state
mkdir -m 700 "$STATE"
chown $me:$me "$STATE"
user_bundle
own=$(maps 0:$me:1)

# That a user gets no cgroup is not worth a word where no limit was asked.
user_run()
{
	run
	warnings=$(grep -c '^nsrun: no cgroup' "$T/err")
	err=$(grep -v '^nsrun: no cgroup' "$T/err")
}

config ns="$all" linux="$own" mounts='{"destination":"/sys","type":"sysfs",
	"source":"sysfs","options":["ro","nosuid","nodev","noexec"]}' \
	top='"hostname":"mine"' \
	args="$(json_list show uid_map gid_map setgroups uid hostname link : \
	lstat /dev/null : open /dev/null rw : open /dev/ptmx rw : ls /sys : \
	write /data/new x)"
made data/new
user_run
ours "warnings" && check "that it has no cgroup is nothing to say" \
	[ "$warnings" = 0 ]
check_is "a user runs a container" "$status" 0
check_is "with one id mapped" "$(shown uid_map)$(shown gid_map)" \
	"0 $me 1,0 $me 1,"
check_is "and setgroups denied" "$(seen setgroups)" deny
check_is "the payload is root there" "$(seen uid)" "0 0 0"
check_is "with a hostname" "$(seen hostname)" mine
check_out "a loopback device that is up" "^link lo up"
check_out "devices" "^stat /dev/null type=char .* rdev=1:3 "
check_is "its files are the user's" \
	"$(stat -c %u:%g "$B/rootfs/data/new")" $me:$me

# Without a group of its own it sees that of who runs it.
if [ -n "$(awk '/ - cgroup / { print "v1" }' /proc/self/mountinfo)" ]; then
	config ns="pid mount ipc uts network user" linux="$own" \
		mounts='{"destination":"/data","type":"cgroup","source":
		"cgroup","options":["ro"]},{"destination":"/data/new","type":
		"tmpfs","source":"tmpfs"}' \
		args="$(json_list show cgroup mount : try mkdir /data/other)"
	user_run
	seen_v1=$(printf '%s\n' "$out" | grep -c ' /data/[^ ]* .* - cgroup ')
	check_is "a user's cgroup mount has the v1 hierarchies of the host" \
		"$status $seen_v1" "0 $(awk '/ - cgroup / { print $NF }' \
		/proc/self/mountinfo | sort -u | wc -l)"
	ours "a directory for hierarchies" && check_out \
		"which cannot be changed" "^error mkdir .*Read-only"
fi

# CVE-2023-25809: the config for a user binds /sys, and what is mounted below it
# is not read-only with it.
tops=$(awk '$5 ~ "^/sys/fs/cgroup" && / - cgroup/ { print $5 }' \
	/proc/self/mountinfo)
[ -z "$tops" ] || {
	trys=
	for mount_point in $tops; do
		mkdir -m 777 "$mount_point/$TAG-mine" || continue
		trys="$trys : try mkdir $mount_point/$TAG-mine/made"
	done
	rm -f "$B/config.json"
	"$NSRUN" spec --rootless -b "$B"
	# shellcheck disable=SC2086 # words
	sed -i -e 's/"terminal": true/"terminal": false/' -e "/\"args\"/{n
		s|\"sh\"|\"/bin/probe\",$(json_list echo up $trys)|;}" \
		"$B/config.json"
	user_run
	check_out "the config of spec --rootless runs" "^up\$"
	check_is "and no cgroup of the user's on the host is made from inside" \
		"$(ls -d /sys/fs/cgroup/*/$TAG-mine/made \
		/sys/fs/cgroup/$TAG-mine/made 2>/dev/null)" ""
	for mount_point in $tops; do
		[ ! -d "$mount_point/$TAG-mine/made" ] ||
			rmdir "$mount_point/$TAG-mine/made"
		rmdir "$mount_point/$TAG-mine"
	done
}

config ns="$all" linux="$(maps 1000:$me:1)" user='"uid":1000,"gid":1000' \
	args='"show","uid","uid_map"'
user_run
if [ "$status" = 0 ]; then
	check_is "another id than 0 can be the one" "$(seen uid)" \
		"1000 1000 1000"
else
	refused "that 0 is not mapped is told" "mapped"
fi
config ns="$all" linux="$own" user='"uid":0,"gid":0,"additionalGids":[0]'
user_run
refused "groups cannot be set then" "process\.user\.additionalGids|setgroups"

# A pod of the user's: who joins is seen by a spy, of the same user namespace.
made tmp
config ns="$all" linux="$own" caps=CAP_SYS_PTRACE args='"spy","/tmp/stop"'
"$NSRUN" --root "$STATE" run -d -b "$B" "$ID" >"$T/pay" 2>"$T/pay.err"
wait_for said ready
verb state "$ID"
pid=$(member pid)
config ns="mount ipc uts network user:/proc/$pid/ns/user pid:/proc/$pid/ns/pid" \
	process='"oomScoreAdj":500' args='"show","oom_score_adj"'
n=0 odd=
while [ $n -lt 20 ]; do
	n=$((n + 1))
	verb run -b "$B" "$ID-joins"
	[ "$status:$(seen oom_score_adj)" = 0:500 ] ||
		odd="$odd $n:$status:$out:$err"
done
check_is "who joins a pod of the user's runs, with its oomScoreAdj" "$odd" ""
check "which no one is told that it is not set" not grep -q oomScoreAdj "$T/err"
: >"$B/rootfs/tmp/stop"
wait_for said 'denied [0-9]+'
verb delete --force "$ID"
# but for the file that its program shows
check_is "and nothing of it is reached from the pod with CAP_SYS_PTRACE" \
	"$(sed -n 's/^reached //p' "$T/pay" | grep -v oom_score_adj)" ""
check "which has tried in time" said 'denied [1-9][0-9]*'
config ns="$all" linux="$(maps 0:0:1)"
user_run
refused "the id of another is refused" "[ug]id"
config args='"exit","0"'
user_run
refused "without a user namespace it is refused" \
	"user namespace|not permitted"
config ns="$all" linux="$own"',"devices":[{"path":"/dev/none","type":"c",
	"major":1,"minor":5}]'
user_run
refused "a device that the host has not is refused to a user" \
	"device.*/dev/none.*the host does not have"
ours "a device policy of a user" && {
	config ns="$all" linux="$own"',"resources":{"devices":[
		{"allow":false,"access":"rwm"}]}' caps=all args='"exit","0"'
	user_run
	check_is "a device policy is no obstacle for a user" \
		"$status$err$warnings" 00
}
able "limits of a user" cgroup && ours "limits of a user" && {
	config ns="$all" linux="$own"',"resources":{"pids":{"limit":20}}'
	user_run
	refused "a limit that a user may not set is not left out" \
		"cgroup|pids"
}
config ns="$all" linux="$(maps 0:$me:1 1:200000:10)"
real=$NSRUN
sed "s|^exec|PATH=/nowhere exec|" "$NSRUN" >"$T/bin/alone-${NSRUN##*/}"
chmod 755 "$T/bin/alone-${NSRUN##*/}"
NSRUN=$T/bin/alone-${NSRUN##*/}
user_run
NSRUN=$real
refused "ranges without newuidmap are refused by its name" "new[ug]idmap"

able "subordinate ids" newuidmap newgidmap && {
	for file in passwd group subuid subgid; do
		[ -e /etc/$file ] || echo >"/etc/$file"
		cp /etc/$file "$T/$file"
		mount --bind "$T/$file" /etc/$file
	done
	echo "$TAG:x:$me:$me::/:/bin/sh" >>/etc/passwd
	echo "$TAG:x:$me:" >>/etc/group
	echo "$TAG:200000:65536" >>/etc/subuid
	echo "$TAG:300000:65536" >>/etc/subgid
	config ns="$all" linux="\"uidMappings\":$(mappings 0:$me:1 \
		1:200000:1000),\"gidMappings\":$(mappings 0:$me:1 \
		1:300000:1000)" args='"show","uid_map","gid_map","uid","groups"' \
		user='"uid":7,"gid":8,"additionalGids":[9]'
	user_run
	check_is "newuidmap and newgidmap map what a user was given" \
		"$(shown uid_map)$(shown gid_map)" \
		"0 $me 1,1 200000 1000,0 $me 1,1 300000 1000,"
	check_is "and groups can be set" "$(seen uid) $(seen groups)" "7 7 7 9"
	config ns="$all" linux="$(maps 0:$me:1 1:900000:10)"
	user_run
	refused "what newuidmap refuses is refused in its words" \
		"new[ug]idmap.*900000"
	for file in passwd group subuid subgid; do
		umount /etc/$file
	done
}

# ---- a subtree of v2 that is the user's ------------------------------------

top=/sys/fs/cgroup
if ! grep -q " $top [^-]*- cgroup2 " /proc/self/mountinfo; then
	skip "a delegated subtree" "no cgroup2 on $top"
	done_testing
fi
deleg=$top/$TAG-deleg
mkdir "$deleg" "$deleg/shell" "$deleg-top"
chown $me "$deleg" "$deleg/cgroup.procs" "$deleg/cgroup.subtree_control" \
	"$deleg/shell" "$deleg/shell/cgroup.procs" "$deleg-top" \
	"$deleg-top/cgroup.procs" "$deleg-top/cgroup.subtree_control"
user=$NSRUN
cat >"$T/bin/deleg-${NSRUN##*/}" <<-END
#!/bin/sh
echo \$\$ >"\$DELEG/cgroup.procs"
exec "$user" "\$@"
END
chmod 755 "$T/bin/deleg-${NSRUN##*/}"
NSRUN=$T/bin/deleg-${NSRUN##*/}
export DELEG

DELEG=$deleg/shell
config ns="$all" linux="$own,\"resources\":{\"pids\":{\"limit\":20}}" \
	args='"show","cgroup"'
run
check_is "a delegated subtree takes limits" "$status$err" 0
check_out "in a group beside that of the caller" "^cgroup 0::/$TAG-deleg/$ID\$"
DELEG=$deleg-top
config ns="$all" linux="$own" args='"show","cgroup"'
run
check_is "its top can be all that there is" "$status$err" 0
check_out "then the group is below it" "^cgroup 0::/$TAG-deleg-top/$ID\$"
config ns="$all" linux="$own,\"resources\":{\"memory\":{\"limit\":67108864}}" \
	args='"show","cgroup"'
run
refused "and has no limits, by name and with the reason" \
	"memory\.limit: .*while processes are in that group"
NSRUN=$user
rmdir "$deleg/shell" "$deleg" "$deleg-top"

done_testing
