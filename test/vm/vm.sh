#!/bin/sh
# SPDX-License-Identifier: MIT
# vm.sh - Debian kernels of several architectures under QEMU, for the tests.
#
#	vm.sh fetch TARGET
#		makes ready: QEMU, and in the cache the kernel and an initramfs
#		of busybox and the modules that containers want
#	vm.sh run TARGET PAYLOAD [KERNEL ARGUMENT...]
#		boots it with the directory PAYLOAD laid over the root, runs its
#		/test.sh there as root, and ends with the status of that; 125
#		when none arrived, for a panic looks like a clean end otherwise
#
# TARGET is amd64, arm64, armhf, i386, mipsel or s390x; with -SUITE appended it
# is the kernel of another Debian (amd64-bullseye: 5.10, amd64-trixie: 6.12).
# VM_TIMEOUT: seconds that a run may take (300). Exit status 77: this machine
# cannot have it. Installs cpio, qemu-system-x86, -arm, -mips or -misc.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source-path=SCRIPTDIR source=debian.sh
. "$here/debian.sh"

modules="crc32c_generic veth bridge dummy macvlan ipvlan tun overlay loop
	squashfs nf_tables nft_chain_nat nft_masq nft_nat nft_ct nft_fib_ipv4
	nft_fib_ipv6 nf_conntrack_netlink"

[ $# -ge 2 ] || die "usage: vm.sh fetch|run TARGET [PAYLOAD [ARGUMENT...]]"
verb=$1 target=$2 dir=$cache/vm/$2
shift 2

# No KVM anywhere: nested, it starts and hangs. x86 wants a CPU with RDRAND,
# or getrandom() waits for a second.
case ${target%%-*} in
amd64)
	kernel=linux-image-cloud-amd64 console=ttyS0 pkg=qemu-system-x86
	qemu="qemu-system-x86_64 -M q35 -cpu max -m 512" ;;
arm64)
	kernel=linux-image-cloud-arm64 console=ttyAMA0 pkg=qemu-system-arm
	qemu="qemu-system-aarch64 -M virt -cpu cortex-a53 -m 256" ;;
armhf)
	kernel=linux-image-armmp console=ttyAMA0 pkg=qemu-system-arm
	qemu="qemu-system-arm -M virt -cpu cortex-a7 -m 256" ;;
i386)
	kernel=linux-image-686 console=ttyS0 pkg=qemu-system-x86
	qemu="qemu-system-i386 -M pc -cpu max -m 256" ;;
mipsel)
	kernel=linux-image-4kc-malta console=ttyS0 pkg=qemu-system-mips
	qemu="qemu-system-mipsel -M malta -m 128" ;;
s390x)
	kernel=linux-image-s390x console=ttysclp0 pkg=qemu-system-misc
	qemu="qemu-system-s390x -M s390-ccw-virtio -m 512" ;;
*)	die "unknown target $target" ;;
esac

# add_module NAME - copy it into the root behind all that it depends on.
add_module() {
	name=$(echo "$1" | sed 's/[-_]/[-_]/g')
	! grep -q "/$name\.ko" "$mods/modules.builtin" || return 0
	file=$(find "$mods/kernel" -name "$name.ko" -o -name "$name.ko.xz")
	if [ -z "$file" ]; then
		echo "vm.sh: $target has no module $1" >&2
		return 0
	fi
	base=$(basename "$file" .xz)
	[ ! -e "$root/modules/$base" ] || return 0
	case $file in
	*.xz)	xz -dc "$file" > "$root/modules/$base" ;;
	*)	cp "$file" "$root/modules/$base" ;;
	esac
	for dep in $(tr '\0' '\n' < "$root/modules/$base" |
			sed -n 's/^depends=//p' | tr , ' '); do
		(add_module "$dep")
	done
	echo "${file##*/}" | sed 's/\.xz$//' >> "$root/modules/order"
}

archive() {
	(cd "$1" && find . | cpio -o -H newc -R 0:0 --quiet | gzip -1)
}

fetch() {
	deb_need "${qemu%% *}=$pkg" cpio=cpio timeout=coreutils xz=xz-utils
	[ ! -e "$dir/initramfs" ] ||
		[ "$(cat "$dir/modules" 2>/dev/null)" != "$modules" ] ||
		return 0
	new=$dir.new root=$dir.new/root
	rm -rf "$new"
	# The first package only names the kernel of the day.
	deb_get "$target" "$new/debs" "$kernel"
	kernel=$(sed 's/.*\(linux-image-[0-9][^ ,]*\).*/\1/' \
		"$new/debs"/*.depends)
	deb_get "$target" "$new/debs" "$kernel"
	# That of an older suite cannot move a link to another namespace.
	deb_get "${target%%-*}" "$new/debs" busybox-static
	mods=$(find "$new/debs" -path "*/modules/${kernel#linux-image-}")
	mkdir -p "$root/bin" "$root/dev" "$root/proc" "$root/sys" \
		"$root/tmp" "$root/run" "$root/modules"
	find "$new/debs" -path '*bin/busybox' -exec cp {} "$root/bin" \;
	: > "$root/modules/order"
	for module in $modules; do
		add_module "$module"
	done
	cat > "$root/init" <<-'EOF'
	#!/bin/busybox sh
	/bin/busybox --install -s /bin
	export PATH=/bin HOME=/ TERM=dumb
	mount -t proc proc /proc
	mount -t sysfs sysfs /sys
	mount -t devtmpfs dev /dev 2>/dev/null
	while read -r module; do
		insmod "/modules/$module"
	done < /modules/order
	rm -r /modules
	hostname vm
	ip link set lo up
	/test.sh
	echo "vm status $?"
	poweroff -f
	EOF
	chmod 755 "$root/init"
	archive "$root" > "$new/initramfs"
	echo "$modules" > "$new/modules"
	find "$new/debs" -path '*/boot/vmlinu*' -exec mv {} "$new/kernel" \;
	rm -rf "$new/debs" "$root" "$dir"
	mv "$new" "$dir"
}

run() {
	[ -e "$dir/initramfs" ] || die "fetch $target first"
	[ -x "${1:-}/test.sh" ] || die "the payload has no program test.sh"
	payload=$1
	shift
	tmp=$(mktemp -d)
	trap 'rm -rf "$tmp"' EXIT
	trap 'exit 1' HUP INT TERM
	archive "$payload" | cat "$dir/initramfs" - > "$tmp/initramfs"
	# shellcheck disable=SC2086 # a program and options
	timeout -k 5 "${VM_TIMEOUT:-300}" $qemu -accel tcg -no-reboot \
		-display none -nodefaults -serial stdio \
		-kernel "$dir/kernel" -initrd "$tmp/initramfs" \
		-append "no_timer_check console=$console panic=-1 quiet loglevel=1 $*" \
		< /dev/null 2>&1 | sed -u 's/\r//g' | tee "$tmp/log" |
		sed -u '/^vm status [0-9]*$/d'
	status=$(sed -n 's/^vm status \([0-9]*\)$/\1/p' "$tmp/log" |
		tail -n 1)
	exit "${status:-125}"
}

case $verb in
fetch | run)	"$verb" "$@" ;;
*)		die "unknown verb $verb" ;;
esac
