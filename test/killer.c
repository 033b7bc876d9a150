// SPDX-License-Identifier: MIT
/*
 * killer N COMMAND [ARGUMENT...]
 * killer reap COMMAND [ARGUMENT...]
 *
 * Runs the command and ends it with SIGKILL where it is about to make its N-th
 * system call, which it does not make any more. Only the command's own process
 * counts, through each of its execve, and none of its children, who are left
 * alone; the first that counts is the one after the execve that began it.
 *
 * The exit status is 99 if the command was ended so, else its own, or 128 + n
 * if signal n ended it: then N is more than the calls it makes. N 0 ends
 * nothing, and prints on stderr how many there were. 98: the killer failed.
 *
 * With reap it runs the command and waits at once for all whose parents end
 * before them: a pid namespace ends only when each process that was in it has
 * been waited for, and some machines have a pid 1 that takes its time.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

enum { KILLED = 99, FAILED = 98 };

static int die(const char *what)
{
	perror(what);
	return FAILED;
}

static int wait_for(pid_t pid, int *status)
{
	while (waitpid(pid, status, __WALL) < 0)
		if (errno != EINTR)
			return -1;
	return 0;
}

static int ended(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) :
	       WEXITSTATUS(status);
}

static int reap(char **argv)
{
	pid_t pid, one;
	int status;

	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
		return die("prctl");
	pid = fork();
	if (pid < 0)
		return die("fork");
	if (!pid) {
		execvp(*argv, argv);
		_exit(die(*argv));
	}
	while ((one = waitpid(-1, &status, __WALL)) != pid)
		if (one < 0 && errno != EINTR)
			return die("wait");
	return ended(status);
}

int main(int argc, char **argv)
{
	long n = argc > 2 ? atol(argv[1]) : -1, count = 0;
	int status, entry = 0;
	pid_t pid;

	if (argc > 2 && !strcmp(argv[1], "reap"))
		return reap(argv + 2);
	if (n < 0) {
		fputs("usage: killer N|reap COMMAND [ARGUMENT...]\n", stderr);
		return FAILED;
	}
	pid = fork();
	if (pid < 0)
		return die("fork");
	if (!pid) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
			_exit(die("ptrace"));
		execvp(argv[2], argv + 2);
		_exit(die(argv[2]));
	}
	/* it stops when it has been executed */
	if (wait_for(pid, &status) < 0)
		return die("wait");
	if (!WIFSTOPPED(status))
		return FAILED;
	if (ptrace(PTRACE_SETOPTIONS, pid, NULL, (void *)(long)
		   (PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC |
		    PTRACE_O_EXITKILL)) < 0)
		return die("ptrace");
	for (long sig = 0; ; ) {
		if (ptrace(PTRACE_SYSCALL, pid, NULL, (void *)sig) < 0 &&
		    errno != ESRCH)
			return die("ptrace");
		if (wait_for(pid, &status) < 0)
			return die("wait");
		if (!WIFSTOPPED(status))
			break;
		sig = 0;
		if (WSTOPSIG(status) == (SIGTRAP | 0x80)) {
			entry = !entry;
			if (!entry || ++count != n)
				continue;
			kill(pid, SIGKILL);
			if (wait_for(pid, &status) < 0)
				return die("wait");
			return KILLED;
		} else if (!(status >> 16)) {	/* its own, not ptrace's */
			sig = WSTOPSIG(status);
		}
	}
	if (!n)
		fprintf(stderr, "%ld\n", count);
	return ended(status);
}
