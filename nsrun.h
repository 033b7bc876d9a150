/* SPDX-License-Identifier: MIT */
/*
 * nsrun.h - run OCI containers from a C program.
 *
 * The command line of nsrun is a thin user of this interface. A program that
 * embeds it compiles nsrun.c with -DNSRUN_NO_MAIN and calls, for instance:
 *
 *	struct nsrun_options o = { .id = "web", .bundle = "/srv/web" };
 *	struct nsrun_error e;
 *	int status;
 *
 *	if (nsrun_protect(argv, &e) || nsrun_run(&o, &status, &e))
 *		complain(e.text);
 *
 * Rules that hold for every call:
 *  - No globals: calls for different ids may run in different threads.
 *  - The library never exits, never prints, and leaves the working directory,
 *    the signal mask, the environment and the limits of its caller alone.
 *    It closes what it opens, and all that it opens is close-on-exec.
 *  - It waits only for children that it made itself, by pid. SIGCHLD must not
 *    be ignored (SIG_IGN or SA_NOCLDWAIT) by the caller.
 *  - A call returns 0, or -1 with the error filled in. After -1 nothing that
 *    the call made is left: no process, mount, cgroup, link, directory.
 *  - Strings that are passed in stay the caller's; nothing is kept after the
 *    call returns. Paths are taken relative to the working directory.
 */
#ifndef NSRUN_H
#define NSRUN_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#define NSRUN_VERSION		"0.1.0"
#define NSRUN_SPEC_VERSION	"1.3.0"	/* of the OCI runtime specification */
#define NSRUN_ERROR_MAX		1024

/* What went wrong: one line, outermost step first, cause last. */
struct nsrun_error {
	int	errnum;			/* errno of the first cause, 0: none */
	char	text[NSRUN_ERROR_MAX];	/* UTF-8, no line end */
};

enum nsrun_level { NSRUN_WARNING, NSRUN_DEBUG };

enum nsrun_flags {
	NSRUN_NO_NEW_KEYRING	= 1,	/* stay in the session keyring */
	NSRUN_KEEP_ON_EXIT	= 2,	/* run: leave the cgroups and the state
					   of a container that has ended */
};

/* A container's first process while nsrun_run() waits for it. */
struct nsrun_process {
	int	pid;		/* in the caller's pid namespace; our child */
	int	pidfd;		/* readable when it has ended; -1 before 5.3 */
	int	terminal;	/* master of its pty, -1: process.terminal is
				   false; owned by the library */
};

/* Zero is the default of every member, so `= { .id = "web" }` is enough. */
struct nsrun_options {
	const char	*id;		/* [A-Za-z0-9_+.-]+ but not . or .. */
	const char	*bundle;	/* directory with config.json; "." */
	const char	*root;		/* where state lives; $NSRUN_ROOT, then
					   /run/nsrun, or for a user
					   $XDG_RUNTIME_DIR/nsrun */
	const char	*pid_file;	/* gets the pid, without a line end */
	unsigned	flags;		/* enum nsrun_flags */
	int		preserve_fds;	/* that many, from 3 on, stay open */
	int		listen_fds;	/* that many more, of which the process is
					   told by $LISTEN_FDS, sd_listen_fds(3) */
	int		cancel_fd;	/* > 0: while the container is being
					   made, readable means: give up */
	/* Called for what is worth knowing but no failure. May be NULL. */
	void		(*log)(void *data, enum nsrun_level, const char *text);
	/* Called when process.terminal was made, before the process sees it:
	 * to set its size. master is the library's. May be NULL. */
	void		(*console)(void *data, int master);
	/*
	 * Called once the process runs, to forward signals and to serve the
	 * terminal; returns when the process has ended. NULL: just wait.
	 */
	void		(*attend)(void *data, const struct nsrun_process *);
	void		*data;		/* first argument of all three */
};

/*
 * nsrun_run - create, start, wait for and delete a container (runtime.md,
 * "Lifecycle"). *status is the exit status of its process, or 128 + n when
 * signal n ended it.
 */
int nsrun_run(const struct nsrun_options *, int *status, struct nsrun_error *);

/*
 * nsrun_plan - what nsrun_run() would do with o->bundle, as text on fd, one
 * step a line, in order. Nothing is touched; root is not needed.
 */
int nsrun_plan(const struct nsrun_options *, int fd, struct nsrun_error *);

/*
 * nsrun_spec - write the default config.json into the directory o->bundle,
 * with a user namespace for the caller's ids if rootless. An existing file is
 * an error.
 */
int nsrun_spec(const struct nsrun_options *, int rootless,
	       struct nsrun_error *);

/*
 * nsrun_protect - make the program file that this process runs unreachable
 * for writing through /proc/PID/exe (CVE-2019-5736): executes the program
 * again, with the arguments argv, from a read-only clone of its mount or from a
 * sealed copy in memory. To be called first in main(), with one thread.
 * Returns 0 in the process that is safe, or -1 where neither way works.
 */
int nsrun_protect(char **argv, struct nsrun_error *);

/* nsrun_main - the command line; returns the exit status. */
int nsrun_main(int argc, char **argv);

#ifdef __cplusplus
}
#endif
#endif
