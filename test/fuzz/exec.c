/* SPDX-License-Identifier: MIT */
/*
 * exec.c - a fuzz target: files of an untrusted image that nsrun reads, the
 * program that could not be executed and /etc/passwd.
 */
#define NSRUN_NO_MAIN
#include "../../nsrun.c"

static void must(bool holds)
{
	if (!holds)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int nums[] = { ENOENT, ENOEXEC, EACCES, ELOOP };
	static int fd = -1;
	char path[32], home[512] = "HOME=/";
	size_t i;

	if (fd < 0)
		fd = memfd_create("fuzz", 0);
	must(fd >= 0 && ftruncate(fd, 0) == 0 &&
	     pwrite(fd, data, size, 0) == (ssize_t)size);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	for (i = 0; i < COUNT(nums); i++) {
		struct err e;

		errno = nums[i];
		sysfail(&e, "exec");
		proc_explain(path, nums[i], &e);
		must(strlen(e.text) < ERR_MAX && e.num == nums[i]);
	}
	must(lseek(fd, 0, SEEK_SET) == 0);
	proc_passwd(fd, 0, home, sizeof home);
	must(strncmp(home, "HOME=/", 6) == 0 && !strchr(home, '\n'));
	return 0;
}
