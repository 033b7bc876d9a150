// SPDX-License-Identifier: MIT
/*
 * rounds N PAUSE NAME COMMAND ARGUMENT... [-- NAME COMMAND ARGUMENT...]...
 *
 * Runs every command in turn, N times over, and prints for each its name, the
 * median and the least wall time in microseconds, and how often it failed.
 * Interleaved, because a machine's mood changes between two blocks of runs. What
 * one command leaves behind is felt by the next: a network namespace that the
 * kernel still takes down, or RCU, for which the first move into a v1 cgroup
 * after a while waits 10 ms. So before each timed run, and a pause of PAUSE
 * milliseconds, comes an untimed one of the first command, the same for all.
 * The clock runs from before vfork until the exit status is there.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { WARM_UP = 3 };

struct command {
	char **argv;		/* the name, then the command */
	long *times;
	int failures;
};

extern char **environ;

static long now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000L + t.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
	long x = *(const long *)a, y = *(const long *)b;

	return (x > y) - (x < y);
}

static long run(struct command *c)
{
	long start = now();
	int status;
	pid_t pid;

	if ((errno = posix_spawnp(&pid, c->argv[1], NULL, NULL, c->argv + 1,
				  environ))) {
		perror(c->argv[1]);
		exit(1);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	c->failures += status != 0;
	return now() - start;
}

int main(int argc, char **argv)
{
	int n = argc > 4 ? atoi(argv[1]) : 0, count = 0;
	long pause = n ? atol(argv[2]) * 1000000 : 0;
	struct command *commands = calloc(argc, sizeof(*commands));

	if (n < 1) {
		fputs("usage: rounds N PAUSE NAME COMMAND ARGUMENT..."
		      " [-- NAME COMMAND ARGUMENT...]...\n", stderr);
		return 2;
	}
	for (char **p = argv + 3; p[0] && p[1]; count++) {
		commands[count].argv = p;
		commands[count].times = calloc(n, sizeof(long));
		while (*p && strcmp(*p, "--"))
			p++;
		if (*p)
			*p++ = NULL;
	}
	for (int i = -WARM_UP; i < n; i++) {
		for (int j = 0; j < count; j++) {
			run(&commands[0]);
			nanosleep(&(struct timespec){ pause / 1000000000,
				  pause % 1000000000 }, NULL);
			long t = run(&commands[j]);

			if (i >= 0)
				commands[j].times[i] = t;
		}
	}
	for (struct command *c = commands; c < commands + count; c++) {
		qsort(c->times, n, sizeof(long), by_value);
		printf("%s\t%ld\t%ld\t%d\n", c->argv[0], c->times[n / 2] / 1000,
		       c->times[0] / 1000, c->failures);
	}
	return 0;
}
