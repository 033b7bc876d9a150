#!/bin/sh
# SPDX-License-Identifier: MIT
# /test.sh of a virtual machine that runs test/sys: root is an initramfs, and
# cgroup v2 is all there is, with every controller switched on.

mount -t cgroup2 cgroup2 /sys/fs/cgroup
read -r controllers < /sys/fs/cgroup/cgroup.controllers
for controller in $controllers; do
	echo "+$controller" > /sys/fs/cgroup/cgroup.subtree_control
done
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs shm /dev/shm

# Emulated, everything takes ten times as long.
# shellcheck disable=SC2046 # words
LIMIT=60 MANY=20 sh /nsrun/test/run-sys.sh $(cat /nsrun/test/scripts)
