/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * refuse_semaphores.c - SysV semaphores, of the tree's own IPC namespace, are
 * refused, and keep their values
 */
#include <sys/ipc.h>
#include <sys/sem.h>

#include "program.h"

union semun {
	int value;
};

int main(int argc, char **argv)
{
	int id;

	program_start(argc, argv);
	id = NEED(semget(IPC_PRIVATE, 1, 0600));
	NEED(semctl(id, 0, SETVAL, (union semun){ 3 }));
	program_write("refused", "semaphore");

	program_ready();

	CHECK(semctl(id, 0, GETVAL) == 3, "value %d", semctl(id, 0, GETVAL));
	semctl(id, 0, IPC_RMID);
	return program_result();
}
