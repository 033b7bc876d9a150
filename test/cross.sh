#!/bin/sh
# SPDX-License-Identifier: MIT
# cross.sh ARCH...|all - nsrun and the test programs for other architectures,
# in build/ARCH/, with Debian's cross compilers and each architecture's musl.
#
# Installs gcc-TRIPLE-linux-gnu; unpacks musl-dev of ARCH into the cache.
# CFLAGS and LDFLAGS are those of the Makefile.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source-path=SCRIPTDIR source=vm/debian.sh
. "$here/vm/debian.sh"

CFLAGS=${CFLAGS:--Os -std=c11 -ffunction-sections -fdata-sections
	-fno-asynchronous-unwind-tables -fno-stack-protector}
LDFLAGS=${LDFLAGS:--Wl,--gc-sections -static}

# The compiler's name and the directory of musl differ only a little.
target() {
	page=
	case $1 in
	amd64)	gnu=x86_64-linux-gnu		musl=x86_64-linux-musl ;;
	arm64)	gnu=aarch64-linux-gnu		musl=aarch64-linux-musl
		# Else sections are padded to 64 KB pages.
		page=-Wl,-z,max-page-size=4096 ;;
	armhf)	gnu=arm-linux-gnueabihf		musl=arm-linux-musleabihf ;;
	i386)	gnu=i686-linux-gnu		musl=i386-linux-musl ;;
	mipsel)	gnu=mipsel-linux-gnu		musl=mipsel-linux-musl ;;
	s390x)	gnu=s390x-linux-gnu		musl=s390x-linux-musl ;;
	*)	die "unknown architecture $1" ;;
	esac
}

prepare() {
	pkg=gcc-$(echo "$gnu" | tr _ -)
	deb_need "$gnu-gcc=$pkg"
	root=$cache/musl/$1
	[ ! -d "$root/usr" ] || return 0
	rm -rf "$root.new"
	deb_get "$1" "$root.new" musl-dev
	rm -rf "$root"
	mv "$root.new" "$root"
}

# compile OUT SOURCE - a static program that knows nothing of glibc: headers,
# start files and library are named one by one.
compile() {
	inc=$root/usr/include/$musl lib=$root/usr/lib/$musl
	own=$("$gnu-gcc" -print-file-name=include)
	begin=$("$gnu-gcc" -print-file-name=crtbeginT.o)
	end=$("$gnu-gcc" -print-file-name=crtend.o)
	# shellcheck disable=SC2086 # flags are words
	"$gnu-gcc" $CFLAGS -nostdinc -isystem "$inc" -isystem "$own" \
		$LDFLAGS -static $page -nostdlib "$lib/crt1.o" "$lib/crti.o" \
		"$begin" "$2" -L"$lib" -Wl,--start-group -lc -lgcc -lgcc_eh \
		-Wl,--end-group "$end" "$lib/crtn.o" -o "$1"
	"$gnu-strip" "$1"
	! "$gnu-readelf" -lW "$1" | grep -q INTERP ||
		die "$1 wants a dynamic loader"
}

# Debian's mipsel has an FPU and most routers have none: a libc function with
# floating point in it (all of printf) must not be in nsrun.
soft() {
	fpu=$(mipsel-linux-gnu-objdump -d "$1" |
		grep -cE '	([ls][wd]c1|[cm][ft]h?c1)	' || :)
	[ "$fpu" = 0 ] || die "$1 holds $fpu floating point instructions"
}

[ $# -gt 0 ] || die "usage: cross.sh amd64|arm64|armhf|i386|mipsel|s390x..." \
	"or all (but amd64)"
[ "$1" != all ] || set -- arm64 armhf i386 mipsel s390x
for arch; do
	target "$arch"
	prepare "$arch"
	out=$here/build/$arch
	mkdir -p "$out"
	made=
	for src in "$here/../nsrun.c" "$here/probe.c" "$here/floor.c"; do
		[ -e "$src" ] || continue
		name=$(basename "$src" .c)
		compile "$out/$name" "$src"
		made="$made $name $(wc -c < "$out/$name")"
	done
	[ "$arch" != mipsel ] || [ ! -e "$out/nsrun" ] || soft "$out/nsrun"
	echo "$arch:$made"
done
