#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck source-path=SCRIPTDIR source=../lib.sh disable=SC2119
#
# mounts[]: every option word, binds and their flags, targets, order, refusals.
# What a mount became is read from the payload's mountinfo.

. "${0%/*}/../lib.sh"
need root unshare

# A tmpfs on /data keeps the targets out of the bundle; it is mounts[3].
fresh()
{
	list=
	add /data tmpfs tmpfs mode=755
}

# DESTINATION [TYPE [SOURCE [WORD,WORD..]]]: one more mount
add()
{
	entry="\"destination\":\"$1\"${2:+,\"type\":\"$2\"}"
	entry="$entry${3:+,\"source\":\"$3\"}"
	[ -z "${4:-}" ] ||
		entry="$entry,\"options\":[\"$(echo "$4" | sed 's/,/","/g')\"]"
	list="$list${list:+,}{$entry}"
}

# What probe is told, as words; "show mount" comes first.
try_mounts()
{
	config mounts="$list" args="$(json_list show mount ${1:+:} "$@")"
	run
}

# All that mountinfo says of the last mount on a point: ,ro,nosuid,shared,
# and super:WORD for what belongs to the file system.
words_of()
{
	printf '%s\n' "$out" | POINT=$1 awk '
		$1 == "mount" && $6 == ENVIRON["POINT"] {
			all = "," $7 ","
			for (i = 8; $i != "-"; i++) {
				sub(/:.*/, "", $i)
				all = all $i ","
			}
			n = split($(i + 3), super, ",")
			for (j = 1; j <= n; j++)
				all = all "super:" super[j] ","
		}
		END { print all }'
}

# POINT WORD..: it is mounted, and has each word; "!word" is one it has not.
shows()
{
	all=$(words_of "$1")
	shift
	[ -n "$all" ] || return 1
	for wanted; do
		case $wanted in
		!*)	case $all in *,"${wanted#!}",*) return 1 ;; esac ;;
		*)	case $all in *,"$wanted",*) ;; *) return 1 ;; esac ;;
		esac
	done
}

# Lines "NAME WORD,.. EXPECTED.." on stdin: a tmpfs for each.
each_word()
{
	cat >"$T/words"
	fresh
	while read -r name words want; do
		add "/data/$name" tmpfs tmpfs "$words"
	done <"$T/words"
	try_mounts
	check "tmpfs mounts with $(wc -l <"$T/words") sets of words run" \
		[ "$status" = 0 ]
	[ "$status" = 0 ] || return
	while read -r name words want; do
		# shellcheck disable=SC2086 # words
		check "$words makes $want" shows "/data/$name" $want
	done <"$T/words"
}

# ---- words ----------------------------------------------------------------

each_word <<END
ro ro ro
rw ro,rw rw !ro
rw-ro rw,ro ro
nosuid nosuid nosuid
suid nosuid,suid !nosuid
nodev nodev nodev
dev nodev,dev !nodev
noexec noexec noexec
exec noexec,exec !noexec
sync sync super:sync
async sync,async !super:sync
dirsync dirsync super:dirsync
noatime noatime noatime !relatime
atime noatime,atime relatime !noatime
relatime relatime relatime
strictatime strictatime !relatime !noatime
nostrictatime strictatime,nostrictatime relatime
norelatime norelatime,nosuid nosuid !noatime
nodiratime nodiratime nodiratime relatime
diratime nodiratime,diratime !nodiratime
mand mand,nomand rw
many ro,nosuid,nodev,noexec,noatime ro nosuid nodev noexec noatime
private private !shared !master
shared shared shared
rshared rshared shared
unbindable unbindable unbindable
runbindable runbindable unbindable
slave slave !shared
END

ours "words that only some peers know" && each_word <<END
lazytime lazytime super:lazytime
nolazytime lazytime,nolazytime !super:lazytime
iversion iversion,noiversion rw
silent silent,loud rw
shared-private shared,private !shared
defaults defaults rw relatime !nosuid
defaults-size defaults,size=64k,nosuid super:size=64k nosuid
END

able "nosymfollow" kernel:5.10 && ours "nosymfollow" && each_word <<END
nosymfollow nosymfollow nosymfollow
symfollow nosymfollow,symfollow !nosymfollow
END

fresh
add /data/re tmpfs tmpfs size=64k
add /data/re tmpfs tmpfs remount,ro,size=64k
try_mounts
check "remount changes the mount that is there" shows /data/re ro

check_is "remount adds no mount" \
	"$(printf '%s\n' "$out" | grep -c ' /data/re ')" 1

if grep -qw selinuxfs /proc/filesystems; then
	skip "mountLabel without SELinux" "the kernel has it"
else
	config linux='"mountLabel":"system_u:object_r:container_file_t:s0"'
	run
	ours "the reason that a label is refused" &&
		refused "mountLabel without SELinux is told by its name" \
			"mounts\[1\] \(/dev\): .*linux\.mountLabel.*SELinux"
fi

# With bind it is the mount alone that changes: not the file system, which may
# be the host's, and not its devices.
mkdir "$T/shown"
mount -t tmpfs -o size=64k nst "$T/shown"
fresh
add /data/v bind "$T/shown" bind
add /data/v bind "" bind,remount,ro,nosuid
add /data/v/sub tmpfs tmpfs
add /dev bind /dev bind,remount,ro,noexec
try_mounts open /dev/null rw : open /dev/zero r : try write /dev/new x
check "bind and remount change the mount that is there" \
	shows /data/v ro nosuid super:rw
check_is "and add none" "$(printf '%s\n' "$out" | grep -c ' /data/v ')" 1
check "that of its source on the host stays" touch "$T/shown/file"
check_out "/dev can be made read-only so, with its devices in it" \
	"^error write /dev/new: Read-only"
umount "$T/shown"

fresh
add /data/t tmpfs tmpfs size=128k,mode=0751,uid=7,gid=8,nr_inodes=77
try_mounts stat /data/t : statfs /data/t
check_out "tmpfs takes mode, uid and gid" \
	"^stat /data/t type=dir mode=0751 uid=7 gid=8 "
check_out "tmpfs takes size and nr_inodes" \
	"^statfs /data/t .* bsize=4096 blocks=32 files=77\$"

# ---- the mode of a tmpfs --------------------------------------------------

mkdir "$B/rootfs/data/old" "$B/rootfs/data/sticky" "$B/rootfs/data/given"
chmod 0750 "$B/rootfs/data/old"
chmod 1777 "$B/rootfs/data/sticky"
chmod 0700 "$B/rootfs/data/given"
made data
list=
add /data/old tmpfs tmpfs nosuid
add /data/sticky tmpfs tmpfs nosuid
add /data/given tmpfs tmpfs mode=0711
add /data/new tmpfs tmpfs nosuid
try_mounts stat /data/old : stat /data/sticky : stat /data/given \
	: stat /data/new
check_out "a tmpfs takes the mode of an existing target" "/old .* mode=0750"
check_out "and its sticky bit" "/sticky .* mode=1777"
check_out "but mode= goes before it" "/given .* mode=0711"
ours "the mode of a new target" &&
	check_out "a new target does not count" "/new .* mode=1777"

config args="$(json_list stat /proc)"
run
check_out "the mode of /proc is that of procfs" "^stat /proc .* mode=0555"

# ---- tmpcopyup ------------------------------------------------------------

bundle
tree=$B/rootfs/data
echo deep >"$tree/file"
chown 5:6 "$tree/file"
chmod 4750 "$tree/file"
mkdir -m 0711 "$tree/dir"
echo inner >"$tree/dir/inner"
ln -s /nowhere/at/all "$tree/link"
dd if=/dev/zero of="$tree/big" bs=1k count=300 2>/dev/null
[ -n "$peer" ] || mkfifo "$tree/fifo"
mkdir -m 0705 "$tree/empty"
chown 9:9 "$tree"
chmod 0751 "$tree"
made data
list=
add /data tmpfs tmpfs tmpcopyup
config mounts="$list" args="$(json_list show mount : lstat /data : \
	lstat /data/file : lstat /data/dir : read /data/dir/inner : \
	lstat /data/link : readlink /data/link : lstat /data/big : \
	try lstat /data/fifo : lstat /data/empty : rm /data/dir/inner : \
	write /data/mine x)" caps="CAP_DAC_OVERRIDE CAP_FOWNER"
run
check "tmpcopyup gives a tmpfs" shows /data super:rw
check_out "with the files" "^inner\$"
check_out "their owner and mode" "/data/file type=file mode=4750 uid=5 gid=6"
check_out "the directories' mode" "/data/dir type=dir mode=0711"
check_out "empty directories" "/data/empty type=dir mode=0705"
check_out "symlinks as they are" "^/nowhere/at/all\$"
check_out "all of a large file" "/data/big .* size=307200 "
ours "fifos and the owner of the top" && {
	check_out "fifos" "/data/fifo type=fifo"
	check_out "the owner and mode of the top" \
		"^stat /data type=dir mode=0751 uid=9 gid=9"
}
ours "an owner that the options name" && {
	list=
	add /data tmpfs tmpfs mode=0700,uid=7,gid=8,tmpcopyup
	config mounts="$list" args='"lstat","/data"'
	run
	check_out "an owner that the options name stays" \
		"^stat /data type=dir mode=0700 uid=7 gid=8"
	for word in copy nocopy; do
		list=
		add /tmp bind "$tree" "bind,$word"
		config mounts="$list" args='"exit","0"'
		run
		check_is "a bind takes Podman's word $word" "$status$err" 0
	done
}
check "what was underneath stays" [ -f "$tree/dir/inner" ]
check "and gets nothing new" [ ! -e "$tree/mine" ]

able "tmpcopyup keeps extended attributes" setfattr getfattr && {
	bundle
	made data
	echo x >"$B/rootfs/data/f"
	setfattr -n trusted.nsrun -v kept "$B/rootfs/data/f"
	mkfifo "$B/rootfs/tmp/go"
	made tmp/go
	config mounts="$list" args="$(json_list echo ready : read /tmp/go)"
	start --pid-file "$T/pid"
	got=$(getfattr --only-values -n trusted.nsrun \
		"/proc/$(cat "$T/pid")/root/data/f" 2>&1)
	echo >"$B/rootfs/tmp/go"
	finish
	check_is "tmpcopyup keeps extended attributes" "$got" kept
}

# ---- binds: kinds of source -----------------------------------------------

bundle
mkdir "$T/src" "$T/src/dir" "$T/src/dir/sub"
echo content >"$T/src/file"
echo top >"$T/src/dir/top"
mount -t tmpfs -o size=64k nst "$T/src/dir/sub"
echo below >"$T/src/dir/sub/below"
mknod "$T/src/char" c 1 3
mknod "$T/src/block" b 7 0
mkfifo "$T/src/fifo"
ln -s file "$T/src/link"
fresh
for name in dir file char block fifo link; do
	add "/data/$name" none "$T/src/$name" bind
	what="$what : lstat /data/$name"
done
# shellcheck disable=SC2086 # words
try_mounts ${what# : } : read /data/file : read /data/link : open /data/char rw
check_out "a directory is bound" "/data/dir type=dir"
check_out "a file" "/data/file type=file"
check_out "with its content" "^content\$"
check_out "a character device" "/data/char type=char .* rdev=1:3"
check_out "a block device" "/data/block type=block .* rdev=7:0"
check_out "a fifo" "/data/fifo type=fifo"
check_out "a symlink as what it leads to" "/data/link type=file"
check_is "which has the same content" \
	"$(printf '%s\n' "$out" | grep -c '^content$')" 2

sock=$(find /run /dev -xdev -type s 2>/dev/null | head -n 1)
if [ -n "$sock" ]; then
	fresh
	add /data/sock bind "$sock" bind,ro
	try_mounts lstat /data/sock
	check_out "a socket is bound" "/data/sock type=socket"
else
	skip "a socket is bound" "there is no socket in /run or /dev"
fi

for type in none bind ""; do
	fresh
	add /data/one "$type" "$T/src/dir" bind
	add /data/all "$type" "$T/src/dir" rbind
	try_mounts ls /data/one/sub : echo and : ls /data/all/sub
	check_is "type '$type': bind is one mount, rbind is all" \
		"$(printf '%s\n' "$out" | grep -v '^mount ' | tr '\n' ' ')" \
		"and below "
done

ours "type bind without a bind option" && {
	fresh
	add /data/one bind "$T/src/dir" ro
	try_mounts read /data/one/top
	check_out "type bind alone is a bind" "^top\$"
	check "with its flags" shows /data/one ro
}

fresh
add /data/missing bind "$T/src/none" bind
try_mounts
refused "a missing source is named" \
	"mounts\[4\].*/data/missing.*$T/src/none.*(not exist|No such file)"

fresh
add /data/f bind "$T/src/file" bind,size=1k
try_mounts
ours "data for a bind" &&
	refused "a bind takes no data" "mounts\[4\].*size=1k"

mkdir "$B/here"
echo near >"$B/here/f"
made /here
fresh
add /data/rel bind here bind
add data/dest bind "$T/src/file" bind
add /data/slash/ bind "$T/src/dir" bind
add /data/a/../up bind "$T/src/file" bind
add /../../data/out bind "$T/src/file" bind
cd /
try_mounts read /data/rel/f : read /data/dest : read /data/slash/top \
	: stat /data/up : stat /data/out
check_out "a relative source is in the bundle" "^near\$"
check_out "a relative destination is below the root" "^content\$"
check_out "a destination may end in a slash" "^top\$"
check_out "or contain .." "/data/up type=file"
check_out "which does not leave the root" "/data/out type=file"

fresh
add /data/new/deep/dir bind "$T/src/dir" bind
add /data/new/deep/file bind "$T/src/file" bind
try_mounts stat /data/new/deep : stat /data/new/deep/dir \
	: stat /data/new/deep/file
check_out "missing parents are made" "/data/new/deep type=dir mode=0755"
check_out "a target is a directory for a directory" "/deep/dir type=dir"
check_out "and a file for the rest" "/deep/file type=file"

# ---- binds: flags ---------------------------------------------------------

mkdir "$T/flag"
for flag in plain ro nosuid nodev noexec noatime; do
	mkdir "$T/flag/$flag"
	mount -t tmpfs -o size=64k nst "$T/flag/$flag"
	[ $flag = plain ] || mount -o remount,bind,$flag "$T/flag/$flag"
done

# SOURCE WORD: what such a bind must show. What the word does not speak of
# stays as the source has it.
want_of()
{
	want=
	for flag in ro nosuid nodev noexec noatime; do
		case $2:$flag in
		"$flag:$flag" | rw:ro | suid:nosuid | dev:nodev | \
		exec:noexec | atime:noatime | relatime:noatime | \
		strictatime:noatime)	continue ;;
		esac
		if [ "$1" = "$flag" ]; then
			want="$want $flag"
		else
			want="$want !$flag"
		fi
	done
	case $2 in
	rw)		want="$want rw" ;;
	suid | dev | exec)	want="$want !no$2" ;;
	atime | relatime)	want="$want relatime" ;;
	strictatime)	want="$want !relatime !noatime" ;;
	nodiratime)	want="$want nodiratime" ;;
	none)		;;
	*)		want="$want $2" ;;
	esac
	# Of the peers only what was asked for is wanted.
	[ -z "$peer" ] || want=${want##* }
}

all_words="none rw ro suid nosuid dev nodev exec noexec atime noatime relatime
strictatime nodiratime"
fresh
for option in $all_words; do
	for source in plain ro nosuid nodev noexec noatime; do
		add "/data/$source-$option" bind "$T/flag/$source" \
			"bind$([ "$option" = none ] || echo ",$option")"
	done
done
try_mounts
check_is "binds of all sources with all words run" "$status" 0
for option in $all_words; do
	wrong=
	for source in plain ro nosuid nodev noexec noatime; do
		want_of "$source" "$option"
		# shellcheck disable=SC2086 # words
		shows "/data/$source-$option" $want ||
			wrong="$wrong $(words_of "/data/$source-$option")"
	done
	case $peer:$option in
	?*:none | ?*:atime)
		skip "a bind with '$option'" "$peer behaves differently" ;;
	*)	check_is "a bind with '$option' changes that and nothing else" \
			"$wrong" "" ;;
	esac
done

fresh
add /data/a bind "$T/flag/plain" rbind,ro,rw
add /data/b bind "$T/flag/plain" bind,defaults,nosuid
add /data/c bind "$T/flag/plain" bind,ro,nosuid,nodev,noexec,noatime
try_mounts
check "the last of ro and rw counts" shows /data/a rw
check "defaults in a bind is nothing" shows /data/b rw nosuid
check "a bind takes many flags" shows /data/c ro nosuid nodev noexec noatime

# ---- binds: propagation ---------------------------------------------------

mkdir "$T/shared"
mount -t tmpfs -o size=256k nst "$T/shared"
mount --make-shared "$T/shared"

# The payload waits in "read /tmp/go" for this.
release()
{
	# shellcheck disable=SC2086,SC2016 # words
	alive "$runner" && $limit sh -c 'echo >"$1"' - "$B/rootfs/tmp/go"
	finish
}

# WORDS..: what is mounted on the host meanwhile
late_mount()
{
	fresh
	add /data/v bind "$T/shared" "rbind,$1"
	config mounts="$list" linux='"rootfsPropagation":"rslave"' \
		args="$(json_list echo ready : read /tmp/go : show mount)"
	start
	mkdir -p "$T/shared/late"
	mount -t tmpfs -o size=4k nst "$T/shared/late"
	release
	umount "$T/shared/late"
}

bundle
mkfifo "$B/rootfs/tmp/go"
made tmp/go
for option in slave rslave; do
	late_mount $option
	check "$option: later mounts of the host arrive" shows /data/v/late rw
	check "$option: it is no peer" shows /data/v master !shared
done
ours "two words of propagation" && {
	late_mount slave,shared
	check "slave, then shared: both, in order" \
		shows /data/v master shared
}
for option in private rprivate; do
	late_mount $option
	check "$option: later mounts of the host do not arrive" \
		not shows /data/v/late
	check "$option: it has no propagation" shows /data/v !master !shared
done
late_mount unbindable
check "unbindable is shown" shows /data/v unbindable

fresh
add /data/v bind "$T/shared" bind,rshared
config mounts="$list" caps=CAP_SYS_ADMIN linux='"rootfsPropagation":"shared"' \
	args="$(json_list mkdir /data/v/from : \
	mount tmpfs /data/v/from tmpfs : echo ready : read /tmp/go : \
	umount /data/v/from : show mount)"
start
got=$(grep -c " $T/shared/from " /proc/self/mountinfo)
release
check_is "rshared: a mount of the payload arrives on the host" "$got" 1
check "it is a peer" shows /data/v shared
umount "$T/shared/from" 2>/dev/null

# ---- recursive attributes -------------------------------------------------

bundle
mkdir "$T/tree" "$T/strict"
mount -t tmpfs -o size=64k nst "$T/tree"
mkdir "$T/tree/sub"
mount -t tmpfs -o size=64k nst "$T/tree/sub"
mount -t tmpfs -o size=64k,ro,nosuid,nodev,noexec,noatime,nodiratime nst \
	"$T/strict"
mount -o remount,rw,nosuid,nodev,noexec,noatime,nodiratime "$T/strict"
mkdir "$T/strict/sub"
mount -t tmpfs -o size=64k,nosuid,nodev,noexec,noatime,nodiratime nst \
	"$T/strict/sub"
for dir in "$T/strict/sub" "$T/strict"; do
	mount -o remount,bind,ro,nosuid,nodev,noexec,noatime,nodiratime "$dir"
done

# Lines "SOURCE WORDS EXPECTED..": of the top, and of what is mounted below.
each_rec()
{
	cat >"$T/words"
	fresh
	while read -r source words want; do
		add "/data/$words" bind "$T/$source" "rbind,$words"
	done <"$T/words"
	try_mounts
	check "binds with $(wc -l <"$T/words") sets of recursive words run" \
		[ "$status" = 0 ]
	[ "$status" = 0 ] || return
	while read -r source words want; do
		# shellcheck disable=SC2086 # words
		shows "/data/$words" $want || words=$words-not-at-the-top
		# shellcheck disable=SC2086 # words
		check "$words of a $source tree makes $want, also below" \
			shows "/data/$words/sub" $want
	done <"$T/words"
}

able "recursive attributes" kernel:5.12 && {
	each_rec <<-END
	tree rro ro
	tree rnosuid nosuid
	tree rnodev nodev
	tree rnoexec noexec
	tree rnodiratime nodiratime
	strict rrw rw
	strict rsuid !nosuid
	strict rdev !nodev
	strict rexec !noexec
	strict rdiratime !nodiratime
	END
	ours "recursive access times and rnosymfollow" && each_rec <<-END
	tree rnoatime noatime
	tree rstrictatime !relatime !noatime
	tree rrelatime relatime
	strict rrelatime,rro relatime ro
	strict ratime !noatime relatime
	strict rnostrictatime !noatime relatime
	tree rnostrictatime,rro !noatime relatime ro
	tree rnorelatime rw
	tree rnosymfollow nosymfollow
	tree rsymfollow !nosymfollow
	tree rro,rnosuid,rnodev,rnoexec,rnoatime ro nosuid nodev noexec noatime
	END
	fresh
	add /data/ro bind "$T/tree" rbind,ro
	add /data/mix bind "$T/tree" rbind,rro,rw
	try_mounts
	check "plain ro does not go below" shows /data/ro/sub rw
	check "rro with rw is at least read-only below" shows /data/mix/sub ro
	check "the host's tree is as it was" \
		grep -q " $T/tree/sub rw," /proc/self/mountinfo
	ours "recursive words on files" && {
		fresh
		add /data/file bind "$T/src/file" bind,rro
		add /data/fifo bind "$T/src/fifo" bind,rro,rnosuid
		try_mounts
		check "rro works on a file" shows /data/file ro
		check "rro works on a fifo" shows /data/fifo ro nosuid
	}
}

# ---- symlinks by name -----------------------------------------------------

ours "copy-symlink, src-nofollow, dest-nofollow" && {
	ln -s text/of/link "$T/src/odd"
	echo other >"$B/rootfs/data/plain"
	ln -s plain "$B/rootfs/data/dlink"
	made data
	list=
	add /tmp tmpfs tmpfs mode=1777
	add /tmp/copied bind "$T/src/odd" bind,copy-symlink
	add /tmp/normal bind "$T/src/file" bind,copy-symlink
	add /data/dlink bind "$T/src/file" bind,dest-nofollow
	try_mounts lstat /tmp/copied : readlink /tmp/copied : read /tmp/normal \
		: lstat /data/dlink : read /data/plain
	check_out "copy-symlink makes the same symlink" "^text/of/link\$"
	check_out "and binds what is no symlink" "^content\$"
	check_out "dest-nofollow covers the symlink" "/data/dlink type=file"
	check_out "and not what it leads to" "^other\$"
	list=
	add /tmp tmpfs tmpfs mode=1777
	add /tmp/bound bind "$T/src/odd" bind,src-nofollow
	try_mounts lstat /tmp/bound : readlink /tmp/bound
	check_out "src-nofollow binds the symlink itself" "^text/of/link\$"
	rm "$B/rootfs/data/plain" "$B/rootfs/data/dlink"
}

# ---- targets --------------------------------------------------------------

bundle
echo plain >"$B/rootfs/data/plain"
made data
list=
add /data/plain bind "$T/src/dir" bind
try_mounts
refused "a directory does not go onto a file" \
	"mounts\[3\].*/data/plain.*[Nn]ot a directory"
list=
add /data/plain tmpfs tmpfs
try_mounts
refused "nor does a tmpfs" "mounts\[3\].*/data/plain.*[Nn]ot a directory"
list=
add /data bind "$T/src/file" bind
try_mounts
refused "nor a file onto a directory" \
	"mounts\[3\].*/data.*(directory)"
list=
add /data/plain/below tmpfs tmpfs
try_mounts
refused "a file is no parent" "mounts\[3\].*/data/plain.*[Nn]ot a directory"

fresh
add /data/same tmpfs tmpfs size=64k
add /data/same bind "$T/src/dir" bind
try_mounts read /data/same/top
check_out "the later mount on a target covers the earlier" "^top\$"
check_is "both are there" "$(printf '%s\n' "$out" | grep -c ' /data/same ')" 2

list=
add /data/b/c bind "$T/src/dir" bind
add /data/b tmpfs tmpfs
try_mounts ls /data/b
check_is "a later mount above covers those below" \
	"$(printf '%s\n' "$out" | grep -v '^mount ')" ""

fresh
add /data/ro tmpfs tmpfs ro,size=64k
add /data/ro/sub bind "$T/src/dir" bind
try_mounts read /data/ro/sub/top : try write /data/ro/x x
check_out "a read-only tmpfs gets the targets of later mounts" "^top\$"
check_out "and is read-only in the end" "^error write .*Read-only"

mkdir "$T/rosrc" "$T/rosrc/there"
fresh
add /data/v bind "$T/rosrc" bind,ro
add /data/v/there tmpfs tmpfs
try_mounts
check "a target that exists on a read-only mount will do" \
	shows /data/v/there rw
fresh
add /data/v bind "$T/rosrc" bind,ro
add /data/v/missing tmpfs tmpfs
try_mounts
ours "one that is missing on a read-only bind" &&
	refused "one that is missing is told" \
		"mounts\[5\].*/data/v/missing.*[Rr]ead-only"

# Names, in JSON and as mountinfo has them.
mkdir "$T/odd"
echo odd >"$T/odd/f"
odd="$T/odd/sp ace
line\\back	tab"
mkdir "$odd" && echo found >"$odd/f"
fresh
add "/data/sp ace" bind "$T/odd" bind,ro
add '/data/l\nine' bind "$T/odd" bind,ro
add '/data/back\\slash' bind "$T/odd" bind,ro
add '/data/t\tab' bind "$T/odd" bind,ro
add '/data/oct\\040al' bind "$T/odd" bind,ro
add '/data/x' bind "$T/odd/sp ace\\nline\\\\back\\ttab" bind,ro
try_mounts read /data/x/f
check "a space in a name" shows '/data/sp\040ace' ro
check "a newline" shows '/data/l\012ine' ro
check "a backslash" shows '/data/back\134slash' ro
check "a tab" shows '/data/t\011ab' ro
check "what looks like an escape" shows '/data/oct\134040al' ro
check_out "all of them in a source" "^found\$"

long=$(printf '%0200d' 0)
fresh
add "/data/$long/$long/$long/$long/$long/$long/$long/$long/$long/$long" \
	tmpfs tmpfs ro
try_mounts
check_is "a target of 2000 bytes" "$status" 0
fresh
add "/data/$long$long" tmpfs tmpfs
try_mounts
refused "a name that is too long is told" "mounts\[4\].*name too long"

ours "destination /" && {
	mkdir "$T/other"
	cp -R "$B/rootfs/bin" "$B/rootfs/proc" "$B/rootfs/dev" "$T/other"
	echo second >"$T/other/marker"
	config base="{\"destination\":\"/\",\"type\":\"bind\",
		\"source\":\"$T/other\",\"options\":[\"rbind\",\"ro\"]},
		{\"destination\":\"/proc\",\"type\":\"proc\",
		\"source\":\"proc\"},{\"destination\":\"/dev\",
		\"type\":\"tmpfs\",\"source\":\"tmpfs\"}" \
		args="$(json_list show mount : read /marker : stat /proc/self)"
	run
	check_out "a mount on / replaces the root" "^second\$"
	check_out "and is the base of later ones" "^stat /proc/self type=dir"
	check "with its flags" shows / ro

	echo below >"$B/rootfs/data/file"
	for root in rootfs "$B/rootfs" ./rootfs//; do
		config base="{\"destination\":\"/\",\"type\":\"tmpfs\",
			\"source\":\"tmpfs\"},{\"destination\":\"/\",
			\"type\":\"tmpfs\",\"source\":\"tmpfs\"},
			{\"destination\":\"/bin\",\"type\":\"bind\",
			\"source\":\"${root%//}//bin\",\"options\":[\"bind\"]},
			{\"destination\":\"/proc\",\"type\":\"proc\",
			\"source\":\"proc\"},{\"destination\":\"/file\",
			\"type\":\"bind\",\"source\":
			\"${root%//}/data/file\",\"options\":[\"bind\"]}" \
			args="$(json_list read /file)"
		sed -i "s|\"path\": *\"rootfs\"|\"path\":\"$root\"|" \
			"$B/config.json"
		run
		check_out "a source below root.path $root is what is there" \
			"^below\$"
	done
	rm "$B/rootfs/data/file"
}

# ---- paths that are listed twice -------------------------------------------

mkdir "$B/rootfs/data/hidden"
echo secret | tee "$B/rootfs/data/hidden/file" >"$B/rootfs/data/secret"
for space in "" user; do
	case $space in
	user)	able "a path twice in a user namespace" userns || continue
		maps='"uidMappings":[{"containerID":0,"hostID":0,"size":65536}],
			"gidMappings":[{"containerID":0,"hostID":0,
			"size":65536}],' ;;
	*)	maps= ;;
	esac
	config ns="pid mount ipc uts network $space" linux="$maps
		\"maskedPaths\":[\"/data/secret\",\"/data/hidden\",
		\"/data/hidden/\",\"/data/secret\",\"/data/hidden\",
		\"/data/x/../secret\"],\"readonlyPaths\":[\"/data\",\"/data\",
		\"/proc/sys\",\"/proc/sys\"]" args="$(json_list show mount : \
		read /data/secret : ls /data/hidden : try write /data/new x)"
	run
	check_is "a path may be twice among those that are masked${space:+, \
in a user namespace}" "$status $(printf '%s\n' "$out" | grep -c secret$)" "0 0"
	check_out "and among those that are read-only" \
		"^error write /data/new: Read-only"
done
rm -r "$B/rootfs/data/hidden" "$B/rootfs/data/secret"

# ---- /proc ----------------------------------------------------------------

proc_mount()
{
	list=
	add "$@"
	try_mounts "stat" "$1"
}
proc_mount /proc/uptime bind "$T/src/file" bind
check_out "a file over /proc/uptime is fine" "/proc/uptime .* size=8 "
proc_mount /proc bind /proc rbind
check_out "so is the host's procfs over /proc" "/proc type=dir .* ino=1 "
for where in /proc/self/attr/exec /proc/sys/kernel/hostname /proc/1/comm; do
	proc_mount $where bind "$T/src/file" bind
	refused "a file over $where is refused" \
		"mounts\[3\].*$where"
done
proc_mount /proc/scsi tmpfs tmpfs
refused "a tmpfs inside /proc is refused" "mounts\[3\].*/proc/scsi"
proc_mount /proc tmpfs tmpfs
refused "a tmpfs over /proc is refused" "mounts\[3\].*/proc"
proc_mount /proc bind "$T/src/dir" bind
refused "a directory over /proc is refused" "mounts\[3\].*/proc"
proc_mount /proc bind /proc/sys bind
refused "a part of procfs over /proc is refused" "mounts\[3\].*/proc"
proc_mount /data/../proc/self/attr bind "$T/src/dir" bind
refused "by whatever path" "mounts\[3\].*proc"

# ---- file systems ---------------------------------------------------------

config base='' args='"echo","bare"'
run
check_out "no mounts at all will do" "^bare\$"
made dev

bundle
fresh
add /sys sysfs sysfs ro,nosuid,nodev,noexec
add /data/mq mqueue mqueue nosuid
add /data/pts devpts devpts newinstance,gid=5,mode=0640
add /proc proc proc hidepid=2
able "sysfs, mqueue, devpts and proc" fs:sysfs fs:mqueue && {
	try_mounts lstat /data/pts/ptmx : statfs /data/mq
	check "sysfs is read-only" shows /sys ro nosuid nodev noexec
	check "mqueue is mounted" shows /data/mq nosuid
	check "devpts has its data" shows /data/pts super:gid=5 super:mode=640
	check_out "procfs takes data" " /proc .*hidepid=(2|invisible)"
}

able "overlay" overlay && {
	mkdir "$T/l" "$T/l/$long" "$T/l/$long/1" "$T/l/$long/2" "$T/l/up" \
		"$T/l/work"
	echo one >"$T/l/$long/1/one"
	echo two >"$T/l/$long/2/two"
	fresh
	add /data/ov overlay overlay "lowerdir=$T/l/$long/1:$T/l/$long/2"
	try_mounts read /data/ov/one : read /data/ov/two
	check_out "overlay, with a value of over 400 bytes" "^two\$"
	dirs="" i=0
	while [ $((i += 1)) -le 20 ]; do
		mkdir "$T/l/$long/$i" 2>/dev/null
		echo $i >"$T/l/$long/$i/f$i"
		dirs="$dirs:$T/l/$long/$i"
	done
	fresh
	add /data/ov overlay overlay "lowerdir=${dirs#:}"
	try_mounts ls /data/ov
	ours "overlay, with a value of over 4096 bytes" &&
	if [ "$status" = 0 ]; then
		check_is "overlay, with a value of over 4096 bytes" \
			"$(printf '%s\n' "$out" | grep -c '^f')" 20
	else
		refused "overlay, with a value of over 4096 bytes, is told" \
			"mounts\[4\].*/data/ov"
	fi
}

fresh
add /data/x nosuchfs none
try_mounts
refused "an unknown file system is named" "mounts\[4\].*nosuchfs"
fresh
add /data/x tmpfs tmpfs nosuid,bogus=1,mode=755
try_mounts
refused "the data that a file system refuses is named" \
	"mounts\[4\].*tmpfs.*bogus=1"

# ---- id-mapped mounts -----------------------------------------------------

# Whether the file system of $T can map ids.
case $(stat -f -c %T "$T") in
ext* | xfs | UNKNOWN)	since=5.12 ;;
btrfs)			since=5.15 ;;
tmpfs)			since=6.3 ;;
*)			since=999.0 ;;
esac

# OPTIONS [MORE]
idmap()
{
	list="{\"destination\":\"/data\",\"type\":\"bind\",
		\"source\":\"$T/tree2\",\"options\":[$1]${2:+,$2}}"
	config mounts="$list" args="$(json_list stat /data/mine : \
		stat /data/none : try stat /data/sub/mine)"
	run
}
maps='"uidMappings":[{"containerID":0,"hostID":1000,"size":10}],
	"gidMappings":[{"containerID":0,"hostID":2000,"size":10}]'
mkdir "$T/tree2" "$T/tree2/sub"
echo >"$T/tree2/mine"
echo >"$T/tree2/none"
chown 3:4 "$T/tree2/mine"
chown 55:55 "$T/tree2/none"
ours "id-mapped mounts" && {
	idmap '"bind","idmap"' "$maps"
	if has "kernel:$since"; then
		check_out "idmap maps ids" "/data/mine .* uid=1003 gid=2004"
		check_out "and those outside are nobody's" \
			"/data/none .* uid=65534 gid=65534"
		idmap '"bind"' "$maps"
		check_out "mappings alone mean idmap" "/mine .* uid=1003"
		idmap '"bind","idmap=uids=0-1000-2#2-1002-8;gids=0-2000-10"'
		check_out "they can stand in the option, as with crun" \
			"/mine .* uid=1003 gid=2004"
	else
		refused "what cannot be mapped is told" \
			"mounts\[3\].*(idmap|map the ids).*file system"
	fi
	idmap '"bind","idmap"'
	refused "idmap without mappings or user namespace is refused" \
		"mounts\[3\].*idmap"
	able "idmap of a joined user namespace" "kernel:$since" userns && {
		"$PROBE" unshare user : echo up : sleep 1000 >"$T/holder" &
		holder=$!
		until grep -q up "$T/holder"; do sleep 0.05; done
		echo "0 1000 65536" >/proc/$holder/uid_map
		echo "0 2000 65536" >/proc/$holder/gid_map
		chmod 711 "$T"
		chown 1000:2000 "$B/rootfs" "$B"/rootfs/*
		ns_all="pid mount ipc uts network"
		list="{\"destination\":\"/data\",\"type\":\"bind\",
			\"source\":\"$T/tree2\",\"options\":[\"bind\",\"idmap\"]}"
		config mounts="$list" ns="$ns_all user:/proc/$holder/ns/user" \
			args="$(json_list stat /data/mine)"
		run
		check_out "idmap alone is by the user namespace, also a joined \
one" "/data/mine .* uid=3 gid=4"
		kill $holder
		wait $holder 2>/dev/null
		chown 0:0 "$B/rootfs" "$B"/rootfs/*
	}
	able "ridmap" "kernel:$since" kernel:6.3 && {
		mount -t tmpfs -o size=64k nst "$T/tree2/sub"
		echo >"$T/tree2/sub/mine"
		chown 3:4 "$T/tree2/sub/mine"
		idmap '"rbind","ridmap"' "$maps"
		check_out "ridmap maps what is mounted below" \
			"/data/sub/mine .* uid=1003 gid=2004"
		idmap '"rbind","idmap"' "$maps"
		check_out "idmap does not" "/data/sub/mine .* uid=3 gid=4"
	}
}

# ---- locked flags ---------------------------------------------------------

userns='"uidMappings":[{"containerID":0,"hostID":0,"size":65536}],
	"gidMappings":[{"containerID":0,"hostID":0,"size":65536}]'
in_userns()
{
	config mounts="$list" ns="pid mount ipc uts network user" \
		linux="$userns" args="$(json_list show mount)"
	run
}

able "binds in a user namespace" userns && {
	chmod 711 "$T"	# for peers, whose init looks the bundle up again
	fresh
	for flag in ro nosuid nodev noexec noatime; do
		for option in ro nosuid nodev noexec; do
			add "/data/$flag-$option" bind "$T/flag/$flag" \
				"bind,$option"
		done
		add "/data/$flag-none" bind "$T/flag/$flag" bind
		add "/data/$flag-rec" bind "$T/flag/$flag" rbind,rprivate
	done
	in_userns
	check_is "flags are added in a user namespace" "$status" 0
	for flag in ro nosuid nodev noexec noatime; do
		wrong=
		for option in ro nosuid nodev noexec; do
			shows "/data/$flag-$option" $flag $option ||
				wrong="$wrong $option:$all"
		done
		for option in none rec; do
			shows "/data/$flag-$option" $flag ||
				wrong="$wrong $option"
		done
		check_is "those of a $flag source stay" "$wrong" ""
	done
	# What takes a flag away is done or refused, but never left out.
	while read -r flag option; do
		fresh
		add "/data/x" bind "$T/flag/$flag" "bind,$option"
		in_userns
		what="$option of a $flag source is done or refused"
		if [ "$status" = 0 ]; then
			check "$what" shows /data/x "!$flag"
		else
			refused "$what" "mounts\[4\].*/data/x"
		fi
	done <<-END
	ro rw
	nosuid suid
	nodev dev
	noexec exec
	noatime atime
	noatime strictatime
	END

	# A directory without what is mounted below it, which is locked inside.
	mkdir "$T/above"
	mount -t tmpfs -o size=64k nst "$T/above"
	mkdir "$T/above/sub"
	mount -t tmpfs -o size=64k nst "$T/above/sub"
	echo top >"$T/above/file"
	echo below >"$T/above/sub/file"
	for option in bind bind,ro,nosuid,rslave bind,rprivate; do
		able "a bind without mounts below" kernel:5.2 || break
		list=
		add /data bind "$T/above" "$option"
		config mounts="$list" ns="pid mount ipc uts network user" \
			linux="$userns" args="$(json_list show mount : \
			read /data/file : try read /data/sub/file)"
		run
		check_is "$option leaves out what is mounted below, in a user \
namespace too" "$status $(printf '%s\n' "$out" | grep -c '^top$') $(printf \
			'%s\n' "$out" | grep -c '^error read .*No such')" "0 1 1"
	done
	check "with its flags" not shows /data ro
	mount -o remount,bind,ro "$T/above"
	fresh
	add /data/x bind "$T/above" bind
	in_userns
	check "those of a read-only source stay" shows /data/x ro
	fresh
	add /data/x bind "$T/above" bind,rw
	in_userns
	refused "and cannot be taken away inside" "mounts\[4\].*/data/x"
	umount "$T/above/sub" "$T/above"
}

# ---- many -----------------------------------------------------------------

list=$(awk 'BEGIN {
	printf "{\"destination\":\"/data\",\"type\":\"tmpfs\"," \
		"\"source\":\"tmpfs\"}"
	for (i = 1; i <= 1000; i++)
		printf ",{\"destination\":\"/data/n%d\",\"type\":\"tmpfs\"," \
		    "\"source\":\"tmpfs\",\"options\":[\"size=4k\",\"ro\"]}", i
}')
try_mounts
check_is "a thousand mounts" \
	"$(printf '%s\n' "$out" | grep -c ' /data/n[0-9]* ro,')" 1000

for dir in tree2/sub strict/sub strict tree/sub tree shared flag/* \
	src/dir/sub; do
	# shellcheck disable=SC2086 # a pattern
	umount "$T"/$dir 2>/dev/null
done
done_testing
