#!/bin/sh
# SPDX-License-Identifier: MIT
# check.sh [TARGET...] - nsrun on real kernels under QEMU, two at a time.
#
# On amd64 (and amd64-SUITE) all of test/sys is run, on every target the
# default bundle: root is an initramfs in both. The targets are those of vm.sh;
# without any named, all in the list below. Prints the "ok - ", "FAIL - " and
# "SKIP - " lines, and last "N passed, N failed, N skipped". What this machine
# cannot have is a SKIP, or a FAIL if REQUIRE holds the word vm.
#
# Installs what cross.sh and vm.sh do.
set -u
here=$(cd "$(dirname "$0")" && pwd)

# 5.10 is the oldest kernel to be had.
targets="amd64 mipsel arm64 armhf i386 s390x amd64-bullseye"

# lacking TARGET STATUS LOG - 77 tells what cannot be had from what is broken.
lacking() {
	why=$(grep -v '^W: ' "$3" | tail -n 1)
	case "$2 ${REQUIRE:-} " in
	"77 "*" vm "* | "77 vm "*)
		echo "FAIL - $1: required, but $why" ;;
	77\ *)	echo "SKIP - $1: $why" ;;
	*)	echo "FAIL - $1: cannot be prepared"
		tail -n 20 "$3" | sed 's/^/    /' ;;
	esac
}

prepare() {
	"$here/../cross.sh" "${1%%-*}" > "$tmp/$1.log" 2>&1 &&
		"$here/vm.sh" fetch "$1" > "$tmp/$1.log" 2>&1
	status=$?
	if [ $status != 0 ]; then
		lacking "$1" $status "$tmp/$1.log"
	elif [ ! -x "$here/../build/${1%%-*}/nsrun" ]; then
		echo "FAIL - $1: there is no nsrun to test"
		status=1
	fi
	return $status
}

# Of a machine's output, the results, marked with what they belong to.
results() {
	mark=$1
	while IFS= read -r line; do
		case $line in
		"== "*)	mark="$1, ${line##*/}" ;;
		"ok - "* | "FAIL - "* | "SKIP - "*)
			echo "${line%% - *} - $mark: ${line#* - }" ;;
		"    "*) echo "    $mark:$line" ;;
		esac
	done
}

# boot TARGET WHAT [KERNEL ARGUMENT...] - one machine.
boot() {
	target=$1 what=$2
	shift 2
	in=$tmp/$target.$what${scripts%%,*} built=$here/../build/${target%%-*}
	mkdir -p "$in/nsrun/test/build"
	cp "$here/in-$what.sh" "$in/test.sh"
	chmod 755 "$in/test.sh"
	cp "$built/nsrun" "$in/nsrun"
	if [ "$what" = sys ]; then
		cp -r "$here/../sys" "$here/../lib.sh" "$here/../flat.awk" \
			"$here/../run-sys.sh" "$in/nsrun/test"
		cp "$built/probe" "$in/nsrun/test/build"
		echo "$scripts" | tr , ' ' > "$in/nsrun/test/scripts"
	fi
	{
		"$here/vm.sh" run "$target" "$in" "$@" 2>&1
		echo "vm.sh ended with $?"
	} | tee "$in.log" | results "$target, $what"
	ended=$(sed -n 's/^vm.sh ended with //p' "$in.log")
	case $ended in
	0)	return ;;
	125)	why="the machine gave no exit status" ;;
	*)	why="ended with $ended"
		! grep -q '^FAIL - ' "$in.log" || return ;;
	esac
	echo "FAIL - $target, $what: $why"
	tail -n 20 "$in.log" | sed "s/^/    $target, $what:    /"
}

# What is booted for a target, the longest first: "WHAT[:SCRIPT,SCRIPT...]". The
# scripts of test/sys are dealt out to two machines. configs.sh stays outside,
# it is mostly awk. The old kernel is for the ways around what it lacks.
jobs() {
	case $1 in
	amd64)	echo sys:run,process,stdio,escape,selfprotect,resources,update
		echo sys:namespaces,mounts,cgroup,events,networks,root,devices,errors,exec-errors,userns ;;
	amd64-*) echo sys:mounts,cgroup,resources,root,devices,userns,networks ;;
	esac
	echo default
}

# One job of a run that is called again below: TARGET:WHAT[:SCRIPTS]
if [ -n "${VM_CHECK_TMP:-}" ]; then
	tmp=$VM_CHECK_TMP
	IFS=: read -r target what scripts <<-JOB
		$1
	JOB
	case $target:$what in
	# As a Raspberry Pi boots.
	armhf:*) boot "$target" "$what" cgroup_disable=memory ;;
	*:sys)	VM_TIMEOUT=${VM_TIMEOUT:-1500} boot "$target" "$what" ;;
	*)	boot "$target" "$what" ;;
	esac
	exit
fi

tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM
# shellcheck disable=SC2086 # words
[ $# -gt 0 ] || set -- $targets
{
	for target; do
		# Not two at a time: apt-get has locks.
		prepare "$target" || continue
		jobs "$target" | sed "s/^/$target:/" >> "$tmp/ready"
	done
	[ ! -e "$tmp/ready" ] || VM_CHECK_TMP=$tmp \
		xargs -n 1 -P 2 "$here/check.sh" < "$tmp/ready"
} | tee "$tmp/lines"

count() {
	grep -c "^$1 - " "$tmp/lines"
}
failed=$(count FAIL)
echo "$(count ok) passed, $failed failed, $(count SKIP) skipped"
[ "$failed" = 0 ]
