/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ipc_messages.c - SysV message queues keep id, key, mode and what is in them,
 * in its order, and who waits for a message goes on waiting
 */
#include <sys/ipc.h>
#include <sys/msg.h>

#include "program.h"

#define KEY 0x63720003
#define NR 20
#define LONG_MAX_TEXT 1500

struct message {
	long type;
	char text[LONG_MAX_TEXT];
};

static int queue;

static void child(void *arg)
{
	struct message message;

	(void)arg;
	CHECK(msgrcv(queue, &message, sizeof(message.text), 77, 0) == 4,
	      "msgrcv: %s", strerror(errno));
	CHECK(!memcmp(message.text, "late", 4), "text");
}

/* Lengths from 0 on, types from 1 to 3. */
static size_t fill(struct message *message, int i)
{
	size_t length = (size_t)(i * i * 11) % LONG_MAX_TEXT;

	memset(message, 0, sizeof(*message));
	message->type = i % 3 + 1;
	program_fill(message->text, length & ~7ul, (uint64_t)i);
	return length;
}

int main(int argc, char **argv)
{
	struct message message, want;
	struct msqid_ds before, after;
	int empty;
	pid_t pid;

	program_start(argc, argv);
	empty = NEED(msgget(IPC_PRIVATE, 0600));
	queue = NEED(msgget(KEY, IPC_CREAT | IPC_EXCL | 0640));
	NEED(msgctl(empty, IPC_STAT, &before));
	before.msg_qbytes = 1000;
	NEED(msgctl(empty, IPC_SET, &before));
	for (int i = 0; i < NR; i++) {
		size_t length = fill(&message, i);

		if (msgsnd(queue, &message, length, IPC_NOWAIT) < 0)
			program_die(__FILE__, __LINE__, "msgsnd", errno);
	}
	pid = program_child(child, NULL);
	program_await_blocked(pid, SYS_msgrcv);
	NEED(msgctl(queue, IPC_STAT, &before));

	program_ready();

	CHECK(msgget(KEY, 0) == queue, "id of the key");
	NEED(msgctl(queue, IPC_STAT, &after));
	CHECK(before.msg_qnum == after.msg_qnum &&
		      before.msg_qbytes == after.msg_qbytes &&
		      before.msg_perm.mode == after.msg_perm.mode,
	      "%lu messages, limit %lu", (unsigned long)after.msg_qnum,
	      (unsigned long)after.msg_qbytes);
	for (int i = 0; i < NR; i++) {
		size_t length = fill(&want, i);
		ssize_t n;

		memset(&message, 0, sizeof(message));
		n = msgrcv(queue, &message, sizeof(message.text), 0,
			   IPC_NOWAIT);
		CHECK(n == (ssize_t)length &&
			      !memcmp(&message, &want, sizeof(want)),
		      "message %d: %zd bytes of type %ld", i, n, message.type);
	}
	NEED(msgctl(empty, IPC_STAT, &after));
	CHECK(after.msg_qbytes == 1000 && !after.msg_qnum, "the empty one");
	message = (struct message){ 77, "late" };
	NEED(msgsnd(queue, &message, 4, 0));
	program_join(pid);
	CHECK(msgctl(queue, IPC_RMID, NULL) == 0, "IPC_RMID");
	CHECK(msgctl(empty, IPC_RMID, NULL) == 0, "IPC_RMID");
	return program_result();
}
