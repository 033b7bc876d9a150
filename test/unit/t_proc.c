/* SPDX-License-Identifier: MIT */
/*
 * t_proc.c - PROC and CRED, the planning half: sysctls, environment, limits,
 * capabilities; and why a program cannot be executed. That is asked of the
 * kernel: each crafted file is executed for real, and its errno explained.
 */
#include "unit.h"
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#define NSRUN_NO_MAIN
#include "../../nsrun.c"

static struct arena mem;
static struct err err;
static char warned[512];

static void on_log(void *data, enum nsrun_level level, const char *text)
{
	(void)data, (void)level;
	snprintf(warned, sizeof warned, "%s", text);
}

static struct nsrun_options o = { .id = "web", .log = on_log };

static struct spec *load(const char *process, const char *lin)
{
	static char doc[16384];
	struct spec *s;

	mem_free(&mem);
	memset(&err, 0, sizeof err);
	*warned = 0;
	snprintf(doc, sizeof doc, "{\"process\":{\"cwd\":\"/\",\"args\":[\"a\"]"
		 "%s%s},\"root\":{\"path\":\"r\"},\"linux\":{%s}}",
		 *process ? "," : "", process, lin);
	s = spec_parse(&mem, &o, doc, strlen(doc), &err);
	want(s, "%s %s: %s", process, lin, err.text);
	return s;
}

static struct proc_plan *plan_proc(const char *process, const char *lin)
{
	static struct proc_plan p;
	struct spec *s = load(process, lin);

	memset(&p, 0, sizeof p);
	return s && proc_plan(&p, &o, s, &mem, &err) ? &p : NULL;
}

#define ALL_NS "\"namespaces\":[{\"type\":\"ipc\"},{\"type\":\"network\"}," \
	"{\"type\":\"uts\"}]"

/* The path of one sysctl, or the error. */
static const char *sysctl(const char *ns, const char *key, const char *value)
{
	static char lin[1024];
	struct proc_plan *p;

	snprintf(lin, sizeof lin, "%s%s\"sysctl\":{\"%s\":\"%s\"}", ns,
		 *ns ? "," : "", key, value);
	p = plan_proc("", lin);
	return p ? p->sysctls[0].path : err.text;
}

static void t_sysctls(void)
{
	static const char *const t[][2] = {
		{ "net.ipv4.ip_forward", "net/ipv4/ip_forward" },
		{ "net/ipv4/ip_forward", "net/ipv4/ip_forward" },
		{ "net.ipv4.conf.eth0/100.forwarding",
		  "net/ipv4/conf/eth0.100/forwarding" },
		{ "net/ipv4/conf/eth0.100/forwarding",
		  "net/ipv4/conf/eth0.100/forwarding" },
		{ "net.ipv4.conf.a..b", NULL },
		{ "kernel.msgmax", "kernel/msgmax" },
		{ "kernel.msgmnb", "kernel/msgmnb" },
		{ "kernel.msgmni", "kernel/msgmni" },
		{ "kernel.sem", "kernel/sem" },
		{ "kernel.shmall", "kernel/shmall" },
		{ "kernel.shmmax", "kernel/shmmax" },
		{ "kernel.shmmni", "kernel/shmmni" },
		{ "kernel.shm_rmid_forced", "kernel/shm_rmid_forced" },
		{ "fs.mqueue.msg_max", "fs/mqueue/msg_max" },
		{ "kernel.domainname", "kernel/domainname" },
	};
	static const char *const bad[] = { "", ".", "..", "net", "/",
		"net..core", "net//core", "net/../kernel/sysrq",
		"net/./core", "net/ipv4/..", "/net/core", "../net/core",
		".net.core", "net.ipv4./.x", "net/ipv4/." };
	static const char *const host[] = { "kernel.sysrq", "vm.swappiness",
		"fs.file-max", "kernel.msgmaxx", "kernel.panic", "net",
		"fs.mqueue", "kernel/core_pattern", "netx.core", "dev.x" };
	size_t i;

	it("reads both notations of sysctl(8)");
	for (i = 0; i < COUNT(t); i++) {
		const char *got = sysctl(ALL_NS, t[i][0], "1");

		want(t[i][1] ? str_eq(got, t[i][1]) : got == err.text,
		     "%s became \"%s\"", t[i][0], got);
	}

	it("refuses what is no name of a sysctl, or leads out of it");
	for (i = 0; i < COUNT(bad); i++) {
		const char *got = sysctl(ALL_NS, bad[i], "1");

		want(got == err.text && str_after(got, "linux.sysctl."),
		     "\"%s\" became \"%s\"", bad[i], got);
	}

	it("refuses sysctls of the whole machine");
	for (i = 0; i < COUNT(host); i++)
		want(strstr(sysctl(ALL_NS, host[i], "1"),
			    "is not in a separate kernel namespace"), "%s: %s",
		     host[i], sysctl(ALL_NS, host[i], "1"));

	it("refuses a sysctl whose namespace is the host's");
	for (i = 0; i < COUNT(t); i++)
		if (t[i][1])
			want(strstr(sysctl("", t[i][0], "1"), "is not in a "
				    "separate kernel namespace"), "%s: %s",
			     t[i][0], sysctl("", t[i][0], "1"));
	want_str("user.*", sysctl("\"namespaces\":[{\"type\":\"user\"}],"
		 "\"uidMappings\":[{\"containerID\":0,\"hostID\":0,\"size\":1}]"
		 ",\"gidMappings\":[{\"containerID\":0,\"hostID\":0,\"size\":1}"
		 "]", "user.max_net_namespaces", "1"),
		 "user/max_net_namespaces");

	it("leaves the host name to the property hostname");
	want(strstr(sysctl(ALL_NS, "kernel.hostname", "x"),
		    "conflicts with the OCI hostname field"), "%s", err.text);

	it("refuses a second line in a value");
	want(strstr(sysctl(ALL_NS, "net.core.x", "1\\n2"), "line end"), "%s",
	     err.text);
}

/* Words of six letters, none twice. */
static void word_of(unsigned n, char s[7])
{
	int i;

	for (n *= 40503, i = 0; i < 6; i++, n /= 26)
		s[i] = (char)('a' + n % 26);
}

/* Two of them that lead FNV-1a from *h to one value; *h is that then. */
static void find_pair(unsigned *h, char pair[2][7])
{
	static unsigned seen[1 << 20], hash[1 << 20];
	unsigned word = 0, end, k;

	memset(seen, 0, sizeof seen);
	for (;;) {
		word_of(++word, pair[0]);
		end = str_hash_from(*h, pair[0], 6);
		k = end % COUNT(seen);
		if (seen[k] && hash[k] == end)
			break;
		seen[k] = word;
		hash[k] = end;
	}
	word_of(seen[k], pair[1]);
	*h = end;
}

/* Names of one and the same hash: one of two words in each of 15 places. */
static void collide(char names[][91], size_t n)
{
	char pair[2][7] = { { 0 }, { 0 } };
	unsigned h = 2166136261u;
	size_t i, k;

	for (k = 0; k < 15; k++) {
		find_pair(&h, pair);
		for (i = 0; i < n; i++)
			strcpy(names[i] + 6 * k, pair[i >> k & 1]);
	}
}

/* Processor time to plan so many variables, by these names or simple ones. */
static double time_of(size_t n, char names[][91])
{
	char *text = malloc(n * 98 + 200), *at = text;
	struct proc_plan p = { 0 };
	struct spec *s;
	double took;
	size_t i;

	at += sprintf(at, "{\"process\":{\"cwd\":\"/\",\"args\":[\"a\"],"
		      "\"env\":[\"A=\"");
	for (i = 0; i < n; i++)
		at += names ? sprintf(at, ",\"%s=\"", names[i]) :
			      sprintf(at, ",\"V%zu=\"", i);
	strcpy(at, "]},\"root\":{\"path\":\"r\"}}");
	mem_free(&mem);
	s = spec_parse(&mem, &o, text, strlen(text), &err);
	took = (double)clock();
	want(s && proc_plan(&p, &o, s, &mem, &err) && p.nenv == n + 1, "%s",
	     err.text);
	took = ((double)clock() - took) / CLOCKS_PER_SEC;
	free(text);
	return took;
}

static void t_environment(void)
{
	struct proc_plan *p = plan_proc("\"env\":[\"A=1\",\"B=2\",\"A=3\","
					"\"AB=4\",\"B=\",\"A==x\"]", "");
	static char names[20000][91];
	double few, many;

	it("keeps the later of two variables, in the place of the first");
	if (want(p, "%s", err.text)) {
		want(p->nenv == 3 && !p->env[3], "%zu variables", p->nenv);
		want_str("A", p->env[0], "A==x");
		want_str("B", p->env[1], "B=");
		want_str("AB", p->env[2], "AB=4");
	}

	it("finds a variable by its whole name");
	if (p) {
		want_str("AB", proc_getenv(p, "AB"), "4");
		want_str("B", proc_getenv(p, "B"), "");
		want(!proc_getenv(p, "C"), "C is set");
	}

	it("has room for one more variable, and an end behind it");
	want(p && !p->env[p->nenv] && !p->env[p->nenv + 1], "no room");

	it("plans 20000 variables in about four times the time of 5000");
	few = time_of(5000, NULL);
	many = time_of(20000, NULL);
	want(many < 8 * few + 0.01, "%.0f ms, then %.0f ms", few * 1e3,
	     many * 1e3);

	it("and in no long time if somebody chose names of one hash");
	collide(names, 20000);
	few = time_of(20000, names);
	want(few < 8 * many + 0.3, "%.0f ms, not %.0f ms", few * 1e3,
	     many * 1e3);
}

static void t_rest(void)
{
	struct cred_plan c;
	struct proc_plan *p;
	struct spec *s;

	it("plans limits, scheduling and priorities as the kernel wants them");
	p = plan_proc("\"rlimits\":[{\"type\":\"RLIMIT_NICE\",\"soft\":1,"
		      "\"hard\":18446744073709551615}],\"oomScoreAdj\":7,"
		      "\"ioPriority\":{\"class\":\"IOPRIO_CLASS_BE\","
		      "\"priority\":3},\"scheduler\":{\"policy\":\"SCHED_RR\","
		      "\"priority\":9,\"flags\":[\"SCHED_FLAG_RECLAIM\"]}",
		      "\"personality\":{\"domain\":\"LINUX32\"}");
	if (want(p, "%s", err.text)) {
		want(p->nrlimits == 1 && p->rlimits[0].what == 13 &&
		     p->rlimits[0].limit.soft == 1 &&
		     p->rlimits[0].limit.hard == ~0ULL, "the limit");
		want(p->ioprio == (2 << 13 | 3), "io priority %#x", p->ioprio);
		want(p->sched.size == 48 && p->sched.policy == 2 &&
		     p->sched.priority == 9 && p->sched.flags == 2, "sched");
		want(p->personality.set && p->personality.v == 8, "persona");
		want(p->oom_score_adj.v == 7, "oom");
	}
	p = plan_proc("", "");
	want(p && p->ioprio == -1 && !p->sched.size && !p->personality.set &&
	     !p->oom_score_adj.set, "what was not asked for");
	want(!plan_proc("", "\"personality\":{\"domain\":\"LINUX\",\"flags\":"
			"[\"X\"]}"), "a flag of personality");

	it("makes a new session keyring, unless told not to");
	p = plan_proc("", "");
	want(p && p->keyring, "it has none");
	o.flags = NSRUN_NO_NEW_KEYRING;
	p = plan_proc("", "");
	want(p && !p->keyring, "it has one");
	o.flags = 0;

	it("grants the capabilities that it can, and warns of the others");
	s = load("\"capabilities\":{\"bounding\":[\"CAP_CHOWN\",\"CAP_BPF\"],"
		 "\"permitted\":[\"CAP_CHOWN\",\"CAP_BPF\"],\"effective\":["
		 "\"CAP_CHOWN\"]}", "");
	memset(&c, 0, sizeof c);
	want(s && cred_plan(&c, &o, s->process, 0xffff, &mem, &err), "%s",
	     err.text);
	want(c.caps[CAP_BOUNDING] == 1 && c.caps[CAP_PERMITTED] == 1 &&
	     c.caps[CAP_EFFECTIVE] == 1, "%#llx",
	     (unsigned long long)c.caps[CAP_BOUNDING]);
	want(strstr(warned, "CAP_BPF"), "warned: \"%s\"", warned);

	it("refuses an effective capability that is not permitted");
	s = load("\"capabilities\":{\"bounding\":[\"CAP_CHOWN\"],"
		 "\"effective\":[\"CAP_CHOWN\"]}", "");
	memset(&c, 0, sizeof c);
	want(s && !cred_plan(&c, &o, s->process, ~0ULL, &mem, &err) &&
	     strstr(err.text, "process.capabilities.effective"), "%s",
	     err.text);

	it("leaves out of the ambient set what could not be in it");
	s = load("\"capabilities\":{\"permitted\":[\"CAP_CHOWN\",\"CAP_KILL\"],"
		 "\"inheritable\":[\"CAP_KILL\",\"CAP_FOWNER\"],\"ambient\":["
		 "\"CAP_CHOWN\",\"CAP_KILL\",\"CAP_FOWNER\"]}", "");
	memset(&c, 0, sizeof c);
	want(s && cred_plan(&c, &o, s->process, ~0ULL, &mem, &err) &&
	     c.caps[CAP_AMBIENT] == 32, "%#llx",
	     (unsigned long long)c.caps[CAP_AMBIENT]);
	want(strstr(warned, "ambient: without CAP_CHOWN, CAP_FOWNER,"),
	     "warned: \"%s\"", warned);

	it("gives no capability at all where the config has none");
	s = load("", "");
	memset(&c, 0, sizeof c);
	want(s && cred_plan(&c, &o, s->process, ~0ULL, &mem, &err) &&
	     !c.caps[CAP_BOUNDING] && !c.caps[CAP_PERMITTED] &&
	     !c.caps[CAP_EFFECTIVE] && !c.caps[CAP_INHERITABLE] &&
	     !c.caps[CAP_AMBIENT] && c.umask == 022, "some");
}

static char dir[128];

static char *in_dir(const char *name)
{
	static char path[4][256];
	static unsigned i;

	snprintf(path[++i % 4], 256, "%s/%s", dir, name);
	return path[i % 4];
}

static char *make(const char *name, const void *data, size_t n, mode_t mode)
{
	char *path = in_dir(name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd < 0 || write(fd, data, n) != (ssize_t)n || fchmod(fd, mode) < 0)
		abort();
	close(fd);
	return path;
}

static char *make_text(const char *name, const char *text, mode_t mode)
{
	return make(name, text, strlen(text), mode);
}

/* Executes it, and returns what the kernel and nsrun say; "" if it ran. */
static const char *try(const char *path, uid_t uid)
{
	static char out[2048];
	char *argv[] = { (char *)path, NULL }, *env[] = { NULL };
	int pair[2], pid;
	ssize_t n;

	if (pipe2(pair, O_CLOEXEC) < 0)
		abort();
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		struct err e;
		int num;

		if (uid != geteuid() && setresuid(uid, uid, uid) < 0)
			_exit(9);
		dup2(open("/dev/null", O_RDWR), 1);
		execve(path, argv, env);
		num = errno;
		sysfail(&e, "x");
		proc_explain(path, num, &e);
		n = write(pair[1], e.text, strlen(e.text));
		_exit(n < 0);
	}
	close(pair[1]);
	n = read(pair[0], out, sizeof out - 1);
	out[n > 0 ? n : 0] = 0;
	close(pair[0]);
	waitpid(pid, NULL, 0);
	return out;
}

/* That hint stands in what is said; hints are in parentheses. */
static void says(int line, const char *path, const char *hint_text)
{
	const char *got = try(path, geteuid());

	unit_want(strstr(got, hint_text) != NULL, line, "%s: \"%s\", not "
		  "\"%s\"", path, got, hint_text);
}

#if __SIZEOF_LONG__ == 8
typedef Elf64_Ehdr Ehdr;
typedef Elf64_Phdr Phdr;
#else
typedef Elf32_Ehdr Ehdr;
typedef Elf32_Phdr Phdr;
#endif

/* The least dynamic program: a header, and the name of its loader. */
static struct program {
	Ehdr h;
	Phdr p[2];
	char loader[64];
} elf(const char *loader)
{
	struct program e;
	int fd = open("/proc/self/exe", O_RDONLY);
	ssize_t n = read(fd, &e.h, sizeof e.h);

	close(fd);
	if (n != sizeof e.h)
		abort();
	memset(e.p, 0, sizeof e.p);
	memset(e.loader, 0, sizeof e.loader);
	strcpy(e.loader, loader);
	e.h.e_phoff = offsetof(struct program, p);
	e.h.e_phentsize = sizeof(Phdr);
	e.h.e_phnum = 2;
	e.p[0].p_type = PT_LOAD;
	e.p[0].p_vaddr = 0x10000000;
	e.p[0].p_filesz = e.p[0].p_memsz = sizeof e;
	e.p[0].p_flags = PF_R | PF_X;
	e.p[0].p_align = 4096;
	e.p[1].p_type = PT_INTERP;
	e.p[1].p_offset = offsetof(struct program, loader);
	e.p[1].p_filesz = e.p[1].p_memsz = strlen(loader) + 1;
	return e;
}

static void t_programs(void)
{
	struct program e;
	unsigned char big[64] = "\x7f" "ELF";
	struct statvfs fs;

	if (statvfs(dir, &fs) == 0 && fs.f_flag & ST_NOEXEC) {
		skip("says why a program cannot be executed",
		     "$TMPDIR is mounted noexec");
		return;
	}
	it("says nothing of what runs");
	want_str("a script", try(make_text("good", "#!/bin/sh\nexit 0\n", 0755),
				 geteuid()), "");

	it("explains what is missing");
	says(__LINE__, in_dir("absent"), "no such file or directory");
	want(!strchr(try(in_dir("absent"), geteuid()), '('), "a hint for what "
	     "is simply not there");
	if (symlink("nowhere", in_dir("dangling")) < 0)
		abort();
	says(__LINE__, in_dir("dangling"), "no such file or directory (it is "
	     "a symbolic link to something that is not there)");

	it("explains what is no program");
	says(__LINE__, make_text("empty", "", 0755), "exec format error (the "
	     "file is empty)");
	says(__LINE__, make_text("text", "echo\n", 0755), "exec format error "
	     "(it is no program and has no #! line; try: sh ");
	says(__LINE__, dir, "permission denied (it is a directory)");
	if (mkfifo(in_dir("fifo"), 0755) < 0)
		abort();
	says(__LINE__, in_dir("fifo"), "permission denied (it is not a "
	     "regular file)");
	says(__LINE__, make_text("plain", "#!/bin/sh\n", 0644), "permission "
	     "denied (it is not executable, mode 0644)");

	it("explains what is wrong with the interpreter of a script");
	says(__LINE__, make_text("dos", "#!/bin/sh\r\necho\r\n", 0755),
	     "no such file or directory (its first line names the interpreter "
	     "\"/bin/sh\\r\": the file has Windows line ends)");
	says(__LINE__, make_text("gone", "#! /no/such/sh -x\n", 0755),
	     "(its interpreter /no/such/sh does not exist in the container)");
	says(__LINE__, make_text("bare", "#!\n", 0755),
	     "(its first line names no interpreter)");
	says(__LINE__, make_text("tab", "#!\t/no/such/x\ty\n", 0755),
	     "(its interpreter /no/such/x does not exist");
	char line[280];

	snprintf(line, sizeof line, "#!%s\n", in_dir("plain"));
	says(__LINE__, make_text("via", line, 0755), "may not be executed)");
	snprintf(line, sizeof line, "#!%s\n", in_dir("self"));
	says(__LINE__, make_text("self", line, 0755), "is a script again");
	char *name = malloc(400);

	memset(name, 'n', 400);
	memcpy(name, "#!/", 3);
	name[399] = 0;
	want(strlen(try(make_text("long", name, 0755), geteuid())) < 600,
	     "a long name");
	free(name);

	it("names the loader that is missing, or that may not be executed");
	e = elf("/no/such/ld.so.1");
	says(__LINE__, make("noloader", &e, sizeof e, 0755), "no such file or "
	     "directory (it needs the loader /no/such/ld.so.1, which is not in "
	     "the container");
	e = elf(in_dir("plain"));
	says(__LINE__, make("badloader", &e, sizeof e, 0755), "may not be "
	     "executed)");

	it("names the machine that a program is for, and this one");
	e = elf("/x");
	e.h.e_machine = 2;
	says(__LINE__, make("sparc", &e, sizeof e, 0755), "exec format error "
	     "(it is a SPARC ");
	e.h.e_machine = 243;
	says(__LINE__, make("riscv", &e, sizeof e, 0755), "(it is a RISC-V ");
	e.h.e_machine = 0x7777;
	says(__LINE__, make("other", &e, sizeof e, 0755),
	     "(it is a machine 30583 ");
	big[4] = 1, big[5] = 2, big[19] = 8;
	says(__LINE__, make("mips", big, sizeof big, 0755),
	     "(it is a MIPS 32-bit big-endian program, this machine is ");

	it("says that an ELF file is cut short or damaged");
	e = elf("/x");
	says(__LINE__, make("short", &e, 30, 0755), "(it is an ELF file that "
	     "was cut short)");
	says(__LINE__, make("magic", "\x7f" "ELF", 4, 0755), "(it is an ELF "
	     "file that was cut short)");
	e.h.e_phentsize = 1;
	says(__LINE__, make("damaged", &e, sizeof e, 0755), "(it is a damaged "
	     "ELF file)");

	it("survives any damage to an ELF header");
	for (int i = 0; i < 300; i++) {
		struct err x;
		int k;

		e = elf("/no/such");
		for (k = 0; k < 8; k++)
			((char *)&e)[4 + draw(sizeof e.h + sizeof e.p - 4)] =
				(char)(draw(3) ? draw(256) : 255);
		make("fuzz", &e, 1 + draw(sizeof e), 0755);
		fail(&x, "x");
		proc_explain(in_dir("fuzz"), draw(2) ? ENOENT : ENOEXEC, &x);
		want(strlen(x.text) < ERR_MAX, "a message without an end");
	}
}

/* A machine runs programs of its smaller sister; the kernel's errno tells. */
static void t_sister(void)
{
	Elf32_Ehdr h = { .e_type = ET_EXEC, .e_machine = EM_386,
			 .e_version = 1, .e_phoff = 52, .e_ehsize = 52,
			 .e_phentsize = 32, .e_phnum = 2 };
	Elf32_Phdr p[2] = { { .p_type = PT_LOAD, .p_vaddr = 0x10000000,
			      .p_filesz = 200, .p_memsz = 200, .p_flags = 5,
			      .p_align = 4096 },
			    { .p_type = PT_INTERP, .p_offset = 116,
			      .p_filesz = 10, .p_memsz = 10 } };
	char file[200] = "";
	const char *got;

	memcpy(h.e_ident, ELFMAG, 4);
	h.e_ident[4] = h.e_ident[5] = h.e_ident[6] = 1;
	memcpy(file, &h, sizeof h);
	memcpy(file + 52, p, sizeof p);
	memcpy(file + 116, "/no/ld.so", 10);
	got = try(make("sister", file, sizeof file, 0755), geteuid());
	if (!strstr(got, "no such file")) {
		skip("names the missing loader of a 32-bit program",
		     "this machine or kernel executes none of i386");
		return;
	}
	it("names the missing loader of a 32-bit program");
	want(strstr(got, "the loader /no/ld.so"), "%s", got);
}

static void t_users(void)
{
	uid_t uid = geteuid() ? geteuid() : 65534;
	const char *got;

	it("says which directory a user may not enter");
	mkdir(in_dir("shut"), 0700);
	make_text("shut/prog", "#!/bin/sh\n", 0755);
	chmod(in_dir("shut"), 0);
	chmod(dir, 0755);
	got = try(in_dir("shut/prog"), uid);
	want(strstr(got, "permission denied (user ") &&
	     strstr(got, " may not enter ") && strstr(got, "/shut)"), "%s",
	     got);
	chmod(in_dir("shut"), 0700);

	if (geteuid()) {
		skip("says that a user may not execute a file of another",
		     "this needs root");
		return;
	}
	it("says that a user may not execute a file of another");
	got = try(make_text("mine", "#!/bin/sh\n", 0700), uid);
	want(strstr(got, "(user 65534 may not execute it: mode 0700, owner "
		    "0:0)"), "%s", got);
}

static void t_lookup(void)
{
	char path[PATH_MAX], env[1024], absolute[256];
	char *argv[] = { (char *)"prog", NULL }, *envp[] = { env, NULL, NULL };
	struct proc_plan p = { .argv = argv, .env = envp, .nenv = 1 };

	mkdir(in_dir("a"), 0755);
	mkdir(in_dir("b"), 0755);
	mkdir(in_dir("c"), 0755);
	mkdir(in_dir("a/prog"), 0755);
	make_text("b/prog", "", 0644);
	make_text("c/prog", "", 0755);

	it("looks a name up in PATH: the first that may be executed");
	snprintf(env, sizeof env, "PATH=%s/none:%s/a:%s/b:%s/c", dir, dir, dir,
		 dir);
	want(proc_find(&p, path) && str_eq(path, in_dir("c/prog")), "%s", path);

	it("says EACCES if something was there, else ENOENT");
	errno = 0;
	snprintf(env, sizeof env, "PATH=%s/none:%s/b", dir, dir);
	want(!proc_find(&p, path) && errno == EACCES, "%s", strerror(errno));
	errno = 0;
	snprintf(env, sizeof env, "PATH=%s/none", dir);
	want(!proc_find(&p, path) && errno == ENOENT, "%s", strerror(errno));

	it("takes an empty entry for the working directory");
	if (chdir(in_dir("c")) < 0)
		abort();
	strcpy(env, "PATH=:/none");
	want(proc_find(&p, path) && str_eq(path, "./prog"), "%s", path);
	strcpy(env, "PATH=/none:");
	want(proc_find(&p, path) && str_eq(path, "./prog"), "%s", path);

	it("takes a name with a slash as it is");
	strcpy(absolute, in_dir("c/prog"));
	argv[0] = absolute;
	want(proc_find(&p, path) && str_eq(path, absolute), "%s", path);
	strcpy(absolute, in_dir("a/prog"));
	want(!proc_find(&p, path) && errno == EISDIR, "%s", strerror(errno));
	argv[0] = (char *)"./prog";
	want(proc_find(&p, path) && str_eq(path, "./prog"), "%s", path);

	it("has a PATH where there is none");
	strcpy(env, "X=1");
	argv[0] = (char *)"sh";
	want(proc_find(&p, path) && str_eq(path, "/bin/sh"), "%s", path);
	if (chdir("/") < 0)
		abort();
}

static const char *home(const char *passwd, uid_t uid)
{
	static char buf[512];
	int fd = open(make_text("passwd", passwd, 0600), O_RDONLY);

	strcpy(buf, "HOME=/");
	proc_passwd(fd, uid, buf, sizeof buf);
	close(fd);
	return buf;
}

static void t_homes(void)
{
	char *big = malloc(9000);

	it("finds the home directory of a user, and only of that one");
	want_str("root", home("root:x:0:0:r:/root:/bin/sh\nu:x:1:1::/u:\n", 0),
		 "HOME=/root");
	want_str("1", home("root:x:0:0:r:/root:/bin/sh\nu:x:1:1::/u:\n", 1),
		 "HOME=/u");
	want_str("10", home("root:x:0:0:r:/root:/bin/sh\nu:x:1:1::/u:\n", 10),
		 "HOME=/");
	want_str("the first", home("a:x:5:5::/a:\nb:x:5:5::/b:\n", 5),
		 "HOME=/a");
	want_str("the last uid", home("n:x:4294967294:0::/n:\n", 4294967294U),
		 "HOME=/n");

	it("takes a last line without its end");
	want_str("it", home("a:x:5:5::/a:/bin/sh", 5), "HOME=/a");

	it("skips lines that are none, or whose home is no path");
	want_str("short", home("x\n:::\n:x:5\na:x:5:5:\nb:x:5:5::/b:\n", 5),
		 "HOME=/b");
	want_str("no number", home("a:x::0::/a:\nb:x:0x:0::/b:\n"
				   "c:x:-0:0::/c:\nd:x:0:0::/d:\n", 0),
		 "HOME=/d");
	want_str("relative", home("a:x:5:5::a:\nb:x:5:5:::\nc:x:5:5::/c:\n",
				  5), "HOME=/c");
	want_str("no shell field", home("a:x:5:5::/a\n", 5), "HOME=/a");
	want_str("too large", home("a:x:4294967296:0::/a:\n", 0), "HOME=/");

	it("skips a line that does not fit, and never cuts a path off");
	memset(big, 'x', 9000);
	strcpy(big + 8000, "\na:x:5:5::/a:\n");
	want_str("a long line", home(big, 5), "HOME=/a");
	memset(big, 'x', 9000);
	memcpy(big, "a:x:5:5::/", 10);
	strcpy(big + 1000, ":\n");
	want_str("a long home", home(big, 5), "HOME=/");
	free(big);
}

int main(void)
{
	temp_dir(dir, sizeof dir);
	t_sysctls();
	t_environment();
	t_rest();
	t_programs();
	t_sister();
	t_users();
	t_lookup();
	t_homes();
	remove_tree(dir);
	mem_free(&mem);
	return done();
}
