// SPDX-License-Identifier: GPL-2.0-only
/*
 * scx_trace: runs a command, mostly scx_run, and writes down what the scheduler did with the processes that the
 * command started, and with theirs.
 *
 * The counting is done by trace.bpf.c in the kernel; here its programs are loaded before the command starts, and its
 * memory is read when the command has ended. In between this program sleeps.
 */
#define _GNU_SOURCE
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scx_trace.h"

#define PID_MAX		"/proc/sys/kernel/pid_max"

static struct trace *trace;
static int edges_fd;

static int print(enum libbpf_print_level level, const char *format, va_list args)
{
	return level == LIBBPF_WARN ? vfprintf(stderr, format, args) : 0;
}

static bool complain(const char *what)
{
	fprintf(stderr, "scx_trace: %s: %s\n", what, strerror(errno));
	return false;
}

/* The table of pids must hold all there can be. */
static bool limit_pids(void)
{
	FILE *file = fopen(PID_MAX, "r+e");
	int most = 0;
	bool good;

	if (!file || fscanf(file, "%d", &most) != 1)
		return complain(PID_MAX);
	rewind(file);
	good = most <= TRACE_PIDS || fprintf(file, "%d\n", TRACE_PIDS) > 0;
	return (fclose(file) == 0 && good) || complain(PID_MAX);
}

static bool load(const char *path)
{
	struct bpf_object *object = bpf_object__open_file(path, NULL);
	struct bpf_program *program;
	struct bpf_map *memory;

	if (!object)
		return complain(path);
	if (bpf_object__load(object))
		return complain("the kernel does not load the tracer");
	memory = bpf_object__find_map_by_name(object, ".bss");
	if (!memory || bpf_map__value_size(memory) < sizeof(*trace)) {
		errno = EINVAL;
		return complain("this tracer is of another version");
	}
	edges_fd = bpf_object__find_map_fd_by_name(object, "edges");
	trace = mmap(NULL, sizeof(*trace), PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(memory), 0);
	if (trace == MAP_FAILED || edges_fd < 0)
		return complain("the tracer's memory");
	bpf_object__for_each_program(program, object)
		if (!bpf_program__attach(program))
			return complain(bpf_program__name(program));
	return true;
}

static int run(char **command)
{
	int status = 0, start[2];
	char go = 0;
	pid_t pid;

	if (pipe(start))
		return complain("pipe"), 1;
	pid = fork();
	if (pid < 0)
		return complain("fork"), 1;
	if (pid == 0) {
		close(start[1]);
		if (read(start[0], &go, 1) != 1)
			_exit(126);
		close(start[0]);
		execvp(command[0], command);
		complain(command[0]);
		_exit(127);
	}
	close(start[0]);
	trace->above = pid;
	if (write(start[1], &go, 1) != 1)
		complain("pipe");
	close(start[1]);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	trace->above = 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int usage(void)
{
	fputs("usage: scx_trace --object trace.bpf.o --output FILE [--window-shift 24] -- COMMAND [ARG...]\n", stderr);
	return 2;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "object", required_argument, NULL, 'o' },
		{ "output", required_argument, NULL, 'f' },
		{ "window-shift", required_argument, NULL, 'w' },
		{ 0 },
	};
	struct sched_param priority = { .sched_priority = 1 };
	const char *object = NULL, *output = NULL;
	int option, shift = 24, status;

	while ((option = getopt_long(argc, argv, "+", options, NULL)) >= 0) {
		switch (option) {
		case 'o':
			object = optarg;
			break;
		case 'f':
			output = optarg;
			break;
		case 'w':
			shift = atoi(optarg);
			break;
		default:
			return usage();
		}
	}
	if (!object || !output || optind >= argc || shift < 10 || shift > 40)
		return usage();
	/* The command starts as an ordinary task all the same. */
	if (sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &priority) < 0)
		complain("no real-time priority");
	libbpf_set_print(print);
	if (!limit_pids() || !load(object))
		return 125;
	trace->window_shift = shift;
	status = run(argv + optind);
	if (!write_trace(output, trace, edges_fd))
		return complain(output), 125;
	return status;
}
