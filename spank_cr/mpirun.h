/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mpirun.h - run an mpirun of several nodes as one step
 *
 * Private to mpirun*.c, of which two programs are made.  cr-mpirun starts a
 * step of one task a node, each of which is itself again, as a *node*: the
 * first runs the mpirun, all wait for orders.  cr-launch is what that mpirun
 * takes for its rsh: it gives the order to start a daemon to the node that is
 * meant.  So mpirun, its daemons and all ranks are of one step, which is saved
 * as any other. docs/mpi.md has the story.
 */
#ifndef MPIRUN_H
#define MPIRUN_H

#include <stdint.h>
#include <sys/types.h>

#include "cr_error.h"

/* In the environment of all nodes and of what they start: "JOB.STEP". */
#define MPIRUN_STEP_VARIABLE "SPANK_CR_MPIRUN_STEP"
/* Slurm's variables as the script has them. */
#define MPIRUN_SAVED_VARIABLE "SPANK_CR_MPIRUN_ENV"
#define MPIRUN_NODE_OPTION "--as-node-of-step"

#define MPIRUN_STEP_MAX 32
#define MPIRUN_COMMAND_MAX (128ul * 1024) /* bytes, with the 0 at its end */
#define MPIRUN_PACKET_MAX (2 * MPIRUN_COMMAND_MAX) /* sealed */
#define MPIRUN_NR_PORTS 16
#define MPIRUN_CONNECT_MS 10000

enum mpirun_order_kind {
	MPIRUN_HOLD = 'H', /* be there as long as this connection is */
	MPIRUN_RUN = 'R', /* start the command, tell its status */
};

struct mpirun_order {
	enum mpirun_order_kind kind;
	char step[MPIRUN_STEP_MAX];
	const char *command; /* for sh -c; "" with MPIRUN_HOLD */
};

/* --- mpirun_order.c: orders, and the ports at which nodes wait for them --- */

/* Where a node of @step listens: at the first of its ports that is free. */
uint16_t mpirun_port(const char *step, unsigned int i);

/*
 * @order as bytes.  Returns the length, or 0 if @size is too small.
 * mpirun_order_read(): the other way; the command is in @bytes.  0 or -EBADMSG.
 */
size_t mpirun_order_write(const struct mpirun_order *order, void *bytes,
			  size_t size);
int mpirun_order_read(const void *bytes, size_t length,
		      struct mpirun_order *order);

/*
 * Munge makes the order one of this user; nobody else can read it.
 * *@textp: to be freed.  0 or -EIO.
 */
int mpirun_order_seal(const struct mpirun_order *order, char **textp,
		      struct cr_error *err);
/*
 * *@bytesp holds what @order leads to, and is to be freed.  0, -EBADMSG, -EPERM
 * (not of this user), or -EIO.
 */
int mpirun_order_open(const char *text, struct mpirun_order *order,
		      void **bytesp, struct cr_error *err);

/*
 * Give @order to the node @host.  Returns a connection on which it has been
 * acknowledged, or -errno: -ECONNREFUSED, no node of the step listens there.
 */
int mpirun_order_give(const char *host, const struct mpirun_order *order,
		      struct cr_error *err);

/* What is answered at once, and, with MPIRUN_RUN, at the command's end. */
#define MPIRUN_ACCEPTED 0x31524352u /* "RCR1" */
int mpirun_read_word(int fd, uint32_t *word);

/* --- mpirun_connection.c: what somebody says to this node --- */

struct mpirun_connection {
	struct mpirun_connection *next;
	int fd;
	pid_t child; /* whose status is wanted, or 0 */
	int is_hold;
	uint32_t length; /* of the packet; as sent, little-endian */
	size_t received; /* bytes, with those of the length */
	char *text;
};

/* Take what has come.  1: a packet is complete; 0: not yet; -errno: it is
 * over.  Does not block. */
int mpirun_connection_read(struct mpirun_connection *connection);
/* Say @word; who has gone does not hear it. */
void mpirun_connection_say(const struct mpirun_connection *connection,
			   uint32_t word);
void mpirun_connection_close(struct mpirun_connection *connection);

/* --- mpirun_holds.c: the first node's connections to the others --- */

struct mpirun_holds {
	int *fds;
	size_t nr;
};

/* Hold all nodes of SLURM_STEP_NODELIST but the first, which may take
 * @timeout_ms to be there.  0 or -errno; for the rest of the program. */
int mpirun_holds_take(struct mpirun_holds *holds, const char *step,
		      int timeout_ms, struct cr_error *err);
/* Let them go, and wait until they have gone, @timeout_ms at most. */
void mpirun_holds_end(const struct mpirun_holds *holds, int timeout_ms);
int64_t mpirun_now_ms(void); /* monotonic */

/* --- mpirun_environment.c --- */

/* In the batch script: put Slurm's variables aside, for the first node, and
 * take away those that srun or an mpirun would obey.  0 or -errno. */
int mpirun_environment_put_aside(void);
/* In the first node: as the script has them; the step's own would tell an
 * mpirun of one CPU a node. */
void mpirun_environment_put_back(void);

/* --- mpirun_node.c --- */

/* Be a node of the step; the first runs @argv.  Returns the exit code. */
int mpirun_node(char **argv);

#endif /* MPIRUN_H */
