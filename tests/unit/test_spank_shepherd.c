/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_spank_shepherd.c - a shepherd that has to give up says whose and why
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "message.h"
#include "shepherd_program.h"
#include "shepherd_state.h"

struct outcome {
	int status;
	char text[1024]; /* what it wrote to its stderr */
};

/* Let a shepherd of rank 7 @act in a process of its own. */
static struct outcome let(void (*act)(struct cr_shepherd_state *state))
{
	struct cr_shepherd shepherd = { .agent = -1, .rank = 7 };
	struct cr_shepherd_state state = { .shepherd = &shepherd,
					   .status = -1,
					   .program_fd = -1,
					   .input.counter_fd = -1 };
	struct outcome outcome = { 0 };
	size_t used = 0;
	ssize_t n;
	int fds[2];
	pid_t pid;

	assert_return_code(pipe(fds), errno);
	pid = fork();
	if (pid == 0) {
		dup2(fds[1], 2);
		close(fds[0]);
		close(fds[1]);
		act(&state);
		_exit(99);
	}
	close(fds[1]);
	while ((n = read(fds[0], outcome.text + used,
			 sizeof(outcome.text) - 1 - used)) > 0)
		used += (size_t)n;
	close(fds[0]);
	waitpid(pid, &outcome.status, 0);
	return outcome;
}

static void assert_gives_up(const struct outcome *outcome, const char *text)
{
	assert_string_equal(outcome->text, text);
	assert_true(WIFEXITED(outcome->status));
	assert_int_equal(WEXITSTATUS(outcome->status), 1);
}

static void wait_without_descriptors(struct cr_shepherd_state *state)
{
	struct rlimit limit;
	int fd = dup(2);

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = (rlim_t)fd + 1;
	setrlimit(RLIMIT_NOFILE, &limit);
	cr_shepherd_await_restart(state);
}

static void who_has_no_descriptor_left_does_not_blame_the_agent(void **state)
{
	struct outcome outcome = let(wait_without_descriptors);

	(void)state;
	assert_gives_up(&outcome,
			"spank_cr: rank 7: the program is not restarted: no "
			"socket: Too many open files\n");
}

static void wait_for_who_never_reads(struct cr_shepherd_state *state)
{
	int pair[2];

	if (cr_message_pair(pair))
		return;
	while (!cr_message_tell(pair[0], CR_MSG_BYE, 0))
		;
	state->shepherd->agent = pair[0];
	cr_shepherd_await_restart(state);
}

static void an_agent_that_does_not_listen_is_not_dead(void **state)
{
	struct outcome outcome = let(wait_for_who_never_reads);

	(void)state;
	assert_gives_up(&outcome,
			"spank_cr: rank 7: the program is not restarted: "
			"cannot tell the agent: Connection timed out\n");
}

static void wait_for_who_dies(struct cr_shepherd_state *state)
{
	struct cr_message message;
	int pair[2];

	if (cr_message_pair(pair))
		return;
	if (fork() == 0) {
		close(pair[0]);
		cr_message_receive(pair[1], &message, NULL, -1);
		_exit(0);
	}
	close(pair[1]);
	state->shepherd->agent = pair[0];
	cr_shepherd_await_restart(state);
}

static void an_agent_that_dies_is_named(void **state)
{
	struct outcome outcome = let(wait_for_who_dies);

	(void)state;
	assert_gives_up(&outcome,
			"spank_cr: rank 7: the program is not restarted: the "
			"agent has died\n");
}

static void begin_elsewhere(struct cr_shepherd_state *state)
{
	char folder[2] = "";
	sigset_t none;

	sigemptyset(&none);
	strcpy(state->shepherd->cwd, "/nowhere");
	cr_shepherd_become_program(state->shepherd, &none, 0);
	_exit(getcwd(folder, sizeof(folder)) && !strcmp(folder, "/") ? 1 : 2);
}

static void a_program_without_its_folder_begins_at_the_root(void **state)
{
	struct outcome outcome = let(begin_elsewhere);

	(void)state;
	assert_gives_up(&outcome,
			"spank_cr: rank 7: working directory /nowhere: No such "
			"file or directory: going to / instead\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			who_has_no_descriptor_left_does_not_blame_the_agent),
		cmocka_unit_test(an_agent_that_does_not_listen_is_not_dead),
		cmocka_unit_test(an_agent_that_dies_is_named),
		cmocka_unit_test(
			a_program_without_its_folder_begins_at_the_root),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
