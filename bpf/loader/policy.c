// SPDX-License-Identifier: GPL-2.0-only
/* The policy's life for scx_run: open, set tunables, load, attach, watch, detach. */
#define _GNU_SOURCE
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "policy.h"
#include "tunables.h"

#define SCX		"/sys/kernel/sched_ext/"
#define ENABLE_MS	1000
#define DISABLE_MS	5000
#define STATS_SIZE	4096
#define MAX_PROGS	64
#define LOG_TAIL	(256 * 1024)
#define KEY_SIZE	256
#define OPS_SWITCH_PARTIAL	(1ULL << 3)	/* SCX_OPS_SWITCH_PARTIAL */

/* As in bpf/include/scx/user_exit_info.bpf.h. */
struct user_exit_info {
	int	kind;
	int64_t	exit_code;
	char	reason[128];
	char	msg[1024];
};

static struct bpf_object *object;
static struct bpf_map *ops_map, *data_map;
static struct bpf_link *link;
static uint32_t exit_offset;
static char enable_seq[32];
static FILE *log_file;
static bool tracing;
static enum switch_mode switch_mode;
static long long free_kib_before;
static char complaint[512];
static char stats[MAX_PROGS][STATS_SIZE];

bool fail(struct report *r, const char *outcome, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(r->message, sizeof(r->message), format, args);
	va_end(args);
	r->outcome = outcome;
	return false;
}

/* The verifier says what is wrong in the line before its explanation or statistics; libbpf in its first warning. */
static void keep_complaint(char *text)
{
	char *end = strstr(text, "\n\nVerification failed") ?: strstr(text, "\nprocessed "), *line;

	if (end && strstr(text, "BEGIN PROG LOAD LOG")) {
		for (line = end; line > text && line[-1] != '\n'; line--)
			;
		snprintf(complaint, sizeof(complaint), "%.*s", (int)(end - line), line);
	} else if (!complaint[0]) {
		snprintf(complaint, sizeof(complaint), "%.*s", (int)strcspn(text, "\n"), text);
	}
}

static int print(enum libbpf_print_level level, const char *format, va_list args)
{
	char *text;
	int length;

	if (level == LIBBPF_DEBUG || !tracing)
		return 0;
	length = vasprintf(&text, format, args);
	if (length < 0)
		return 0;
	if (log_file && length > LOG_TAIL)
		fprintf(log_file, "(%d bytes left out)\n%s", length - LOG_TAIL, text + length - LOG_TAIL);
	else if (log_file)
		fputs(text, log_file);
	if (level == LIBBPF_WARN)
		keep_complaint(text);
	free(text);
	return 0;
}

/* Which tasks the policy gets is the loader's to say. */
static void set_switch_mode(char *flags)
{
	uint64_t value;

	memcpy(&value, flags, sizeof(value));
	value = switch_mode == SWITCH_PARTIAL ? value | OPS_SWITCH_PARTIAL : value & ~OPS_SWITCH_PARTIAL;
	memcpy(flags, &value, sizeof(value));
}

/* Finds the one table of callbacks, its name and the exit record. */
static bool find_ops(struct report *r)
{
	const struct btf_var_secinfo *info;
	const struct btf_type *type;
	const struct btf *btf = bpf_object__btf(object);
	struct bpf_map *map;
	bool unused;
	size_t size;
	char *table;
	int i;

	ops_map = data_map = NULL;
	bpf_object__for_each_map(map, object) {
		if (bpf_map__pin_path(map))
			bpf_map__set_pin_path(map, NULL);
		if (bpf_map__type(map) != BPF_MAP_TYPE_STRUCT_OPS)
			continue;
		if (ops_map)
			return fail(r, "rejected", "more than one struct_ops table");
		ops_map = map;
	}
	type = find_variable(object, ".struct_ops.link", "sched_ext_ops", true, &unused, &info) ?:
	       find_variable(object, ".struct_ops", "sched_ext_ops", true, &unused, &info);
	if (!ops_map || !type)
		return fail(r, "rejected", "no table of sched_ext_ops");
	table = bpf_map__initial_value(ops_map, &size);
	for (i = 0; table && i < btf_vlen(type); i++) {
		const struct btf_member *member = btf_members(type) + i;
		size_t at = member->offset / 8;

		const char *name = btf__name_by_offset(btf, member->name_off) ?: "";

		if (!strcmp(name, "name") && at < size)
			snprintf(r->ops, sizeof(r->ops), "%.*s", (int)(size - at), table + at);
		if (!strcmp(name, "timeout_ms") && at + 4 <= size)
			memcpy(&r->timeout_ms, table + at, sizeof(r->timeout_ms));
		if (!strcmp(name, "flags") && at + 8 <= size && switch_mode != SWITCH_AS_IT_IS)
			set_switch_mode(table + at);
	}
	if (!r->ops[0])
		return fail(r, "rejected", "the table of sched_ext_ops has no name");

	type = find_variable(object, ".data", "user_exit_info", true, &unused, &info);
	map = bpf_object__find_map_by_name(object, ".data");
	if (type && map && info->size == sizeof(struct user_exit_info) &&
	    (uint64_t)info->offset + info->size <= bpf_map__value_size(map)) {
		data_map = map;
		exit_offset = info->offset;
	}
	return true;
}

/* Opens the object and makes it ready to load. The first time it asks the verifier for its statistics only. */
static bool prepare(struct report *r, const char *path, const char *tunables)
{
	struct bpf_program *prog;
	char error[128];
	int count = 0;

	r->stage = "open";
	object = bpf_object__open_file(path, NULL);
	if (!object) {
		libbpf_strerror(errno, error, sizeof(error));
		return fail(r, "rejected", "%s cannot be opened: %s", path, error);
	}
	bpf_object__for_each_program(prog, object) {
		if (bpf_program__type(prog) == BPF_PROG_TYPE_SYSCALL)
			bpf_program__set_autoload(prog, false);
		else if (bpf_program__type(prog) != BPF_PROG_TYPE_STRUCT_OPS)
			return fail(r, "rejected", "%s is no struct_ops program", bpf_program__name(prog));
		if (tracing || count == MAX_PROGS)
			continue;
		bpf_program__set_log_level(prog, 4);
		bpf_program__set_log_buf(prog, stats[count++], STATS_SIZE);
	}
	return find_ops(r) && set_tunables(r, object, tunables);
}

static void write_stats(void)
{
	struct bpf_program *prog;
	int count = 0;

	bpf_object__for_each_program(prog, object)
		if (log_file && count < MAX_PROGS)
			fprintf(log_file, "%s: %s", bpf_program__name(prog), stats[count++]);
}

/* The program on which the kernel gave up after a million instructions, or NULL. */
static struct bpf_program *too_complex(void)
{
	struct bpf_program *prog;
	int count = 0;

	bpf_object__for_each_program(prog, object)
		if (count < MAX_PROGS && strstr(stats[count++], "too large"))
			return prog;
	return NULL;
}

static bool load(struct report *r, const char *path, const char *tunables)
{
	struct bpf_program *prog;
	int error;

	if (!prepare(r, path, tunables))
		return false;
	r->stage = "load";
	if (bpf_object__load(object) == 0) {
		write_stats();
		return true;
	}
	prog = too_complex();
	if (prog) {
		write_stats();
		return fail(r, "rejected", "the kernel does not load the policy: %s is too complex: a million instructions "
			    "walked through and no end", bpf_program__name(prog));
	}
	/* Once more, for the whole story. */
	bpf_object__close(object);
	object = NULL;
	tracing = true;
	if (!prepare(r, path, tunables))
		return false;
	r->stage = "load";
	error = bpf_object__load(object);
	return fail(r, "rejected", "the kernel does not load the policy: %s (%s)", complaint, strerror(-error));
}

static void sleep_ms(long ms)
{
	struct timespec time = { .tv_nsec = ms * 1000000 };

	nanosleep(&time, NULL);
}

static void read_exit(struct report *r)
{
	struct user_exit_info info;
	uint32_t zero = 0;
	char *value;

	value = data_map ? malloc(bpf_map__value_size(data_map)) : NULL;
	if (value && bpf_map_lookup_elem(bpf_map__fd(data_map), &zero, value) == 0) {
		memcpy(&info, value + exit_offset, sizeof(info));
		r->exit_kind = info.kind;
		r->exit_code = info.exit_code;
		snprintf(r->exit_reason, sizeof(r->exit_reason), "%.*s", (int)sizeof(info.reason) - 1, info.reason);
		snprintf(r->exit_msg, sizeof(r->exit_msg), "%.*s", (int)sizeof(info.msg) - 1, info.msg);
	}
	free(value);
}

/* Entries that the policy's hash tables hold: what it keeps of tasks that are gone adds up. */
void policy_count_entries(struct report *r)
{
	static char key[2][KEY_SIZE];
	struct bpf_map *map;

	r->entries = 0;
	bpf_object__for_each_map(map, object) {
		enum bpf_map_type type = bpf_map__type(map);
		int fd = bpf_map__fd(map), turn = 0;

		if ((type != BPF_MAP_TYPE_HASH && type != BPF_MAP_TYPE_PERCPU_HASH) ||
		    bpf_map__key_size(map) > KEY_SIZE)
			continue;
		while (bpf_map_get_next_key(fd, turn ? key[turn % 2] : NULL, key[(turn + 1) % 2]) == 0 &&
		       turn < (int)bpf_map__max_entries(map))
			turn++;
		r->entries += turn;
	}
}

static long long free_memory_kib(void)
{
	long long kib = 0;
	char text[4096], *found;

	read_file("/proc/meminfo", text, sizeof(text));
	found = strstr(text, "MemAvailable:");
	if (found)
		sscanf(found, "MemAvailable: %lld", &kib);
	return kib;
}

bool policy_enabled(void)
{
	char state[32];

	return read_file(SCX "state", state, sizeof(state)) > 0 && !strcmp(state, "enabled");
}

/* Whether the policy is, and has been all the time, what schedules. */
bool policy_in_charge(struct report *r)
{
	char ops[128], seq[32];

	read_file(SCX "root/ops", ops, sizeof(ops));
	read_file(SCX "enable_seq", seq, sizeof(seq));
	read_exit(r);
	if (policy_enabled() && !strcmp(ops, r->ops) && !strcmp(seq, enable_seq) && !r->exit_kind)
		return true;
	return fail(r, "ejected", "the policy was ejected before the command ended");
}

/* Loads the policy, ready to be attached. */
bool policy_load(struct report *r, const char *path, const char *tunables, const char *log, enum switch_mode mode)
{
	free_kib_before = free_memory_kib();
	libbpf_set_print(print);
	switch_mode = mode;
	log_file = log ? fopen(log, "we") : NULL;
	if (log && !log_file)
		return fail(r, "rejected", "%s: %s", log, strerror(errno));
	return load(r, path, tunables);
}

/* Attaches a loaded policy and waits until it is in charge. */
bool policy_attach(struct report *r)
{
	char ops[128], all[8];
	int ms;

	r->stage = "attach";
	tracing = true;
	link = bpf_map__attach_struct_ops(ops_map);
	if (!link)
		return fail(r, "rejected", "the kernel does not take the policy: %s", strerror(errno));

	r->stage = "enable";
	for (ms = 0; ms < ENABLE_MS; ms++, sleep_ms(1)) {
		read_exit(r);
		read_file(SCX "root/ops", ops, sizeof(ops));
		read_file(SCX "enable_seq", enable_seq, sizeof(enable_seq));
		if (r->exit_kind)
			break;
		if (policy_enabled() && !strcmp(ops, r->ops)) {
			r->memory_kib = free_kib_before - free_memory_kib();
			r->takes_all = read_file(SCX "switch_all", all, sizeof(all)) > 0 && all[0] == '1';
			return true;
		}
	}
	return fail(r, "rejected", "the policy was not enabled");
}

bool policy_start(struct report *r, const char *path, const char *tunables, const char *log)
{
	return policy_load(r, path, tunables, log, SWITCH_AS_IT_IS) && policy_attach(r);
}

/* Detaches the policy and says why it went. Returns whether all was well to the end. */
bool policy_stop(struct report *r, bool good)
{
	char state[32] = "";
	int ms;

	if (link) {
		bpf_link__destroy(link);
		for (ms = 0; ms < DISABLE_MS; ms++, sleep_ms(1))
			if (read_file(SCX "state", state, sizeof(state)) < 0 || !strcmp(state, "disabled"))
				break;
		read_exit(r);
		if (r->exit_kind >= 1024 && strcmp(r->outcome, "ejected") && strcmp(r->stage, "enable")) {
			r->stage = "done";
			good = fail(r, "ejected", "the policy failed at the end");
		} else if (ms == DISABLE_MS) {
			r->stage = "done";
			good = fail(r, "ejected", "the policy cannot be unloaded: %s", state);
		}
		if (!good && strcmp(r->outcome, "workload_error") && r->exit_reason[0]) {
			size_t used = strlen(r->message);

			snprintf(r->message + used, sizeof(r->message) - used, ": %s%s%s", r->exit_reason,
				 r->exit_msg[0] ? ": " : "", r->exit_msg);
		}
	}
	bpf_object__close(object);
	if (log_file)
		fclose(log_file);
	return good;
}
