/* SPDX-License-Identifier: MIT */
/*
 * Fault injection: nsrun_run(), and each other verb, with one system call
 * after the other failing.
 *
 * nsrun.c is included with its system calls renamed: each goes through a
 * counter in shared memory, which the children inherit, and the n-th one does
 * not reach the kernel but fails. Caller and init run side by side, so that
 * each process has a count of its own: "P 12" is the twelfth call of the
 * caller, "C1 34" the thirty-fourth of the first child that was cloned. For
 * every n the run must
 *
 *  - either fail, with a message that ends in the error that was injected (or
 *    in inj_own_words);
 *  - or succeed, and then the probe sees the same container as without;
 *
 * and in no case hang, crash, or leave behind a mount, a cgroup, a process, a
 * link, an fd, memory, a file, a change of its process. Where a verb works on
 * a container that is there, nothing fails while that is made, nor when it is
 * looked after and removed afterwards, which then must succeed.
 *
 * The other half is calls that are missing altogether, as on an old kernel or
 * behind a filter: there the run must succeed, with the same container.
 *
 * A scene is a bundle and a host to run it on. All of it takes place in mount,
 * network, ipc and uts namespaces of its own, below a tmpfs of its own.
 *
 *	t_inject [SCENE [ROLE N [ERRNO]]]	only that; ROLE 0 is P, 1 is C1
 *	FULL=1		every n, with every errno; else samples
 *	VERBOSE=1	tell the messages without an errno, and the times
 *	PROBE=FILE	test/build/probe
 *	REQUIRE=root	to be unable to test is a failure
 */

#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>
#include <net/if.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>

/* ---- the calls --------------------------------------------------------- */

enum { INJ_ROLES = 16 };

/* What shall fail. Set before the fork; each process has its copy. */
static struct {
	bool		on;
	int		role;		/* whose n-th call, */
	unsigned	n;		/* 0: none */
	int		num;		/* errno, or -k: the k-th that fits */
	unsigned	missing;	/* bits of inj_new[] */
	int		missing_num;	/* with this errno */
} inj;

static int inj_role;			/* of this process */
static int inj_maps;			/* that it has mapped */

/* What was seen, in shared memory. */
static struct inj_seen {
	unsigned	count[INJ_ROLES], missed;
	int		roles;
	unsigned	cloned;		/* P's number of the first clone */
	int		num, line;	/* of the call that failed; 0: none */
	char		call[32], func[48];
	bool		live;		/* calls may fail now */
	bool		late;		/* it is the start that failed */
	bool		heard;		/* a start had come to init by then */
	bool		helper;		/* it was in one that init is not */
	bool		done;		/* nsrun_run() came back */
	int		rc, status;
	struct nsrun_error *e;
	char		text[1200], warn[600], trouble[2000];
	int		errnum;
} *inj_seen;

/* A call that is not in this list fails with each of the last row. */
static const struct {
	const char	*call;
	int		num[8];
} inj_errnos[] = {
	/* closes all the same */
	{ "close",	{ EIO, EINTR } },
	/* there is no other way to fail for those who use it right */
	{ "waitpid",	{ EINTR } },
	{ "waitid",	{ EINTR } },
	{ "nanosleep",	{ EINTR } },
	{ "poll",	{ EINTR, ENOMEM } },
	/* with another errno the cgroup would have to stay */
	{ "rmdir",	{ EBUSY } },
	/* a cgroup that is refused must not take its policy along */
	{ "mkdir",	{ EPERM, EIO, ENOMEM, ENOSPC } },
	{ NULL,		{ EIO, ENOMEM, EPERM, ENOSYS, EINTR, EMFILE, ENOSPC } },
};

static int inj_missing(const char *call, long what);
static bool inj_is_clone(const char *call, long what);
static const char *inj_name(const char *call, long what, const char *func);

static void inj_trouble(const char *f, ...)
	__attribute__((format(printf, 1, 2)));

/* Not for children: they have no stdio. */
static void inj_trouble(const char *f, ...)
{
	size_t n = strlen(inj_seen->trouble);
	va_list ap;

	va_start(ap, f);
	n += (size_t)snprintf(inj_seen->trouble + n,
			      sizeof inj_seen->trouble - n, n ? "; " : "");
	vsnprintf(inj_seen->trouble + n, sizeof inj_seen->trouble - n, f, ap);
	va_end(ap);
}

static int inj_pick(const char *call, int k)
{
	const int *num;
	size_t i = 0;
	int n = 0;

	while (inj_errnos[i].call && strcmp(inj_errnos[i].call, call))
		i++;
	num = inj_errnos[i].num;
	while (num[n])
		n++;
	return num[k % n];
}

static int inj_cloning;			/* the role of the next child */
static bool inj_heard;			/* init: somebody came to start it */
static bool inj_helper;			/* one that runs a program: a hook */

/* Whether this call fails; errno is set then. */
static bool inj_fails(const char *call, long what, const char *func, int line)
{
	struct inj_seen *s = inj_seen;
	int num;

	if (!inj.on)
		return false;
	inj_helper |= !strcmp(func, "run_child");
	if (!s->live) {		/* but it is known who it is */
		if (inj_is_clone(call, what) && s->roles < INJ_ROLES)
			inj_cloning = s->roles++;
		return false;
	}
	num = inj_missing(call, what);
	if (num) {
		s->missed++;
		errno = num;
		return true;
	}
	if (++s->count[inj_role] == inj.n && inj_role == inj.role) {
		s->heard = inj_heard;
		s->helper = inj_helper;
		call = inj_name(call, what, func);
		s->num = inj.num > 0 ? inj.num : inj_pick(call, -inj.num);
		s->line = line;
		strncpy(s->call, call, sizeof s->call - 1);
		strncpy(s->func, func, sizeof s->func - 1);
		errno = s->num;
		return true;
	}
	inj_heard |= !strcmp(call, "accept4");
	if (inj_is_clone(call, what) && !inj_role && !s->cloned)
		s->cloned = s->count[0];
	if (inj_is_clone(call, what) && s->roles < INJ_ROLES)
		inj_cloning = s->roles++;
	return false;
}

static int inj_child;			/* that this process cloned last */

static long inj_after(long result)
{
	if (inj_cloning && result == 0)
		inj_role = inj_cloning;
	if (inj_cloning)
		inj_child = (int)result;
	inj_cloning = 0;
	return result;
}

/* The fd is gone in any case, as in the kernel. */
static int inj_close(int fd, const char *func, int line)
{
	bool fails = inj_fails("close", 0, func, line);
	int num = errno, r = close(fd);

	if (fails && r == 0) {
		errno = num;
		r = -1;
	}
	return r;
}

static void *inj_mmap(void *p, size_t n, int prot, int flags, int fd, off_t off,
		      const char *func, int line)
{
	void *r = inj_fails("mmap", 0, func, line) ? MAP_FAILED :
		  mmap(p, n, prot, flags, fd, off);

	inj_maps += r != MAP_FAILED;
	return r;
}

static int inj_munmap(void *p, size_t n)
{
	inj_maps--;
	return munmap(p, n);
}

/* The parent of a process, 0 if there is none. */
static int inj_parent(int pid)
{
	char path[32], buf[512], *p;
	int fd, n;

	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? 0 : (int)read(fd, buf, sizeof buf - 1);
	if (fd >= 0)
		close(fd);
	buf[n > 0 ? n : 0] = 0;
	p = strrchr(buf, ')');
	return p ? atoi(p + 4) : 0;
}

/* Never fails, but hits nobody else, whatever pid it is told. */
static int inj_kill(int pid, int sig)
{
	int p = pid, tries = 0;

	while (inj.on && p > 1 && p != getpid() && tries++ < 20)
		p = inj_parent(p);
	/* a child of CLONE_PARENT is a sibling; /proc may be another's by now */
	if (inj.on && p != getpid() && inj_parent(pid) != getppid() &&
	    (pid <= 1 || pid != inj_child)) {
		inj_trouble("kill(%d, %d): no child of its own", pid, sig);
		errno = EPERM;
		return -1;
	}
	return kill(pid, sig);
}

#define INJ(call, bad, ...) \
	(inj_fails(#call, 0, __func__, __LINE__) ? (bad) : call(__VA_ARGS__))
/* Those that do different things by an argument. */
#define INJ2(call, what, ...) \
	(inj_fails(#call, (long)(what), __func__, __LINE__) ? -1 : \
	 call(__VA_ARGS__))

/* A name that nsrun.c uses for the first time goes here. */
#define syscall(nr, ...)	inj_after(inj_fails("syscall", (long)(nr), \
		__func__, __LINE__) ? -1L : syscall(nr, __VA_ARGS__))
#define fcntl(fd, cmd, ...)	INJ2(fcntl, cmd, fd, cmd, ## __VA_ARGS__)
#define ioctl(fd, cmd, ...)	INJ2(ioctl, cmd, fd, cmd, ## __VA_ARGS__)
#define close(fd)		inj_close(fd, __func__, __LINE__)
#define kill(pid, sig)		inj_kill(pid, sig)
#define munmap(p, n)		inj_munmap(p, n)
#define mmap(...)		inj_mmap(__VA_ARGS__, __func__, __LINE__)
#define realpath(...)		INJ(realpath, NULL, __VA_ARGS__)
#define accept4(...)		INJ(accept4, -1, __VA_ARGS__)
#define access(...)		INJ(access, -1, __VA_ARGS__)
#define bind(...)		INJ(bind, -1, __VA_ARGS__)
#define chdir(...)		INJ(chdir, -1, __VA_ARGS__)
#define chroot(...)		INJ(chroot, -1, __VA_ARGS__)
#define connect(...)		INJ(connect, -1, __VA_ARGS__)
#define dup2(...)		INJ(dup2, -1, __VA_ARGS__)
#define dup3(...)		INJ(dup3, -1, __VA_ARGS__)
#define execve(...)		INJ(execve, -1, __VA_ARGS__)
#define faccessat(...)		INJ(faccessat, -1, __VA_ARGS__)
#define fchdir(...)		INJ(fchdir, -1, __VA_ARGS__)
#define fchmod(...)		INJ(fchmod, -1, __VA_ARGS__)
#define fchmodat(...)		INJ(fchmodat, -1, __VA_ARGS__)
#define fchown(...)		INJ(fchown, -1, __VA_ARGS__)
#define fchownat(...)		INJ(fchownat, -1, __VA_ARGS__)
#define fgetxattr(...)		INJ(fgetxattr, -1, __VA_ARGS__)
#define flistxattr(...)		INJ(flistxattr, -1, __VA_ARGS__)
#define flock(...)		INJ(flock, -1, __VA_ARGS__)
#define fsetxattr(...)		INJ(fsetxattr, -1, __VA_ARGS__)
#define fstat(...)		INJ(fstat, -1, __VA_ARGS__)
#define fstatat(...)		INJ(fstatat, -1, __VA_ARGS__)
#define fstatfs(...)		INJ(fstatfs, -1, __VA_ARGS__)
#define fstatvfs(...)		INJ(fstatvfs, -1, __VA_ARGS__)
#define ftruncate(...)		INJ(ftruncate, -1, __VA_ARGS__)
#define getsockopt(...)		INJ(getsockopt, -1, __VA_ARGS__)
#define linkat(...)		INJ(linkat, -1, __VA_ARGS__)
#define listen(...)		INJ(listen, -1, __VA_ARGS__)
#define lseek(...)		INJ(lseek, -1, __VA_ARGS__)
#define madvise(...)		INJ(madvise, -1, __VA_ARGS__)
#define lstat(...)		INJ(lstat, -1, __VA_ARGS__)
#define chown(...)		INJ(chown, -1, __VA_ARGS__)
#define mkdir(...)		INJ(mkdir, -1, __VA_ARGS__)
#define mkdirat(...)		INJ(mkdirat, -1, __VA_ARGS__)
#define mknodat(...)		INJ(mknodat, -1, __VA_ARGS__)
#define mount(...)		INJ(mount, -1, __VA_ARGS__)
#define nanosleep(...)		INJ(nanosleep, -1, __VA_ARGS__)
#define open(...)		INJ(open, -1, __VA_ARGS__)
#define openat(...)		INJ(openat, -1, __VA_ARGS__)
#define pipe2(...)		INJ(pipe2, -1, __VA_ARGS__)
#define poll(...)		INJ(poll, -1, __VA_ARGS__)
#define pread(...)		INJ(pread, -1, __VA_ARGS__)
#define read(...)		INJ(read, -1, __VA_ARGS__)
#define readlink(...)		INJ(readlink, -1, __VA_ARGS__)
#define readlinkat(...)		INJ(readlinkat, -1, __VA_ARGS__)
#define recv(...)		INJ(recv, -1, __VA_ARGS__)
#define recvmsg(...)		INJ(recvmsg, -1, __VA_ARGS__)
#define rename(...)		INJ(rename, -1, __VA_ARGS__)
#define renameat(...)		INJ(renameat, -1, __VA_ARGS__)
#define rmdir(...)		INJ(rmdir, -1, __VA_ARGS__)
#define send(...)		INJ(send, -1, __VA_ARGS__)
#define sendmsg(...)		INJ(sendmsg, -1, __VA_ARGS__)
#define setdomainname(...)	INJ(setdomainname, -1, __VA_ARGS__)
#define sethostname(...)	INJ(sethostname, -1, __VA_ARGS__)
#define setns(...)		INJ(setns, -1, __VA_ARGS__)
#define setpgid(...)		INJ(setpgid, -1, __VA_ARGS__)
#define setsockopt(...)		INJ(setsockopt, -1, __VA_ARGS__)
#define socket(...)		INJ(socket, -1, __VA_ARGS__)
#define socketpair(...)		INJ(socketpair, -1, __VA_ARGS__)
#define stat(...)		INJ(stat, -1, __VA_ARGS__)
#define statfs(...)		INJ(statfs, -1, __VA_ARGS__)
#define statvfs(...)		INJ(statvfs, -1, __VA_ARGS__)
#define symlinkat(...)		INJ(symlinkat, -1, __VA_ARGS__)
#define tcgetattr(...)		INJ(tcgetattr, -1, __VA_ARGS__)
#define tcsetattr(...)		INJ(tcsetattr, -1, __VA_ARGS__)
#define umount2(...)		INJ(umount2, -1, __VA_ARGS__)
#define unlink(...)		INJ(unlink, -1, __VA_ARGS__)
#define unlinkat(...)		INJ(unlinkat, -1, __VA_ARGS__)
#define unshare(...)		INJ(unshare, -1, __VA_ARGS__)
#define utimensat(...)		INJ(utimensat, -1, __VA_ARGS__)
#define waitid(...)		INJ(waitid, -1, __VA_ARGS__)
#define waitpid(...)		INJ(waitpid, -1, __VA_ARGS__)
#define write(...)		INJ(write, -1, __VA_ARGS__)

#undef linux			/* a macro, where the dialect is not c11 */
#ifndef NSRUN_NO_MAIN
#define NSRUN_NO_MAIN
#endif
#include "../../nsrun.c"

/* From here on a call is a call. */
#undef syscall
#undef fcntl
#undef ioctl
#undef close
#undef kill
#undef munmap
#undef mmap
#undef access
#undef chdir
#undef dup2
#undef execve
#undef mkdir
#undef mount
#undef nanosleep
#undef open
#undef poll
#undef read
#undef rmdir
#undef stat
#undef statfs
#undef umount2
#undef unlink
#undef unshare
#undef waitpid
#undef write

/* ---- the calls that may be missing ------------------------------------- */

static const struct {
	const char	*name, *call;
	long		what;
	bool		together;	/* never alone: an error will do then */
} inj_new[] = {
	{ "clone3",		"syscall",	NR_clone3, false },
	{ "close_range",	"syscall",	NR_close_range, false },
	{ "openat2",		"syscall",	NR_openat2, false },
	{ "faccessat2",		"syscall",	NR_faccessat2, false },
	{ "open_tree",		"syscall",	NR_open_tree, false },
	{ "move_mount",		"syscall",	NR_move_mount, true },
	{ "fsopen",		"syscall",	NR_fsopen, false },
	{ "fsconfig",		"syscall",	NR_fsconfig, false },
	{ "fsmount",		"syscall",	NR_fsmount, false },
	{ "mount_setattr",	"syscall",	NR_mount_setattr, false },
	{ "pidfd_open",		"syscall",	NR_pidfd_open, false },
	{ "pidfd_send_signal",	"syscall",	NR_pidfd_send_signal, true },
	{ "memfd_create",	"syscall",	SYS_memfd_create, false },
	{ "execveat",		"syscall",	SYS_execveat, false },
	{ "keyctl",		"syscall",	SYS_keyctl, false },
	{ "TIOCGPTPEER",	"ioctl",	(long)K_TIOCGPTPEER, false },
};

/* The kernels that lack them, and the groups that only make sense together. */
static const struct {
	const char	*name;
	const char	*calls;		/* words of inj_new[]; NULL: all */
} inj_kernels[] = {
	{ "Linux 4.12", NULL },
	{ "Linux 5.1", "clone3 close_range openat2 faccessat2 open_tree "
		"move_mount fsopen fsconfig fsmount mount_setattr pidfd_open" },
	{ "Linux 5.4", "close_range openat2 faccessat2 mount_setattr" },
	{ "Linux 5.10", "mount_setattr" },
	{ "the mount calls", "open_tree move_mount fsopen fsconfig fsmount "
		"mount_setattr" },
	{ "the mount calls of 5.2", "open_tree move_mount fsopen fsconfig "
		"fsmount" },
	{ "fsopen and friends", "fsopen fsconfig fsmount" },
};

static int inj_missing(const char *call, long what)
{
	size_t i;

	for (i = 0; inj.missing && i < COUNT(inj_new); i++)
		if (inj.missing >> i & 1 && inj_new[i].what == what &&
		    !strcmp(inj_new[i].call, call))
			return inj.missing_num;
	return 0;
}

static bool inj_is_clone(const char *call, long what)
{
	return !strcmp(call, "syscall") &&
	       (what == NR_clone3 || what == SYS_clone);
}

/* Of a raw call the name of its wrapper tells, if nothing here does. */
static const char *inj_name(const char *call, long what, const char *func)
{
	static const struct {
		const char	*name, *call;
		long		what;
	} more[] = {
		{ "clone",		"syscall", SYS_clone },
		{ "pivot_root",		"syscall", SYS_pivot_root },
		{ "getdents64",		"syscall", SYS_getdents64 },
		{ "prlimit64",		"syscall", SYS_prlimit64 },
		{ "setresuid",		"syscall", NR_setresuid },
		{ "setresgid",		"syscall", NR_setresgid },
		{ "setgroups",		"syscall", NR_setgroups },
		{ "capset",		"syscall", SYS_capset },
		{ "rt_sigaction",	"syscall", SYS_rt_sigaction },
		{ "sched_setaffinity",	"syscall", SYS_sched_setaffinity },
		{ "getcwd",		"syscall", SYS_getcwd },
	};
	size_t i;

	for (i = 0; i < COUNT(inj_new); i++)
		if (inj_new[i].what == what && !strcmp(inj_new[i].call, call))
			return inj_new[i].name;
	for (i = 0; i < COUNT(more); i++)
		if (more[i].what == what && !strcmp(more[i].call, call))
			return more[i].name;
	return strcmp(call, "syscall") || strncmp(func, "sys_", 4) ? call :
	       func + 4;
}

static unsigned inj_bits(const char *names)
{
	unsigned bits = 0;
	size_t i;

	for (i = 0; i < COUNT(inj_new); i++) {
		const char *p = names ? strstr(names, inj_new[i].name) : NULL;
		size_t n = strlen(inj_new[i].name);

		for (; p; p = strstr(p + 1, inj_new[i].name))
			if ((p == names || p[-1] == ' ') &&
			    (!p[n] || p[n] == ' '))
				break;
		if (p || !names)
			bits |= 1U << i;
	}
	return bits;
}

/* ---- results ----------------------------------------------------------- */

enum {
	INJ_TEXT	= 1 << 17,
	INJ_LIMIT	= 8,	/* seconds of one run */
	INJ_PROTECTED	= 42,	/* exit status of a program that is */
};

static struct { int passed, failed, skipped; } *inj_total;	/* shared */
static char inj_tag[32], inj_top[64], inj_probe[PATH_MAX];
static char **inj_argv;
static bool inj_full, inj_verbose;

static char inj_detail[1 << 16];	/* of the group at work */
static unsigned inj_bad;

static void inj_note(const char *f, ...) __attribute__((format(printf, 1, 2)));
static void inj_note(const char *f, ...)
{
	size_t n = strlen(inj_detail);
	va_list ap;

	if (n + 2000 > sizeof inj_detail)
		return;
	va_start(ap, f);
	n += (size_t)snprintf(inj_detail + n, sizeof inj_detail - n, "    ");
	n += (size_t)vsnprintf(inj_detail + n, 1800, f, ap);
	strcpy(inj_detail + (n < sizeof inj_detail - 2 ? n :
			     sizeof inj_detail - 2), "\n");
	va_end(ap);
}

/* One line for the group, and what was noted under it. */
static void inj_report(const char *scene, const char *f, ...)
	__attribute__((format(printf, 2, 3)));
static void inj_report(const char *scene, const char *f, ...)
{
	va_list ap;

	printf("%s - %s: ", inj_bad ? "FAIL" : "ok", scene);
	va_start(ap, f);
	vprintf(f, ap);
	va_end(ap);
	if (inj_bad > 1)
		printf(" (%u times not)", inj_bad);
	printf("\n%s", inj_detail);
	fflush(stdout);
	if (inj_bad)
		inj_total->failed++;
	else
		inj_total->passed++;
	inj_bad = 0;
	*inj_detail = 0;
}

static void inj_skip(const char *scene, const char *reason)
{
	printf("SKIP - %s: %s\n", scene, reason);
	fflush(stdout);
	inj_total->skipped++;
}

static double inj_clock(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- what the probe saw ------------------------------------------------ */

static void inj_load(const char *path, char buf[INJ_TEXT])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t n;

	while (fd >= 0 && len < INJ_TEXT - 1 &&
	       (n = read(fd, buf + len, INJ_TEXT - 1 - len)) > 0)
		len += (size_t)n;
	buf[len] = 0;
	if (fd >= 0)
		close(fd);
}

static bool inj_begins(const char *s, const char *prefix)
{
	return !strncmp(s, prefix, strlen(prefix));
}

/* Differs from one run to the next by nature. */
static bool inj_restless(const char *line)
{
	static const char *const heads[] = { "monotonic ", "boottime ",
		"status Vm", "status Rss", "status Hugetlb", "status SigQ",
		"status FDSize", "status voluntary", "status nonvoluntary" };
	size_t i;

	for (i = 0; i < COUNT(heads); i++)
		if (inj_begins(line, heads[i]))
			return true;
	return false;
}

/* The point of a mount, by its id. */
static const char *inj_point(char *const *lines, size_t n, const char *id,
			     char buf[256])
{
	char have[16], point[240];
	size_t i;

	for (i = 0; i < n; i++)
		if (sscanf(lines[i], "mount %15s %*s %*s %*s %239s", have,
			   point) == 2 && !strcmp(have, id)) {
			snprintf(buf, 256, "on=%s", point);
			return buf;
		}
	return "on=nothing";
}

/* Ids and numbers that the kernel deals out become words. Not told are two
 * things that make no difference: whether below a read-only mount there is a
 * read-only superblock, which mount(2) makes and fsopen() does not; and of a
 * cgroup whether it was mounted in its namespace, or bound. */
static void inj_same_mount(char *const *lines, size_t n, const char *line,
			   char *out)
{
	char id[16], parent[16], dev[32], root[240], point[240], buf[256];
	char how[240], type[40], source[240], super[240], *dash, *p;
	int at = 0;

	dash = strstr(line, " - ");
	if (!dash || sscanf(line, "mount %15s %15s %31s %239s %239s %239s%n",
			    id, parent, dev, root, point, how, &at) != 6 ||
	    sscanf(dash, " - %39s %239s %239s", type, source, super) != 3) {
		strcpy(out, line);
		return;
	}
	if (inj_begins(dev, "0:"))
		strcpy(dev, "0");
	if (inj_begins(how, "ro"))
		memcpy(super, "ro", 2);
	out += sprintf(out, "mount %s %s %s %s %s", dev, root, point,
		       inj_point(lines, n, parent, buf), how);
	if (inj_begins(type, "cgroup")) {
		sprintf(out, " - %s %s", type, super);
		return;
	}
	sprintf(out, "%.*s - %s %s %s", (int)(dash - line) - at, line + at,
		type, source, super);
	for (p = out; (p = strchr(p, ':')) && p[-1] == 'r'; p++)
		memmove(p, p + 1 + strspn(p + 1, "0123456789"),
			strlen(p + 1 + strspn(p + 1, "0123456789")) + 1);
}

static void inj_same_line(char *const *lines, size_t n, const char *line,
			  char *out)
{
	char path[40], own[64], name[16], *p;
	unsigned long long ino;
	ssize_t k;

	if (inj_begins(line, "mount ")) {
		inj_same_mount(lines, n, line, out);
	} else if (inj_begins(line, "keyring ")) {
		p = strstr(line, ";_");		/* its name, not its serial */
		sprintf(out, "keyring %s", p ? p + 1 : "inherited");
	} else if (sscanf(line, "ns %15s %llu", name, &ino) == 2) {
		snprintf(path, sizeof path, "/proc/self/ns/%s", name);
		k = readlink(path, own, sizeof own - 1);
		own[k > 0 ? k : 0] = 0;
		p = strchr(own, '[');
		sprintf(out, "ns %s %s", name, p && strtoull(p + 1, NULL, 10) ==
			ino ? "mine" : "another");
	} else if (inj_begins(line, "stat ") && strstr(line, " dev=")) {
		p = strstr(line, " nlink=");
		sprintf(out, "%.*s%s", (int)(strstr(line, " dev=") - line),
			line, p ? p : "");
	} else {
		strcpy(out, line);
	}
}

static int inj_by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* In place: mounts sorted, at the end, and what varies taken out. */
static void inj_same(char text[INJ_TEXT])
{
	static char out[INJ_TEXT], *lines[4000], *mounts[1000];
	size_t n = 0, nm = 0, i;
	char *save, *p, *to = out;

	while ((p = strchr(text, '\r')))	/* of a terminal: to be seen */
		*p = '~';
	for (p = strtok_r(text, "\n", &save); p && n < COUNT(lines);
	     p = strtok_r(NULL, "\n", &save))
		lines[n++] = p;
	for (i = 0; i < n && to < out + INJ_TEXT - 4096; i++) {
		if (inj_restless(lines[i]))
			continue;
		inj_same_line(lines, n, lines[i], to);
		if (inj_begins(to, "mount ") && nm < COUNT(mounts)) {
			mounts[nm++] = to;
			to += strlen(to) + 1;
		} else {
			to += strlen(to);
			*to++ = '\n';
		}
	}
	*to = 0;
	/* a mount's text stands in out, so all is put together anew */
	qsort(mounts, nm, sizeof *mounts, inj_by_text);
	p = text;
	for (save = out; save < to; ) {
		if (inj_begins(save, "mount ")) {
			save += strlen(save) + 1;
			continue;
		}
		i = strcspn(save, "\n") + 1;
		memcpy(p, save, i);
		p += i;
		save += i;
	}
	for (i = 0; i < nm; i++)
		p += sprintf(p, "%s\n", mounts[i]);
	*p = 0;
}

/* The first line of a that b does not have in that place. */
static bool inj_differs(const char *a, const char *b, char line[2][200])
{
	while (*a && *b) {
		size_t n = strcspn(a, "\n"), m = strcspn(b, "\n");

		if (n != m || memcmp(a, b, n))
			break;
		a += n + (a[n] == '\n');
		b += m + (b[m] == '\n');
	}
	snprintf(line[0], 200, "%.*s", (int)strcspn(a, "\n"), a);
	snprintf(line[1], 200, "%.*s", (int)strcspn(b, "\n"), b);
	return *a || *b;
}

/* ---- scenes ------------------------------------------------------------ */

enum inj_verb { INJ_RUN, INJ_PLAN, INJ_SPEC, INJ_PROTECT, INJ_CREATE,
	INJ_START, INJ_EXEC, INJ_DELETE, INJ_STATE, INJ_LIST, INJ_KILL,
	INJ_KILL_ALL, INJ_REFUSE, INJ_PS, INJ_PAUSE, INJ_RESUME, INJ_UPDATE,
	INJ_STATS };

/* How an error of each begins, before the id. */
static const char *const inj_begin[] = { "cannot run", "cannot plan: ",
	"cannot write a config.json: ", "", "cannot create", "cannot start",
	"cannot exec in", "cannot delete", "cannot show the state of",
	"cannot list containers: ", "cannot kill", "cannot kill",
	"cannot delete", "cannot list the processes of", "cannot pause",
	"cannot resume", "cannot update", "cannot tell the statistics of" };

/* Of the container, when the verb begins. */
enum inj_before { INJ_NONE, INJ_CREATED, INJ_RUNNING, INJ_PAUSED };

struct inj_scene {
	const char	*name;
	enum inj_verb	verb;
	enum inj_before	before;
	bool		hooks;		/* write their names, see inj_hooks */
	/* pairs of a text in the config of `nsrun spec` and what replaces it */
	const char	*const *edit;
	/* arranges the host; NULL, or why it cannot */
	const char	*(*host)(void);
	uid_t		uid;		/* of the caller */
	bool		old;		/* the new calls are missing, too */
	bool		plain;		/* what it does is in all kernels */
	bool		needs_new;	/* it cannot be without them */
	unsigned	every;		/* n, unless FULL; 0: none */
	int		stray;		/* an fd of the caller's; 0: 40 */
};

static struct inj_run {
	const struct inj_scene *scene;
	char	bundle[100], state[100], out[100], spec[100], hooks[100];
	char	mounts[INJ_TEXT], files[INJ_TEXT];	/* before */
	char	wanted[INJ_TEXT], got[INJ_TEXT];	/* the probe's text */
} inj_run;

static bool inj_put(const char *path, const char *text, int flags)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC | flags, 0644);
	bool ok = fd >= 0 && write(fd, text, strlen(text)) ==
		  (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return ok;
}

static bool inj_copy(const char *from, const char *to)
{
	int in = open(from, O_RDONLY | O_CLOEXEC);
	int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
	bool ok = in >= 0 && out >= 0;
	char buf[8192];
	ssize_t n = 0;

	while (ok && (n = read(in, buf, sizeof buf)) > 0)
		ok = write(out, buf, (size_t)n) == n;
	if (in >= 0)
		close(in);
	if (out >= 0)
		close(out);
	return ok && n == 0;
}

/* Replaces the first `from`; false if there is none. */
static bool inj_replace(char text[INJ_TEXT], const char *from, const char *to)
{
	char *p = strstr(text, from);
	size_t n = strlen(from), m = strlen(to);

	if (!p || strlen(text) + m >= INJ_TEXT)
		return false;
	memmove(p + m, p + n, strlen(p + n) + 1);
	memcpy(p, to, m);
	return true;
}

static const char *const inj_base_edit[] = {
	"\"terminal\": true", "\"terminal\": false",
	"\"sh\"", "\"/bin/probe\", \"show\", \":\", \"ls\", \"/dev\", \":\", "
	"\"lstat\", \"/dev/null\", \":\", \"lstat\", \"/dev/zero\", \":\", "
	"\"lstat\", \"/dev/full\", \":\", \"lstat\", \"/dev/random\", \":\", "
	"\"lstat\", \"/dev/urandom\", \":\", \"lstat\", \"/dev/tty\", \":\", "
	"\"readlink\", \"/dev/fd\", \":\", \"readlink\", \"/dev/stdin\", "
	"\":\", \"readlink\", \"/dev/stdout\", \":\", "
	"\"readlink\", \"/dev/stderr\", "
	"\":\", \"try\", \"readlink\", \"/dev/core\", \":\", \"readlink\", "
	"\"/dev/ptmx\", \":\", \"ls\", \"/dev/pts\", \":\", \"try\", \"read\", "
	"\"/proc/keys\", \":\", \"try\", \"ls\", \"/proc/scsi\", \":\", "
	"\"try\", \"write\", \"/proc/sys/vm/swappiness\", \"1\", \":\", "
	"\"try\", \"mkdir\", \"/new\", \":\", \"ls\", \"/tmp\", \":\", "
	"\"try\", \"read\", \"/sys/fs/cgroup/devices/devices.list\"",
	NULL
};

/* The bundle as `nsrun spec` writes it, plus the edits of the scene. */
static bool inj_bundle(struct inj_run *r)
{
	static const char *const dirs[] = { "", "/rootfs", "/rootfs/bin",
		"/rootfs/dev", "/rootfs/proc", "/rootfs/sys", "/rootfs/tmp",
		"/rootfs/etc", "/rootfs/data" };
	static const char *const files[] = { "resolv.conf", "hosts",
		"hostname" };
	const char *const *lists[] = { inj_base_edit, r->scene->edit };
	struct nsrun_options o = { .bundle = r->bundle };
	static char text[INJ_TEXT];
	struct nsrun_error e;
	char path[200];
	size_t i;
	int rc;

	for (i = 0; i < COUNT(dirs); i++) {
		snprintf(path, sizeof path, "%s%s", r->bundle, dirs[i]);
		if (mkdir(path, 0755) < 0 ||
		    chown(path, r->scene->uid, r->scene->uid) < 0)
			return false;
	}
	snprintf(path, sizeof path, "%s/rootfs/bin/probe", r->bundle);
	if (!inj_copy(inj_probe, path))
		return false;
	snprintf(path, sizeof path, "%s/rootfs/etc/passwd", r->bundle);
	if (!inj_put(path, "root:x:0:0::/tmp:/bin/sh\n", O_CREAT))
		return false;
	for (i = 0; i < COUNT(files); i++) {	/* mount points of dns */
		snprintf(path, sizeof path, "%s/rootfs/etc/%s", r->bundle,
			 files[i]);
		if (!inj_put(path, "", O_CREAT))
			return false;
	}
	/* the ids are in the text */
	if (setegid(r->scene->uid) < 0 || seteuid(r->scene->uid) < 0)
		return false;
	rc = nsrun_spec(&o, r->scene->uid != 0, &e);
	if (seteuid(0) < 0 || setegid(0) < 0)
		return false;
	if (rc) {
		inj_note("%s", e.text);
		return false;
	}
	snprintf(path, sizeof path, "%s/config.json", r->bundle);
	inj_load(path, text);
	for (i = 0; i < COUNT(lists); i++) {
		const char *const *p = lists[i];

		for (; p && *p; p += 2)
			if (!inj_replace(text, p[0], p[1])) {
				inj_note("nsrun spec writes no %s", p[0]);
				return false;
			}
	}
	while (inj_replace(text, "@", inj_top))
		;
	return inj_put(path, text, O_TRUNC);
}

/* ---- leaks ------------------------------------------------------------- */

static char *inj_list_to;

static int inj_list_file(const char *path, const struct stat *st, int kind,
			 struct FTW *w)
{
	(void)kind;
	(void)w;
	if (strlen(inj_list_to) + strlen(path) + 40 < INJ_TEXT)
		sprintf(inj_list_to + strlen(inj_list_to), "%s %o %u\n", path,
			st->st_mode, st->st_uid);
	return 0;
}

static void inj_list(const char *top, char list[INJ_TEXT])
{
	*list = 0;
	inj_list_to = list;
	nftw(top, inj_list_file, 20, FTW_PHYS);
}

static bool inj_drop_group;	/* remove what is found */

static int inj_seek_group(const char *path, const struct stat *st, int kind,
			  struct FTW *w)
{
	(void)st;
	if (kind == FTW_DP && strstr(path + w->base, inj_tag)) {
		if (!inj_drop_group)
			inj_trouble("left: the cgroup %s", path);
		else if (rmdir(path) < 0)
			inj_trouble("%s stays: %s", path, strerror(errno));
	}
	return 0;
}

/* Each cgroup file system once; other tests may be at work in them. */
static void inj_seek_groups(bool drop)
{
	char *line, *save, *copy = strdup(inj_run.mounts), point[1000];

	inj_drop_group = drop;
	for (line = strtok_r(copy, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save))
		if (strstr(line, " - cgroup") &&
		    sscanf(line, "%*s %*s %*s %*s %999s", point) == 1)
			nftw(point, inj_seek_group, 20, FTW_PHYS | FTW_DEPTH |
			     FTW_MOUNT);
	free(copy);
}

static void inj_seek_links(void)
{
	struct if_nameindex *all = if_nameindex(), *l;

	for (l = all; l && l->if_name; l++)
		if (strcmp(l->if_name, "lo"))
			inj_trouble("left: the link %s", l->if_name);
	if (all)
		if_freenameindex(all);
}

/* The children of this process end; true if there were any. */
static bool inj_sweep(void)
{
	struct dirent *d;
	bool any = false;
	DIR *proc;

	if (waitpid(-1, NULL, WNOHANG | __WALL) < 0 && errno == ECHILD)
		return false;
	proc = opendir("/proc");
	while (proc && (d = readdir(proc))) {
		int pid = atoi(d->d_name);

		if (pid > 1 && inj_parent(pid) == getpid()) {
			kill(pid, SIGKILL);
			any = true;
		}
	}
	if (proc)
		closedir(proc);
	/* in any order: the first of a pid namespace waits for the others */
	while (waitpid(-1, NULL, WNOHANG | __WALL) > 0)
		;
	return any;
}

static int inj_remove_file(const char *path, const struct stat *st, int kind,
			   struct FTW *w)
{
	(void)st;
	(void)w;
	return kind == FTW_DP ? rmdir(path) : unlink(path);
}

static void inj_remove(const char *path)
{
	nftw(path, inj_remove_file, 20, FTW_PHYS | FTW_DEPTH);
}

/* What stayed because its own removal failed is for the next run to take. */
static bool inj_heals(void)
{
	return !strcmp(inj_seen->call, "unlinkat");
}

/* From outside, after the caller has ended. */
static void inj_seek(struct inj_run *r)
{
	static char now[INJ_TEXT], more[INJ_TEXT];
	char line[2][200], name[65] = "", *p;

	inj_load("/proc/self/mountinfo", now);
	if (inj_differs(now, r->mounts, line)) {
		inj_trouble("mounts: \"%s\", not \"%s\"", line[0], line[1]);
		while ((p = strstr(now, r->bundle))) {	/* newest are last */
			p[strcspn(p, " ")] = 0;
			umount2(p, MNT_DETACH);
			*p = 0;
		}
	}
	inj_list(r->bundle, more);
	if (inj_differs(more, r->files, line))
		inj_trouble("bundle: \"%s\", not \"%s\"", line[0], line[1]);
	inj_list(r->state, more);
	for (p = more; *p; p += strcspn(p, "\n") + 1)
		if (!strstr(p, "/state/deep ") && !strstr(p, "/state "))
			/* its removal was what failed */
			if (!inj_heals())
				inj_trouble("left: the file %.*s",
					    (int)strcspn(p, "\n"), p);
	if (!inj_heals())
		inj_remove(r->state);
	inj_seek_groups(false);
	if (strstr(inj_seen->trouble, "the cgroup"))
		inj_seek_groups(true);
	inj_seek_links();
	gethostname(name, sizeof name - 1);
	if (strcmp(name, "outside"))
		inj_trouble("the host's name is \"%s\" now", name);
}

/* ---- one run ----------------------------------------------------------- */

static void inj_log(void *data, enum nsrun_level level, const char *text)
{
	size_t n = strlen(inj_seen->warn);

	(void)data;
	/* that of the cgroup is for --debug where nobody asked for one */
	if (level == NSRUN_WARNING || strstr(text, "no cgroup of its own"))
		snprintf(inj_seen->warn + n, sizeof inj_seen->warn - n, "%s%s",
			 n ? "; " : "", text);
}

/* Serves the terminal, or else the probe would wait for a reader. */
static void inj_attend(void *data, const struct nsrun_process *p)
{
	char buf[4096];
	ssize_t n;

	(void)data;
	while (p->terminal >= 0 && (n = read(p->terminal, buf, sizeof buf)) > 0)
		if (write(1, buf, (size_t)n) != n)
			return;
}

static void inj_own(char text[400])
{
	sigset_t set;
	char cwd[200] = "", name[17] = "";
	int i, n, death = 0;

	prctl(PR_GET_NAME, name);
	prctl(PR_GET_PDEATHSIG, &death);
	n = umask(0);
	umask((mode_t)n);
	n = snprintf(text, 400, "cwd=%s umask=%o name=%s death=%d dumpable=%d "
		     "ids=%u,%u,%u,%u sid=%d signals=",
		     getcwd(cwd, sizeof cwd) ? cwd : "none", (unsigned)n, name,
		     death, prctl(PR_GET_DUMPABLE), getuid(), geteuid(),
		     getgid(), getegid(), getsid(0));
	sigprocmask(SIG_SETMASK, NULL, &set);
	for (i = 1; i < 32; i++)
		text[n++] = sigismember(&set, i) == 1 ? 'b' : '.';
	text[n++] = ' ';
	for (i = 0; i < 64; i++)	/* the fds */
		text[n++] = fcntl(i, F_GETFD) < 0 ? '.' : 'o';
	text[n] = 0;
}

/* The calls that arrange what is tested, or look after it. */
static bool inj_must(const char *what, int rc, const struct nsrun_error *e)
{
	if (rc)
		inj_trouble("%s: %s", what, e->text);
	return !rc;
}

static void inj_tell(void *data, const struct nsrun_state *s)
{
	char line[400];
	int n = snprintf(line, sizeof line, "state %s %s %s %s pid=%d of=%u "
			 "created=%d annotations=%zu\n", s->id, s->status,
			 s->bundle, s->rootfs, s->pid > 0, s->owner,
			 *s->created != 0, s->annotation_count);

	(void)data;
	if (write(1, line, (size_t)n) != n)
		inj_trouble("cannot write the state");
}

static void inj_pid(void *data, int pid)
{
	char line[40];
	int n = snprintf(line, sizeof line, "process %d\n",
			 inj_parent(pid) == getpid());

	(void)data;
	if (write(1, line, (size_t)n) != n)
		inj_trouble("cannot write a pid");
}

static void inj_status(void *status, const struct nsrun_state *s)
{
	snprintf(status, 20, "%s", s->status);
}

/* The program has come so far that a signal reaches it. */
static bool inj_is_ready(const struct inj_run *r)
{
	struct timespec ms = { 0, 1000000 };
	char text[100];
	int tries, fd;
	ssize_t n;

	for (tries = 0; tries < 5000; tries++) {
		fd = open(r->out, O_RDONLY | O_CLOEXEC);
		n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
		if (fd >= 0)
			close(fd);
		text[n > 0 ? n : 0] = 0;
		if (strstr(text, "ready\n"))
			return true;
		nanosleep(&ms, NULL);
	}
	inj_trouble("the program does not start");
	return false;
}

/* Its status, in time; -1: it does not end. */
static int inj_end(void)
{
	struct timespec ms = { 0, 1000000 };
	int tries, status;

	for (tries = 0; tries < 3000; tries++) {
		if (waitpid(-1, &status, WNOHANG | __WALL) > 0)
			return status;
		nanosleep(&ms, NULL);
	}
	return -1;
}

static bool inj_prepare(const struct inj_run *r, const struct nsrun_options *o)
{
	struct nsrun_options detached = *o;
	struct nsrun_error e;
	int status;

	detached.flags |= NSRUN_DETACH;
	switch (r->scene->before) {
	case INJ_CREATED:
		return inj_must("before: create", nsrun_create(o, &e), &e);
	case INJ_RUNNING:
		return inj_must("before: run", nsrun_run(&detached, &status,
							 &e), &e) &&
		       inj_is_ready(r);
	case INJ_PAUSED:
		return inj_must("before: run", nsrun_run(&detached, &status,
							 &e), &e) &&
		       inj_is_ready(r) &&
		       inj_must("before: pause", nsrun_pause(o, &e), &e);
	default:
		return true;
	}
}

static int inj_act(const struct inj_run *r, struct nsrun_options *o,
		   int *status, struct nsrun_error *e)
{
	static char *argv[] = { "/bin/probe", "show", ":", "ls", "/dev", ":",
		"try", "mkdir", "/new", NULL };
	struct nsrun_exec x = { .argv = argv };
	const struct nsrun_pair limit = { "resources.pids.limit", "33" };
	int null, rc;
	struct nsrun_update u = { "{\"cpu\":{\"shares\":500}}", &limit, 1 };

	switch (r->scene->verb) {
	case INJ_PLAN:
		return nsrun_plan(o, 1, e);
	case INJ_SPEC:
		return nsrun_spec(o, 0, e);
	case INJ_PROTECT:
		return nsrun_protect(inj_argv, e);
	case INJ_CREATE:
		return nsrun_create(o, e);
	case INJ_START:
		return nsrun_start(o, e);
	case INJ_EXEC:
		return nsrun_exec(o, &x, status, e);
	case INJ_DELETE:
		return nsrun_delete(o, 1, e);
	case INJ_REFUSE:	/* what is right here is an error */
		if (nsrun_delete(o, 0, e) == 0)
			inj_trouble("it is deleted without force");
		return strstr(e->text, "not stopped: running") ? 0 : -1;
	case INJ_STATE:
		return nsrun_state(o, inj_tell, NULL, e);
	case INJ_PS:
		return nsrun_ps(o, inj_pid, NULL, e);
	case INJ_PAUSE:
		return nsrun_pause(o, e);
	case INJ_RESUME:
		return nsrun_resume(o, e);
	case INJ_UPDATE:
		return nsrun_update(o, &u, e);
	case INJ_STATS:		/* no two are the same */
		null = (open)("/dev/null", O_WRONLY | O_CLOEXEC);
		rc = nsrun_stats(o, null, e);
		(close)(null);
		return rc;
	case INJ_LIST:
		o->id = NULL;
		return nsrun_list(o, inj_tell, NULL, e);
	case INJ_KILL:
	case INJ_KILL_ALL:
		return nsrun_kill(o, SIGTERM, r->scene->verb == INJ_KILL_ALL,
				  e);
	default:
		return nsrun_run(o, status, e);
	}
}

/* The stage could not tell which process is init, but ended it. */
static bool inj_is_untold(const struct nsrun_error *of)
{
	return strstr(of->text, "tell the parent of init") != NULL;
}

/* A container that nobody was to change: it runs, and hears. */
static void inj_unharmed(const struct nsrun_options *o,
			 const struct nsrun_error *of, struct nsrun_error *e)
{
	char now[20] = "";
	int status, pid = waitpid(-1, &status, WNOHANG | __WALL);

	if (pid > 0 && !inj_is_untold(of))
		inj_trouble("a child ended with 0x%x, or was not reaped",
			    status);
	if (inj_must("then: state", nsrun_state(o, inj_status, now, e), e) &&
	    strcmp(now, "running"))
		inj_trouble("the container is %s", now);
	if (inj_must("then: kill", nsrun_kill(o, SIGTERM, 0, e), e)) {
		status = inj_end();
		if (status != (40 + SIGTERM) << 8)
			inj_trouble("the container ended with 0x%x",
				    (unsigned)status);
	}
}

/* What comes after the verb. */
static void inj_follow(const struct inj_run *r, const struct nsrun_options *o,
		       struct nsrun_error *e)
{
	struct inj_seen *s = inj_seen;
	enum inj_verb verb = r->scene->verb;
	struct nsrun_error more;
	char now[20];

	if (verb == INJ_CREATE && s->rc == 0) {
		s->rc = nsrun_start(o, e);
		s->late = s->rc != 0;
	}
	if ((verb == INJ_CREATE || verb == INJ_START) && s->rc == 0)
		s->status = inj_end();
	if ((verb == INJ_KILL || verb == INJ_KILL_ALL) && s->rc == 0) {
		s->status = inj_end();
		if (s->status == (40 + SIGTERM) << 8)
			s->status = 0;
	}
	now[0] = 0;
	if (verb == INJ_PAUSE && s->rc == 0 &&
	    (nsrun_state(o, inj_status, now, &more) || strcmp(now, "paused")))
		inj_trouble("it is not paused, but %s", now);
	/* whether it came to it is open; that it can be undone is not */
	if (verb == INJ_PAUSE || (verb == INJ_RESUME && s->rc))
		nsrun_resume(o, &more);
	if (verb == INJ_PS || verb == INJ_PAUSE || verb == INJ_RESUME ||
	    verb == INJ_UPDATE || verb == INJ_STATS ||
	    verb == INJ_EXEC || verb == INJ_STATE || verb == INJ_LIST ||
	    verb == INJ_REFUSE)
		inj_unharmed(o, e, &more);
	/* of which the container is gone, or one that could not be deleted */
	if (verb == INJ_CREATE ? s->rc == 0 || s->late : verb != INJ_DELETE ||
	    s->rc)
		inj_must("then: delete", nsrun_delete(o, s->rc != 0 ||
				verb == INJ_START, &more), &more);
	if (nsrun_state(o, inj_status, now, &more) == 0)
		inj_trouble("left: the container, %s", now);
	while (waitpid(-1, NULL, WNOHANG | __WALL) > 0)
		;
}

/* The caller: a process that is no more than this. */
static void inj_caller(struct inj_run *r)
{
	struct nsrun_options o = { .id = inj_tag, .bundle = r->bundle,
		.root = r->state, .log = inj_log, .attend = inj_attend };
	const struct nsrun_options then = o;
	int stray = r->scene->stray ? r->scene->stray : 40;
	int in = open("/dev/null", O_RDONLY | O_CLOEXEC), pid, status;
	int out = open(r->out, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	struct inj_seen *s = inj_seen;
	char before[400], after[400];
	struct nsrun_error e;
	sigset_t none;

	/* one fd of the caller's that nobody may inherit; and where close_range
	 * is missing, all below the limit may be closed, so it is low */
	if (in < 0 || out < 0 || dup2(in, 0) < 0 || dup2(out, 1) < 0 ||
	    dup2(out, 2) < 0 || dup2(out, stray) < 0 ||
	    setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 64, 4096 }) < 0)
		_exit(90);
	close(in);
	close(out);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (r->scene->uid &&
	    (setgroups(0, NULL) < 0 || setgid(r->scene->uid) < 0 ||
	     setuid(r->scene->uid) < 0 || prctl(PR_SET_DUMPABLE, 1) < 0))
		_exit(91);
	inj_own(before);
	if (r->scene->verb == INJ_SPEC)
		*strrchr(strcpy(r->bundle, r->spec), '/') = 0;
	setenv("INJECT_PROTECTED", "1", 1);
	inj.on = true;
	s->live = inj_prepare(r, &o);
	s->rc = inj_act(r, &o, &s->status, &e);
	inj.on = false;
	if (r->scene->before || (r->scene->verb == INJ_CREATE && s->rc == 0))
		inj_follow(r, &then, &e);
	snprintf(s->text, sizeof s->text, "%s", e.text);
	s->errnum = e.errnum;
	s->done = true;
	inj_own(after);
	if (strcmp(before, after))
		inj_trouble("the caller was \"%s\", is \"%s\"", before, after);
	if (inj_maps)
		inj_trouble("left: %d chunks of memory", inj_maps);
	pid = waitpid(-1, &status, WNOHANG | __WALL);
	if (inj_is_untold(&e))
		pid = -1;
	if (pid > 0)
		inj_trouble("left: the child %d, ended with 0x%x, not reaped",
			    pid, status);
	else if (pid == 0)
		inj_trouble("left: a process");
	_exit(0);
}

/* Each at most once, in this order; the last one wherever there was an init.
 * The fifth runs inside, where the probe sees it. */
static const char *const inj_hooks[] = { "prestart\n", "createRuntime\n",
	"createContainer\n", "poststart\n", "poststop\n" };

static void inj_seek_hooks(struct inj_run *r)
{
	static char text[INJ_TEXT];
	size_t i, n = strlen(r->got);
	bool stopped = false;
	char *p = text;

	inj_load(r->hooks, text);
	for (i = 0; i < COUNT(inj_hooks); i++)
		if (inj_begins(p, inj_hooks[i])) {
			p += strlen(inj_hooks[i]);
			stopped = i == COUNT(inj_hooks) - 1;
		}
	if (*p)
		inj_trouble("hooks ran in a wrong order, or twice: %s", text);
	/* where it is the hook that cannot be run, this is told */
	if (stopped != (inj_seen->roles > 1) &&
	    !strstr(inj_seen->warn, "hooks.poststop"))
		inj_trouble("poststop ran %d times, with %d processes: %s",
			    stopped, inj_seen->roles - 1, inj_seen->text);
	/* not a part of the container, if that was said */
	if (!stopped && strstr(inj_seen->warn, "hooks.poststop"))
		strcat(text, "poststop\n");
	if (n + strlen(text) < INJ_TEXT)
		strcpy(r->got + n, text);
}

/* Forks the caller and sees what becomes of it. */
static void inj_go(struct inj_run *r)
{
	struct timespec limit = { INJ_LIMIT, 0 };
	int pid, status = 0;
	sigset_t chld;

	memset(inj_seen, 0, sizeof *inj_seen);
	inj_seen->roles = 1;
	unlink(r->hooks);
	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	fflush(stdout);
	pid = fork();
	if (pid == 0)
		inj_caller(r);
	if (pid < 0) {
		inj_trouble("fork: %s", strerror(errno));
		return;
	}
	while (waitpid(pid, &status, WNOHANG) == 0)
		if (sigtimedwait(&chld, NULL, &limit) < 0 && errno == EAGAIN) {
			inj_trouble("hangs");
			kill(pid, SIGKILL);
			waitpid(pid, &status, 0);
			break;
		}
	if (inj_sweep())
		while (inj_sweep())
			;
	if (r->scene->verb == INJ_PROTECT && WIFEXITED(status) &&
	    WEXITSTATUS(status) == INJ_PROTECTED)
		inj_seen->done = true;	/* it is another program now */
	else if (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL)
		inj_trouble("crashes with signal %d", WTERMSIG(status));
	else if (WIFEXITED(status) && WEXITSTATUS(status))
		inj_trouble("the caller ended with %d", WEXITSTATUS(status));
	inj_seek(r);
	inj_load(r->scene->verb == INJ_SPEC ? r->spec : r->out, r->got);
	if (unlink(r->spec) == 0 && inj_seen->rc)
		inj_trouble("left: the config.json");
	if (r->scene->hooks)
		inj_seek_hooks(r);
	inj_same(r->got);
}

/* The errno whose text stands at the end, before what is in parentheses. */
static int inj_last_cause(const char *text, int injected)
{
	char cut[1200];
	size_t n, m;
	int num, i;

	snprintf(cut, sizeof cut, "%s", text);
	for (n = strlen(cut); n && cut[n - 1] == ')'; n = strlen(cut)) {
		char *p = strstr(cut, " (");

		if (!p)
			break;
		while (strstr(p + 1, " ("))
			p = strstr(p + 1, " (");
		*p = 0;
	}
	for (i = 0; i < 200; i++) {	/* the injected one first */
		num = i ? i : injected;
		m = strlen(strerror(num));
		if (num && m < n &&
		    strcasecmp(cut + n - m, strerror(num)) == 0)
			return num;
	}
	return 0;
}

/* What a failing call may lead to without its errno, because it is clear, and
 * true. */
static const char *const inj_own_words[] = {
	"there is no proc file system on /proc",
	/* what could not be read would only have excused it */
	"additionalGids: set the groups: operation not permitted",
};

/* NULL: what a person can use; else what is wrong with it. */
static const char *inj_bad_text(const struct inj_seen *s, enum inj_verb verb)
{
	char begin[60];
	int cause = inj_last_cause(s->text, s->num);
	size_t i;

	strcpy(begin, inj_begin[s->late ? INJ_START : verb]);
	if (*begin && !strchr(begin, ':'))
		sprintf(begin + strlen(begin), " '%s': ", inj_tag);
	if (s->late && inj.role == 0)
		return "it was created, but cannot be started";
	if (!*s->text)
		return "the error is empty";
	if (!inj_begins(s->text, begin) || !s->text[strlen(begin)])
		return "the error does not say what it is about";
	if (strchr(s->text, '\n'))
		return "the error has more than one line";
	for (i = 0; i < COUNT(inj_own_words); i++)
		if (strstr(s->text, inj_own_words[i]))
			return NULL;
	if (cause && cause != s->num)
		return "the error names another cause";
	/* all that is known of a hook is what it said */
	if (cause && s->helper)
		return NULL;
	if (cause)
		return s->errnum == s->num ? NULL : "errnum is another";
	/* an init that ends while nobody listens has nobody to tell */
	if ((s->late || verb == INJ_START) && inj.role && !s->heard &&
	    (strstr(s->text, "has stopped") || strstr(s->text, "not running") ||
	     strstr(s->text, "already running") ||
	     strstr(s->text, "init ended before")))
		return NULL;
	return "the error does not tell the cause";
}

/*
 * What may be another container if this call fails with that, by the design:
 * lines that hold the word are not compared, if this warning was given.
 */
static const struct {
	const char	*call;		/* NULL: any */
	int		num;
	const char	*word, *warning;
} inj_allowed[] = {
	/* a kernel without keyrings, or a filter: the caller's is kept */
	{ "keyctl",	ENOSYS,	"keyring ", "" },
	{ "keyctl",	EPERM,	"keyring ", "" },
	/* where no node may be made, the host's is bound */
	{ "mknodat",	EPERM,	" - devtmpfs ", "" },
	{ "mknodat",	EPERM,	" /null /proc/", "" },
	/* nobody asked for a limit, and this host gives no cgroup */
	{ NULL,		EPERM,	"cgroup", "no cgroup of its own" },
	/* and so no device policy, where mknod is powerless */
	{ NULL,		EPERM,	" *:* ", "no cgroup of its own" },
	{ NULL,		EPERM,	" rwm", "no cgroup of its own" },
	/* one of many that cannot be read is told of in its place */
	{ NULL,		0,	"state ", " is skipped: " },
};

static void inj_allow(const char *call, int num, char text[INJ_TEXT])
{
	size_t i;

	for (i = 0; i < COUNT(inj_allowed); i++) {
		const char *of = inj_allowed[i].call;
		char *p = text, *end;

		if ((of && strcmp(of, call)) || (inj_allowed[i].num ?
		    inj_allowed[i].num != num : num == 0 ||
		    inj_last_cause(inj_seen->warn, num) != num) ||
		    !strstr(inj_seen->warn, inj_allowed[i].warning))
			continue;
		for (; *p; p = end) {
			char *word = strstr(p, inj_allowed[i].word);

			end = p + strcspn(p, "\n");
			end += *end == '\n';
			if (word && word < end) {
				memmove(p, end, strlen(end) + 1);
				end = p;
			}
		}
	}
}

static const char *inj_errno(int num)
{
	static const struct name names[] = {
		{ "EIO", EIO }, { "ENOMEM", ENOMEM }, { "EPERM", EPERM },
		{ "ENOSYS", ENOSYS }, { "EINTR", EINTR }, { "EMFILE", EMFILE },
		{ "ENOSPC", ENOSPC }, { "EBUSY", EBUSY }, { "E2BIG", E2BIG },
		{ "EINVAL", EINVAL }, { "EAGAIN", EAGAIN },
		{ "EACCES", EACCES },
	};
	const char *s = name_of(names, COUNT(names), num);

	return s ? s : "?";
}

/* After inj_go(): is the container the one that was wanted? */
static bool inj_right(struct inj_run *r, const char *call, int num,
		      char why[600])
{
	static char wanted[INJ_TEXT];
	char line[2][200];

	if (inj_seen->status) {
		snprintf(why, 600, "the status is %d", inj_seen->status);
		return false;
	}
	strcpy(wanted, r->wanted);
	inj_allow(call, num, wanted);
	inj_allow(call, num, r->got);
	if (!inj_differs(r->got, wanted, line))
		return true;
	snprintf(why, 600, "another container: \"%s\", not \"%s\"%s%.150s",
		 line[0], line[1], *inj_seen->warn ? "; warning: " : "",
		 inj_seen->warn);
	return false;
}

/* ---- groups of runs ---------------------------------------------------- */

/* Without a failure; its result is what all others are compared with. */
static bool inj_baseline(struct inj_run *r)
{
	static const char *const marks[] = { "\nhostname nsrun\n", "\npid 1\n",
		"\nns pid another\n", "\nlink lo ",
		"\nstat /dev/null type=char",
		"\nmount " };
	enum inj_verb verb = r->scene->verb;
	bool run = verb == INJ_RUN || verb == INJ_CREATE;
	struct inj_seen *s = inj_seen;
	char why[600];
	size_t i;

	inj.n = 0;
	inj_go(r);
	strcpy(r->wanted, "\n");
	strcat(r->wanted, r->got);
	while (inj_replace(r->wanted, "~\n", "\n"))	/* of a terminal */
		;
	for (i = 0; (run || verb == INJ_START) && !s->rc &&
	     i < COUNT(marks); i++)
		if (!strstr(r->wanted, marks[i])) {
			inj_note("no line \"%s\"", marks[i] + 1);
			inj_bad++;
		}
	strcpy(r->wanted, r->got);
	if (!s->done || s->rc || s->status || *s->trouble) {
		inj_note("status %d, %s%s", s->status, s->text, s->trouble);
		inj_bad++;
	}
	inj_go(r);
	if (!inj_bad && !inj_right(r, "", 0, why)) {
		inj_note("the second time: %s", why);
		inj_bad++;
	}
	if (inj_bad)
		inj_note("the probe said: %.1500s", r->got);
	for (i = 1; i < INJ_ROLES - 1 && s->count[i] < 100; i++)
		;
	if (run ? s->count[0] < 50 || s->count[i] < 100 : s->count[0] < 3) {
		inj_note("only %u and %u calls were counted", s->count[0],
			 s->count[1]);
		inj_bad++;
	}
	i = inj_bad;
	inj_report(r->scene->name, "works, and does the same twice");
	return !i;
}

/* Calls that are not there at all. clear: a clear error will do as well. */
static void inj_try_missing(struct inj_run *r, const char *name, unsigned bits,
			    int num, bool clear, unsigned *used)
{
	struct inj_seen *s = inj_seen;
	char why[600] = "";

	inj.missing = bits;
	inj.missing_num = num;
	inj_go(r);
	*used += s->missed != 0;
	if (*s->trouble)
		snprintf(why, sizeof why, "%.500s", s->trouble);
	else if (s->rc && clear && inj_last_cause(s->text, num) == num)
		return;
	else if (s->rc)
		snprintf(why, sizeof why, "%.500s", s->text);
	else if (inj_right(r, bits & inj_bits("keyctl") ? "keyctl" : "", num,
			   why))
		return;
	inj_note("%s, %s: %s", name, inj_errno(num), why);
	inj_bad++;
}

static void inj_all_missing(struct inj_run *r)
{
	static const int nums[] = { ENOSYS, EPERM };
	bool clear = r->scene->needs_new;
	const char *what = clear ? "the same or a clear error" : "the same";
	unsigned used = 0, tried = 0;
	size_t i, k;

	for (k = 0; k < COUNT(nums); k++)
		for (i = 0; i < COUNT(inj_new); i++, tried++)
			inj_try_missing(r, inj_new[i].name, 1U << i, nums[k],
					clear || inj_new[i].together, &used);
	inj_report(r->scene->name, "%s where one call is missing (%u ways, of "
		   "which %u matter here)", what, tried, used);
	for (k = used = tried = 0; k < COUNT(nums); k++)
		for (i = 0; i < COUNT(inj_kernels); i++, tried++)
			inj_try_missing(r, inj_kernels[i].name,
					inj_bits(inj_kernels[i].calls),
					nums[k], clear, &used);
	/* 5.3 to 5.6: a clone3 that does not know CLONE_INTO_CGROUP */
	if (!strcmp(r->scene->name, "cgroup v2 only")) {
		inj_try_missing(r, "clone3 into a cgroup", inj_bits("clone3"),
				E2BIG, false, &used);
		inj_try_missing(r, "clone3 into a cgroup", inj_bits("clone3"),
				EINVAL, false, &used);
		tried += 2;
	}
	inj_report(r->scene->name, "%s on kernels that lack them (%u ways, of "
		   "which %u matter here)", what, tried, used);
	inj.missing = 0;
}

/* Whether the same was told often enough: of this line, or in these words. */
static bool inj_again(int line, const char *bad)
{
	static struct { int line, times; char bad[80]; } had[1000];
	int of_line = 0, in_words = 0;
	size_t i;

	if (inj_full && inj_verbose)
		return false;
	for (i = 0; i < COUNT(had) && had[i].times; i++) {
		of_line += had[i].line == line && !strncmp(bad, had[i].bad, 24);
		in_words += strlen(bad) > 60 && inj_begins(bad, had[i].bad);
	}
	if (i < COUNT(had)) {
		had[i].line = line;
		had[i].times = 1;
		strncpy(had[i].bad, bad, sizeof had[i].bad - 1);
	}
	return of_line > 1 || in_words > 3;
}

/* One call fails. False when there was no such call any more. */
static bool inj_try(struct inj_run *r, int role, unsigned n, int num,
		    unsigned how[2])
{
	struct inj_seen *s = inj_seen;
	const char *bad = NULL;
	char why[600] = "", who[8] = "P";

	inj.role = role;
	inj.n = n;
	inj.num = num;
	inj_go(r);
	if (!s->num && s->done && !*s->trouble)
		return false;
	if (role)
		snprintf(who, sizeof who, "C%d", role);
	if (*s->trouble)
		bad = s->trouble;
	else if (!s->done)
		bad = "the caller did not come back";
	else if (s->rc)
		bad = inj_bad_text(s, r->scene->verb);
	else if (!inj_right(r, s->call, s->num, why))
		bad = why;
	how[s->rc != 0]++;
	if (bad && inj_again(s->line, bad)) {
		inj_bad++;
	} else if (bad) {
		inj_note("%s %u %s (%s, line %d) %s: %s%s%s", who, n, s->call,
			 s->func, s->line, inj_errno(s->num), bad,
			 s->rc ? ": " : "", s->rc ? s->text : "");
		inj_bad++;
	} else if (inj_verbose && s->rc && !inj_last_cause(s->text, s->num)) {
		printf("    %s %u %s (%s, line %d) %s: %s\n", who, n, s->call,
		       s->func, s->line, inj_errno(s->num), s->text);
	}
	if (!s->num || !inj_heals())
		return s->num != 0;
	inj.n = 0;
	inj_go(r);
	if (*s->trouble || s->rc || !inj_right(r, "", 0, why)) {
		inj_note("%s %u: what it left troubles the next run: %s%s%s",
			 who, n, s->trouble, s->text, why);
		inj_bad++;
	}
	return true;
}

/* The scene's kernel. Keyrings are old, and would only be another container. */
static void inj_age(const struct inj_run *r)
{
	inj.missing = r->scene->old ? inj_bits(NULL) & ~inj_bits("keyctl") : 0;
	inj.missing_num = ENOSYS;
}

static void inj_all(struct inj_run *r)
{
	unsigned how[2] = { 0, 0 }, every = inj_full ? 1 : r->scene->every;
	unsigned calls = 0, n, cloned;
	const char *same = r->scene->verb == INJ_RUN ||
		r->scene->verb == INJ_CREATE || r->scene->verb == INJ_START ?
		"container" : "result";
	double start = inj_clock();
	int role, k, roles;

	inj_age(r);
	inj.n = 0;
	inj_go(r);
	roles = inj_seen->roles;
	cloned = inj_seen->cloned;	/* a border: always among them */
	for (role = 0; role < roles; role++)
		for (n = 1; ; n++) {
			if (n % every && every > 1 && n > 1 &&
			    (role || (n != cloned && n + 1 != cloned)))
				continue;
			if (!inj_try(r, role, n, 0, how))
				break;
			calls++;
			if (inj_full)
				for (k = 1; k < 7; k++)
					inj_try(r, role, n, -k, how);
			else if (n / every % 3 == 0)
				inj_try(r, role, n, -1 - (int)(n / every / 3 %
							       6), how);
		}
	inj.n = 0;
	inj.missing = 0;
	inj_report(r->scene->name, "%u failing calls of %d process%s: %u "
		   "clear errors, %u times the same %s, nothing left", calls,
		   roles, roles == 1 ? "" : "es", how[1], how[0], same);
	if (inj_verbose)
		printf("    %.1f seconds\n", inj_clock() - start);
}

/* ---- the scenes -------------------------------------------------------- */

static bool inj_find_mount(const char *type, char point[200])
{
	char text[INJ_TEXT], mark[40], *p, *line, *save;

	inj_load("/proc/self/mountinfo", text);
	snprintf(mark, sizeof mark, " - %s ", type);
	for (line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		p = strstr(line, mark);
		if (p && sscanf(line, "%*s %*s %*s %*s %199s", point) == 1)
			return true;
	}
	return false;
}

static const char *inj_host_cgroup2(void)
{
	char point[200];

	if (!inj_find_mount("cgroup2", point))
		return "no cgroup v2 is mounted";
	if (strcmp(point, "/sys/fs/cgroup") &&
	    mount(point, "/sys/fs/cgroup", NULL, MS_BIND, NULL) < 0)
		return strerror(errno);
	return NULL;
}

static const char *inj_host_no_cgroup(void)
{
	char point[200];
	int i;

	for (i = 0; i < 100; i++)
		if (!inj_find_mount("cgroup2", point) &&
		    !inj_find_mount("cgroup", point))
			return NULL;
		else if (umount2(point, MNT_DETACH) < 0)
			break;
	return "cannot unmount the cgroups";
}

static const char *inj_host_freezer(void)
{
	char point[200];

	return inj_find_mount("cgroup", point) ||
	       inj_find_mount("cgroup2", point) ? NULL : "no cgroup is mounted";
}

static const char *inj_host_cgroup1(void)
{
	char point[200];

	return inj_find_mount("cgroup", point) ? NULL :
	       "no cgroup v1 is mounted";
}

/* A network namespace at net, to be joined. */
static const char *inj_host_joined(void)
{
	char path[100], from[40], go;
	int pid, pair[2];
	bool ok;

	if (access("/proc/self/ns/time", F_OK) < 0)
		return "the kernel has no time namespaces";
	snprintf(path, sizeof path, "%s/net", inj_top);
	if (!inj_put(path, "", O_CREAT) || pipe(pair) < 0)
		return "cannot make a file";
	pid = fork();
	if (pid == 0) {
		if (unshare(CLONE_NEWNET) < 0 || write(pair[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	snprintf(from, sizeof from, "/proc/%d/ns/net", pid);
	close(pair[1]);
	ok = pid > 0 && read(pair[0], &go, 1) == 1 &&
	     mount(from, path, NULL, MS_BIND, NULL) == 0;
	close(pair[0]);
	if (pid > 0) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	return ok ? NULL : "cannot make a network namespace";
}

static const char *inj_host_userns(void)
{
	int pid = fork(), status = 1;

	if (pid == 0)
		_exit(unshare(CLONE_NEWUSER) < 0);
	if (pid > 0)
		waitpid(pid, &status, 0);
	return status ? "user namespaces cannot be made here" : NULL;
}

static const char *const inj_edit_user[] = {
	"\"namespaces\": [", "\"uidMappings\": [{\"containerID\":0,"
	"\"hostID\":100000,\"size\":65536}], \"gidMappings\": [{"
	"\"containerID\":0,\"hostID\":100000,\"size\":65536}], "
	"\"namespaces\": [{\"type\": \"user\"},", NULL
};

static const char *const inj_edit_joined[] = {
	"\"type\": \"network\"", "\"type\": \"network\", \"path\": \"@/net\"",
	"\"namespaces\": [", "\"timeOffsets\": {\"monotonic\": {\"secs\": "
	"1000}}, \"namespaces\": [{\"type\": \"time\"},", NULL
};

static const char *const inj_edit_networks[] = {
	"\"hostname\":", "\"networks\": [{\"type\": \"veth\", \"name\": "
	"\"eth0\", \"bridge\": \"brinject\", \"bridge_address\": "
	"\"10.77.0.1/24\", \"address\": \"10.77.0.2/24\", \"gateway\": "
	"\"10.77.0.1\", \"hairpin_mode\": true, \"masquerade\": true, "
	"\"publish\": [\"8080:80\"]}], \"dns\": {\"nameservers\": "
	"[\"10.77.0.1\"]}, \"hostname\":",
	"\"/bin/probe\",", "\"/bin/probe\", \"try\", \"read\", "
	"\"/etc/resolv.conf\", \":\",", NULL
};

static const char *const inj_edit_limits[] = {
	"\"terminal\": false", "\"terminal\": true, \"consoleSize\": "
	"{\"height\": 20, \"width\": 70}, \"oomScoreAdj\": 100",
	"\"/bin/probe\",", "\"/bin/probe\", \"try\", \"read\", "
	"\"/sys/fs/cgroup/pids/pids.max\", \":\", \"try\", \"read\", "
	"\"/sys/fs/cgroup/memory/memory.limit_in_bytes\", \":\",",
	"\"resources\": {", "\"sysctl\": {\"net.ipv4.ip_forward\": \"1\"}, "
	"\"resources\": {\"memory\": {\"limit\": 67108864}, \"cpu\": "
	"{\"shares\": 500}, \"pids\": {\"limit\": 60},",
	"\"namespaces\": [", "\"namespaces\": [{\"type\": \"cgroup\"},", NULL
};

static const char *const inj_edit_mounts[] = {
	"\"mounts\": [", "\"mounts\": [{\"destination\": \"/tmp\", \"type\": "
	"\"bind\", \"source\": \"@/shared\", \"options\": [\"rbind\", \"ro\", "
	"\"nosuid\", \"rprivate\"]}, {\"destination\": \"/etc\", \"type\": "
	"\"tmpfs\", \"source\": \"tmpfs\", \"options\": [\"tmpcopyup\", \"ro\""
	"]},", NULL
};

static const char *const inj_edit_idmap[] = {
	"\"mounts\": [", "\"mounts\": [{\"destination\": \"/tmp\", \"type\": "
	"\"bind\", \"source\": \"@/shared\", \"options\": [\"bind\", "
	"\"idmap\"], \"uidMappings\": [{\"containerID\": 0, \"hostID\": 1000, "
	"\"size\": 1000}], \"gidMappings\": [{\"containerID\": 0, \"hostID\": "
	"1000, \"size\": 1000}]},",
	"\"ls\", \"/tmp\"", "\"lstat\", \"/tmp/a\"", NULL
};

static const char *const inj_edit_wait[] = {
	"\"/bin/probe\",", "\"/bin/probe\", \"signal-wait\", \"15\", \":\",",
	NULL
};

#define INJ_HOOK(kind)	"\"" kind "\": [{\"path\": \"@/b/rootfs/bin/probe\", " \
	"\"args\": [\"probe\", \"append\", \"@/own/hooks\", \"" kind "\\n\"]}]"

static const char *const inj_edit_hooks[] = {
	"\"/bin/probe\",", "\"/bin/probe\", \"read\", \"/dev/shm/hook\", "
	"\":\",",
	"\"process\": {", "\"hooks\": {" INJ_HOOK("prestart") ", "
	INJ_HOOK("createRuntime") ", " INJ_HOOK("createContainer") ", "
	INJ_HOOK("poststart") ", " INJ_HOOK("poststop") ", \"startContainer\": "
	"[{\"path\": \"/bin/probe\", \"args\": [\"probe\", \"append\", "
	"\"/dev/shm/hook\", \"startContainer\\n\"]}]}, \"process\": {", NULL
};

static const struct inj_scene inj_scenes[] = {
	{ .name = "default", .every = 1 },
	{ .name = "old kernel", .old = true, .every = 4 },
	{ .name = "cgroup v2 only", .host = inj_host_cgroup2, .every = 4 },
	{ .name = "no cgroup", .host = inj_host_no_cgroup, .every = 8 },
	{ .name = "limits and terminal", .edit = inj_edit_limits,
	  .host = inj_host_cgroup1, .every = 4 },
	{ .name = "bind mounts", .edit = inj_edit_mounts, .every = 4 },
	{ .name = "id-mapped mount", .edit = inj_edit_idmap,
	  .host = inj_host_userns, .needs_new = true, .every = 6 },
	{ .name = "user namespace", .edit = inj_edit_user,
	  .host = inj_host_userns, .every = 6 },
	{ .name = "joined namespace", .edit = inj_edit_joined,
	  .host = inj_host_joined, .every = 4 },
	{ .name = "rootless", .host = inj_host_userns, .uid = 65534,
	  .every = 6 },
	{ .name = "networks", .edit = inj_edit_networks, .every = 4 },
	{ .name = "fd above the limit", .stray = 200 },
	{ .name = "hooks", .hooks = true, .needs_new = true,
	  .edit = inj_edit_hooks, .every = 10 },
	{ .name = "create", .verb = INJ_CREATE, .every = 4 },
	{ .name = "create, old kernel", .verb = INJ_CREATE, .old = true,
	  .every = 12 },
	{ .name = "start", .verb = INJ_START, .before = INJ_CREATED,
	  .every = 2 },
	{ .name = "exec", .verb = INJ_EXEC, .before = INJ_RUNNING,
	  .edit = inj_edit_wait, .every = 3 },
	{ .name = "delete, created", .verb = INJ_DELETE,
	  .before = INJ_CREATED, .every = 2 },
	{ .name = "delete, running", .verb = INJ_DELETE,
	  .before = INJ_RUNNING, .edit = inj_edit_wait, .every = 1 },
	{ .name = "delete, no force", .verb = INJ_REFUSE, .plain = true,
	  .before = INJ_RUNNING, .edit = inj_edit_wait, .every = 1 },
	{ .name = "state", .verb = INJ_STATE, .plain = true,
	  .before = INJ_RUNNING, .edit = inj_edit_wait, .every = 1 },
	{ .name = "list", .verb = INJ_LIST, .plain = true,
	  .before = INJ_RUNNING, .edit = inj_edit_wait, .every = 1 },
	{ .name = "ps", .verb = INJ_PS, .plain = true,
	  .before = INJ_RUNNING, .host = inj_host_freezer,
	  .edit = inj_edit_wait, .every = 1 },
	{ .name = "pause", .verb = INJ_PAUSE, .plain = true,
	  .before = INJ_RUNNING, .host = inj_host_freezer,
	  .edit = inj_edit_wait, .every = 1 },
	{ .name = "resume", .verb = INJ_RESUME, .plain = true,
	  .before = INJ_PAUSED, .host = inj_host_freezer,
	  .edit = inj_edit_wait, .every = 1 },
	{ .name = "update", .verb = INJ_UPDATE, .plain = true,
	  .before = INJ_RUNNING, .host = inj_host_freezer,
	  .edit = inj_edit_wait, .every = 2 },
	{ .name = "events --stats", .verb = INJ_STATS, .plain = true,
	  .before = INJ_RUNNING, .host = inj_host_freezer,
	  .edit = inj_edit_wait, .every = 4 },
	{ .name = "kill", .verb = INJ_KILL, .before = INJ_RUNNING,
	  .edit = inj_edit_wait, .every = 1 },
	{ .name = "kill all", .verb = INJ_KILL_ALL, .plain = true,
	  .before = INJ_RUNNING, .edit = inj_edit_wait, .every = 1 },
	{ .name = "plan", .verb = INJ_PLAN, .every = 1 },
	{ .name = "spec", .verb = INJ_SPEC, .every = 1 },
	{ .name = "protect", .verb = INJ_PROTECT, .needs_new = true,
	  .every = 3 },
};

/* Mounts of others, which go when their points are removed: of other tests, and
 * namespaces that have a name. */
static void inj_forget_mounts(void)
{
	char text[INJ_TEXT], point[200], *line, *save;

	inj_load("/proc/self/mountinfo", text);
	for (line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save))
		if (sscanf(line, "%*s %*s %*s %*s %199s", point) == 1 &&
		    (inj_begins(point, "/tmp/") || strstr(line, " - nsfs ")) &&
		    !inj_begins(inj_probe, point) &&
		    !inj_begins(inj_top, point))
			umount2(point, MNT_DETACH);
}

/* Namespaces and a tmpfs of its own: NULL, or why not. Mounts are shared with
 * nobody outside, but shared, so that one that leaks out would be seen. */
static const char *inj_alone(void)
{
	if (unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC))
		return "namespaces cannot be made here";
	if (mount(NULL, "/", NULL, MS_PRIVATE | MS_REC, NULL) < 0)
		return "mounts cannot be made here";
	inj_forget_mounts();
	if (mount("tmpfs", inj_top, "tmpfs", 0, "mode=755") < 0 ||
	    sethostname("outside", 7) < 0)
		return "mounts cannot be made here";
	return NULL;
}

/* In a process of its own. */
static void inj_play(const struct inj_scene *scene, int argc, char **argv)
{
	struct inj_run *r = &inj_run;
	const char *reason = inj_alone();
	unsigned how[2] = { 0, 0 };
	char path[100];
	sigset_t chld;
	int num = 0;

	if (!reason && scene->host)
		reason = scene->host();
	if (reason) {
		inj_skip(scene->name, reason);
		return;
	}
	r->scene = scene;
	snprintf(r->bundle, sizeof r->bundle, "%s/b", inj_top);
	/* the caller makes its state root, so one it may write is above */
	snprintf(path, sizeof path, "%s/own", inj_top);
	mkdir(path, 0755);
	snprintf(r->state, sizeof r->state, "%s/own/state/deep", inj_top);
	snprintf(r->out, sizeof r->out, "%s/own/out", inj_top);
	snprintf(r->spec, sizeof r->spec, "%s/own/config.json", inj_top);
	snprintf(r->hooks, sizeof r->hooks, "%s/own/hooks", inj_top);
	if (chown(path, scene->uid, scene->uid) < 0)
		return;
	snprintf(path, sizeof path, "%s/shared", inj_top);
	mkdir(path, 0755);
	snprintf(path, sizeof path, "%s/shared/a", inj_top);
	inj_put(path, "a", O_CREAT);
	mount(NULL, "/", NULL, MS_SHARED | MS_REC, NULL);
	if (!inj_bundle(r)) {
		inj_bad++;
		inj_report(scene->name, "its bundle can be made");
		return;
	}
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &chld, NULL);
	inj_load("/proc/self/mountinfo", r->mounts);
	inj_list(r->bundle, r->files);
	if (!inj_baseline(r))
		return;
	if (argc > 1) {		/* one run, told in full */
		for (num = 1; argc > 2 && num < 200 &&
		     strcmp(inj_errno(num), argv[2]); num++)
			;
		inj_age(r);
		inj_try(r, atoi(argv[0]), (unsigned)atoi(argv[1]),
			argc > 2 ? num : 0, how);
		printf("%s (%s, line %d): %s, status %d\n%s\n%s\n%s\n",
		       inj_seen->call, inj_seen->func, inj_seen->line,
		       inj_errno(inj_seen->num), inj_seen->status,
		       inj_seen->text, inj_seen->warn, r->got);
		inj_report(scene->name, "as it should be");
		return;
	}
	if (!scene->old && (!scene->plain || inj_full))
		inj_all_missing(r);
	if (scene->every || inj_full)
		inj_all(r);
}

static void inj_scene_main(const struct inj_scene *scene, int argc, char **argv)
{
	int pid, status = 0;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		inj_play(scene, argc, argv);
		fflush(stdout);
		_exit(0);
	}
	if (pid > 0 && waitpid(pid, &status, 0) < 0) {	/* by a signal */
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
	}
	if (pid < 0 || status) {
		inj_note("it ended with 0x%x", (unsigned)status);
		inj_bad++;
		inj_report(scene->name, "runs to its end");
	}
}

static bool inj_stopped;

static void inj_stop(int sig)
{
	(void)sig;
	inj_stopped = true;
}

/* After an early end: what is left, but for mounts, which went by themselves.
 * Processes may take a moment to be gone. */
static void inj_clean(void)
{
	struct timespec ms = { 0, 10000000 };
	int tries;

	for (tries = 0; tries < 100; tries++) {
		while (inj_sweep())
			;
		*inj_seen->trouble = 0;
		inj_load("/proc/self/mountinfo", inj_run.mounts);
		inj_seek_groups(true);
		if (!*inj_seen->trouble)
			break;
		nanosleep(&ms, NULL);
	}
	rmdir(inj_top);
}

/* Where the probe is: told, or seen from this file, or from here. */
static bool inj_find_probe(void)
{
	const char *told = getenv("PROBE"), *slash = strrchr(__FILE__, '/');
	char path[PATH_MAX];

	if (told)
		return realpath(told, inj_probe) != NULL;
	snprintf(path, sizeof path, "%.*s/../build/probe", slash ?
		 (int)(slash - __FILE__) : 1, slash ? __FILE__ : ".");
	return realpath(path, inj_probe) ||
	       realpath("test/build/probe", inj_probe);
}

int main(int argc, char **argv)
{
	const char *require = getenv("REQUIRE"), *tmp = getenv("TMPDIR");
	struct sigaction stop = { .sa_handler = inj_stop };
	struct nsrun_error e;
	size_t i, n = 0;
	void *shared = mmap(NULL, sizeof *inj_seen + sizeof *inj_total,
			    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			    -1, 0);

	if (shared == MAP_FAILED)
		return 1;
	if (getenv("INJECT_PROTECTED"))	/* by inj_caller(), see there */
		return nsrun_protect(argv, &e) ? 1 : INJ_PROTECTED;
	for (i = 3; i < 1024; i++)	/* of whoever called us */
		close((int)i);
	inj_seen = shared;
	inj_total = (void *)((char *)shared + sizeof *inj_seen);
	inj_full = getenv("FULL") != NULL;
	inj_verbose = getenv("VERBOSE") != NULL;
	inj_argv = argv;
	umask(022);
	snprintf(inj_tag, sizeof inj_tag, "nst%dxinject", getpid());
	snprintf(inj_top, sizeof inj_top, "%.30s/%s", tmp ? tmp : "/tmp",
		 inj_tag);
	if (geteuid() != 0) {
		inj_bad = require && strstr(require, "root");
		if (inj_bad)
			inj_report("fault injection", "needs root");
		else
			inj_skip("fault injection", "needs root");
	} else if (!inj_find_probe() || mkdir(inj_top, 0755) < 0) {
		inj_bad = 1;
		inj_note("no test/build/probe, or no %s", inj_top);
		inj_report("fault injection", "can start");
	} else {
		prctl(PR_SET_CHILD_SUBREAPER, 1);
		sigaction(SIGTERM, &stop, NULL);
		sigaction(SIGINT, &stop, NULL);
		sigaction(SIGHUP, &stop, NULL);
		for (i = 0; i < COUNT(inj_scenes) && !inj_stopped; i++)
			if (argc < 2 || !strcmp(argv[1], inj_scenes[i].name)) {
				inj_scene_main(&inj_scenes[i], argc - 2,
					       argv + 2);
				n++;
			}
		inj_clean();
		if (!n)
			printf("there is no scene %s\n", argv[1]);
	}
	printf("%d passed, %d failed, %d skipped\n", inj_total->passed,
	       inj_total->failed, inj_total->skipped);
	return inj_total->failed != 0 || (argc > 1 && !n);
}
