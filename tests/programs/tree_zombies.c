/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tree_zombies.c - children that ended before the checkpoint and were not
 * waited for tell their parent afterwards how they ended
 */
#include "program.h"

#define NR_EXITED 10

static void exits(void *arg)
{
	_exit((int)(long)arg);
}

static void dies(void *arg)
{
	raise((int)(long)arg);
	pause();
}

static void await_zombie(pid_t pid)
{
	siginfo_t info;

	NEED(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT));
}

static void check_info(pid_t pid, int code, int status)
{
	siginfo_t info = { 0 };

	CHECK(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG) == 0, "%s",
	      strerror(errno));
	CHECK(info.si_pid == pid, "pid %d, was %d", info.si_pid, pid);
	CHECK(info.si_code == code && info.si_status == status,
	      "code %d status %d of %d, were %d and %d", info.si_code,
	      info.si_status, pid, code, status);
}

int main(int argc, char **argv)
{
	const int signals[] = { SIGKILL, SIGTERM, SIGRTMIN };
	pid_t exited[NR_EXITED], died[3];
	long i;

	program_start(argc, argv);
	for (i = 0; i < NR_EXITED; i++)
		exited[i] = program_child(exits, (void *)i);
	for (i = 0; i < 3; i++)
		died[i] = program_child(dies, (void *)(long)signals[i]);
	for (i = 0; i < NR_EXITED; i++)
		await_zombie(exited[i]);
	for (i = 0; i < 3; i++)
		await_zombie(died[i]);

	program_ready();

	for (i = 0; i < NR_EXITED; i++)
		check_info(exited[i], CLD_EXITED, (int)i);
	for (i = 0; i < 3; i++)
		check_info(died[i], CLD_KILLED, signals[i]);
	CHECK(waitpid(-1, NULL, 0) < 0 && errno == ECHILD, "more children");
	return program_result();
}
