/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restart_ctx.h - the restart context: what coordinator and tasks share
 *
 * Private to the restart_*.c files.  The context is one shared mapping, made
 * by the coordinator before it forks the first task.  Only the coordinator
 * changes the state; tasks send it messages and wait on futexes.
 */
#ifndef RESTART_CTX_H
#define RESTART_CTX_H

#include <stdint.h>

#include "cgroup.h"
#include "cr_error.h"
#include "cr_restart.h"
#include "file_pty.h"
#include "files.h"
#include "plan.h"
#include "restart_fsm.h"
#include "restorer.h"
#include "saved.h"

struct cr_image;

/* Shared by all, at the same address in all. */
struct cr_restart_ctx {
	volatile uint32_t state; /* enum cr_restart_state; a futex */
	volatile uint32_t nr_parked; /* leaders that wait to be taken away */
	/* struct cr_file_place files[nr_files], spaces[nr_spaces],
	 * uint32_t turns[nr_tasks] */
};

/* A range of addresses that no saved task and no part of us uses. */
struct cr_zone {
	uint64_t start, end;
	uint64_t next; /* free from here on */
	struct cr_wire_run *own; /* what we had mapped when it was found */
	size_t nr_own;
};

/* The mappings that the kernel has made in the coordinator, and so, by
 * fork(2), in every task: [vvar], [vvar_vclock] and [vdso], by address. */
#define CR_VDSO_PARTS 4

struct cr_vdso_own {
	struct {
		uint64_t start, end;
	} part[CR_VDSO_PARTS];
	size_t nr;
	uint64_t moved_to; /* where part 0 waits, or stays if patched */
	uint64_t patched; /* the image's vdso, if it is not ours; else 0 */
	uint64_t kept_length; /* what stays of ours, behind the zone's end */
};

/* The coordinator's, inherited by every task when it is forked. */
struct cr_restarter {
	const struct cr_restart_options *options;
	struct cr_image *image;
	struct cr_saved *saved;
	struct cr_plan *plan;
	struct cr_zone zone;
	struct cr_restart_ctx *ctx;
	uint64_t ctx_length;
	struct cr_file_place *file_places; /* behind ctx */
	struct cr_file_place *space_places;
	/* a futex for each task, so that a turn wakes nobody else: 1 when it
	 * has come */
	volatile uint32_t *turns;
	uint64_t *family; /* address of each FAMILY space by id - 1, or 0 */
	uint64_t arena_start, arena_length; /* reserved, the same in all */
	struct cr_vdso_own vdso;
	int coordinator_socket, task_socket;
	int device; /* /dev/cr, if the module runs the protocol; else -1 */
	int namespace_fd; /* as in options, above the floor; -1: none */
	int fd_floor; /* all our descriptors are at or above it */
	uint32_t spare_vpid; /* the first of those of helpers; one each */
	struct cr_restarter_root *roots; /* [options->nr_roots] */
	struct cr_terminals *terminals; /* NULL: no pseudo terminals */
	size_t terminals_length; /* bytes */
	/* what the caller has brought for external sockets, by file id - 1,
	 * above the floor; -1: nothing.  NULL: there are none */
	int *externals;
};

/* Controlling terminals of the tree; a shared mapping. */
struct cr_terminals {
	struct cr_error error; /* of who makes them */
	size_t nr;
	struct cr_terminal terminal[];
};

/* One of options->roots, with descriptors above the floor. */
struct cr_restarter_root {
	uint32_t rank;
	int stream[3];
	struct cr_cgroups cgroups;
};

/* The entry of @rank; the first one if there is none; NULL if all are none. */
struct cr_restarter_root *
cr_restarter_find_root(const struct cr_restarter *restarter, uint32_t rank);

/* restart_features.c: 0, or -EOPNOTSUPP with the name of what differs. */
int cr_restart_check_cpu(const struct cr_saved *saved, struct cr_error *err);

/* 0, or -EPERM with what some task has that @user has not; 0: anybody. */
int cr_restart_check_rights(const struct cr_saved *saved, uint32_t user,
			    struct cr_error *err);

/* restart_zone.c: find the zone; take @length bytes of it, aligned like
 * @like modulo 2 MiB so that huge pages stay huge.  0 if it is full. */
int cr_zone_find(const struct cr_saved *saved, struct cr_zone *zone,
		 struct cr_error *err);
uint64_t cr_zone_take(struct cr_zone *zone, uint64_t length, uint64_t like);
void cr_zone_free(struct cr_zone *zone);
/* The range is far enough from all that is ours for saved memory to be put
 * there at once, if nothing else is there yet. */
int cr_zone_is_clear_of_us(const struct cr_zone *zone, uint64_t start,
			   uint64_t end);

/* restart_vpids.c: set spare_vpid; */
void cr_restart_choose_vpids(struct cr_restarter *restarter);
/* let nobody of the caller's PID namespace be given such a number unasked; */
void cr_restart_reserve_vpids(const struct cr_restarter *restarter);
/* the number of process @index of the plan, also of a helper. */
uint32_t cr_restart_vpid(const struct cr_restarter *restarter, size_t index);

/* restart_task.c: the life of process number @index of the plan, from its
 * birth to the restorer. */
void cr_restart_process(struct cr_restarter *restarter, size_t index)
	__attribute__((noreturn));
/* restart_birth.c: fork it, with its vpid.  Returns the pid and *@pidfdp, or a
 * negative errno.
 */
long cr_restart_fork(struct cr_restarter *restarter, size_t index, int *pidfdp);

/* While it is being restarted it is killed when its creator dies: so all end
 * with the coordinator. */
int cr_restart_dies_with_creator(const struct cr_restarter *restarter,
				 const struct cr_plan_process *plan);

/* Tell the coordinator.  FAILED is told with @err. */
void cr_restart_send(const struct cr_restarter *restarter, uint32_t event,
		     uint32_t vpid, const struct cr_error *err);

/* restart_coordinator.c: run the protocol; @pids[i] is of saved task i, as
 * the caller sees it, 0 for those that are dead; a dead root has one, too,
 * since its status is the caller's to wait for. */
int cr_restart_coordinate(struct cr_restarter *restarter, uint64_t deadline_ns,
			  pid_t *pids, struct cr_error *err);

/* restart_tcp.c: all are at the gate and their caller agrees: let the TCP
 * connections speak.  Returns when those that had ended have ended again. */
int cr_restart_tcp(struct cr_restarter *restarter, const pid_t *pids,
		   struct cr_error *err);

/* A connect(2) that @thread waited in has succeeded since: it returns 0
 * instead of being restarted. */
void cr_restart_tcp_resume(const struct cr_saved *saved,
			   const struct cr_saved_task *task,
			   struct cr_wire_regs *regs);

/* restart_finish.c: set registers, take the arena away, let all go. */
int cr_restart_finish(struct cr_restarter *restarter, const pid_t *pids,
		      struct cr_error *err);

/*
 * restart_rearm.c: have the kernel make the restart block of an interrupted
 * call of the stopped thread @tid again: issue the call and interrupt it.  If
 * it does not block any more it has ended: then its result, in *@regs, is what
 * the program gets.
 */
int cr_restart_rearm(const struct cr_restarter *restarter, pid_t tid,
		     const struct cr_saved_thread *saved,
		     struct cr_wire_regs *regs, struct cr_error *err);

/* restart_terminal.c: make those that are saved with a session, before the
 * first task is forked; close our own copies. */
int cr_restart_make_terminals(struct cr_restarter *restarter,
			      struct cr_error *err);
void cr_restart_close_terminals(struct cr_restarter *restarter);
/* The master that is file @id, -1: not made before. */
int cr_restart_terminal_master(const struct cr_restarter *restarter,
			       uint32_t id);
/* A session leader takes its terminal before its session has members; one
 * that was saved without leaves it, once all that it creates are born. */
int cr_restart_take_terminal(const struct cr_restarter *restarter,
			     const struct cr_wire_link *link,
			     struct cr_error *err);
void cr_restart_leave_terminal(const struct cr_restarter *restarter,
			       const struct cr_wire_link *link);

/* CPU bindings of the image for the CPUs of here; see restart_cpus.c. */
void cr_restart_map_cpus(const struct cr_saved *saved,
			 const cpu_set_t *allocation, const uint64_t *from,
			 cpu_set_t *to);

/* Words for a step of the restorer that failed, enum cr_step. */
const char *cr_step_text(uint32_t step);

uint64_t cr_now_ns(void); /* CLOCK_MONOTONIC */

#endif /* RESTART_CTX_H */
