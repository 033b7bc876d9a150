/* SPDX-License-Identifier: MIT */
/*
 * t_state.c - STATE: ids, state.json and back, processes by pid and start
 * time, and which ids may be taken over. /proc is a directory of ours where a
 * process has to look so or so.
 */
#include "unit.h"
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#define NSRUN_NO_MAIN
#include "../../nsrun.c"

static char top[128];
static int top_fd = -1, host_procfs = -1;
static const struct nsrun_options o = { .id = "web", .root = top };

static void t_ids(void)
{
	static const char *const good[] = { "a", "A0", "web-1", "a.b", "..a",
		"...", "_", "+", "-", "0" };
	static const char *const bad[] = { "", ".", "..", "a/b", "/", "a b",
		"a\n", "\xc3\xa4", "a:b", "a*", "~", "a\\b", "a\x7f" };
	char name[300];
	struct err e;
	size_t i;

	it("takes ids of letters, digits and _+-.");
	for (i = 0; i < COUNT(good); i++)
		want(state_check_id(good[i], &e), "%s: %s", good[i], e.text);
	memset(name, 'i', 255);
	name[255] = 0;
	want(state_check_id(name, &e), "255 bytes: %s", e.text);

	it("refuses all other ids, as other runtimes say it");
	for (i = 0; i < COUNT(bad); i++)
		want(!state_check_id(bad[i], &e) &&
		     str_after(e.text, "invalid container ID format"), "\"%s\""
		     ": %s", bad[i], e.text);
	want(!state_check_id(NULL, &e), "no id at all");
	name[255] = 'i';
	name[256] = 0;
	want(!state_check_id(name, &e), "256 bytes");
}

static struct nsrun_pair notes[] = { { "plain", "value" },
	{ "q\"\\\n\t\x01", "\xc3\xa4\x7f/" }, { "", "" } };
static struct state_cgroup groups[] = {
	{ "/sys/fs/cgroup/memory/a b", { 21, true } },
	{ "/sys/fs/cgroup/unified/\"x\"", { 0, true } } };
static struct state whole = {
	.version = "1.3.0", .id = "web", .status = "running",
	.bundle = "/b \"c\"", .rootfs = "/b/rootfs", .created =
	"2026-01-02T03:04:05.000000006Z", .pid = { 77, true },
	.start = { 123456789012LL, true }, .runner = { 76, true },
	.runner_start = { 5, true }, .cgroups = { groups, 2 },
	.annotations = { notes, 3 },
};

static void t_round_trip(void)
{
	struct arena mem = { 0 };
	struct err e = { 0, "" };
	struct state *s;
	struct stat st;
	size_t i;
	int k;

	it("loads what it saved, every member of it");
	want(state_save(top_fd, &whole, &e), "%s", e.text);
	mem_free(&mem);
	s = state_load(top_fd, "state.json", &mem, &o, &e);
	if (want(s, "%s", e.text)) {
		want_str("version", s->version, whole.version);
		want_str("id", s->id, "web");
		want_str("status", s->status, "running");
		want_str("bundle", s->bundle, whole.bundle);
		want_str("rootfs", s->rootfs, whole.rootfs);
		want_str("created", s->created, whole.created);
		want(s->pid.v == 77 && s->start.v == 123456789012LL &&
		     s->runner.v == 76 && s->runner_start.v == 5, "numbers");
		want(s->cgroups.n == 2 && s->annotations.n == 3, "lists");
		for (i = 0; i < s->cgroups.n && i < 2; i++) {
			want_str("path", s->cgroups.v[i].path, groups[i].path);
			want(s->cgroups.v[i].keep.v == groups[i].keep.v,
			     "keep");
		}
		for (i = 0; i < s->annotations.n && i < 3; i++) {
			want_str("key", s->annotations.v[i].key, notes[i].key);
			want_str("value", s->annotations.v[i].value,
				 notes[i].value);
		}
	}

	it("keeps state.json to its owner, and leaves no other file");
	want(fstatat(top_fd, "state.json", &st, 0) == 0 &&
	     (st.st_mode & 0777) == 0600, "mode %o", st.st_mode);
	want(fstatat(top_fd, ".state.json.tmp", &st, 0) < 0, "a temporary");

	it("can load after it saved, with the same memory");
	for (k = 0; k < 3; k++) {
		want(state_save(top_fd, &whole, &e), "%s", e.text);
		s = mem_new(&mem, 4000);
		for (i = 0; i < 4000 && !((char *)s)[i]; i++)
			;
		if (!want(i == 4000, "its memory is not zero at %zu", i))
			break;
		s = state_load(top_fd, "state.json", &mem, &o, &e);
		want(s && s->annotations.n == 3, "%s", e.text);
	}
	mem_free(&mem);

	it("saves paths of any length that can be");
	char *deep = malloc(PATH_MAX);

	memset(deep, 'd', PATH_MAX);
	deep[0] = '/';
	deep[PATH_MAX - 1] = 0;
	struct state_cgroup long_group = { deep, { 1, true } };
	struct state s2 = whole;

	s2.cgroups.v = &long_group;
	s2.cgroups.n = 1;
	want(state_save(top_fd, &s2, &e), "%s", e.text);
	free(deep);
	mem_free(&mem);

	it("saves paths of any bytes that can be, and loads that");
	s2 = whole;
	s2.bundle = "/caf\xe9";
	want(state_save(top_fd, &s2, &e), "%s", e.text);
	mem_free(&mem);
	want(state_load(top_fd, "state.json", &mem, &o, &e), "%s", e.text);
	mem_free(&mem);

	it("tells a state that is not there from one that is damaged");
	unlinkat(top_fd, "state.json", 0);
	want(!state_load(top_fd, "state.json", &mem, &o, &e) && !*e.text, "%s", e.text);
	static const char *const bad[] = { "", "{", "[]", "{\"pid\":\"x\"}",
		"{\"pid\":-1}", "{\"cgroups\":[{}]}", "null" };

	for (i = 0; i < COUNT(bad); i++) {
		io_replace(top_fd, "state.json", bad[i], strlen(bad[i]), 0600);
		want(!state_load(top_fd, "state.json", &mem, &o, &e) && *e.text, "%s: %s",
		     bad[i], e.text);
	}
	unlinkat(top_fd, "state.json", 0);
	mem_free(&mem);

	it("says what cannot be written");
	want(!state_save(-1, &whole, &e) &&
	     strstr(e.text, "write state.json"), "%s", e.text);
	mem_free(&mem);
}

static void t_time(void)
{
	char buf[40];
	struct tm tm = { 0 };
	time_t t = time(NULL), got;

	it("writes the time as RFC 3339 has it");
	state_now(buf);
	want(strlen(buf) == 30 && buf[10] == 'T' && buf[19] == '.' &&
	     buf[29] == 'Z', "%s", buf);
	want(sscanf(buf, "%d-%d-%dT%d:%d:%d", &tm.tm_year, &tm.tm_mon,
		    &tm.tm_mday, &tm.tm_hour, &tm.tm_min, &tm.tm_sec) == 6,
	     "%s", buf);
	tm.tm_year -= 1900;
	tm.tm_mon--;
	got = timegm(&tm);
	want(got >= t && got <= t + 2, "%s is not %lld", buf, (long long)t);
}

/* A made-up process. */
static void put_stat(int proc, int pid, const char *text)
{
	char name[32];
	int dir;

	snprintf(name, sizeof name, "%d", pid);
	mkdirat(proc, name, 0700);
	dir = openat(proc, name, O_RDONLY | O_DIRECTORY);
	io_replace(dir, "stat", text, strlen(text), 0600);
	close(dir);
}

#define STAT(name, state, start) \
	"7 (" name ") " state " 1 2 3 4 -1 5 6 7 8 9 10 11 12 13 20 0 1 0 " \
	start " 1 2 3"

static int fake_proc(void)
{
	int fd;

	mkdirat(top_fd, "proc", 0700);
	fd = openat(top_fd, "proc", O_RDONLY | O_DIRECTORY);
	put_stat(fd, 7, STAT("sh", "S", "4711"));
	return fd;
}

/* Field 22 of the real one, in another way. */
static long long start_of(pid_t pid)
{
	char path[64], buf[1024], *p;
	long long v = 0;
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	f = fopen(path, "r");
	if (!f)
		return 0;
	buf[fread(buf, 1, sizeof buf - 1, f)] = 0;
	fclose(f);
	p = strrchr(buf, ')');
	sscanf(p + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u "
	       "%*d %*d %*d %*d %*d %*d %lld", &v);
	return v;
}

static void t_processes(void)
{
	int proc = fake_proc(), pair[2], pid;
	struct opt seven = { 7, true };
	char byte;

	it("reads the start time, whatever the name of the process holds");
	want(state_pid_start(proc, 7) == 4711, "%lld",
	     state_pid_start(proc, 7));
	put_stat(proc, 8, STAT("a) R 1 (b", "S", "99"));
	want(state_pid_start(proc, 8) == 99, "%lld", state_pid_start(proc, 8));
	put_stat(proc, 8, STAT(") ) Z", "R", "98"));
	want(state_pid_start(proc, 8) == 98, "%lld", state_pid_start(proc, 8));
	put_stat(proc, 8, STAT("", "D", "9223372036854775807"));
	want(state_pid_start(proc, 8) == LLONG_MAX, "the largest");

	it("takes a zombie, a dead one and none for gone");
	put_stat(proc, 8, STAT("x", "Z", "5"));
	want(!state_pid_start(proc, 8), "a zombie");
	put_stat(proc, 8, STAT("x", "X", "5"));
	want(!state_pid_start(proc, 8), "a dead one");
	want(!state_pid_start(proc, 9), "none");
	want(!state_pid_start(proc, 0) && !state_pid_start(proc, -1),
	     "no number");
	want(state_pid_start(-1, 7) == -1, "no procfs: it cannot be told");

	it("does not read beyond a stat that is cut short or empty");
	put_stat(proc, 8, "");
	want(!state_pid_start(proc, 8), "empty");
	put_stat(proc, 8, "8 (x");
	want(!state_pid_start(proc, 8), "no end of the name");
	put_stat(proc, 8, "8 (x)");
	want(!state_pid_start(proc, 8), "nothing behind it");
	put_stat(proc, 8, "8 (x) S 1 2 3 4");
	want(!state_pid_start(proc, 8), "cut short");

	it("counts a pid only together with its start time");
	want(state_alive(proc, seven, (struct opt){ 4711, true }), "7");
	want(!state_alive(proc, seven, (struct opt){ 4710, true }), "another");
	want(!state_alive(proc, seven, (struct opt){ 0, false }), "no start");
	want(!state_alive(proc, (struct opt){ 0, false },
			  (struct opt){ 4711, true }), "no pid");
	want(!state_alive(proc, (struct opt){ 9, true },
			  (struct opt){ 0, true }), "a dead one that never "
	     "started");
	close(proc);

	it("agrees with the kernel about this process and a renamed child");
	want(state_pid_start(host_procfs, getpid()) == start_of(getpid()),
	     "%lld", state_pid_start(host_procfs, getpid()));
	if (pipe(pair) < 0)
		abort();
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_NAME, "x) Z 1 2 3 (", 0, 0, 0);
		if (write(pair[1], "", 1) < 0)
			_exit(1);
		pause();
		_exit(0);
	}
	if (pid < 0 || read(pair[0], &byte, 1) != 1)
		abort();
	want(state_pid_start(host_procfs, pid) &&
	     state_pid_start(host_procfs, pid) == start_of(pid), "%lld",
	     state_pid_start(host_procfs, pid));
	kill(pid, SIGKILL);
	siginfo_t info;

	waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
	want(!state_pid_start(host_procfs, pid), "the zombie");
	waitpid(pid, NULL, 0);
	want(!state_pid_start(host_procfs, pid), "the dead");
	close(pair[0]);
	close(pair[1]);
}

/* Takes the id over? "taken", or the error. */
static const char *take(int proc, const char *state, bool locked)
{
	static struct err e;
	struct nsrun_error out;
	struct ctr c = { .o = &o, .state_root = top_fd, .state_dir = -1,
			 .host.proc = proc, .out = &out };
	bool again = false;
	struct stat st;
	int dir;

	mkdirat(top_fd, "web", 0700);
	dir = openat(top_fd, "web", O_RDONLY | O_DIRECTORY);
	if (state)
		io_replace(dir, "state.json", state, strlen(state), 0600);
	if (locked)
		flock(dir, LOCK_EX);
	memset(&e, 0, sizeof e);
	verb_take_over(&c, &again, &e);
	mem_free(&c.mem);
	close(dir);
	if (again != (fstatat(top_fd, "web", &st, 0) < 0))
		return "the directory and the answer differ";
	unlinkat(top_fd, "web/state.json", 0);
	unlinkat(top_fd, "web", AT_REMOVEDIR);
	return again ? "taken" : e.text;
}

static void t_stale(void)
{
#define EXISTS "container with given ID already exists"
#define DEAD "\"pid\":9,\"pidStart\":1"
#define LIVE "\"pid\":7,\"pidStart\":4711"
#define RUN_LIVE "\"runner\":7,\"runnerStart\":4711"
#define RUN_DEAD "\"runner\":9,\"runnerStart\":1"
#define REUSED "\"pid\":7,\"pidStart\":1"
	static const struct { const char *what, *json, *due; } t[] = {
		{ "no state yet", NULL, "taken" },
		{ "creating, nothing made", "{\"status\":\"creating\","
		  "\"pid\":0,\"pidStart\":0,\"runner\":0,\"runnerStart\":0}",
		  "taken" },
		{ "creating, init dead", "{\"status\":\"creating\"," DEAD "}",
		  "taken" },
		{ "creating, pid used again", "{\"status\":\"creating\"," REUSED
		  "}", "taken" },
		{ "creating, init alive", "{\"status\":\"creating\"," LIVE "}",
		  EXISTS },
		{ "running", "{\"status\":\"running\"," LIVE "," RUN_LIVE "}",
		  EXISTS },
		{ "running, runner killed", "{\"status\":\"running\"," LIVE ","
		  RUN_DEAD "}", EXISTS },
		{ "both killed", "{\"status\":\"running\"," DEAD "," RUN_DEAD
		  "}", "taken" },
		{ "both killed, pids used again", "{\"status\":\"running\","
		  REUSED ",\"runner\":7,\"runnerStart\":2}", "taken" },
		{ "ended, runner cleaning up", "{\"status\":\"running\"," DEAD
		  "," RUN_LIVE "}", EXISTS },
		{ "stopped, made by create", "{\"status\":\"running\"," DEAD
		  "}", EXISTS },
		{ "created by create, dead", "{\"status\":\"created\"," DEAD
		  "}", EXISTS },
		{ "no JSON", "nonsense", "taken" },
		{ "empty", "", "taken" },
		{ "cut", "{\"status\":\"running\"," LIVE ",\"run", "taken" },
	};
	int proc = fake_proc();
	size_t i;

	it("takes over the id of what is dead and was never to last");
	for (i = 0; i < COUNT(t); i++) {
		const char *got = take(proc, t[i].json, false);

		want(str_eq(got, t[i].due), "%s: %s, not %s", t[i].what, got,
		     t[i].due);
	}

	it("takes over nothing that somebody holds locked");
	want_str("no state yet", take(proc, NULL, true), EXISTS);
	want_str("creating", take(proc, t[1].json, true), EXISTS);

	it("removes no cgroup by a state that is not sound");
	mkdirat(top_fd, "keep", 0700);
	char json[1024];

	snprintf(json, sizeof json, "{\"status\":\"creating\",\"cgroups\":["
		 "{\"path\":\"%s/keep\",\"keep\":4096},{\"path\":\"keep\","
		 "\"keep\":0},{\"path\":\"%s/keep\",\"keep\":%zu}]}", top, top,
		 strlen(top) + 5);
	want_str("it", take(proc, json, false), "taken");
	want(unlinkat(top_fd, "keep", AT_REMOVEDIR) == 0, "it is gone");

	it("removes the cgroups that the dead one made, and no parent");
	mkdirat(top_fd, "old", 0700);
	mkdirat(top_fd, "old/new", 0700);
	mkdirat(top_fd, "old/new/leaf", 0700);
	snprintf(json, sizeof json, "{\"status\":\"creating\",\"cgroups\":["
		 "{\"path\":\"%s/old/new/leaf\",\"keep\":%zu}]}", top,
		 strlen(top) + 4);
	want_str("it", take(proc, json, false), "taken");
	want(faccessat(top_fd, "old/new", F_OK, 0) < 0, "old/new is left");
	want(unlinkat(top_fd, "old", AT_REMOVEDIR) == 0, "old is gone");
	close(proc);
}

static void t_root(void)
{
	static const char *const names[] = { "q", "x/y//z", "s/t/" };
	char path[PATH_MAX], deep[PATH_MAX];
	size_t i;
	struct nsrun_options r = { .id = "x" };
	struct err e;
	struct stat st;
	int fd;

	it("finds the state root: the option, $NSRUN_ROOT, the usual place");
	r.root = "/given";
	setenv("NSRUN_ROOT", "/env", 1);
	want(state_root(&r, path, &e) && str_eq(path, "/given"), "%s", path);
	r.root = NULL;
	want(state_root(&r, path, &e) && str_eq(path, "/env"), "%s", path);
	setenv("NSRUN_ROOT", "", 1);
	setenv("XDG_RUNTIME_DIR", "/xdg", 1);
	want(state_root(&r, path, &e) &&
	     str_eq(path, geteuid() ? "/xdg/nsrun" : "/run/nsrun"), "%s",
	     path);
	r.root = "";
	want(!state_root(&r, path, &e), "an empty option");

	it("makes the state root and its parents, for everyone to pass");
	umask(022);
	for (i = 0; i < COUNT(names); i++) {
		snprintf(deep, sizeof deep, "%s/%s", top, names[i]);
		fd = state_open_root(deep);
		memset(&st, 0, sizeof st);
		want(fd >= 0 && fstat(fd, &st) == 0, "%s: %s", names[i],
		     strerror(errno));
		want(S_ISDIR(st.st_mode) && (st.st_mode & 0777) == 0711,
		     "%s: mode %o", names[i], st.st_mode);
		close(fd);
		fd = state_open_root(deep);
		want(fd >= 0, "again: %s", strerror(errno));
		close(fd);
	}
	snprintf(deep, sizeof deep, "%s/file/x", top);
	close(openat(top_fd, "file", O_CREAT | O_WRONLY, 0600));
	fd = state_open_root(deep);
	want(fd < 0 && errno == ENOTDIR, "below a file: %s", strerror(errno));
}

int main(void)
{
	temp_dir(top, sizeof top);
	top_fd = open(top, O_RDONLY | O_DIRECTORY);
	host_procfs = open("/proc", O_PATH | O_DIRECTORY);
	t_ids();
	t_round_trip();
	t_time();
	t_processes();
	t_stale();
	t_root();
	remove_tree(top);
	return done();
}
