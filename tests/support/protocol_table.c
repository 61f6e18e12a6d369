/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * protocol_table.c - print the tables of kernel/restart_fsm.c
 *
 * protocol_table markdown: as docs/restart-protocol.md must show them.
 * protocol_table promela: as tests/model/restart.pml includes them, so that
 * what is model-checked is what is compiled.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "restart_fsm.h"

#define NAME(prefix, name) [prefix##name] = #name

static const char *const restart_events[CR_EV_NR_EVENTS] = {
	NAME(CR_EV_, TREE_READ),    NAME(CR_EV_, ALL_JOINED),
	NAME(CR_EV_, ALL_RESTORED), NAME(CR_EV_, ALL_AT_GATE),
	NAME(CR_EV_, RELEASED),	    NAME(CR_EV_, TASK_FAILED),
	NAME(CR_EV_, TASK_DIED),    NAME(CR_EV_, TIMEOUT),
	NAME(CR_EV_, ABANDONED),
};

static const char *const task_events[CR_TASK_NR_EVENTS] = {
	NAME(CR_TASK_EV_, JOIN),     NAME(CR_TASK_EV_, TURN),
	NAME(CR_TASK_EV_, RESTORED), NAME(CR_TASK_EV_, GATE),
	NAME(CR_TASK_EV_, RELEASE),  NAME(CR_TASK_EV_, DIED),
};

/* Both machines alike. */
struct machine {
	const char *name; /* of the Promela array */
	const char *state_prefix, *event_prefix;
	const char *const *events;
	int nr_states, nr_events;
	int (*next)(int state, int event);
	const char *(*state_name)(int state);
};

static int restart_next(int state, int event)
{
	return cr_restart_next((enum cr_restart_state)state,
			       (enum cr_restart_event)event);
}

static int task_next(int state, int event)
{
	return cr_task_next((enum cr_task_state)state,
			    (enum cr_task_event)event);
}

static const char *restart_state(int state)
{
	return cr_restart_state_name((enum cr_restart_state)state);
}

static const char *task_state(int state)
{
	return cr_task_state_name((enum cr_task_state)state);
}

static const struct machine machines[] = {
	{ "restart_next", "CR_RESTART_", "CR_EV_", restart_events,
	  CR_RESTART_NR_STATES, CR_EV_NR_EVENTS, restart_next, restart_state },
	{ "task_next", "CR_TASK_", "CR_TASK_EV_", task_events,
	  CR_TASK_NR_STATES, CR_TASK_NR_EVENTS, task_next, task_state },
};

static const char *result_name(const struct machine *machine, int to)
{
	if (to == -EBUSY)
		return "-EBUSY";
	return to < 0 ? "" : machine->state_name(to);
}

/* A row per event: there are more events than states. */
static void print_markdown(const struct machine *machine)
{
	printf("| event \\ state |");
	for (int s = 0; s < machine->nr_states; s++)
		printf(" %s |", machine->state_name(s));
	printf("\n|---|");
	for (int s = 0; s < machine->nr_states; s++)
		printf("---|");
	printf("\n");
	for (int e = 0; e < machine->nr_events; e++) {
		printf("| %s |", machine->events[e]);
		for (int s = 0; s < machine->nr_states; s++) {
			int to = machine->next(s, e);

			printf(" %s |", result_name(machine, to));
		}
		printf("\n");
	}
	printf("\n");
}

static void print_promela(const struct machine *machine)
{
	for (int s = 0; s < machine->nr_states; s++)
		printf("#define %s%s %d\n", machine->state_prefix,
		       machine->state_name(s), s);
	for (int e = 0; e < machine->nr_events; e++)
		printf("#define %s%s %d\n", machine->event_prefix,
		       machine->events[e], e);
	printf("hidden byte %s[%d];\n", machine->name,
	       machine->nr_states * machine->nr_events);
	printf("inline fill_%s()\n{\n", machine->name);
	for (int s = 0; s < machine->nr_states; s++)
		for (int e = 0; e < machine->nr_events; e++) {
			int to = machine->next(s, e);

			printf("\t%s[%d] = ", machine->name,
			       s * machine->nr_events + e);
			if (to < 0)
				printf("REFUSED;\n");
			else
				printf("%d;\n", to);
		}
	printf("\tskip\n}\n#define %sNR_EVENTS %d\n", machine->state_prefix,
	       machine->nr_events);
}

int main(int argc, char **argv)
{
	const char *how = argc == 2 ? argv[1] : "";

	for (size_t i = 0; i < sizeof(machines) / sizeof(*machines); i++)
		if (strcmp(how, "markdown") == 0)
			print_markdown(&machines[i]);
		else if (strcmp(how, "promela") == 0)
			print_promela(&machines[i]);
		else
			return 2;
	return 0;
}
