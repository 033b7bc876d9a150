# SPDX-License-Identifier: MIT
# Debian packages for the tests; cross.sh and vm.sh read this file.
#
# Programs of this machine are installed. What belongs to another architecture
# is only unpacked into the cache, from package lists of our own, so that the
# machine's dpkg never hears of foreign architectures and no root is needed.
# shellcheck shell=sh disable=SC2034

cache=${XDG_CACHE_HOME:-$HOME/.cache}/nsrun-vm
# Where this machine gets its packages from, for the lists of other suites.
# shellcheck disable=SC2016 # it is apt-get that expands it
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' \
	2>/dev/null | grep -v security | head -n 1)

die() {
	echo "${0##*/}: $*" >&2
	exit 1
}

# What this machine cannot have is no error of ours: 77 tells the two apart.
lack() {
	echo "${0##*/}: $*" >&2
	exit 77
}

# deb_need PROGRAM=PACKAGE... - install the packages of missing programs.
deb_need() {
	lacking=
	for pair; do
		command -v "${pair%%=*}" >/dev/null 2>&1 ||
			lacking="$lacking ${pair#*=}"
	done
	[ -n "$lacking" ] || return 0
	command -v apt-get >/dev/null 2>&1 ||
		lack "no apt-get to install:$lacking"
	[ "$(id -u)" = 0 ] || lack "not root, who could install:$lacking"
	echo "${0##*/}: installs with apt-get:$lacking" >&2
	export DEBIAN_FRONTEND=noninteractive
	# An update that misses one source can still find the packages.
	apt-get -qq update || :
	# shellcheck disable=SC2086 # a list of words
	apt-get -qq -o DPkg::Lock::Timeout=300 install \
		--no-install-recommends $lacking >/dev/null ||
		lack "apt-get could not install:$lacking"
}

# deb_get ARCH[-SUITE] DIR PACKAGE... - unpack packages of ARCH into DIR. SUITE
# (bullseye, trixie) is another Debian than this one, for other kernels.
deb_get() {
	deb_arch=${1%%-*} deb_suite=${1#"${1%%-*}"} deb_dir=$2
	deb_apt=$cache/apt/$1
	shift 2
	mkdir -p "$deb_dir" "$deb_apt/lists/partial" \
		"$deb_apt/archives/partial"
	: > "$deb_apt/status"
	deb_opt="-qq -o APT::Architecture=$deb_arch
		-o APT::Architectures=$deb_arch
		-o APT::Sandbox::User=root -o Acquire::Languages=none
		-o Dir::Cache=$deb_apt -o Dir::State::lists=$deb_apt/lists
		-o Dir::State::status=$deb_apt/status"
	if [ -n "$deb_suite" ]; then
		echo "deb $mirror ${deb_suite#-} main" > "$deb_apt/sources.list"
		deb_opt="$deb_opt -o Dir::Etc::sourceparts=-
			-o Dir::Etc::sourcelist=$deb_apt/sources.list"
	fi
	# Lists that are a day old can name packages that are gone.
	# shellcheck disable=SC2086 # options, and a cache without blanks
	if [ -z "$(find "$deb_apt/fresh" -mtime -1 2>/dev/null)" ] &&
	   apt-get $deb_opt update >&2; then
		touch "$deb_apt/fresh"
	fi
	# shellcheck disable=SC2086
	(cd "$deb_dir" && apt-get $deb_opt download "$@" >&2) ||
		lack "no Debian package for $deb_arch$deb_suite: $*"
	for deb in "$deb_dir"/*.deb; do
		dpkg-deb -x "$deb" "$deb_dir"
		dpkg-deb -f "$deb" Depends > "$deb.depends"
		rm "$deb"
	done
}
