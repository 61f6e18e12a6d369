/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * procfs.c - parse files below /proc/PID; see procfs.h
 *
 * The kernel wrote the text, but programs choose names in it (comm, paths):
 * fields are found by their places, never by what a name may contain.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "procfs.h"

/* What follows "\nNAME:" in @text, or NULL. */
static const char *field(const char *text, const char *name)
{
	size_t length = strlen(name);

	while (text) {
		if (!strncmp(text, name, length) && text[length] == ':')
			return text + length + 1;
		text = strchr(text, '\n');
		if (text)
			text++;
	}
	return NULL;
}

static int get_number(const char *text, const char *name, int base,
		      uint64_t *value)
{
	const char *at = field(text, name);
	char *end;

	if (!at)
		return -EINVAL;
	*value = strtoull(at, &end, base);
	return end == at ? -EINVAL : 0;
}

/* @nr numbers in a row. */
static int get_numbers(const char *text, const char *name, uint32_t *values,
		       int nr)
{
	const char *at = field(text, name);
	char *end;

	if (!at)
		return -EINVAL;
	for (int i = 0; i < nr; i++) {
		values[i] = (uint32_t)strtoul(at, &end, 10);
		if (end == at)
			return -EINVAL;
		at = end;
	}
	return 0;
}

/* The last number of a line. */
static int get_last(const char *text, const char *name, uint32_t *value)
{
	const char *at = field(text, name);
	const char *end = at ? strchr(at, '\n') : NULL;

	if (!end)
		return -EINVAL;
	while (end > at && end[-1] >= '0' && end[-1] <= '9')
		end--;
	*value = (uint32_t)strtoul(end, NULL, 10);
	return 0;
}

static int get_groups(const char *text, struct cr_proc_status *status)
{
	const char *at = field(text, "Groups");
	char *end;

	if (!at)
		return -EINVAL;
	status->groups = calloc(strcspn(at, "\n") / 2 + 1, sizeof(uint32_t));
	if (!status->groups)
		return -ENOMEM;
	for (;;) {
		while (*at == ' ' || *at == '\t')
			at++;
		if (*at < '0' || *at > '9')
			break;
		status->groups[status->nr_groups++] =
			(uint32_t)strtoul(at, &end, 10);
		at = end;
	}
	return 0;
}

static int get_ids(const char *text, struct cr_proc_status *status)
{
	uint32_t tgid, pid, ppid, tracer;

	if (get_numbers(text, "Tgid", &tgid, 1) < 0 ||
	    get_numbers(text, "Pid", &pid, 1) < 0 ||
	    get_numbers(text, "PPid", &ppid, 1) < 0 ||
	    get_numbers(text, "TracerPid", &tracer, 1) < 0 ||
	    get_numbers(text, "Uid", status->uid, 4) < 0 ||
	    get_numbers(text, "Gid", status->gid, 4) < 0 ||
	    get_last(text, "NSpid", &status->vpid) < 0 ||
	    get_last(text, "NSpgid", &status->vpgid) < 0 ||
	    get_last(text, "NSsid", &status->vsid) < 0)
		return -EINVAL;
	status->tgid = (pid_t)tgid;
	status->pid = (pid_t)pid;
	status->ppid = (pid_t)ppid;
	status->tracer = (pid_t)tracer;
	return 0;
}

static int get_masks(const char *text, struct cr_proc_status *status)
{
	const struct {
		const char *name;
		uint64_t *value;
	} masks[] = {
		{ "SigPnd", &status->pending },
		{ "ShdPnd", &status->shared_pending },
		{ "SigBlk", &status->blocked },
		{ "SigIgn", &status->ignored },
		{ "SigCgt", &status->caught },
		{ "CapInh", &status->cap_inheritable },
		{ "CapPrm", &status->cap_permitted },
		{ "CapEff", &status->cap_effective },
		{ "CapBnd", &status->cap_bounding },
		{ "CapAmb", &status->cap_ambient },
	};

	for (size_t i = 0; i < sizeof(masks) / sizeof(masks[0]); i++)
		if (get_number(text, masks[i].name, 16, masks[i].value) < 0)
			return -EINVAL;
	return 0;
}

int cr_proc_parse_status(const char *text, struct cr_proc_status *status)
{
	const char *state = field(text, "State");
	uint64_t value;
	int rc;

	memset(status, 0, sizeof(*status));
	if (!state || get_ids(text, status) < 0 || get_masks(text, status) < 0)
		return -EINVAL;
	status->state = state[strspn(state, " \t")];
	if (get_number(text, "Umask", 8, &value) == 0) /* none in a zombie */
		status->umask = (uint32_t)value;
	if (get_number(text, "NoNewPrivs", 10, &value) == 0)
		status->no_new_privs = (uint32_t)value;
	if (get_number(text, "Seccomp", 10, &value) == 0)
		status->seccomp = (uint32_t)value;
	rc = get_groups(text, status);
	if (rc < 0)
		cr_proc_status_free(status);
	return rc;
}

void cr_proc_status_free(struct cr_proc_status *status)
{
	free(status->groups);
	status->groups = NULL;
	status->nr_groups = 0;
}

int cr_proc_parse_stat(const char *text, struct cr_proc_stat *stat)
{
	/* the name may contain anything, but after it there is no ')' */
	const char *at = strrchr(text, ')');
	uint64_t field_of[53] = { 0 };
	char *end;

	if (!at || at[1] != ' ' || !at[2])
		return -EINVAL;
	memset(stat, 0, sizeof(*stat));
	stat->state = at[2];
	at += 3;
	for (int i = 4; i <= 52; i++) { /* numbered as in proc(5) */
		field_of[i] = strtoull(at, &end, 10);
		if (end == at)
			return -EINVAL;
		at = end;
	}
	stat->ppid = (pid_t)field_of[4];
	stat->terminal = (uint32_t)field_of[7];
	stat->flags = (uint32_t)field_of[9];
	stat->nr_threads = (uint32_t)field_of[20];
	stat->start_time = field_of[22];
	stat->start_code = field_of[26];
	stat->end_code = field_of[27];
	stat->start_stack = field_of[28];
	stat->exit_signal = (uint32_t)field_of[38];
	stat->cpu = (uint32_t)field_of[39];
	stat->start_data = field_of[45];
	stat->end_data = field_of[46];
	stat->start_brk = field_of[47];
	stat->arg_start = field_of[48];
	stat->arg_end = field_of[49];
	stat->env_start = field_of[50];
	stat->env_end = field_of[51];
	stat->exit_code = (uint32_t)field_of[52];
	return 0;
}

static const char *parse_limit(const char *at, uint64_t *value)
{
	char *end;

	at += strspn(at, " \t");
	if (!strncmp(at, "unlimited", 9)) {
		*value = UINT64_MAX;
		return at + 9;
	}
	*value = strtoull(at, &end, 10);
	return end == at ? NULL : end;
}

int cr_proc_parse_limits(const char *text, struct cr_wire_rlimit limits[16])
{
	/* by RLIMIT_*; the file has its own order */
	static const char *const names[16] = {
		"Max cpu time",		 "Max file size",
		"Max data size",	 "Max stack size",
		"Max core file size",	 "Max resident set",
		"Max processes",	 "Max open files",
		"Max locked memory",	 "Max address space",
		"Max file locks",	 "Max pending signals",
		"Max msgqueue size",	 "Max nice priority",
		"Max realtime priority", "Max realtime timeout",
	};

	for (int i = 0; i < 16; i++) {
		const char *at = strstr(text, names[i]);

		if (at)
			at = parse_limit(at + strlen(names[i]),
					 &limits[i].current);
		if (at)
			at = parse_limit(at, &limits[i].maximum);
		if (!at)
			return -EINVAL;
	}
	return 0;
}

int cr_proc_next_timer(const char **cursor, struct cr_proc_timer *timer)
{
	char notify[16] = "", target[8] = "";
	int used = 0;

	memset(timer, 0, sizeof(*timer));
	if (!**cursor)
		return 0;
	if (sscanf(*cursor,
		   "ID: %" SCNd32 " signal: %" SCNd32 "/%" SCNx64
		   " notify: %15[^/]/%7[^.].%d ClockID: %" SCNd32 " %n",
		   &timer->id, &timer->signal, &timer->value, notify, target,
		   &timer->tid, &timer->clock, &used) != 7 ||
	    !used)
		return -EINVAL;
	if (!strcmp(notify, "none"))
		timer->notify = SIGEV_NONE;
	else if (!strcmp(notify, "thread"))
		timer->notify = SIGEV_THREAD;
	else
		timer->notify = SIGEV_SIGNAL;
	if (!strcmp(target, "tid"))
		timer->notify |= SIGEV_THREAD_ID;
	*cursor += used;
	return 1;
}

int cr_proc_parse_syscall(const char *text, struct cr_proc_syscall *call)
{
	memset(call, 0, sizeof(*call));
	call->nr = -1;
	if (!strncmp(text, "running", 7))
		return 0;
	if (sscanf(text,
		   "%ld %" SCNx64 " %" SCNx64 " %" SCNx64 " %" SCNx64
		   " %" SCNx64 " %" SCNx64,
		   &call->nr, &call->args[0], &call->args[1], &call->args[2],
		   &call->args[3], &call->args[4], &call->args[5]) == 7)
		return 0;
	call->nr = -1; /* "-1 SP IP": blocked, but in no call */
	return strncmp(text, "-1", 2) ? -EINVAL : 0;
}

int cr_proc_parse_sched(const char *text, uint64_t *ran_ns,
			uint64_t *nr_voluntary)
{
	const char *ran = strstr(text, "\nse.exec_start");
	const char *nr = strstr(text, "\nnr_voluntary_switches");
	unsigned long long ms, fraction, switches;

	if (!ran || !nr || !strchr(ran, ':') || !strchr(nr, ':'))
		return -ENOENT;
	if (sscanf(strchr(ran, ':') + 1, "%llu.%6llu", &ms, &fraction) != 2 ||
	    sscanf(strchr(nr, ':') + 1, "%llu", &switches) != 1)
		return -ENOENT;
	*ran_ns = ms * 1000000 + fraction;
	*nr_voluntary = switches;
	return 0;
}
