/* SPDX-License-Identifier: MIT */
/*
 * t_io.c - IO: paths below a root that is not trusted, files, packets, fds.
 * The walker for kernels without openat2 must find what openat2 finds, in a
 * tree of links made at random; so both are asked, and neither may leave.
 */
#include "unit.h"
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* A system call that this kernel shall not have. */
static long missing = -1;

static long unit_syscall(long n, ...)
{
	long a[6];
	va_list ap;
	int i;

	if (n == missing)
		return errno = ENOSYS, -1;
	va_start(ap, n);
	for (i = 0; i < 6; i++)
		a[i] = va_arg(ap, long);
	va_end(ap);
	return syscall(n, a[0], a[1], a[2], a[3], a[4], a[5]);
}
#define syscall(...) unit_syscall(__VA_ARGS__, 0L, 0L, 0L, 0L, 0L, 0L)

#define NSRUN_NO_MAIN
#include "../../nsrun.c"

static char top[128];
static int root = -1, outside = -1;

/* top/outside is what nobody may reach from top/root. */
static void make_top(void)
{
	char path[160];

	temp_dir(top, sizeof top);
	snprintf(path, sizeof path, "%s/root", top);
	mkdir(path, 0755);
	root = open(path, O_PATH | O_DIRECTORY);
	snprintf(path, sizeof path, "%s/outside", top);
	mkdir(path, 0755);
	outside = open(path, O_RDONLY | O_DIRECTORY);
	snprintf(path, sizeof path, "%s/outside/secret", top);
	close(open(path, O_WRONLY | O_CREAT, 0644));
}

static void drop_top(void)
{
	close(root);
	close(outside);
	remove_tree(top);
}

static const char *const names[] = { "a", "b", "c", "d", "l1", "l2", "l3" };

/* A path of some components, with all that makes paths hard. */
static void draw_path(char *path, size_t size, bool absolute)
{
	static const char *const odd[] = { ".", "..", "", "outside", "secret",
					   "..", "root" };
	unsigned n = 1 + draw(5);

	*path = 0;
	while (n--) {
		const char *part = draw(4) ? names[draw(COUNT(names))] :
				   odd[draw(COUNT(odd))];

		snprintf(path + strlen(path), size - strlen(path), "%s%s",
			 *path || absolute ? "/" : "", part);
	}
	if (!draw(8))
		strncat(path, "/", size - strlen(path) - 1);
	if (!*path)
		strcpy(path, ".");
}

/* Directories, files and links to anywhere, three levels deep. */
static void fill(int dir, int depth)
{
	char target[128];
	size_t i;
	int sub;

	for (i = 0; i < COUNT(names); i++)
		switch (draw(names[i][0] == 'l' ? 1 : 4)) {
		case 0:
			draw_path(target, sizeof target, draw(2));
			symlinkat(target, dir, names[i]);
			break;
		case 1:
			close(openat(dir, names[i], O_CREAT | O_WRONLY, 0644));
			break;
		default:
			mkdirat(dir, names[i], 0755);
			sub = openat(dir, names[i], O_RDONLY | O_DIRECTORY);
			if (sub >= 0 && depth)
				fill(sub, depth - 1);
			close(sub);
		}
}

/* The object, or the errno, as one text. */
static void tell(int fd, char out[64])
{
	int num = errno;
	struct stat st;

	if (fd < 0) {
		snprintf(out, 64, "%s", strerror(num));
		return;
	}
	fstat(fd, &st);
	snprintf(out, 64, "%s %lu", S_ISDIR(st.st_mode) ? "directory" :
		 S_ISLNK(st.st_mode) ? "link" : "file",
		 (unsigned long)st.st_ino);
	close(fd);
}

static bool has_openat2(void)
{
	int fd = root_open(root, "/", 0);
	struct k_how how = { O_PATH, 0, 0 };

	close(fd);
	fd = sys_openat2(root, ".", &how);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static void compare(const char *path, int flags)
{
	char a[64], b[64];

	tell(root_open(root, path, flags), a);
	tell(root_walk(root, path, flags, 0), b);
	want(str_eq(a, b), "\"%s\", flags %d: openat2 says %s, the walker %s",
	     path, flags, a, b);
}

static void t_walker(void)
{
	static const int flags[] = { 0, WALK_NOLINK, WALK_NOFOLLOW,
				     WALK_NOLINK | WALK_NOFOLLOW };
	int i, k, found = 0;
	char path[256];

	fill(root, 2);
	if (!has_openat2()) {
		skip("the walker agrees with openat2",
		     "this kernel has no openat2");
		return;
	}
	it("walks to what openat2 finds: links, dots, loops, dangling ends");
	for (i = 0; i < 20000; i++) {
		int fd;

		draw_path(path, sizeof path, draw(2));
		k = (int)strlen(path);
		while (k > 1 && path[k - 1] == '/')
			path[--k] = 0;
		compare(path, flags[draw(4)]);
		fd = root_open(root, path, 0);
		found += fd >= 0;
		if (fd >= 0)
			close(fd);
		if (unit.bad > 10)
			break;
	}
	want(found > 2000 && found < 18000, "%d of 20000 exist", found);

	it("agrees with openat2 about slashes at the end of a path");
	for (i = 0; i < 5000 && unit.bad <= 10; i++) {
		draw_path(path, sizeof path - 4, draw(2));
		strcat(path, draw(2) ? "/" : draw(2) ? "/." : "//");
		compare(path, flags[draw(4)]);
	}
}

static void t_links(void)
{
	static const struct { const char *name, *target; } links[] = {
		{ "up", "../../../outside/secret" },
		{ "abs", "/outside/secret" }, { "self", "self" },
		{ "x", "y" }, { "y", "x" }, { "toroot", "/" },
		{ "file", "/etc/passwd" }, { "magic", "/proc/self/root" },
		{ "there", "sub/file" }, { "chain0", "sub" },
	};
	char path[5000], name[16], target[16];
	int i, way, sub;

	make_top();
	for (i = 0; i < (int)COUNT(links); i++)
		symlinkat(links[i].target, root, links[i].name);
	mkdirat(root, "sub", 0755);
	sub = openat(root, "sub", O_RDONLY | O_DIRECTORY);
	close(openat(sub, "file", O_CREAT | O_WRONLY, 0644));
	symlinkat("../there", sub, "back");
	close(sub);
	for (i = 1; i <= 45; i++) {
		sprintf(name, "chain%d", i);
		sprintf(target, "chain%d", i - 1);
		symlinkat(target, root, name);
	}

	for (way = 0; way < 2; way++) {
		missing = way ? NR_openat2 : -1;
		if (!way && !has_openat2())
			continue;
#define OPENS(path, flags, due) do { \
		char got[64]; \
		tell(root_open(root, path, flags), got); \
		want(strncmp(got, due, strlen(due)) == 0, "%s: %s, not %s", \
		     path, got, due); \
	} while (0)
		it("stays below the root%s", way ? ", without openat2" : "");
		OPENS("up", 0, strerror(ENOENT));
		OPENS("abs", 0, strerror(ENOENT));
		OPENS("file", 0, strerror(ENOENT));
		OPENS("../outside/secret", 0, strerror(ENOENT));
		OPENS("/../../..", 0, "directory");
		OPENS("toroot/sub/file", 0, "file");
		OPENS("there", 0, "file");
		OPENS("sub/back", 0, "file");
		OPENS("magic", 0, strerror(ENOENT));

		it("ends loops, and takes 40 links as the kernel does%s",
		   way ? ", without openat2" : "");
		OPENS("self", 0, strerror(ELOOP));
		OPENS("x", 0, strerror(ELOOP));
		OPENS("chain39", 0, "directory");
		OPENS("chain40", 0, strerror(ELOOP));

		it("does not follow where it is told not to%s",
		   way ? ", without openat2" : "");
		OPENS("there", WALK_NOFOLLOW, "link");
		OPENS("there", WALK_NOLINK, strerror(ELOOP));
		OPENS("toroot/sub", WALK_NOLINK, strerror(ELOOP));
		OPENS("sub/file", WALK_NOLINK, "file");

		it("refuses names and paths that are too long%s",
		   way ? ", without openat2" : "");
		memset(path, 'a', sizeof path);
		path[256] = 0;
		OPENS(path, 0, strerror(ENAMETOOLONG));
		path[255] = 0;
		OPENS(path, 0, strerror(ENOENT));
		for (i = 0; i < 4998; i++)
			path[i] = i % 2 ? '.' : '/';
		path[4998] = 0;
		OPENS(path, 0, strerror(ENAMETOOLONG));
		path[4000] = 0;
		OPENS(path, 0, "directory");
	}
	missing = -1;

	/* /proc/self/fd/N and its like lead anywhere: not for us */
	int proc = open("/proc", O_PATH | O_DIRECTORY);

	for (way = 0; way < 2; way++) {
		missing = way ? NR_openat2 : -1;
		it("does not follow magic links%s",
		   way ? ", without openat2" : "");
		want(root_open(proc, "self/root/etc", 0) < 0 && errno == ELOOP,
		     "self/root: %s", strerror(errno));
		want(root_open(proc, "self/cwd", 0) < 0 && errno == ELOOP,
		     "self/cwd: %s", strerror(errno));
	}
	missing = -1;
	close(proc);
	drop_top();
}

static void t_creation(void)
{
	char path[160], a[64], name[NAME_MAX + 1];
	int way, fd;
	struct stat st;

	for (way = 0; way < 2; way++) {
		const char *with = way ? ", without openat2" : "";

		missing = way ? NR_openat2 : -1;
		make_top();
		umask(0);
#define MAKES(path, flags, due) do { \
		tell(root_make(root, path, flags, 0750), a); \
		want(strncmp(a, due, strlen(due)) == 0, "%s: %s, not %s", \
		     path, a, due); \
	} while (0)
		it("makes missing directories with their mode%s", with);
		MAKES("/x/y/z", WALK_DIR, "directory");
		want(fstatat(root, "x/y/z", &st, 0) == 0 &&
		     (st.st_mode & 07777) == 0750, "mode %o", st.st_mode);
		MAKES("/x/y/z", WALK_DIR, "directory");
		MAKES("x//w/./v/", WALK_DIR, "directory");
		want(fstatat(root, "x/w/v", &st, 0) == 0, "x/w/v");

		it("makes an empty file at the end%s", with);
		MAKES("/p/q/file", WALK_FILE, "file");
		want(fstatat(root, "p/q/file", &st, 0) == 0 &&
		     S_ISREG(st.st_mode) && st.st_size == 0, "p/q/file");
		MAKES("/p/q/file", WALK_FILE, "file");
		MAKES("/p/q/file/below", WALK_FILE, strerror(ENOTDIR));

		it("makes what a link points to, below the root%s", with);
		symlinkat("/new/place", root, "dangling");
		MAKES("dangling/x", WALK_DIR, "directory");
		want(fstatat(root, "new/place/x", &st, 0) == 0, "new/place/x");
		symlinkat("../../outside/made", root, "out");
		MAKES("out/x", WALK_DIR, "directory");
		want(fstatat(root, "outside/made/x", &st, 0) == 0,
		     "outside/made/x");
		symlinkat("/made-file", root, "tofile");
		MAKES("tofile", WALK_FILE, "file");
		want(fstatat(root, "made-file", &st, AT_SYMLINK_NOFOLLOW) == 0
		     && S_ISREG(st.st_mode), "made-file");
		snprintf(path, sizeof path, "%s/outside/made", top);
		want(access(path, F_OK) < 0, "it was made outside");
		MAKES("dangling/y", WALK_DIR | WALK_NOLINK, strerror(ELOOP));

		it("makes nothing where it is only to open%s", with);
		want(root_open(root, "no/such", 0) < 0 && errno == ENOENT,
		     "%s", strerror(errno));
		want(fstatat(root, "no", &st, 0) < 0, "no");

		it("finds the directory and the name of what is to be made%s",
		   with);
		fd = root_parent(root, "/dev/net/tun", name);
		want(fd >= 0 && str_eq(name, "tun") &&
		     fstatat(root, "dev/net", &st, 0) == 0, "%s", name);
		close(fd);
		fd = root_parent(root, "/null", name);
		want(fd >= 0 && str_eq(name, "null"), "%s", name);
		close(fd);
		drop_top();
	}
	umask(022);
	missing = -1;
}

static void t_files(void)
{
	struct arena mem = { 0 };
	struct lines l;
	struct err e;
	char buf[16], *p, *big;
	size_t n;
	int dir, i;

	make_top();
	dir = openat(root, ".", O_RDONLY | O_DIRECTORY);

	it("replaces a file whole, and leaves nothing else");
	want(io_replace(dir, "f", "one", 3, 0600), "%s", strerror(errno));
	want(io_replace(dir, "f", "second", 6, 0600), "%s", strerror(errno));
	want(io_get(dir, "f", buf, sizeof buf) == 6 && str_eq(buf, "second"),
	     "%s", buf);
	want(unlinkat(dir, "f", 0) == 0, "f");
	want(openat(dir, ".f.tmp", O_RDONLY) < 0, "the temporary is left");

	it("leaves a file as it was if the new one cannot be written");
	io_replace(dir, "f", "one", 3, 0600);
	mkdirat(dir, ".f.tmp", 0700);
	want(!io_replace(dir, "f", "two", 3, 0600) && errno == EEXIST, "%s",
	     strerror(errno));
	want(io_get(dir, "f", buf, sizeof buf) == 3 && str_eq(buf, "one"),
	     "%s", buf);
	unlinkat(dir, ".f.tmp", AT_REMOVEDIR);
	big = malloc(300);
	memset(big, 'n', 299);
	big[299] = 0;
	want(!io_replace(dir, big, "x", 1, 0600) && errno == ENAMETOOLONG,
	     "a long name: %s", strerror(errno));
	free(big);

	it("reads what fits, terminated");
	io_replace(dir, "f", "0123456789abcdefXYZ", 19, 0600);
	want(io_get(dir, "f", buf, sizeof buf) == 15 &&
	     str_eq(buf, "0123456789abcde"), "%.15s", buf);
	want(io_get(dir, "absent", buf, sizeof buf) < 0 && errno == ENOENT,
	     "%s", strerror(errno));
	want(io_get(dir, ".", buf, sizeof buf) < 0, "a directory was read");

	it("loads a file of any length up to a limit, and says which");
	for (i = 1; i <= 100000; i = i * 7 + 1) {
		big = malloc((size_t)i);
		memset(big, 'b', (size_t)i);
		io_replace(dir, "f", big, (size_t)i, 0600);
		p = io_load(&mem, dir, "f", 200000, &n, &e);
		want(p && n == (size_t)i && strlen(p) == n, "%d bytes", i);
		want(io_load(&mem, dir, "f", (size_t)i, &n, &e), "%d of %d",
		     i, i);
		want(!io_load(&mem, dir, "f", (size_t)i - 1, &n, &e) &&
		     strstr(e.text, "f is larger than"), "%d of %d: %s", i,
		     i - 1, e.text);
		free(big);
	}
	want(io_load(&mem, AT_FDCWD, "/proc/self/stat", 9999, &n, &e) && n > 9,
	     "a file without a size");
	want(!io_load(&mem, dir, ".", 100, &n, &e), "a directory");
	want(!io_load(&mem, dir, "absent", 100, &n, &e) && e.num == ENOENT,
	     "%s", e.text);

	it("reads lines, skips those that are too long, takes a last open one");
	big = malloc(30000);
	memset(big, 'x', 30000);
	memcpy(big, "one\n\nthree\n", 11);
	big[5000] = '\n';
	memcpy(big + 5001, "five\n", 5);
	big[29000] = '\n';
	memcpy(big + 29001, "seven", 5);
	io_replace(dir, "f", big, 29006, 0600);
	free(big);
	io_lines(&l, openat(dir, "f", O_RDONLY));
	want_str("line 1", io_line(&l), "one");
	want_str("line 2", io_line(&l), "");
	want_str("line 3", io_line(&l), "three");
	want_str("line 5", io_line(&l), "five");
	want_str("line 7", io_line(&l), "seven");
	want(!io_line(&l), "a line after the last");
	want(!io_line(&l), "a line after the end");
	close(l.fd);

	it("says that a file cannot be written");
	want(!io_put(dir, "absent", "x") && errno == ENOENT, "%s",
	     strerror(errno));
	want(!io_put(AT_FDCWD, "/dev/full", "x") && errno == ENOSPC, "%s",
	     strerror(errno));
	want(io_put(AT_FDCWD, "/dev/null", "x"), "%s", strerror(errno));
	close(dir);
	drop_top();
	mem_free(&mem);
}

static void t_packets(void)
{
	int pair[2], fd, given;
	struct stat a, b;
	char buf[64];
	ssize_t n;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		abort();

	it("sends packets whole and apart, with and without an fd");
	given = open("/dev/null", O_RDWR | O_CLOEXEC);
	want(io_send(pair[0], "first", 5, -1), "%s", strerror(errno));
	want(io_send(pair[0], "second", 6, given), "%s", strerror(errno));
	n = io_recv(pair[1], buf, sizeof buf, &fd);
	want(n == 5 && memcmp(buf, "first", 5) == 0 && fd == -1, "%zd, fd %d",
	     n, fd);
	n = io_recv(pair[1], buf, sizeof buf, &fd);
	want(n == 6 && fd >= 0 && fd != given, "%zd, fd %d", n, fd);
	want(fstat(fd, &a) == 0 && fstat(given, &b) == 0 &&
	     a.st_rdev == b.st_rdev, "another file came");
	want(fcntl(fd, F_GETFD) == FD_CLOEXEC, "it is not close-on-exec");
	close(fd);
	close(given);

	it("takes the end of the other side for the end, not for a signal");
	io_send(pair[1], "unread", 6, -1);
	close(pair[0]);
	n = io_recv(pair[1], buf, sizeof buf, &fd);
	want(n == 0 && fd == -1, "%zd", n);
	want(!io_send(pair[1], "x", 1, -1) && errno == EPIPE, "%s",
	     strerror(errno));
	close(pair[1]);
}

/* The fds that are open from 3 on, as text; by fcntl, which opens none. */
static void open_fds(char *out)
{
	int fd;

	for (*out = 0, fd = 3; fd < 1024; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			out += sprintf(out, " %d", fd);
}

static void t_keep(void)
{
	static const struct { int keep[6]; size_t n; const char *due; } t[] = {
		{ { 0 }, 0, "" }, { { 7 }, 1, " 7" },
		{ { 900, 3, 20 }, 3, " 3 20 900" },
		{ { 5, -1, 5, 6, -1, 5 }, 6, " 5 6" },
		{ { 0, 1, 2, 4 }, 4, " 4" }, { { 10, 11, 12 }, 3, " 10 11 12" },
		{ { 50, 40 }, 2, "" },		/* not open */
		{ { 1000, 999 }, 2, " 999 1000" },
	};
	char out[8192];
	size_t i;
	int way;

	for (way = 0; way < 2; way++) {
		it("closes all fds but those on the list%s",
		   way ? ", without close_range" : "");
		for (i = 0; i < COUNT(t); i++) {
			int pair[2], pid, keep[6], fd;
			struct err e;
			ssize_t n;

			if (pipe(pair) < 0)
				abort();
			memcpy(keep, t[i].keep, sizeof keep);
			fflush(stdout);
			pid = fork();
			if (pid == 0) {
				dup2(pair[1], 2);
				dup2(open("/proc", O_PATH), 1);
				for (fd = 3; fd < 30; fd++)
					dup2(2, fd);
				dup2(2, 900);
				dup2(2, 999);
				dup2(2, 1000);
				missing = way ? NR_close_range : -1;
				if (!fd_keep_only(1, 3, keep, t[i].n,
						  &e))
					_exit(1);
				open_fds(out);
				n = write(2, out, strlen(out) + 1);
				_exit(n < 0);
			}
			close(pair[1]);
			n = read(pair[0], out, sizeof out - 1);
			out[n > 0 ? n : 0] = 0;
			close(pair[0]);
			waitpid(pid, NULL, 0);
			want(str_eq(out, t[i].due), "list %zu: \"%s\" are "
			     "open, not \"%s\"", i, out, t[i].due);
		}
	}
}

/* As user 1234 with capabilities: whether it may do that to each file, as one
 * digit, in a child, because ids do not come back. */
static int rights(unsigned caps, const char *path)
{
	struct k_capset set[2] = { { caps, caps, 0 }, { 0, 0, 0 } };
	int status = 0, pid = fork();

	if (pid == 0) {
		if (sys_prctl(PR_SET_KEEPCAPS, 1, 0) < 0 ||
		    sys_setuid_all(1234) < 0 || sys_capset(set) < 0)
			_exit(9);
		_exit(io_may(path, X_OK) | io_may(path, W_OK) << 1);
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 9;
}

static void t_rights(void)
{
	static const struct {
		mode_t		dir, mode;
		unsigned	caps;
		int		due;	/* 1: execute, 2: write */
	} t[] = {
		{ 0755, 0700, 0, 0 },
		{ 0755, 0755, 0, 1 },
		{ 0755, 0622, 0, 2 },
		{ 0755, 0700, 1U << K_CAP_DAC_OVERRIDE, 3 },
		{ 0755, 0600, 1U << K_CAP_DAC_OVERRIDE, 2 },
		{ 0700, 0755, 0, 0 },
		{ 0700, 0700, 1U << K_CAP_DAC_OVERRIDE, 3 },
		{ 0755, 0700, 1U << 0, 0 },		/* CAP_CHOWN */
	};
	char path[160];
	int way, fd, got;
	size_t i;

	if (geteuid() != 0)
		return;
	make_top();
	chmod(top, 0755);
	snprintf(path, sizeof path, "%s/outside/program", top);
	fd = open(path, O_CREAT | O_WRONLY, 0700);
	for (way = 0; way < 2; way++) {
		it("knows what capabilities allow%s", way ?
		   ", without faccessat2" : "");
		missing = way ? NR_faccessat2 : -1;
		for (i = 0; i < COUNT(t); i++) {
			fchmod(fd, t[i].mode);
			fchmod(outside, t[i].dir);
			got = rights(t[i].caps, path);
			want(got == t[i].due, "line %zu: %d, not %d", i, got,
			     t[i].due);
		}
	}
	missing = -1;
	close(fd);
	drop_top();
}

int main(void)
{
	make_top();
	t_walker();
	drop_top();
	t_links();
	t_creation();
	t_rights();
	t_files();
	t_packets();
	t_keep();
	return done();
}
