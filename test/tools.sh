#!/bin/sh
# SPDX-License-Identifier: MIT
# tools.sh build|check... - install what is missing for that, with apt-get or
# apk, and say what. Says nothing and needs no root if nothing is missing.
# shellcheck disable=SC2034,SC2154 # the lists are read by their names
set -eu

build="cc=gcc musl-gcc=musl-tools make=make"
check="clang=clang shellcheck=shellcheck busybox=busybox-static ip=iproute2
	nft=nftables script=bsdutils unshare=util-linux"
[ ! -f /etc/alpine-release ] || {
	build="cc=gcc make=make"	# its libc is musl, and so is its gcc's
	check="clang=clang shellcheck=shellcheck ip=iproute2 nft=nftables
		script=util-linux-misc unshare=util-linux-misc"
}

lacking=
for what; do
	eval "list=\$$what"
	for pair in $list; do
		command -v "${pair%%=*}" >/dev/null 2>&1 ||
			lacking="$lacking ${pair#*=}"
	done
	# Alpine's compiler comes without the headers of its libc.
	[ ! -f /etc/alpine-release ] || [ -f /usr/include/stdio.h ] ||
		lacking="$lacking musl-dev linux-headers"
done
[ -n "$lacking" ] || exit 0

if command -v apt-get >/dev/null; then
	echo "installing with apt-get:$lacking"
	export DEBIAN_FRONTEND=noninteractive
	apt-get -qq update || :	# what is there may still be found
	# shellcheck disable=SC2086 # a list of words
	apt-get -qq -o DPkg::Lock::Timeout=300 install \
		--no-install-recommends $lacking >/dev/null
elif command -v apk >/dev/null; then
	echo "installing with apk:$lacking"
	# shellcheck disable=SC2086
	apk add -q $lacking
else
	echo "please install:$lacking (no apt-get and no apk here)" >&2
	exit 1
fi
