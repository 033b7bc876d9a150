/* SPDX-License-Identifier: MIT */
/*
 * probe: the only program in a test root.
 *
 * Without arguments it prints all that it can see of itself, one "key value"
 * line for each fact. With arguments it does what it is told; a lone ":"
 * separates commands:
 *
 *	probe show uid caps : open /etc/passwd w : exit 3
 *
 * A command that fails prints "error COMMAND ARG: cause" on stdout and ends
 * the program with 1; "try COMMAND ..." prints the same and goes on. When all
 * commands are done the status is 0. "exec" and "reap" take all that follows
 * them. As "true", "false" and "sleep" it is those. It asks the kernel by
 * system calls where it can, because /proc may not be mounted: what needs it
 * is left out.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

extern char **environ;

static char	**all_args;	/* argv as it came, for "show argv" */

struct word {
	const char	*name;
	long		value;
};

/* The value of a name in a table, or of a number; -1 when it is neither. */
static long word_find(const struct word *w, size_t n, const char *s)
{
	char *end;
	long v;

	for (size_t i = 0; i < n; i++)
		if (!strcmp(w[i].name, s))
			return w[i].value;
	v = strtol(s, &end, 0);
	return *s && !*end ? v : -1;
}

/* ---- what it sees ------------------------------------------------------ */

static char	**wanted;	/* keys to show; all when empty */
static FILE	*sink;		/* where to; stdout when NULL */

/* printf by parts: a line is shown when it is whole and its key is wanted. */
__attribute__((format(printf, 1, 2)))
static void say(const char *fmt, ...)
{
	static char text[65536];
	static size_t n;
	char *end;
	va_list ap;

	va_start(ap, fmt);
	n += vsnprintf(text + n, sizeof(text) - n, fmt, ap);
	va_end(ap);
	if (n >= sizeof(text))
		n = sizeof(text) - 1;
	while ((end = memchr(text, '\n', n))) {
		size_t len = end + 1 - text, key = strcspn(text, " \n");
		bool show = !*wanted;

		for (char **w = wanted; *w; w++)
			show |= strlen(*w) == key && !strncmp(text, *w, key);
		if (show)
			fwrite(text, 1, len, sink ? sink : stdout);
		memmove(text, text + len, n -= len);
	}
}

/* Each line of a small file of /proc behind its key, blanks made single. */
static void see_file(const char *key, const char *path)
{
	char line[8192];
	FILE *f = fopen(path, "re");

	if (!f)
		return;
	while (fgets(line, sizeof(line), f)) {
		char *save, *s = strtok_r(line, " \t\n", &save);

		say("%s", key);
		for (; s; s = strtok_r(NULL, " \t\n", &save))
			say(" %s", s);
		say("\n");
	}
	fclose(f);
}

static void see_ids(void)
{
	uid_t r, e, s;
	gid_t gr, ge, gs, groups[1024];
	int n;

	say("pid %d\nppid %d\npgid %d\nsid %d\n", getpid(), getppid(),
	    getpgrp(), getsid(0));
	getresuid(&r, &e, &s);
	say("uid %u %u %u\n", r, e, s);
	getresgid(&gr, &ge, &gs);
	say("gid %u %u %u\n", gr, ge, gs);
	n = getgroups(COUNT(groups), groups);
	say("groups");
	for (int i = 0; i < n; i++)
		say(" %u", groups[i]);
	say("\n");
}

static void see_place(void)
{
	char cwd[4096];
	struct utsname u;
	mode_t m = umask(0);

	umask(m);
	say("umask %04o\n", m);
	say("cwd %s\n", getcwd(cwd, sizeof(cwd)) ? cwd : strerror(errno));
	if (!uname(&u))
		say("hostname %s\ndomainname %s\nmachine %s\nrelease %s\n",
		    u.nodename, u.domainname, u.machine, u.release);
}

/* The five capability sets and what goes with them. */
static void see_caps(void)
{
	struct { uint32_t version; int pid; } head = { 0x20080522, 0 };
	struct { uint32_t eff, prm, inh; } c[2] = { { 0 } };
	uint64_t bnd = 0, amb = 0;

	syscall(SYS_capget, &head, c);
	for (int i = 0; i < 64; i++) {
		if (prctl(PR_CAPBSET_READ, i, 0, 0, 0) == 1)
			bnd |= 1ull << i;
		if (prctl(47, 1, i, 0, 0) == 1)	/* PR_CAP_AMBIENT_IS_SET */
			amb |= 1ull << i;
	}
	say("cap bounding %016llx\n", (unsigned long long)bnd);
	say("cap effective %08x%08x\n", c[1].eff, c[0].eff);
	say("cap permitted %08x%08x\n", c[1].prm, c[0].prm);
	say("cap inheritable %08x%08x\n", c[1].inh, c[0].inh);
	say("cap ambient %016llx\n", (unsigned long long)amb);
	say("nnp %d\n", prctl(39, 0, 0, 0, 0));
	say("securebits %d\n", prctl(PR_GET_SECUREBITS));
	say("dumpable %d\n", prctl(PR_GET_DUMPABLE));
	say("seccomp %d\n", prctl(PR_GET_SECCOMP));
}

static void see_rlimits(void)
{
	static const char *const names[] = {
		[RLIMIT_CPU] = "CPU", [RLIMIT_FSIZE] = "FSIZE",
		[RLIMIT_DATA] = "DATA", [RLIMIT_STACK] = "STACK",
		[RLIMIT_CORE] = "CORE", [RLIMIT_RSS] = "RSS",
		[RLIMIT_NPROC] = "NPROC", [RLIMIT_NOFILE] = "NOFILE",
		[RLIMIT_MEMLOCK] = "MEMLOCK", [RLIMIT_AS] = "AS",
		[RLIMIT_LOCKS] = "LOCKS", [RLIMIT_SIGPENDING] = "SIGPENDING",
		[RLIMIT_MSGQUEUE] = "MSGQUEUE", [RLIMIT_NICE] = "NICE",
		[RLIMIT_RTPRIO] = "RTPRIO", [RLIMIT_RTTIME] = "RTTIME",
	};
	uint64_t l[2];

	for (size_t i = 0; i < COUNT(names); i++) {
		if (syscall(SYS_prlimit64, 0, i, NULL, l))
			continue;
		say("rlimit %s", names[i]);
		for (int j = 0; j < 2; j++)
			if (l[j] == UINT64_MAX)
				say(" unlimited");
			else
				say(" %llu", (unsigned long long)l[j]);
		say("\n");
	}
}

static void see_sched(void)
{
	struct {
		uint32_t size, policy;
		uint64_t flags;
		int32_t nice;
		uint32_t priority;
		uint64_t runtime, deadline, period;
	} a = { .size = sizeof(a) };
	unsigned char cpus[1024] = { 0 };
	unsigned long nodes[16] = { 0 };
	long n;
	int mode;

	if (!syscall(SYS_sched_getattr, 0, &a, sizeof(a), 0))
		say("sched policy=%u flags=%llu nice=%d priority=%u "
		    "runtime=%llu deadline=%llu period=%llu\n", a.policy,
		    (unsigned long long)a.flags, a.nice, a.priority,
		    (unsigned long long)a.runtime,
		    (unsigned long long)a.deadline,
		    (unsigned long long)a.period);
	errno = 0;
	n = getpriority(PRIO_PROCESS, 0);
	say("nice %ld\n", n);
	n = syscall(SYS_ioprio_get, 1, 0);
	if (n >= 0)
		say("ioprio %ld %ld\n", n >> 13, n & 0x1fff);
	n = syscall(SYS_sched_getaffinity, 0, sizeof(cpus), cpus);
	say("cpus");
	for (long i = 0; i < n * 8; i++)	/* longs, in either byte order */
		if (((unsigned long *)cpus)[i / (8 * sizeof(long))] >>
		    i % (8 * sizeof(long)) & 1)
			say(" %ld", i);
	say("\n");
	if (!syscall(SYS_get_mempolicy, &mode, nodes, sizeof(nodes) * 8, 0, 0))
		say("mempolicy %d %lx\n", mode, nodes[0]);
	see_file("oom_score_adj", "/proc/self/oom_score_adj");
	say("personality %x\n", personality(0xffffffff));
}

static void see_keyring(void)
{
	char text[256];
	long id = syscall(SYS_keyctl, 0, -3, 0, 0, 0);	/* GET_KEYRING_ID */

	if (id < 0) {
		say("keyring none %s\n", strerror(errno));
		return;
	}
	if (syscall(SYS_keyctl, 6, id, text, sizeof(text), 0) < 0)
		snprintf(text, sizeof(text), "%s", strerror(errno));
	say("keyring %ld %s\n", id, text);
}

static void see_fds(void)
{
	char path[64], to[4096];

	for (int fd = 0; fd < 4096; fd++) {
		ssize_t n;

		if (fcntl(fd, F_GETFD) < 0 || (sink && fd == fileno(sink)))
			continue;
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		n = readlink(path, to, sizeof(to) - 1);
		to[n > 0 ? n : 0] = '\0';
		say("fd %d %s\n", fd, to);
	}
}

static void see_tty(void)
{
	struct winsize w;
	int fd;

	for (fd = 0; fd < 3; fd++)
		if (!ioctl(fd, TIOCGWINSZ, &w))
			say("tty %d %dx%d\n", fd, w.ws_row, w.ws_col);
	fd = open("/dev/tty", O_RDWR | O_CLOEXEC);
	say("ctty %s\n", fd < 0 ? strerror(errno) : "yes");
	if (fd >= 0) {
		say("foreground %d\n", tcgetpgrp(fd) == getpgrp());
		close(fd);
	}
}

static void see_signals(void)
{
	struct sigaction sa;
	sigset_t set;
	int n;

	say("ignored");
	for (n = 1; n <= 64; n++)
		if (!sigaction(n, NULL, &sa) && sa.sa_handler == SIG_IGN)
			say(" %d", n);
	say("\nblocked");
	sigprocmask(SIG_BLOCK, NULL, &set);
	for (n = 1; n <= 64; n++)
		if (sigismember(&set, n) == 1)
			say(" %d", n);
	say("\n");
	if (!prctl(PR_GET_PDEATHSIG, &n))
		say("pdeathsig %d\n", n);
	see_file("status", "/proc/self/status");
}

static void see_ns(void)
{
	static const char *const names[] = { "cgroup", "ipc", "mnt", "net",
					     "pid", "time", "user", "uts" };
	char path[64], to[64];

	for (size_t i = 0; i < COUNT(names); i++) {
		ssize_t n;

		snprintf(path, sizeof(path), "/proc/self/ns/%s", names[i]);
		n = readlink(path, to, sizeof(to) - 1);
		if (n < 0)
			continue;
		to[n] = '\0';
		to[strcspn(to, "]")] = '\0';
		say("ns %s %s\n", names[i], to + strcspn(to, "[") + 1);
	}
	see_file("uid_map", "/proc/self/uid_map");
	see_file("gid_map", "/proc/self/gid_map");
	see_file("setgroups", "/proc/self/setgroups");
}

static void see_mounts(void)
{
	see_file("mount", "/proc/self/mountinfo");
	see_file("cgroup", "/proc/self/cgroup");
}

static void see_links(void)
{
	struct if_nameindex *all = if_nameindex();
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	for (struct if_nameindex *l = all; l && l->if_name; l++) {
		struct ifreq r = { 0 };

		snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", l->if_name);
		say("link %s %s\n", l->if_name,
		    ioctl(fd, SIOCGIFFLAGS, &r) ? strerror(errno) :
		    r.ifr_flags & IFF_UP ? "up" : "down");
	}
	if (all)
		if_freenameindex(all);
	if (fd >= 0)
		close(fd);
}

static void see_clocks(void)
{
	struct timespec t;

	if (!clock_gettime(CLOCK_MONOTONIC, &t))
		say("monotonic %lld\n", (long long)t.tv_sec);
	if (!clock_gettime(CLOCK_BOOTTIME, &t))
		say("boottime %lld\n", (long long)t.tv_sec);
}

static void see_words(void)
{
	for (int i = 0; all_args[i]; i++)
		say("argv %d %s\n", i, all_args[i]);
	for (char **e = environ; *e; e++)
		say("env %s\n", *e);
}

/* The keys that each function prints, so that "show" calls only what it must:
 * the others may fail or be forbidden where they are not the point. */
static const struct {
	const char	*keys;
	void		(*see)(void);
} sights[] = {
	{ " pid ppid pgid sid uid gid groups ",			see_ids },
	{ " umask cwd hostname domainname machine release ",	see_place },
	{ " cap nnp securebits dumpable seccomp ",		see_caps },
	{ " rlimit ",						see_rlimits },
	{ " sched nice ioprio cpus mempolicy oom_score_adj personality ",
								see_sched },
	{ " keyring ",						see_keyring },
	{ " fd ",						see_fds },
	{ " tty ctty foreground ",				see_tty },
	{ " ignored blocked pdeathsig status ",			see_signals },
	{ " ns uid_map gid_map setgroups ",			see_ns },
	{ " mount cgroup ",					see_mounts },
	{ " link ",						see_links },
	{ " monotonic boottime ",				see_clocks },
	{ " argv env ",						see_words },
};

static int do_show(char **a)
{
	wanted = a;
	for (size_t i = 0; i < COUNT(sights); i++) {
		bool call = !*a;

		for (char **w = a; *w; w++) {
			const char *s = strstr(sights[i].keys, *w);

			call |= s && s[-1] == ' ' && s[strlen(*w)] == ' ';
		}
		if (call)
			sights[i].see();
	}
	return sink ? fflush(sink) : 0;
}

/* into FILE: what "show" shows goes there, when stdout is not to be touched.
 * The file stands far from the descriptors that are looked at. */
static int do_into(char **a)
{
	int fd = open(a[0], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	int far = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 1000);

	if (far < 0)
		return -1;
	close(fd);
	sink = fdopen(far, "a");
	return sink ? 0 : -1;
}

/* ---- what it does ------------------------------------------------------ */

/* Each returns 0, or -1 with errno. a[0] is the first argument; the table at
 * the end knows how many there are at least. */

static int do_exit(char **a)
{
	fflush(stdout);
	_exit(atoi(a[0]));
}

static int do_kill(char **a)
{
	fflush(stdout);
	return kill(a[1] ? atoi(a[1]) : getpid(), atoi(a[0]));
}

/* A death by a signal that pid 1 of a pid namespace cannot send to itself:
 * the kernel forces the signal for a fault. */
static int do_fault(char **a)
{
	volatile int *volatile nowhere = NULL;

	(void)a;
	fflush(stdout);
	signal(SIGSEGV, SIG_DFL);
	*nowhere = 1;
	return 0;
}

/* Joins the session keyring of the name, which is open to all from then on. */
static int do_keyring(char **a)
{
	long id = syscall(SYS_keyctl, 1, a[0], 0, 0, 0);

	return id < 0 ? -1 : (int)syscall(SYS_keyctl, 5, id, 0x3f3f3f3f, 0, 0);
}

static int do_echo(char **a)
{
	for (; *a; a++)
		printf("%s%s", *a, a[1] ? " " : "");
	printf("\n");
	return 0;
}

static int put(const char *path, const char *text, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0644);
	ssize_t n;

	if (fd < 0)
		return -1;
	n = write(fd, text, strlen(text));
	if (close(fd) || n < 0)
		return -1;
	return 0;
}

static int do_write(char **a)
{
	return put(a[0], a[1], O_WRONLY | O_CREAT | O_TRUNC);
}

static int do_append(char **a)
{
	return put(a[0], a[1], O_WRONLY | O_CREAT | O_APPEND);
}

static int copy_out(int fd)
{
	char buf[65536];
	ssize_t n;

	fflush(stdout);
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		for (ssize_t done = 0, w; done < n; done += w)
			if ((w = write(1, buf + done, n - done)) < 0)
				return -1;
	return n;
}

static int do_read(char **a)
{
	int fd = open(a[0], O_RDONLY | O_CLOEXEC), r;

	if (fd < 0)
		return -1;
	r = copy_out(fd);
	close(fd);
	return r;
}

static int do_cat(char **a)
{
	(void)a;
	return copy_out(0);
}

/* save FILE: stdin goes there. */
static int do_save(char **a)
{
	int fd = open(a[0], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	char buf[65536];
	ssize_t n = -1;

	while (fd >= 0 && (n = read(0, buf, sizeof(buf))) > 0)
		if (write(fd, buf, n) != n)
			return -1;
	return fd < 0 || close(fd) || n < 0 ? -1 : 0;
}

static int do_fd(char **a)
{
	int fd = atoi(a[0]);

	if (!a[1])
		return copy_out(fd);
	return write(fd, a[1], strlen(a[1])) < 0 ? -1 : 0;
}

static int do_seq(char **a)
{
	for (long i = 1; i <= atol(a[0]); i++)
		printf("%ld\n", i);
	return 0;
}

static int do_fill(char **a)
{
	static char buf[65536];
	int fd = open(a[0], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);

	if (fd < 0)
		return -1;
	for (long long n = atoll(a[1]); n > 0; ) {
		ssize_t w = write(fd, buf, n < 65536 ? n : 65536);

		if (w < 0) {
			close(fd);
			return -1;
		}
		n -= w;
	}
	return close(fd);
}

/* copy FROM TO: opened and copied again and again, until that fails. */
static int do_copy(char **a)
{
	static char buf[65536];
	int from, to;

	do {
		from = open(a[0], O_RDONLY | O_CLOEXEC);
		to = open(a[1], O_WRONLY | O_CLOEXEC);
	} while (from >= 0 && to >= 0 &&
		 write(to, buf, read(from, buf, sizeof(buf))) > 0 &&
		 !close(from) && !close(to));
	return -1;
}

static int stat_with(const char *path, int (*f)(const char *, struct stat *))
{
	const char *type;
	struct statfs fs;
	struct stat st;

	if (f(path, &st))
		return -1;
	type = S_ISREG(st.st_mode) ? "file" : S_ISDIR(st.st_mode) ? "dir" :
	       S_ISLNK(st.st_mode) ? "link" : S_ISCHR(st.st_mode) ? "char" :
	       S_ISBLK(st.st_mode) ? "block" : S_ISFIFO(st.st_mode) ? "fifo" :
	       "socket";
	printf("stat %s type=%s mode=%04o uid=%u gid=%u rdev=%u:%u size=%lld "
	       "dev=%llx ino=%llu nlink=%lu", path, type, st.st_mode & 07777,
	       st.st_uid, st.st_gid, major(st.st_rdev), minor(st.st_rdev),
	       (long long)st.st_size, (unsigned long long)st.st_dev,
	       (unsigned long long)st.st_ino, (unsigned long)st.st_nlink);
	if (!statfs(path, &fs))
		printf(" fs=%lx", (unsigned long)fs.f_type & 0xffffffff);
	printf("\n");
	return 0;
}

static int do_stat(char **a)
{
	return stat_with(a[0], stat);
}

static int do_lstat(char **a)
{
	return stat_with(a[0], lstat);
}

static int do_statfs(char **a)
{
	struct statfs fs;

	if (statfs(a[0], &fs))
		return -1;
	printf("statfs %s fs=%lx flags=%lx bsize=%lu blocks=%llu files=%llu\n",
	       a[0], (unsigned long)fs.f_type & 0xffffffff,
	       (unsigned long)fs.f_flags, (unsigned long)fs.f_bsize,
	       (unsigned long long)fs.f_blocks,
	       (unsigned long long)fs.f_files);
	return 0;
}

static int do_ls(char **a)
{
	struct dirent **list;
	int n = scandir(a[0], &list, NULL, alphasort);

	for (int i = 0; i < n; i++)
		if (strcmp(list[i]->d_name, ".") &&
		    strcmp(list[i]->d_name, ".."))
			printf("%s\n", list[i]->d_name);
	return n < 0 ? -1 : 0;
}

static int do_readlink(char **a)
{
	char to[4096];
	ssize_t n = readlink(a[0], to, sizeof(to) - 1);

	if (n < 0)
		return -1;
	printf("%.*s\n", (int)n, to);
	return 0;
}

static int do_mkdir(char **a)
{
	return mkdir(a[0], 0755);
}

static int do_rm(char **a)
{
	return remove(a[0]);
}

static int do_symlink(char **a)
{
	return symlink(a[0], a[1]);
}

static int do_chmod(char **a)
{
	return chmod(a[1], strtol(a[0], NULL, 8));
}

static int do_chown(char **a)
{
	return chown(a[2], atoi(a[0]), atoi(a[1]));
}

static int do_mknod(char **a)
{
	mode_t type = *a[1] == 'b' ? S_IFBLK : *a[1] == 'c' ? S_IFCHR : S_IFIFO;

	if (type != S_IFIFO && (!a[2] || !a[3])) {
		errno = EINVAL;
		return -1;
	}
	return mknod(a[0], type | 0666, type == S_IFIFO ? 0 :
		     makedev(atoi(a[2]), atoi(a[3])));
}

static int do_open(char **a)
{
	int mode = !a[1] || !strcmp(a[1], "r") ? O_RDONLY :
		   !strcmp(a[1], "w") ? O_WRONLY : O_RDWR;
	int fd = open(a[0], mode | O_CLOEXEC | O_NONBLOCK);

	return fd < 0 ? -1 : close(fd);
}

/* programs DIR: how many eBPF programs ask for devices at a cgroup of v2. */
static int do_programs(char **a)
{
	uint32_t ids[64];
	struct {			/* of union bpf_attr */
		uint32_t target, type, query, flags;
		uint64_t ids;
		uint32_t count;
	} q = { .type = 6, .ids = (uintptr_t)ids, .count = COUNT(ids) };
	int fd = open(a[0], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	long r;

	if (fd < 0)
		return -1;
	q.target = fd;
	r = syscall(SYS_bpf, 16, &q, sizeof(q));
	close(fd);
	if (!r)
		printf("programs %u\n", q.count);
	return r;
}

/* mount SOURCE TARGET TYPE [FLAG,FLAG...|-] [DATA] */
static int do_mount(char **a)
{
	static const struct word flags[] = {
		{ "ro", MS_RDONLY }, { "nosuid", MS_NOSUID },
		{ "nodev", MS_NODEV }, { "noexec", MS_NOEXEC },
		{ "remount", MS_REMOUNT }, { "bind", MS_BIND },
		{ "rbind", MS_BIND | MS_REC }, { "rec", MS_REC },
		{ "move", MS_MOVE }, { "private", MS_PRIVATE },
		{ "slave", MS_SLAVE }, { "shared", MS_SHARED },
		{ "unbindable", MS_UNBINDABLE },
	};
	unsigned long f = 0;

	if (a[3] && strcmp(a[3], "-"))
		for (char *s = strtok(a[3], ","); s; s = strtok(NULL, ",")) {
			long v = word_find(flags, COUNT(flags), s);

			if (v < 0) {
				errno = EINVAL;
				return -1;
			}
			f |= v;
		}
	return mount(a[0], a[1], a[2], f, a[3] ? a[4] : NULL);
}

static int do_umount(char **a)
{
	return umount2(a[0], a[1] ? MNT_DETACH : 0);
}

static int do_chroot(char **a)
{
	return chroot(a[0]);
}

static int do_chdir(char **a)
{
	return chdir(a[0]);
}

static int do_sleep(char **a)
{
	double s = atof(a[0]);
	struct timespec t = { s, (s - (time_t)s) * 1e9 };

	fflush(stdout);
	while (nanosleep(&t, &t) && errno == EINTR)
		;
	return 0;
}

static int do_spin(char **a)
{
	clock_t end = atof(a[0]) * CLOCKS_PER_SEC;

	fflush(stdout);
	while (clock() < end)
		;
	return 0;
}

/* Memory that is really there: each page is touched, and none is freed. */
static int do_alloc(char **a)
{
	size_t n = atol(a[0]) << 20;
	volatile char *p = malloc(n);

	fflush(stdout);
	if (!p)
		return -1;
	for (size_t i = 0; i < n; i += 1024)
		p[i] = 1;
	printf("allocated %s\n", a[0]);
	return 0;
}

/* Children that stay until they are killed. */
static int do_fork(char **a)
{
	int n;

	fflush(stdout);
	for (n = 0; n < atoi(a[0]); n++) {
		pid_t pid = fork();

		if (pid < 0) {
			int err = errno;

			printf("forked %d\n", n);
			errno = err;
			return -1;
		}
		if (!pid)
			for (;;)
				pause();
	}
	printf("forked %d\n", n);
	return 0;
}

static long long clock_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* As many processes as can be, for so many seconds: each but the first is soon
 * replaced by its child, so that none of them has the same pid for long. They
 * nap for as long as a thousand forks take, to leave others some time. */
static int do_bomb(char **a)
{
	long long begin = clock_ns(), end = begin + atoll(a[0]) * 1000000000;
	struct timespec nap = { 0, 0 };
	bool first = true;
	pid_t pid;

	printf("bomb\n");
	fflush(stdout);
	signal(SIGCHLD, SIG_IGN);
	while (clock_ns() < end) {
		pid = fork();
		if (!nap.tv_sec && !nap.tv_nsec) {
			nap.tv_sec = (clock_ns() - begin) / 1000000;
			nap.tv_nsec = (clock_ns() - begin) % 1000000 * 1000;
		}
		if (!pid)
			first = false;
		else if (pid > 0 && !first)
			_exit(0);
		if (pid < 0 || !first)
			nanosleep(&nap, NULL);
	}
	if (!first)
		_exit(0);
	return 0;
}

static const struct word families[] = {
	{ "unix", AF_UNIX }, { "inet", AF_INET }, { "inet6", AF_INET6 },
	{ "netlink", AF_NETLINK }, { "packet", AF_PACKET },
};

/* socket FAMILY [stream|dgram|raw] */
static int do_socket(char **a)
{
	static const struct word types[] = {
		{ "stream", SOCK_STREAM }, { "dgram", SOCK_DGRAM },
		{ "raw", SOCK_RAW },
	};
	int fd = socket(word_find(families, COUNT(families), a[0]),
			a[1] ? word_find(types, COUNT(types), a[1]) :
			SOCK_DGRAM, a[1] && *a[1] == 'r' ? IPPROTO_ICMP : 0);

	return fd < 0 ? -1 : close(fd);
}

static int address(char **a, int type, struct sockaddr_storage *to,
		   socklen_t *len)
{
	const struct timeval patience = { 5, 0 };
	int fd;

	struct sockaddr_in *v4 = (void *)to;
	struct sockaddr_in6 *v6 = (void *)to;

	memset(to, 0, sizeof(*to));
	if (inet_pton(AF_INET, a[0], &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(atoi(a[1]));
		*len = sizeof(*v4);
	} else if (inet_pton(AF_INET6, a[0], &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(atoi(a[1]));
		*len = sizeof(*v6);
	} else {
		errno = EINVAL;
		return -1;
	}
	fd = socket(to->ss_family, type | SOCK_CLOEXEC, 0);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	return fd;
}

/* connect ADDRESS PORT: prints what the other side sends. */
static int do_connect(char **a)
{
	struct sockaddr_storage to;
	socklen_t len;
	int fd = address(a, SOCK_STREAM, &to, &len), r;

	if (fd < 0)
		return -1;
	r = connect(fd, (void *)&to, len);
	if (!r)
		r = copy_out(fd);
	close(fd);
	return r;
}

/* listen ADDRESS PORT TEXT: sends TEXT to the first that connects. */
static int do_listen(char **a)
{
	struct sockaddr_storage to;
	socklen_t len;
	int fd = address(a, SOCK_STREAM, &to, &len), one = 1, c;

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (void *)&to, len) || listen(fd, 1))
		return -1;
	printf("listening\n");
	fflush(stdout);
	c = accept(fd, NULL, NULL);
	if (c < 0 || write(c, a[2], strlen(a[2])) < 0)
		return -1;
	close(c);
	return close(fd);
}

/* ask ADDRESS PORT [TIMES [FROM]]: sends a datagram, from a port, and prints the
 * answer; again if there is none within a second. */
static int do_ask(char **a)
{
	struct sockaddr_storage to;
	const struct timeval patience = { 1, 0 };
	socklen_t len;
	int fd = address(a, SOCK_DGRAM, &to, &len), i;
	char text[256];
	ssize_t n = -1;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (a[2] && a[3]) {
		struct sockaddr_storage own = { .ss_family = to.ss_family };

		/* at the same place for both families */
		((struct sockaddr_in *)&own)->sin_port = htons(atoi(a[3]));
		if (bind(fd, (void *)&own, len))
			return -1;
	}
	if (fd < 0 || connect(fd, (void *)&to, len))
		return -1;
	for (i = a[2] ? atoi(a[2]) : 3; n < 0 && i; i--) {
		if (send(fd, "?", 1, 0) < 0)
			break;
		n = recv(fd, text, sizeof(text), 0);
	}
	close(fd);
	if (n > 0)
		fwrite(text, 1, n, stdout);
	return n < 0 ? -1 : 0;
}

/* flood ADDRESS PORT COUNT: a datagram from each of so many ports of ours */
static int do_flood(char **a)
{
	struct sockaddr_storage to;
	socklen_t len;
	int fd = address(a, SOCK_DGRAM, &to, &len), i, count = atoi(a[2]);

	for (i = 0; fd >= 0 && i < count; i++) {
		struct sockaddr_storage own = { .ss_family = to.ss_family };

		/* at the same place for both families */
		((struct sockaddr_in *)&own)->sin_port = htons(10000 + i);
		if (bind(fd, (void *)&own, len) ||
		    sendto(fd, "?", 1, 0, (void *)&to, len) < 0)
			return -1;
		close(fd);
		fd = address(a, SOCK_DGRAM, &to, &len);
	}
	close(fd);
	return fd < 0 ? -1 : 0;
}

/* serve PORT TEXT: answers everyone who comes, over TCP or UDP, IPv4 or IPv6,
 * with TEXT and the address that they come from. */
/* Two names of a directory change places until there is a file "stop". */
static int do_exchange(char **a)
{
	if (chdir(a[0]))
		return -1;
	while (access("stop", F_OK))
		syscall(SYS_renameat2, AT_FDCWD, a[1], AT_FDCWD, a[2],
			2 /* RENAME_EXCHANGE */);
	return 0;
}

static int do_serve(char **a)
{
	struct sockaddr_in6 self = { .sin6_family = AF_INET6,
				     .sin6_port = htons(atoi(a[0])) };
	struct pollfd p[2];

	for (int i = 0; i < 2; i++) {
		int off = 0, on = 1, fd = socket(AF_INET6, SOCK_CLOEXEC |
			(i ? SOCK_DGRAM : SOCK_STREAM), 0);

		p[i] = (struct pollfd){ fd, POLLIN, 0 };
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
		if (bind(fd, (void *)&self, sizeof(self)) ||
		    (!i && listen(fd, 100)))
			return -1;
	}
	printf("serving\n");
	fflush(stdout);
	while (poll(p, 2, -1) > 0) {
		for (int i = 0; i < 2; i++) {
			struct sockaddr_in6 from;
			socklen_t len = sizeof(from);
			char text[256], who[INET6_ADDRSTRLEN], *s = who;
			int fd = p[i].fd;

			if (!p[i].revents)
				continue;
			if (i)
				recvfrom(fd, text, sizeof(text), 0,
					 (void *)&from, &len);
			else if ((fd = accept(fd, (void *)&from, &len)) < 0)
				continue;
			inet_ntop(AF_INET6, &from.sin6_addr, who, sizeof(who));
			if (IN6_IS_ADDR_V4MAPPED(&from.sin6_addr))
				s = strrchr(who, ':') + 1;
			snprintf(text, sizeof(text), "%s from %s\n", a[1], s);
			sendto(fd, text, strlen(text), MSG_NOSIGNAL,
			       i ? (void *)&from : NULL, i ? len : 0);
			if (!i)
				close(fd);
		}
	}
	return -1;
}

/* lack FAMILY PROTOCOL: from now on the kernel seems to have no such sockets;
 * for what is executed next too. */
static int do_lack(char **a)
{
	/* of the second halves of numbers where the first are zero */
	const unsigned low = htons(1) == 1 ? 4 : 0;
	struct step {
		uint16_t	code;
		uint8_t		yes, no;
		uint32_t	k;
	} steps[] = {
		{ 0x20, 0, 0, 0 },		/* load the call's number */
		{ 0x15, 0, 5, SYS_socket },
		{ 0x20, 0, 0, 16 + low },
		{ 0x15, 0, 3, word_find(families, COUNT(families), a[0]) },
		{ 0x20, 0, 0, 32 + low },
		{ 0x15, 0, 1, atoi(a[1]) },
		{ 0x06, 0, 0, 0x00050000 | EPROTONOSUPPORT },
		{ 0x06, 0, 0, 0x7fff0000 },
	};
	struct { unsigned short n; struct step *v; } program = {
		COUNT(steps), steps };

	return prctl(PR_SET_SECCOMP, 2, &program, 0, 0);
}

/* lock FILE: flock(2), held from now on */
static int do_lock(char **a)
{
	int fd = open(a[0], O_RDONLY);

	return fd < 0 ? fd : flock(fd, LOCK_EX);
}

/* unix PATH: connects; a leading @ is an abstract name. */
static int do_unix(char **a)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), r;

	if (fd < 0)
		return -1;
	snprintf(un.sun_path, sizeof(un.sun_path), "%s", a[0]);
	if (*un.sun_path == '@')
		*un.sun_path = '\0';
	r = connect(fd, (void *)&un, sizeof(sa_family_t) + strlen(a[0]));
	close(fd);
	return r;
}

static int do_sethostname(char **a)
{
	return sethostname(a[0], strlen(a[0]));
}

static int do_setuid(char **a)
{
	return setuid(atoi(a[0]));
}

static int do_setgid(char **a)
{
	return setgid(atoi(a[0]));
}

static const struct word spaces[] = {
	{ "cgroup", 0x02000000 }, { "ipc", 0x08000000 }, { "mnt", 0x00020000 },
	{ "net", 0x40000000 }, { "pid", 0x20000000 }, { "time", 0x00000080 },
	{ "user", 0x10000000 }, { "uts", 0x04000000 },
};

static int do_unshare(char **a)
{
	for (; *a; a++)
		if (unshare(word_find(spaces, COUNT(spaces), *a)))
			return -1;
	return 0;
}

static int do_setns(char **a)
{
	int fd = open(a[0], O_RDONLY | O_CLOEXEC), r;

	if (fd < 0)
		return -1;
	r = setns(fd, 0);
	close(fd);
	return r;
}

/* syscall NUMBER [ARG...]: what a filter makes of a raw call. A failure of
 * the call is the answer, not a failure of the command. */
static int do_syscall(char **a)
{
	long v[6] = { 0 }, r;

	for (int i = 0; i < 6 && a[1 + i]; i++)
		v[i] = strtoll(a[1 + i], NULL, 0);
	fflush(stdout);
	errno = 0;
	r = syscall(strtol(a[0], NULL, 0), v[0], v[1], v[2], v[3], v[4], v[5]);
	printf("syscall %s = %ld %s\n", a[0], r, r == -1 ? strerror(errno) :
	       "ok");
	return 0;
}

static int do_exec(char **a)
{
	fflush(stdout);
	execvp(a[0], a);
	return -1;
}

/* reap COMMAND...: runs it and adopts what it leaves behind. Tells of every
 * child that ends, until there is none: "reaped PID STATUS". */
static int do_reap(char **a)
{
	pid_t pid;
	int st;

	fflush(stdout);
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))
		return -1;
	pid = fork();
	if (!pid)
		do_exec(a);
	if (pid <= 0)
		_exit(127);
	while ((pid = waitpid(-1, &st, 0)) > 0) {
		printf("reaped %d %d\n", pid, WIFSIGNALED(st) ?
		       128 + WTERMSIG(st) : WEXITSTATUS(st));
		fflush(stdout);
	}
	return 0;
}

/* receive PATH [TEXT]: listens there for a message with a file descriptor,
 * prints "received MESSAGE", writes TEXT to the descriptor and prints what
 * comes from it until it ends. */
static int do_receive(char **a)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), c;
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(int))];
	} u;
	char text[256];
	struct iovec iov = { text, sizeof(text) - 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1,
			    .msg_control = &u, .msg_controllen = sizeof(u) };
	ssize_t n;

	snprintf(un.sun_path, sizeof(un.sun_path), "%s", a[0]);
	if (fd < 0 || bind(fd, (void *)&un, sizeof(un)) || listen(fd, 1))
		return -1;
	printf("listening\n");
	fflush(stdout);
	c = accept(fd, NULL, NULL);
	n = c < 0 ? -1 : recvmsg(c, &m, MSG_CMSG_CLOEXEC);
	if (n < 0)
		return -1;
	close(c);
	close(fd);
	if (m.msg_controllen < sizeof(u.head) ||
	    u.head.cmsg_type != SCM_RIGHTS) {
		errno = ENOMSG;
		return -1;
	}
	memcpy(&fd, CMSG_DATA(&u.head), sizeof(fd));
	printf("received %.*s\n", (int)n, text);
	if (a[1] && write(fd, a[1], strlen(a[1])) < 0)
		return -1;
	return copy_out(fd) && errno != EIO ? -1 : 0;
}

/* listen-full PATH: listens there, accepts nobody, and fills the queue. */
static int do_listen_full(char **a)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), c;

	snprintf(un.sun_path, sizeof(un.sun_path), "%s", a[0]);
	if (fd < 0 || bind(fd, (void *)&un, sizeof(un)) || listen(fd, 0))
		return -1;
	do
		c = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	while (connect(c, (void *)&un, sizeof(un)) == 0);
	printf("listening\n");
	fflush(stdout);
	return pause();
}

/* What a program that is executed next inherits. */

/* fill-fds N: /dev/null in each descriptor that is free, up to N. */
static int do_fill_fds(char **a)
{
	int fd;

	do
		fd = open("/dev/null", O_RDONLY);
	while (fd >= 0 && fd < atoi(a[0]));
	return fd < 0 ? -1 : 0;
}

static int do_ignore(char **a)
{
	for (; *a; a++)
		if (signal(atoi(*a), SIG_IGN) == SIG_ERR)
			return -1;
	return 0;
}

static int do_block(char **a)
{
	sigset_t set;

	sigemptyset(&set);
	for (; *a; a++)
		if (sigaddset(&set, atoi(*a)))
			return -1;
	return sigprocmask(SIG_BLOCK, &set, NULL);
}

static volatile sig_atomic_t caught[65];

static void on_signal(int n)
{
	caught[n]++;
}

/* signal-wait [LAST]: without LAST the first signal n ends the program with
 * 40 + n; with it "signal n" is printed for every one until LAST comes. */
static int do_signal_wait(char **a)
{
	struct sigaction sa = { .sa_handler = on_signal };
	int last = a[0] ? atoi(a[0]) : 0;
	sigset_t all, none;

	sigfillset(&all);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &all, NULL);
	for (int n = 1; n <= 64; n++)
		sigaction(n, &sa, NULL);
	printf("ready\n");
	fflush(stdout);
	for (;;) {
		sigsuspend(&none);
		for (int n = 1; n <= 64; n++) {
			if (!caught[n])
				continue;
			caught[n] = 0;
			if (last) {
				printf("signal %d\n", n);
				fflush(stdout);
			}
			if (!last || n == last)
				_exit(40 + n);
		}
	}
}

/* ---- what it does to others -------------------------------------------- */

/* "reached WHAT", once for each. */
static void reached(const char *what, const char *name)
{
	static char said[64][128];
	char line[128];
	size_t i;

	snprintf(line, sizeof(line), "%s %s", what, name);
	for (i = 0; i < COUNT(said) && *said[i]; i++)
		if (!strcmp(said[i], line))
			return;
	if (i < COUNT(said))
		strcpy(said[i], line);
	printf("reached %s\n", line);
	fflush(stdout);
}

static struct {
	char	exe[256];	/* our own program */
	int	held[16];	/* programs of others */
	int	holds, denied;
	struct stat root, proc;
} spy;

/* Does the process run another program than ours, as before its execve? */
static bool is_foreign(int dir, char exe[256])
{
	ssize_t n = readlinkat(dir, "exe", exe, 255);

	if (n < 0) {
		spy.denied += errno == EACCES || errno == EPERM;
		return false;
	}
	exe[n] = '\0';
	return *exe && strcmp(exe, spy.exe);
}

/* All that leads from the process that dir is of to what it has. */
static void spy_on(int dir, int pid)
{
	extern const char __ehdr_start[];
	char text[256], path[300];
	struct dirent *d;
	struct stat st;
	DIR *fds;
	int fd;

	fd = openat(dir, "mem", O_RDWR | O_CLOEXEC);
	if (fd >= 0) {		/* of the program that it was then */
		if (pread(fd, text, 64, (off_t)(uintptr_t)__ehdr_start) == 64 &&
		    memcmp(text, __ehdr_start, 64))
			reached("mem", "");
		close(fd);
	} else if (errno == EACCES || errno == EPERM) {
		spy.denied++;
	}
	if (is_foreign(dir, text)) {
		reached("exe", text);
		fd = openat(dir, "exe", O_RDONLY | O_CLOEXEC);
		if (fd >= 0 && spy.holds < (int)COUNT(spy.held))
			spy.held[spy.holds++] = fd;
		else if (fd >= 0)
			close(fd);
	}
	if (!fstatat(dir, "root", &st, 0) &&
	    (st.st_dev != spy.root.st_dev || st.st_ino != spy.root.st_ino))
		reached("root", "");
	if (!fstatat(dir, "cwd", &st, 0) &&
	    (st.st_dev != spy.root.st_dev || st.st_ino != spy.root.st_ino))
		reached("cwd", "");
	fd = openat(dir, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fds = fd < 0 ? NULL : fdopendir(fd);
	while (fds && (d = readdir(fds))) {
		ssize_t n;

		snprintf(path, sizeof(path), "fd/%s", d->d_name);
		n = readlinkat(dir, path, text, sizeof(text) - 1);
		if (n < 0 || atoi(d->d_name) < 3)
			continue;
		text[n] = '\0';
		text[strcspn(text, "[")] = '\0';
		reached("fd", text);
		if (!fstatat(dir, path, &st, 0) && S_ISDIR(st.st_mode) &&
		    (st.st_dev != spy.root.st_dev ||
		     st.st_ino != spy.root.st_ino) &&
		    st.st_dev != spy.proc.st_dev)
			reached("foreign directory", text);
	}
	if (fds)
		closedir(fds);
	/* not ATTACH, whose SIGSTOP may come when we are gone */
	if (ptrace(PTRACE_SEIZE, pid, NULL, NULL)) {
		spy.denied += errno == EACCES || errno == EPERM;
		return;
	}
	if (!ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) &&
	    waitpid(pid, NULL, __WALL) == pid && is_foreign(dir, text))
		reached("ptrace", text);
	ptrace(PTRACE_DETACH, pid, NULL, NULL);
}

/* spy FILE: until there is FILE, what can be had of each process that comes.
 * Then prints how often it was denied, and whether a program of a process that
 * is gone can be opened for writing. */
static int do_spy(char **a)
{
	ssize_t n = readlink("/proc/self/exe", spy.exe, sizeof(spy.exe) - 1);
	DIR *proc = opendir("/proc");

	if (n < 0 || !proc || stat("/", &spy.root) ||
	    stat("/proc", &spy.proc))
		return -1;
	printf("ready\n");
	fflush(stdout);
	while (access(a[0], F_OK)) {
		struct dirent *d;

		rewinddir(proc);
		while ((d = readdir(proc))) {
			int pid = atoi(d->d_name);
			int dir = pid > 0 && pid != getpid() ?
				  openat(dirfd(proc), d->d_name, O_PATH |
					 O_DIRECTORY | O_CLOEXEC) : -1;

			if (dir < 0)
				continue;
			spy_on(dir, pid);
			close(dir);
		}
	}
	for (int i = 0; i < spy.holds; i++) {
		char path[64];
		int fd;

		snprintf(path, sizeof(path), "/proc/self/fd/%d", spy.held[i]);
		fd = open(path, O_WRONLY | O_CLOEXEC);
		if (fd >= 0) {
			reached("exe for writing", "");
			close(fd);
		}
	}
	printf("denied %d\n", spy.denied);
	return 0;
}

static int do_try(char **a);

static const struct command {
	const char	*name;
	int		args;	/* at least */
	int		(*run)(char **a);
} commands[] = {
	{ "alloc",		1, do_alloc },
	{ "append",		2, do_append },
	{ "ask",		2, do_ask },
	{ "block",		1, do_block },
	{ "bomb",		1, do_bomb },
	{ "cat",		0, do_cat },
	{ "chdir",		1, do_chdir },
	{ "chmod",		2, do_chmod },
	{ "chown",		3, do_chown },
	{ "chroot",		1, do_chroot },
	{ "connect",		2, do_connect },
	{ "copy",		2, do_copy },
	{ "echo",		0, do_echo },
	{ "exchange",		3, do_exchange },
	{ "exec",		1, do_exec },
	{ "exit",		1, do_exit },
	{ "fault",		0, do_fault },
	{ "fd",			1, do_fd },
	{ "fill",		2, do_fill },
	{ "flood",		3, do_flood },
	{ "fork",		1, do_fork },
	{ "ignore",		1, do_ignore },
	{ "into",		1, do_into },
	{ "keyring",		1, do_keyring },
	{ "kill",		1, do_kill },
	{ "lack",		2, do_lack },
	{ "listen",		3, do_listen },
	{ "lock",		1, do_lock },
	{ "fill-fds",		1, do_fill_fds },
	{ "listen-full",	1, do_listen_full },
	{ "ls",			1, do_ls },
	{ "lstat",		1, do_lstat },
	{ "mkdir",		1, do_mkdir },
	{ "mknod",		2, do_mknod },
	{ "mount",		3, do_mount },
	{ "open",		1, do_open },
	{ "programs",		1, do_programs },
	{ "read",		1, do_read },
	{ "readlink",		1, do_readlink },
	{ "reap",		1, do_reap },
	{ "receive",		1, do_receive },
	{ "rm",			1, do_rm },
	{ "save",		1, do_save },
	{ "seq",		1, do_seq },
	{ "serve",		2, do_serve },
	{ "setgid",		1, do_setgid },
	{ "sethostname",	1, do_sethostname },
	{ "setns",		1, do_setns },
	{ "setuid",		1, do_setuid },
	{ "show",		0, do_show },
	{ "signal-wait",	0, do_signal_wait },
	{ "sleep",		1, do_sleep },
	{ "socket",		1, do_socket },
	{ "spin",		1, do_spin },
	{ "spy",		1, do_spy },
	{ "stat",		1, do_stat },
	{ "statfs",		1, do_statfs },
	{ "symlink",		2, do_symlink },
	{ "syscall",		1, do_syscall },
	{ "try",		1, do_try },
	{ "umount",		1, do_umount },
	{ "unix",		1, do_unix },
	{ "unshare",		1, do_unshare },
	{ "write",		2, do_write },
};

/* One command; false and a line on stdout when it fails. */
static bool act(char **a)
{
	int n = 0;

	while (a[n])
		n++;
	for (size_t i = 0; i < COUNT(commands); i++) {
		if (strcmp(commands[i].name, a[0]))
			continue;
		errno = EINVAL;
		if (n > commands[i].args && !commands[i].run(a + 1))
			return true;
		printf("error %s %s: %s\n", a[0], a[1] ? a[1] : "",
		       strerror(errno));
		return false;
	}
	printf("error %s: no such command\n", a[0]);
	return false;
}

static int do_try(char **a)
{
	act(a);
	return 0;
}

int main(int argc, char **argv)
{
	const char *name = argc ? argv[0] : "";
	static char *none[1];
	bool good = true;

	all_args = argc ? argv : none;
	if (strrchr(name, '/'))
		name = strrchr(name, '/') + 1;
	if (!strcmp(name, "true") || !strcmp(name, "false"))
		return *name == 'f';
	if (!strcmp(name, "sleep") && argc > 1)
		return do_sleep(argv + 1);
	if (argc < 2)
		do_show(none);
	for (int i = 1; good && i < argc; ) {
		char *words[argc];
		int n = 0;

		while (i < argc && (strcmp(argv[i], ":") ||
				    (n && (!strcmp(words[0], "exec") ||
					   !strcmp(words[0], "reap")))))
			words[n++] = argv[i++];
		words[n] = NULL;
		i++;
		good = !n || act(words);
		fflush(stdout);
	}
	fflush(stdout);
	return !good;
}
