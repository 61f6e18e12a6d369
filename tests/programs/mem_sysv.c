/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mem_sysv.c - SysV shared memory keeps id, key, mode and contents, is shared
 * by two processes, and may be marked for removal; its length need not be of
 * whole pages
 */
#include <sys/ipc.h>
#include <sys/shm.h>

#include "program.h"

#define LENGTH (8 * PROGRAM_PAGE)
#define ODD (LENGTH - 104) /* no whole pages */
#define KEY 0x63720001

static char *named, *removed, *again;

static void child(void *arg)
{
	(void)arg;
	program_await("written");
	CHECK(named[0] == 'p' && removed[0] == 'p', "parent's bytes");
	named[1] = 'c';
	removed[1] = 'c';
}

int main(int argc, char **argv)
{
	struct shmid_ds before, after;
	int named_id, removed_id;
	pid_t pid;

	program_start(argc, argv);
	named_id = NEED(shmget(KEY, LENGTH, IPC_CREAT | IPC_EXCL | 0640));
	removed_id = NEED(shmget(IPC_PRIVATE, ODD, 0600));
	named = NEED((char *)shmat(named_id, NULL, 0));
	again = NEED((char *)shmat(named_id, NULL, SHM_RDONLY));
	removed = NEED((char *)shmat(removed_id, NULL, 0));
	program_fill(named, LENGTH, 1);
	program_fill(removed, ODD, 2);
	pid = program_child(child, NULL);
	NEED(shmctl(removed_id, IPC_RMID, NULL));
	NEED(shmctl(named_id, IPC_STAT, &before));

	program_ready();

	CHECK(shmget(KEY, 0, 0) == named_id, "id of the key");
	CHECK(shmctl(named_id, IPC_STAT, &after) == 0, "%s", strerror(errno));
	CHECK(before.shm_nattch == after.shm_nattch, "%lu attached, were %lu",
	      (unsigned long)after.shm_nattch,
	      (unsigned long)before.shm_nattch);
	CHECK(before.shm_segsz == after.shm_segsz, "size");
	CHECK(before.shm_perm.mode == after.shm_perm.mode, "mode %o, was %o",
	      after.shm_perm.mode, before.shm_perm.mode);
	CHECK(program_filled(named, LENGTH, 1), "contents");
	CHECK(program_filled(removed, ODD, 2), "contents of the removed");
	named[0] = 'p';
	removed[0] = 'p';
	CHECK(again[0] == 'p', "second attachment");
	program_mark("written");
	program_join(pid);
	CHECK(named[1] == 'c' && removed[1] == 'c', "child's bytes");
	CHECK(shmdt(named) == 0 && shmdt(again) == 0, "shmdt");
	CHECK(shmctl(named_id, IPC_RMID, NULL) == 0, "IPC_RMID");
	return program_result();
}
