// SPDX-License-Identifier: MIT
/*
 * floor ROOTFS COMMAND ARGUMENT... - the kernel's own price of a container.
 *
 * The cheapest program that makes the kernel objects of `nsrun run` on the
 * default bundle of `nsrun spec` (with "terminal": false): the namespaces, lo
 * up, every mount with the cgroup mount, the device nodes, the masked and the
 * read-only paths, a cgroup in each hierarchy with the device policy, a session
 * keyring, the capabilities, one exec, one wait, and all cgroups removed again.
 * It reads no config, keeps no state, checks nothing and cannot explain a
 * failure: it tells the line that failed. bench.sh measures runtimes in its
 * multiples; what a runtime takes beyond 1.0 is the runtime's own.
 *
 * ROOTFS must hold the directories proc, dev and sys. Linux 5.12 or newer.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef NET_OPEN		/* netfloor.c has more than lo */
#define NET_OPEN()	((void)0)
#define NET_INSIDE()	lo_up()
#define NET_CLOSE()	((void)0)
#endif

#define DO(call) ((call) < 0 ? fail(__LINE__) : (void)0)
#define MAX_HIERARCHIES 24

enum {
	INTO_CGROUP = 1,	/* CLONE_INTO_CGROUP >> 33 */
	FLAGS = MS_NOSUID | MS_NODEV | MS_NOEXEC,
	SPACES = CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS |
		CLONE_NEWNS,
	KEEP = 1 << 29 | 1 << 5 | 1 << 10,	/* audit_write kill bind */
};

struct birth {
	uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack,
		 stack_size, tls, set_tid, set_tid_size, cgroup;
};

struct attributes {
	uint64_t set, clr, propagation, userns_fd;
};

/* The device policy of cgroup v2: the list below as a program. */
struct insn {
	uint8_t code, regs;
	int16_t off;
	int32_t imm;
};

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define REGS(dst, src) ((src) << 4 | (dst))
#else
#define REGS(dst, src) ((dst) << 4 | (src))
#endif
#define LOAD(dst, off)		{ 0x61, REGS(dst, 1), off, 0 }
#define COPY(dst, src)		{ 0xbc, REGS(dst, src), 0, 0 }
#define AND(dst, imm)		{ 0x54, REGS(dst, 0), 0, imm }
#define SHIFT(dst, imm)		{ 0x74, REGS(dst, 0), 0, imm }
#define IF(reg, imm, skip)	{ 0x15, REGS(reg, 0), skip, imm }
#define UNLESS(reg, imm, skip)	{ 0x55, REGS(reg, 0), skip, imm }
#define RETURN(imm)		{ 0xb7, 0, 0, imm }, { 0x95, 0, 0, 0 }

static const struct insn policy2[] = {
	LOAD(2, 0), COPY(5, 2), AND(5, 0xffff), SHIFT(2, 16),
	LOAD(3, 4), LOAD(4, 8),
	IF(2, 1, 17),			/* mknod alone */
	UNLESS(5, 2, 14),		/* not a character device */
	IF(3, 136, 15),
	UNLESS(3, 1, 5),
	IF(4, 3, 13), IF(4, 5, 12), IF(4, 7, 11), IF(4, 8, 10), IF(4, 9, 9),
	UNLESS(3, 5, 3),
	IF(4, 0, 7), IF(4, 1, 6), IF(4, 2, 5),
	UNLESS(3, 10, 2),
	UNLESS(4, 200, 1),
	IF(5, 2, 2),			/* always, here */
	RETURN(0),
	RETURN(1),
};

static const char *const policy1[] = {
	"c *:* m", "b *:* m", "c 1:3 rwm", "c 1:5 rwm", "c 1:7 rwm",
	"c 1:8 rwm", "c 1:9 rwm", "c 5:0 rwm", "c 5:1 rwm", "c 5:2 rwm",
	"c 10:200 rwm", "c 136:* rwm",
};

static const char *const masked[] = {
	"proc/acpi", "proc/asound", "proc/kcore", "proc/keys",
	"proc/latency_stats", "proc/timer_list", "proc/timer_stats",
	"proc/sched_debug", "sys/firmware", "proc/scsi",
};

static const char *const readonly[] = {
	"proc/bus", "proc/fs", "proc/irq", "proc/sys", "proc/sysrq-trigger",
};

static const struct { const char *name; unsigned major, minor; } nodes[] = {
	{ "dev/null", 1, 3 }, { "dev/zero", 1, 5 }, { "dev/full", 1, 7 },
	{ "dev/random", 1, 8 }, { "dev/urandom", 1, 9 }, { "dev/tty", 5, 0 },
};

static const char *const links[][2] = {
	{ "/proc/self/fd", "dev/fd" }, { "/proc/self/fd/0", "dev/stdin" },
	{ "/proc/self/fd/1", "dev/stdout" },
	{ "/proc/self/fd/2", "dev/stderr" },
	{ "/proc/kcore", "dev/core" }, { "pts/ptmx", "dev/ptmx" },
};

static const char *v1[MAX_HIERARCHIES];	/* directories in /sys/fs/cgroup */
static int v1s;
static const char *v2;			/* "." where it is all, or "unified" */
static char id[16] = "floor.";

#define COUNT(a) (sizeof(a) / sizeof(*(a)))
#define EACH(i, a) for (unsigned i = 0; i < COUNT(a); i++)

static char *number(char *end, unsigned n)
{
	*--end = 0;
	do
		*--end = '0' + n % 10;
	while (n /= 10);
	return end;
}

static void fail(int line)
{
	char buf[12], *text = number(buf + sizeof(buf), line);

	write(2, "floor: failed in line ", 22);
	write(2, text, strlen(text));
	text = number(buf + sizeof(buf), errno);
	write(2, ", errno ", 8);
	write(2, text, strlen(text));
	write(2, "\n", 1);
	_exit(125);
}

/* A name in the group of a hierarchy; the next call uses the buffer again. */
static const char *group(const char *hierarchy, const char *file)
{
	static char buf[300];

	stpcpy(stpcpy(stpcpy(stpcpy(buf, hierarchy), "/"), id), file);
	return buf;
}

static void put(const char *path, const char *text, size_t n)
{
	int fd = open(path, O_WRONLY);

	DO(write(fd, text, n));
	close(fd);
}

static void inherit(const char *file)
{
	char buf[256];
	int fd = open(file, O_RDONLY);
	ssize_t n = read(fd, buf, sizeof(buf));

	close(fd);
	put(group("cpuset", strchr(file, '/')), buf, n);
}

static void find_cgroups(void)
{
	static char buf[4096] __attribute__((aligned(8)));
	int fd, n, pos;

	if (chdir("/sys/fs/cgroup") < 0)
		return;
	if (access("cgroup.procs", F_OK) == 0) {
		v2 = ".";
		return;
	}
	fd = open(".", O_RDONLY | O_DIRECTORY);
	n = syscall(SYS_getdents64, fd, buf, sizeof(buf));
	close(fd);
	for (pos = 0; pos < n; ) {
		struct dirent *d = (void *)(buf + pos);

		pos += d->d_reclen;
		if (d->d_type != DT_DIR || d->d_name[0] == '.')
			continue;
		if (strcmp(d->d_name, "unified") == 0)
			v2 = "unified";
		else if (v1s < MAX_HIERARCHIES)
			v1[v1s++] = d->d_name;
	}
}

static void limit_devices(int dir)
{
	int fd = open(group("devices", "/devices.deny"), O_WRONLY);
	struct { uint32_t type, count; uint64_t insns, license, rest[13]; }
		load = { 15, COUNT(policy2), (uintptr_t)policy2,
			 (uintptr_t)"MIT", { 0 } };

	if (fd >= 0) {
		DO(write(fd, "a", 1));
		close(fd);
		fd = open(group("devices", "/devices.allow"), O_WRONLY);
		EACH(i, policy1)
			DO(write(fd, policy1[i], strlen(policy1[i])));
		close(fd);
	} else if (dir >= 0) {
		DO(fd = syscall(SYS_bpf, 5, &load, sizeof(load)));
		DO(syscall(SYS_bpf, 8, &(uint32_t[4]){ dir, fd, 6, 0 }, 16));
		close(fd);
	}
}

static void mount_cgroups(void)
{
	const char *at = "sys/fs/cgroup";
	struct attributes ro = {
		.set = 1 | 2 | 4 | 8,	/* read-only, nosuid, nodev, noexec */
	};

	if (!v1s && v2) {
		DO(mount("cgroup", at, "cgroup2", FLAGS | MS_RDONLY, 0));
		return;
	}
	DO(mount("cgroup", at, "tmpfs", FLAGS, "mode=755"));
	for (int i = 0; i < v1s; i++) {
		char from[300], to[300];

		stpcpy(stpcpy(from, "/sys/fs/cgroup/"), group(v1[i], ""));
		stpcpy(stpcpy(to, "sys/fs/cgroup/"), v1[i]);
		DO(mkdir(to, 0755));
		DO(mount(from, to, 0, MS_BIND, 0));
	}
	DO(syscall(SYS_mount_setattr, AT_FDCWD, at, 0x8000, &ro, sizeof(ro)));
}

static void mask(void)
{
	const char *empty = 0;

	EACH(i, masked) {
		if (!mount("dev/null", masked[i], 0, MS_BIND, 0))
			continue;
		if (errno != ENOTDIR)
			continue;
		if (empty) {
			DO(mount(empty, masked[i], 0, MS_BIND, 0));
			continue;
		}
		empty = masked[i];
		DO(mount("tmpfs", empty, "tmpfs", MS_RDONLY, "size=0k"));
	}
	EACH(i, readonly)
		if (!mount(readonly[i], readonly[i], 0, MS_BIND | MS_REC, 0))
			DO(mount(0, readonly[i], 0, MS_REMOUNT | MS_BIND |
				 MS_RDONLY | FLAGS, 0));
}

static inline void lo_up(void)
{
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd;

	DO(fd = socket(AF_INET, SOCK_DGRAM, 0));
	DO(ioctl(fd, SIOCSIFFLAGS, &lo));
	close(fd);
}

static void inside(char **argv)
{
	static char *env[] = { "PATH=/usr/local/sbin:/usr/local/bin:"
		"/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm", 0 };
	struct rlimit files = { 1024, 1024 };
	uint32_t head[2] = { 0x20080522, 0 };
	uint32_t caps[6] = { KEEP, KEEP };

	for (int i = 0; i < v1s; i++)
		put(group(v1[i], "/cgroup.procs"), "0", 1);
	if (!v1s && v2)
		DO(unshare(CLONE_NEWCGROUP));
	NET_INSIDE();

	DO(mount(0, "/", 0, MS_REC | MS_PRIVATE, 0));
	DO(mount(argv[1], argv[1], 0, MS_BIND | MS_REC, 0));
	DO(chdir(argv[1]));
	umask(0);
	DO(mount("proc", "proc", "proc", 0, 0));
	DO(mount("tmpfs", "dev", "tmpfs", MS_NOSUID | MS_STRICTATIME,
		 "mode=755,size=65536k"));
	DO(mkdir("dev/pts", 0755));
	DO(mount("devpts", "dev/pts", "devpts", MS_NOSUID | MS_NOEXEC,
		 "newinstance,ptmxmode=0666,mode=0620,gid=5"));
	DO(mkdir("dev/shm", 0755));
	DO(mount("shm", "dev/shm", "tmpfs", FLAGS, "mode=1777,size=65536k"));
	DO(mkdir("dev/mqueue", 0755));
	DO(mount("mqueue", "dev/mqueue", "mqueue", FLAGS, 0));
	DO(mount("sysfs", "sys", "sysfs", FLAGS | MS_RDONLY, 0));
	mount_cgroups();
	EACH(i, nodes)
		DO(mknod(nodes[i].name, S_IFCHR | 0666,
			 makedev(nodes[i].major, nodes[i].minor)));
	EACH(i, links)
		DO(symlink(links[i][0], links[i][1]));
	mask();
	DO(mount(0, ".", 0, MS_REMOUNT | MS_BIND | MS_RDONLY, 0));
	DO(syscall(SYS_pivot_root, ".", "."));
	DO(umount2(".", MNT_DETACH));
	DO(chdir("/"));
	umask(022);

	DO(sethostname("floor", 5));
	DO(setsid());
	syscall(SYS_keyctl, 1, NULL);	/* a session keyring, if there are */
	DO(setrlimit(RLIMIT_NOFILE, &files));
	for (int cap = 0; cap <= 40; cap++)
		if (cap > 31 || !(KEEP & 1u << cap))
			prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
	DO(syscall(SYS_capset, head, caps));
	DO(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	execve(argv[2], argv + 2, env);
	fail(__LINE__);
}

int main(int argc, char **argv)
{
	struct birth clone = { .flags = SPACES, .exit_signal = SIGCHLD };
	int dir = -1, pid, status;

	if (argc < 3 || argv[1][0] != '/') {
		write(2, "usage: floor /ROOTFS COMMAND ARGUMENT...\n", 41);
		return 125;
	}
	memcpy(id + 6, number((char[10]){ 0 } + 10, getpid()), 9);
	find_cgroups();
	for (int i = 0; i < v1s; i++)
		DO(mkdir(group(v1[i], ""), 0755));
	if (v2) {
		DO(mkdir(group(v2, ""), 0755));
		DO(dir = open(group(v2, ""), O_RDONLY | O_DIRECTORY));
		clone.flags |= (uint64_t)INTO_CGROUP << 33;
		clone.cgroup = dir;
	}
	if (v1s && !access("cpuset", F_OK)) {
		inherit("cpuset/cpuset.cpus");
		inherit("cpuset/cpuset.mems");
	}
	limit_devices(dir);
	NET_OPEN();
	DO(pid = syscall(SYS_clone3, &clone, sizeof(clone)));
	if (pid == 0) {
		close(dir);
		inside(argv);
	}
	DO(waitpid(pid, &status, 0));
	NET_CLOSE();
	for (int i = 0; i < v1s; i++)
		DO(rmdir(group(v1[i], "")));
	if (v2)
		DO(rmdir(group(v2, "")));
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
