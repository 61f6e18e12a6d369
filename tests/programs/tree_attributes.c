/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tree_attributes.c - what prctl(2), personality(2) and /proc/self hold about a
 * process: comm, no_new_privs, dumpable, oom_score_adj, THP, timer slack
 */
#include <sys/personality.h>
#include <sys/prctl.h>

#include "program.h"

struct attributes {
	char comm[16];
	char oom_score_adj[16];
	int no_new_privs, dumpable, thp_disable, timer_slack, personality;
};

static void get(struct attributes *now)
{
	memset(now, 0, sizeof(*now));
	prctl(PR_GET_NAME, now->comm);
	program_read("/proc/self/oom_score_adj", now->oom_score_adj,
		     sizeof(now->oom_score_adj));
	now->no_new_privs = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
	now->dumpable = prctl(PR_GET_DUMPABLE);
	now->thp_disable = prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0);
	now->timer_slack = prctl(PR_GET_TIMERSLACK);
	now->personality = personality(0xffffffff);
}

static void run(void *arg)
{
	struct attributes before, after;

	get(&before);
	program_mark(arg);
	program_await("check");
	get(&after);
	CHECK(strcmp(before.comm, after.comm) == 0, "comm %s", after.comm);
	CHECK(strcmp(before.oom_score_adj, after.oom_score_adj) == 0,
	      "oom_score_adj %s was %s", after.oom_score_adj,
	      before.oom_score_adj);
	CHECK(before.no_new_privs == after.no_new_privs, "no_new_privs %d",
	      after.no_new_privs);
	CHECK(before.dumpable == after.dumpable, "dumpable %d", after.dumpable);
	CHECK(before.thp_disable == after.thp_disable, "thp_disable %d",
	      after.thp_disable);
	CHECK(before.timer_slack == after.timer_slack, "timer slack %d",
	      after.timer_slack);
	CHECK(before.personality == after.personality, "personality %#x",
	      after.personality);
}

static void child(void *arg)
{
	NEED(prctl(PR_SET_NAME, "a b) c"));
	program_write("/proc/self/oom_score_adj", "300");
	NEED(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	NEED(prctl(PR_SET_DUMPABLE, 0));
	NEED(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0));
	NEED(prctl(PR_SET_TIMERSLACK, 77777));
	NEED(personality(ADDR_NO_RANDOMIZE));
	run(arg);
}

int main(int argc, char **argv)
{
	pid_t pid;

	program_start(argc, argv);
	pid = program_child(child, "child");
	program_await("child");

	program_mark("ready");
	run("parent");

	program_join(pid);
	return program_result();
}
