/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pmix_client.c - a program that needs its PMIx server long after its start
 *
 *	pmix_client [-a]
 *
 * Each rank puts "early", commits, and fences without collecting, so that
 * nobody has the others' values yet.  When the file "go" is in the working
 * directory, each asks for the values of all others for the first time, puts
 * "late", fences with collecting, asks again, sends its neighbour an event, and
 * finalizes.  Rank 0 prints what it does.  -a: rank 1 aborts instead (7).
 *
 * While it waits, rank 0 says "count N TOKEN HOST" as count.c does, and asks
 * the server for itself in each round.
 */
#include <pmix.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define EVENT (PMIX_EXTERNAL_ERR_BASE - 5)

static pmix_proc_t self;
static uint32_t nr_ranks;
static volatile int has_event;

static void must(const char *what, pmix_status_t rc)
{
	if (rc == PMIX_SUCCESS || rc == PMIX_OPERATION_SUCCEEDED)
		return;
	fprintf(stderr, "WRONG: rank %u: %s: %s\n", self.rank, what,
		PMIx_Error_string(rc));
	exit(3);
}

static void put(const char *key, uint32_t number)
{
	pmix_value_t value = { .type = PMIX_UINT32, .data.uint32 = number };

	must(key, PMIx_Put(PMIX_GLOBAL, key, &value));
	must("commit", PMIx_Commit());
}

static void get(const char *key, uint32_t from, uint32_t wanted)
{
	pmix_value_t *value = NULL;
	pmix_proc_t proc;

	PMIX_LOAD_PROCID(&proc, self.nspace, from);
	must(key, PMIx_Get(&proc, key, NULL, 0, &value));
	if (value->type != PMIX_UINT32 || value->data.uint32 != wanted) {
		fprintf(stderr, "WRONG: rank %u: %s of %u\n", self.rank, key,
			from);
		exit(3);
	}
	PMIX_VALUE_RELEASE(value);
}

static void fence(int collect)
{
	bool yes = true;
	pmix_proc_t all;
	pmix_info_t info;

	PMIX_LOAD_PROCID(&all, self.nspace, PMIX_RANK_WILDCARD);
	PMIX_INFO_LOAD(&info, PMIX_COLLECT_DATA, &yes, PMIX_BOOL);
	must("fence", PMIx_Fence(&all, 1, collect ? &info : NULL, collect));
}

static void noted(size_t id, pmix_status_t status, const pmix_proc_t *source,
		  pmix_info_t info[], size_t nr_info, pmix_info_t *results,
		  size_t nr_results, pmix_event_notification_cbfunc_fn_t done,
		  void *arg)
{
	(void)id;
	(void)status;
	(void)source;
	(void)info;
	(void)nr_info;
	(void)results;
	(void)nr_results;
	has_event = 1;
	if (done)
		done(PMIX_EVENT_ACTION_COMPLETE, NULL, 0, NULL, NULL, arg);
}

/* To the ranks by name: Slurm's server takes any other for a crash. */
static void notify(void)
{
	pmix_data_array_t *array;
	pmix_proc_t *procs;
	pmix_info_t info;

	PMIX_INFO_CONSTRUCT(&info);
	PMIX_LOAD_KEY(info.key, PMIX_EVENT_CUSTOM_RANGE);
	PMIX_DATA_ARRAY_CREATE(array, nr_ranks, PMIX_PROC);
	procs = array->array;
	for (uint32_t i = 0; i < nr_ranks; i++)
		PMIX_LOAD_PROCID(&procs[i], self.nspace, i);
	info.value.type = PMIX_DATA_ARRAY;
	info.value.data.darray = array;
	must("notify", PMIx_Notify_event(EVENT, &self, PMIX_RANGE_CUSTOM, &info,
					 1, NULL, NULL));
	PMIX_INFO_DESTRUCT(&info);
}

static int is_node_0(void)
{
	const char *node = getenv("SLURM_NODEID");

	return !node || !strcmp(node, "0");
}

static void send_event(void)
{
	const time_t end = time(NULL) + 20;

	if (self.rank == 0)
		notify();
	/* Slurm's server gives it to nobody on another node */
	if (!is_node_0())
		return;
	while (!has_event && time(NULL) < end)
		usleep(10000);
	if (!has_event) {
		fprintf(stderr, "WRONG: rank %u: no event\n", self.rank);
		exit(3);
	}
}

static void wait_for_go(void)
{
	unsigned int token =
		(unsigned int)time(NULL) * 2654435761u ^ (unsigned int)getpid();
	char host[64];

	for (unsigned int n = 1; access("go", F_OK) < 0; n++) {
		get("early", self.rank, 1000 + self.rank);
		if (self.rank == 0) {
			gethostname(host, sizeof(host));
			printf("count %u %08x %s\n", n, token, host);
			fflush(stdout);
		}
		usleep(100000);
	}
}

static void say(const char *what)
{
	if (self.rank == 0) {
		printf("%s\n", what);
		fflush(stdout);
	}
}

int main(int argc, char **argv)
{
	pmix_status_t event = EVENT;
	pmix_value_t *value = NULL;
	pmix_proc_t all;

	must("init", PMIx_Init(&self, NULL, 0));
	PMIX_LOAD_PROCID(&all, self.nspace, PMIX_RANK_WILDCARD);
	must("size", PMIx_Get(&all, PMIX_JOB_SIZE, NULL, 0, &value));
	nr_ranks = value->data.uint32;
	PMIX_VALUE_RELEASE(value);
	PMIx_Register_event_handler(&event, 1, NULL, 0, noted, NULL, NULL);
	put("early", 1000 + self.rank);
	fence(0);
	wait_for_go();
	if (argc > 1 && !strcmp(argv[1], "-a")) {
		if (self.rank == 1)
			PMIx_Abort(7, "rank 1 has had enough", NULL, 0);
		sleep(60);
	}
	for (uint32_t i = 0; i < nr_ranks; i++)
		get("early", i, 1000 + i);
	say("early values are right");
	put("late", 2000 + self.rank);
	fence(1);
	for (uint32_t i = 0; i < nr_ranks; i++)
		get("late", i, 2000 + i);
	say("late values are right");
	send_event();
	say("the event has come");
	fence(0);
	must("finalize", PMIx_Finalize(NULL, 0));
	say("finalized");
	return 0;
}
