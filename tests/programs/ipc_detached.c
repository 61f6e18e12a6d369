/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ipc_detached.c - SysV shared memory that nobody has attached is still there,
 * with what is in it, and whoever has attached it later
 */
#include <sys/ipc.h>
#include <sys/shm.h>

#include "program.h"

#define LENGTH (50 * PROGRAM_PAGE)
#define ODD 1000
#define KEY 0x63720004

static int make(key_t key, size_t length)
{
	int id = NEED(shmget(key, length, IPC_CREAT | IPC_EXCL | 0604));
	char *memory = NEED((char *)shmat(id, NULL, 0));

	program_fill(memory, length, (uint64_t)length);
	NEED(shmdt(memory));
	return id;
}

static void check(int id, size_t length)
{
	struct shmid_ds now;
	char *memory = NEED((char *)shmat(id, NULL, 0));

	CHECK(program_filled(memory, length, (uint64_t)length), "contents");
	NEED(shmctl(id, IPC_STAT, &now));
	CHECK(now.shm_segsz == length && now.shm_nattch == 1 &&
		      (now.shm_perm.mode & 0777) == 0604,
	      "size %zu, attached %lu times, mode %o", now.shm_segsz,
	      (unsigned long)now.shm_nattch, now.shm_perm.mode);
	NEED(shmdt(memory));
	CHECK(shmctl(id, IPC_RMID, NULL) == 0, "IPC_RMID");
}

int main(int argc, char **argv)
{
	int named, odd, empty;

	program_start(argc, argv);
	named = make(KEY, LENGTH);
	odd = make(IPC_PRIVATE, ODD);
	empty = NEED(shmget(IPC_PRIVATE, LENGTH, 0600));

	program_ready();

	CHECK(shmget(KEY, 0, 0) == named, "id of the key");
	check(named, LENGTH);
	check(odd, ODD);
	CHECK(shmctl(empty, IPC_RMID, NULL) == 0, "IPC_RMID");
	return program_result();
}
