/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ipc_semaphores.c - SysV semaphore sets keep id, key, mode, owner and values,
 * and who waits for one goes on waiting
 */
#include <sys/ipc.h>
#include <sys/sem.h>

#include "program.h"

#define KEY 0x63720002
#define NR 300

union semun {
	int value;
	struct semid_ds *set;
	unsigned short *values;
};

static int named, nameless;

static void child(void *arg)
{
	struct sembuf take = { .sem_num = 1, .sem_op = -5 };

	(void)arg;
	CHECK(semop(nameless, &take, 1) == 0, "semop: %s", strerror(errno));
}

int main(int argc, char **argv)
{
	unsigned short values[NR], after[NR];
	struct semid_ds set = { 0 }, now;
	pid_t pid;

	program_start(argc, argv);
	/* so that ids are not just counted from 0 */
	semctl(NEED(semget(IPC_PRIVATE, 1, 0600)), 0, IPC_RMID);
	nameless = NEED(semget(IPC_PRIVATE, 2, 0600));
	named = NEED(semget(KEY, NR, IPC_CREAT | IPC_EXCL | 0640));
	for (int i = 0; i < NR; i++)
		values[i] = (unsigned short)(i * 109 % 32768);
	NEED(semctl(named, 0, SETALL, (union semun){ .values = values }));
	set.sem_perm.uid = 1234;
	set.sem_perm.gid = 5678;
	set.sem_perm.mode = 0620;
	NEED(semctl(named, 0, IPC_SET, (union semun){ .set = &set }));
	NEED(semctl(nameless, 1, SETVAL, (union semun){ .value = 3 }));
	pid = program_child(child, NULL);
	program_await_blocked(pid, SYS_semtimedop);

	program_ready();

	CHECK(semget(KEY, 0, 0) == named, "id of the key");
	CHECK(semctl(named, 0, GETALL, (union semun){ .values = after }) == 0 &&
		      !memcmp(values, after, sizeof(after)),
	      "values");
	NEED(semctl(named, 0, IPC_STAT, (union semun){ .set = &now }));
	CHECK(now.sem_perm.uid == 1234 && now.sem_perm.gid == 5678 &&
		      (now.sem_perm.mode & 0777) == 0620,
	      "owner %u:%u, mode %o", now.sem_perm.uid, now.sem_perm.gid,
	      now.sem_perm.mode);
	CHECK(semctl(nameless, 1, GETVAL) == 3, "value %d",
	      semctl(nameless, 1, GETVAL));
	CHECK(semop(nameless, &(struct sembuf){ .sem_num = 1, .sem_op = 2 },
		    1) == 0,
	      "%s", strerror(errno));
	program_join(pid);
	CHECK(semctl(nameless, 1, GETVAL) == 0, "nothing was taken");
	CHECK(semctl(named, 0, IPC_RMID) == 0, "IPC_RMID");
	CHECK(semctl(nameless, 0, IPC_RMID) == 0, "IPC_RMID");
	return program_result();
}
