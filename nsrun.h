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
	NSRUN_DETACH		= 4,	/* run, exec: do not wait for the end
					   of the process */
	NSRUN_NO_CGROUPS	= 8,	/* create, run: as on a host without
					   cgroups */
	NSRUN_BEST_EFFORT	= 16,	/* create, run: a limit that this host
					   cannot enforce is only a warning, but
					   a device policy must be enforced */
};

struct nsrun_pair {
	const char	*key, *value;
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
	const char	*config;	/* a file to read in its place */
	const char	*root;		/* state root; $NSRUN_ROOT, then
					   /run/nsrun, or for a user
					   $XDG_RUNTIME_DIR/nsrun */
	const char	*pid_file;	/* gets the pid, without a line end */
	const char	*console_socket; /* unix stream socket that gets the
					   master of the terminal, if the call
					   does not wait for the process */
	const char	*pidfd_socket;	/* such a socket, gets a pidfd */
	const char	*notify_socket;	/* create, start, run: as systemd's
					   $NOTIFY_SOCKET; gets READY and the
					   pid of the process. start, and a run
					   that does not wait for the end, wait
					   for READY */
	unsigned	flags;		/* enum nsrun_flags */
	int		preserve_fds;	/* so many fds, from 3 on, stay open */
	int		listen_fds;	/* so many more, announced by
					   $LISTEN_FDS, sd_listen_fds(3) */
	int		cancel_fd;	/* > 0: the call gives up if this fd is
					   readable before the program runs */
	/* Called for warnings and debug messages, which are no failures. May
	 * be NULL. */
	void		(*log)(void *data, enum nsrun_level, const char *text);
	/* Called when the terminal was made, before the process sees it, for
	 * instance to set its size. The library owns master. May be NULL. */
	void		(*console)(void *data, int master);
	/* Called when all is made and the program is about to be executed: if
	 * log() holds warnings back, print them now. May be NULL. */
	void		(*starting)(void *data);
	/*
	 * Called once the process runs, to forward signals and to serve the
	 * terminal; returns when the process has ended. NULL: just wait.
	 */
	void		(*attend)(void *data, const struct nsrun_process *);
	void		*data;		/* first argument of all four */
};

/*
 * nsrun_create - make a container from o->bundle: everything except executing
 * its program (runtime.md, "Create"). Its init is a child of the caller, or,
 * after the caller has ended, of the subreaper or init that adopts it.
 */
int nsrun_create(const struct nsrun_options *, struct nsrun_error *);

/*
 * nsrun_start - let a created container execute its program. Returns when it
 * has been executed, and its poststart hooks are done.
 */
int nsrun_start(const struct nsrun_options *, struct nsrun_error *);

/*
 * nsrun_run - create, start, wait for and delete a container (runtime.md,
 * "Lifecycle"). *status is the exit status of its process, or 128 + n when
 * signal n ended it. With NSRUN_DETACH only create and start; *status is not
 * set.
 */
int nsrun_run(const struct nsrun_options *, int *status, struct nsrun_error *);

enum nsrun_exec_flags {
	NSRUN_EXEC_TTY			= 1,
	NSRUN_EXEC_NO_NEW_PRIVS		= 2,
	NSRUN_EXEC_IGNORE_PAUSED	= 4,	/* it runs when resumed */
};

/* One more process: that of the file, or the config's changed by the rest. */
struct nsrun_exec {
	const char	*process;	/* file with a process of config.md */
	char		**argv;		/* the command; NULL-terminated, as the
					   other lists are. May be NULL */
	char		**env;		/* NAME=value; added to the others */
	char		**caps;		/* CAP_...; added */
	char		**groups;	/* group ids; added */
	char		**cgroups;	/* PATH below the container's own, or
					   CONTROLLER[,...]:PATH for some of
					   them */
	const char	*cwd, *user;	/* user: UID or UID:GID, in digits;
					   without GID the config's stays */
	const char	*apparmor, *selinux;
	unsigned	flags;		/* enum nsrun_exec_flags */
};

/*
 * nsrun_exec - run one more process in a container. Waits for its end as
 * nsrun_run() does, unless NSRUN_DETACH is set; o->pid_file gets its pid.
 */
int nsrun_exec(const struct nsrun_options *, const struct nsrun_exec *,
	       int *status, struct nsrun_error *);

/*
 * nsrun_kill - send signal sig to init; if all is set, to every process of the
 * container. SIGKILL always goes to every process if the container has no pid
 * namespace of its own.
 */
int nsrun_kill(const struct nsrun_options *, int sig, int all,
	       struct nsrun_error *);

/*
 * nsrun_pause, nsrun_resume - stop all processes of a container by the freezer
 * of its cgroup, and let them go on. Both return when all are stopped, or go
 * on.
 */
int nsrun_pause(const struct nsrun_options *, struct nsrun_error *);
int nsrun_resume(const struct nsrun_options *, struct nsrun_error *);

/*
 * nsrun_ps - call each with the pid of every process in the container's cgroup
 * and in the cgroups below. It is the pid in the pid namespace of the caller;
 * 0 if the process has none there.
 */
int nsrun_ps(const struct nsrun_options *, void (*each)(void *data, int pid),
	     void *data, struct nsrun_error *);

/*
 * What nsrun_update() changes. resources is the JSON text of linux.resources
 * (config-linux.md); its devices are ignored. set has single members of linux
 * by their path, {"resources.memory.limit", "64m"}; they are applied after
 * resources. What neither names is not changed.
 */
struct nsrun_update {
	const char	*resources;	/* may be NULL */
	const struct nsrun_pair *set;
	size_t		count;
};

/*
 * nsrun_update - change limits of a container that is not stopped. After a
 * failure the old limits are in force.
 */
int nsrun_update(const struct nsrun_options *, const struct nsrun_update *,
		 struct nsrun_error *);

/*
 * nsrun_stats - write the statistics of a container that is not stopped to fd,
 * as a line of JSON in the format of `runc events --stats`: times in
 * nanoseconds, sizes in bytes.
 */
int nsrun_stats(const struct nsrun_options *, int fd, struct nsrun_error *);

/*
 * nsrun_events - write such a line every interval milliseconds, and a line
 * each time the kernel has killed a process for want of memory, until the
 * container ends or o->cancel_fd is readable.
 */
int nsrun_events(const struct nsrun_options *, int fd, int interval,
		 struct nsrun_error *);

/*
 * nsrun_delete - remove what is left of a stopped or a created container. With
 * force a running container is killed first, and it is no error if the
 * container does not exist.
 */
int nsrun_delete(const struct nsrun_options *, int force,
		 struct nsrun_error *);

#define NSRUN_LINKS_MAX		32	/* more are not reported */

/* A network interface as seen inside a container for which nsrun made
 * networks. */
struct nsrun_link {
	char		name[16];
	char		addresses[512];	/* "10.0.0.2/24 fd00::2/64" */
	unsigned long long rx_bytes, rx_packets, rx_errors, rx_dropped,
			tx_bytes, tx_packets, tx_errors, tx_dropped;
};

/* A container as in runtime.md, "State"; valid during the call of each. */
struct nsrun_state {
	const char	*version, *id;
	const char	*status;	/* creating, created, running, paused or
					   stopped */
	const char	*bundle, *rootfs;
	const char	*created;	/* RFC 3339 */
	int		pid;		/* 0 when stopped */
	unsigned	owner;		/* user id that made it */
	const struct nsrun_pair *annotations;
	size_t		annotation_count;
	const struct nsrun_link *links;		/* NULL from nsrun_list() */
	size_t		link_count;
};

typedef void nsrun_each(void *data, const struct nsrun_state *);

/* nsrun_state - call each once, with the state of the container o->id. */
int nsrun_state(const struct nsrun_options *, nsrun_each *each, void *data,
		struct nsrun_error *);

/* nsrun_list - call each for all containers below o->root, sorted by id. */
int nsrun_list(const struct nsrun_options *, nsrun_each *each, void *data,
	       struct nsrun_error *);

/*
 * nsrun_plan - write to fd what nsrun_run() would do with o->bundle, as text,
 * one step per line, in order. Nothing is changed; root is not needed.
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
 * nsrun_protect - make the program file that this process runs unreachable for
 * writing through /proc/PID/exe (CVE-2019-5736): executes the program again,
 * with the arguments argv, from a read-only clone of its mount or from a
 * sealed copy in memory. Call it first in main(), while there is only one
 * thread. Returns 0 in the process that is safe, or -1 if neither way works.
 */
int nsrun_protect(char **argv, struct nsrun_error *);

/* nsrun_main - the command line; returns the exit status. */
int nsrun_main(int argc, char **argv);

#ifdef __cplusplus
}
#endif
#endif
