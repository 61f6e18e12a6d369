/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * refuse_message_queue.c - a SysV message queue with a message is refused, and
 * keeps it
 */
#include <sys/ipc.h>
#include <sys/msg.h>

#include "program.h"

int main(int argc, char **argv)
{
	struct {
		long type;
		char text[8];
	} message = { 1, "message" };
	int id;

	program_start(argc, argv);
	id = NEED(msgget(IPC_PRIVATE, 0600));
	NEED(msgsnd(id, &message, sizeof(message.text), 0));
	program_write("refused", "message queue");

	program_ready();

	CHECK(msgrcv(id, &message, sizeof(message.text), 0, IPC_NOWAIT) == 8,
	      "%s", strerror(errno));
	msgctl(id, IPC_RMID, NULL);
	return program_result();
}
