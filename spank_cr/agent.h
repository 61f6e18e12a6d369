/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * agent.h - the agent: one per step and node, root, an event loop
 *
 * It makes the step's namespaces, decides what a SIGTERM means, has trees
 * saved and restarted by worker processes, and keeps the generations.  What
 * takes long is done in a worker, which may crash or hang without harm: images,
 * digests, slurmctld.  Small files are read and written in the loop itself
 * (status_I.json, lead.json, left_I.json, `retries`, marks of the job,
 * manifests at a restart), and munge is waited for, for 5 s: a file system that
 * hangs holds the agent, too.  Slurm ends the job all the same: nobody waits
 * for us without a limit.
 */
#ifndef AGENT_H
#define AGENT_H

#include <event2/event.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "cause.h"
#include "cr_checkpoint.h"
#include "cr_error.h"
#include "failures.h"
#include "message.h"

enum agent_phase {
	AGENT_GATHERING, /* not all ranks have begun or been restarted */
	AGENT_RUNNING,
	AGENT_SAVING, /* a final checkpoint: being decided or made */
	AGENT_SAVED, /* all trees of the step are saved and ended */
};

struct agent;
struct agent_lead;
struct agent_member;
struct cr_manifest;
struct cr_manifest_ended;
struct cr_restart_external;
struct cr_tcp_restart;
struct cr_seal;

struct agent_rank {
	struct agent *agent;
	struct event *event; /* of socket */
	int socket; /* to the shepherd, -1: none yet or no more */
	uint32_t rank, local;
	pid_t shepherd;
	pid_t program; /* root task, as seen here; 0: none */
	int streams[3]; /* while it waits for its restart, else -1 */
	int status_socket; /* for the restarter */
	uint64_t input_before; /* bytes that it had read before its restart */
	int counter_fd; /* struct cr_input_counter of its input, or -1 */
	int is_ready; /* to be restarted */
	int has_ended;
	int status; /* as of wait(2), of a program that has ended */
};

/* Between the ranks and slurmstepd's PMIx or PMI server, if there is one. */
struct agent_relay {
	int control; /* socket, -1: none, or it has died */
	struct event *event;
	uint16_t port; /* where it listens */
	uint16_t server_port;
	int has_pmi; /* ranks have sockets of it */
	int session; /* socket, for the next saver or restarter, or -1 */
};

struct agent_keeper {
	pid_t init; /* as seen here */
	int init_fd;
	int lifeline; /* it lives until all copies of this are closed */
};

/* What a worker tells when it is done. */
struct agent_result {
	struct cr_error err; /* code 0: success */
	struct cr_job_view job; /* query */
	enum cr_cause cause; /* query */
	uint32_t generation; /* save */
	int is_saved; /* save: it counts; @err is a warning */
	struct cr_checkpoint_stats stats; /* save */
	int64_t digest_us; /* save and restart: to read all of the image */
	uint32_t nr_roots; /* restart; pid_t pids[nr_local_ranks] follow,
			    * 0 for ranks without one */
};

typedef void (*agent_work_fn)(struct agent *agent, struct agent_result *result);
typedef void (*agent_done_fn)(struct agent *agent,
			      const struct agent_result *result);

struct agent {
	struct event_base *base;
	struct cr_setup setup;
	struct cr_step *step; /* of setup */
	struct cr_config *config; /* of setup */
	enum agent_phase phase;
	int stepd; /* socket to slurmstepd */
	pid_t stepd_pid; /* its other end */
	struct event *stepd_event;
	int dirfd, step_dirfd;
	int lock_fd; /* on the step's folder, for as long as we live; or -errno:
		      * cr_claim_step() */
	struct agent_rank *ranks; /* [step->nr_local_ranks], by local id, or as
				   * group_ranks */
	struct agent_keeper keeper;
	struct agent_relay relay;

	struct agent_worker *saver, *asker, *restarter, *requeuer;
	struct cr_failures failures; /* to save it, so far */
	struct agent_result saved; /* the last result of the saver */
	struct event *interval_timer, *poll_timer, *clients_timer;
	int save_is_final;
	int is_final_wanted; /* when the periodic one is done */
	uint32_t save_generation; /* of a step of several nodes */
	int has_term; /* a SIGTERM is to be passed on if we do not save */
	int has_forwarded_term; /* what ends now ends since it was told to */
	int is_suspended;
	int remove_images; /* at the end: the job will not run again */
	int has_explained; /* agent_clients_explain() */
	int holds_script; /* all of it but the sruns is stopped */
	int is_retry; /* a restart has failed: the job is to be requeued */
	int requeue_later; /* when the job has left COMPLETING */
	int64_t clients_deadline_ms;
	enum cr_cause cause; /* of the last SIGTERM */
	struct cr_job_view job; /* as last seen */

	/* several agents on this node, or elsewhere: agent_groups.c */
	uint32_t *group_ranks; /* [step->nr_local_ranks], ascending; NULL: this
				* node's ranks are ours */
	size_t nr_groups_here;

	/* a step of several nodes: agent_peers.h; else all NULL */
	struct agent_lead *lead; /* on node 0 */
	struct agent_member *member;

	struct cr_seal *seal; /* of messages to other nodes, and of manifests */

	/* restart */
	int is_restart; /* ranks are to wait for it */
	uint32_t image_node; /* whose image is ours, as saved */
	uint32_t keeper_generation; /* that the namespaces were made for */
	int is_keeper_used; /* pids and clocks in there are used up */
	uint32_t *candidates; /* generations to try, newest first */
	size_t nr_candidates, next_candidate;
	int image_fd; /* of the one being tried, nothing of it read yet; or -1
		       */
	struct cr_image *image; /* the same, in the worker */
	int64_t digest_us; /* in a worker: see struct agent_result */
	struct cr_manifest *manifest; /* of the same */
	uint64_t monotonic_ns, boottime_ns; /* clocks of the same */
	struct agent_keeper restart_keeper; /* where it is tried */
	struct cr_error refused; /* why the newest was not used */
};

/* --- agent_log.c --- */
void agent_log_open(const struct agent *agent);
void agent_log(const struct agent *agent, int priority, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* --- agent_cgroup.c: leave the job's cgroups, as far as they are --- */
void agent_leave_cgroups(const struct agent *agent);

/* --- agent_worker.c --- */
/*
 * Fork a process that does @work and reports; @done is called with its
 * result, or with an error if it died, or came no further for @timeout_ms and
 * was killed (-ETIMEDOUT): one that never says that it gets on has no longer
 * in all.  0: no limit.  The child has only the descriptors @keep of ours, and
 * default signals.  NULL if it cannot be forked, or watched (@err says why).
 */
struct agent_worker *agent_worker_start(struct agent *agent, const char *name,
					agent_work_fn work, agent_done_fn done,
					unsigned int timeout_ms,
					const int *keep, size_t nr_keep,
					struct cr_error *err);
/* Kill it; @done is not called.  NULL is allowed. */
void agent_worker_cancel(struct agent_worker *worker);
/* In the worker: time begins anew. */
void agent_worker_get_on(void);
/* In the worker: report now and go on; pids may be NULL. */
void agent_worker_report(const struct agent_result *result, const pid_t *pids);
/* In @done: what was reported beside the result; NULL: nothing. */
const pid_t *agent_worker_pids(const struct agent_result *result);

/* --- agent_keeper.c --- */
/* Namespaces that outlive us as long as a shepherd lives.  0 or a negative
 * errno; *@keeper is untouched then. */
int agent_keeper_start(struct agent *agent, uint64_t monotonic_ns,
		       uint64_t boottime_ns, struct agent_keeper *keeper,
		       struct cr_error *err);
void agent_keeper_release(struct agent_keeper *keeper);
/* In a fork: close all descriptors from 3 on but these. */
void agent_close_others(const int *keep, size_t nr_keep);

/* --- agent_groups.c: several groups of ranks on one node --- */
/*
 * The job runs again, and its step has more or fewer nodes than there are
 * images: find out which of them belong here.  Then ->step speaks of groups
 * instead of nodes: its number, how many there are, how many ranks ours has.
 * 0 also if they do not fit (->refused says why).  -errno if it cannot be found
 * out for the moment, slurmctld being silent, say: the restart is put off then
 * (->requeue_later), unless that was tried often enough.
 */
int agent_groups_choose(struct agent *agent, struct cr_error *err);

/* --- agent_folder.c: the step's folder in the checkpoint directory --- */
/* 0; or if it cannot be used, CR_SETUP_WITHOUT, or -errno: the step fails, and
 * the job is held if it has something to go on from, or queued again
 * (->requeue_later). */
int agent_folder_open(struct agent *agent, struct cr_error *err);
/* What there is to go on from cannot be used for now: have the job queued again
 * and held.  Returns the code of @err, which says so then. */
int agent_folder_hold(struct agent *agent, struct cr_error *err);
/* True also if that cannot be told. */
int agent_folder_has_images(const struct agent *agent);
/* There are images: does Slurm say that the job has never run before?  Then
 * they are of a job that had the same number long ago. */
int agent_is_first_run(struct agent *agent);

/* --- agent_image.c: the image that a restart is tried from --- */
/* Open that of the next candidate that fits.  0; or when no candidate is left
 * the first error of any; or one that may pass, for which agent_retry() is to
 * be asked before older ones are tried.  It is in ->refused, too. */
int agent_image_open_next(struct agent *agent);
/* That of generation @number. */
int agent_image_open(struct agent *agent, uint32_t number,
		     struct cr_error *err);
void agent_image_close(struct agent *agent);
/* In a worker: digest all of it, and open it as an image if it is the one that
 * its manifest means.  Takes as long as to read it. */
int agent_image_verify(struct agent *agent, struct cr_error *err);
/* --- agent_tcp.c: in workers --- */
/* This node's addresses, and, when the tree is saved, ends of connections to
 * other nodes.  0 or a negative errno. */
int agent_tcp_note_addresses(const struct agent *agent,
			     struct cr_manifest *manifest,
			     struct cr_error *err);
int agent_tcp_note_ends(const struct agent *agent,
			const struct cr_checkpoint *checkpoint,
			struct cr_manifest *manifest, struct cr_error *err);
/* What the restart of the open image is to be told; never freed. */
int agent_tcp_prepare(const struct agent *agent, struct cr_tcp_restart *tcp,
		      struct cr_error *err);

/* --- agent_streams.c --- */
/* While the tree is frozen; in a worker. */
void agent_streams_note(const struct agent *agent,
			struct cr_manifest *manifest);
/* Before a restart: output files to the length they had, input to where the
 * ranks were. */
void agent_streams_restore(struct agent *agent);

/* --- agent_rank.c --- */
void agent_rank_hello(struct agent *agent, const struct cr_message *hello,
		      int socket);
void agent_tell_ranks(struct agent *agent, enum cr_message_type type,
		      int value);
/* Into the job's stderr (first rank that is there) and the log. */
void agent_say(struct agent *agent, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* What all nodes know one of them says: is it us? */
int agent_is_speaker(const struct agent *agent);
/* All CPUs that Slurm lets the ranks use: what bindings are mapped to. */
void agent_ranks_cpus(const struct agent *agent, cpu_set_t *cpus);
/* "0-3,8": the ranks of this node; free(3) it.  NULL: no memory. */
char *agent_ranks_print(const struct agent *agent);
int agent_ranks_all_begun(const struct agent *agent);
int agent_ranks_all_ready(const struct agent *agent);
/* They have ended, or are saved. */
int agent_ranks_all_over(const struct agent *agent);

/* --- agent_relay.c: see relay.h --- */
/* A rank asks where its PMIx server is: tell it where the relay listens, which
 * is started by the first. */
void agent_relay_ask(struct agent_rank *rank, const struct cr_message *message);
/* A rank hands in slurmstepd's PMI socket: give it one of the relay's. */
void agent_relay_take(struct agent_rank *rank, int fd);
/* A session for a worker that is about to be started (relay.session, to be
 * kept open in it); without a relay: -1. */
void agent_relay_open_session(struct agent *agent);
void agent_relay_close_session(struct agent *agent);
/* The step is over. */
void agent_relay_end(struct agent *agent);
/* In a worker, over its session: send @message with @fd (-1: none) and wait for
 * the answer, whose descriptor is *@answer_fdp then (NULL: not wanted). */
int agent_relay_call(const struct agent *agent,
		     const struct cr_message *message, int fd, int *answer_fdp,
		     struct cr_error *err);
/* ... of which the whole answer is wanted. */
int agent_relay_call_answer(const struct agent *agent,
			    const struct cr_message *message, int fd,
			    struct cr_message *answer, int *answer_fdp,
			    struct cr_error *err);
/* In a worker, over its session: @type, whose answer is awaited.  0, also
 * without a relay. */
int agent_relay_tell(const struct agent *agent, enum cr_message_type type,
		     struct cr_error *err);

/* --- agent_external.c: sockets that lead to the relay and to slurmstepd --- */
/* As cr_checkpoint_options.external; @arg is the agent. */
int agent_external_save(void *arg, pid_t pid, int number, int fd,
			struct cr_external *external, struct cr_error *err);
/* As cr_restart_options.external. */
int agent_external_restart(void *arg,
			   const struct cr_restart_external *external,
			   struct cr_error *err);

/* --- agent_term.c: what to do about SIGTERM and preemption --- */
void agent_handle_term(struct agent *agent);
void agent_start_poll(struct agent *agent);
void agent_forward_term(struct agent *agent);
/* End a script that cannot be saved, but whose steps have been. */
void agent_begin_anew(struct agent *agent, const char *why);
/* Ask slurmctld why, and do what follows: once for the step. */
void agent_ask_cause(struct agent *agent);

/* --- agent_save.c --- */
/* Begin a checkpoint; a final one ends the tree, and waits for a periodic one
 * that is under way (of several nodes: has it given up). */
void agent_save(struct agent *agent, int is_final);
void agent_start_interval(struct agent *agent);
/* Of a step of several nodes: start our part. */
int agent_save_start(struct agent *agent, struct cr_error *err);
/* ... and what follows when its outcome is known; NULL: as the worker said. */
void agent_save_finish(struct agent *agent, const struct cr_error *failure,
		       int is_silent);
/* A rank was killed: if it was being saved for good, say so. */
void agent_save_cut_short(struct agent *agent);
/* All trees of this node are saved and ended. */
void agent_save_for_good(struct agent *agent);
/* A rank was killed: tell slurmstepd when srun may hear of it. */
void agent_save_linger(struct agent *agent);

/* --- agent_manifest.c: for the worker that saves --- */
/* Step, ranks and addresses of this node, and which ranks have ended.  Freed by
 * cr_manifest_free(), also after a failure.  0 or a negative errno. */
int agent_manifest_init(const struct agent *agent, struct cr_manifest *manifest,
			struct cr_error *err);
/* The image is written. */
int agent_manifest_note_size(int dirfd, struct cr_manifest *manifest,
			     struct cr_error *err);
/* ... and will not change: read all of it, if manifests are sealed. */
int agent_manifest_note_digest(struct agent *agent, int dirfd,
			       const struct cr_checkpoint *checkpoint,
			       struct cr_manifest *manifest,
			       struct cr_error *err);
/* What manifests are sealed with; NULL: they are not. */
struct cr_seal *agent_manifest_seal(const struct agent *agent);

/* --- agent_saver.c: the worker that saves, of any step --- */
/* As agent_work_fn: save into a new generation (of several nodes: into
 * agent->save_generation), and end the tree or let it go on as
 * agent->save_is_final says. */
void agent_saver_work(struct agent *agent, struct agent_result *result);

/* --- agent_restart.c --- */
/* Choose the newest generation that fits: agent->candidates is NULL if there
 * is none.  -errno if there are some, all are refused, and the step is to fail
 * then, or the restart is put off: ->requeue_later. */
int agent_restart_choose(struct agent *agent, struct cr_error *err);
/* All ranks are ready: try. */
void agent_restart(struct agent *agent);
/* Of a step of several nodes: namespaces for the image that is open.  0 or a
 * negative errno; without them it is not to be tried. */
int agent_restart_renew(struct agent *agent, struct cr_error *err);
/* ... restore up to the gate. */
int agent_restart_start(struct agent *agent, struct cr_error *err);
/* ... there is no tree: ranks end as they had ended. */
void agent_restart_ended(struct agent *agent);
/* ... none works; enum cr_on_failure. */
void agent_restart_give_up(struct agent *agent, int on_failure);

/* --- agent_restarter.c: the worker that restarts --- */
/* As agent_work_fn: restart what the open image holds, report, and stay as
 * parent of the roots until the last has ended. */
void agent_restarter_work(struct agent *agent, struct agent_result *result);
/* Had @rank ended when the open image was made?  NULL: no. */
const struct cr_manifest_ended *
agent_restarter_find_ended(const struct agent *agent, uint32_t rank);
/* The copies of the shepherds' streams that we have. */
void agent_restarter_close_streams(struct agent *agent);

/* --- agent_clients.c: Slurm's own commands in a batch script's tree --- */
/* True if an srun runs there. */
int agent_clients_any(const struct agent *agent);
/* Signal all that are not clients. */
void agent_clients_signal_others(const struct agent *agent, int signal);

/* If one starts daemons of an mpirun, tell the user, once, what to do
 * instead. */
void agent_clients_explain(struct agent *agent);

/* Call @visit for each client, until it returns other than 0: returns that. */
int agent_clients_each(const struct agent *agent, int (*visit)(pid_t client));

/* --- agent_output.c: see output.h --- */
/* Remember the files that the script's sruns write to. */
void agent_output_note(const struct agent *agent);
/* Copy them aside; @after is called when that is done. */
void agent_output_keep(struct agent *agent, void (*after)(struct agent *agent));

/* --- agent_status.c --- */
/* Tell what we are doing in a file beside the images, for `cr status`. */
void agent_status_write(struct agent *agent);
void agent_status_remove(struct agent *agent);

/* --- agent_slurm.c: work for workers, in which libslurm may block --- */
/* On which of its nodes each of the step's ranks is: @node_of[step->nr_ranks].
 * Blocks.  0 or a negative errno. */
int agent_slurm_layout(const struct agent *agent, uint32_t *node_of,
		       struct cr_error *err);
/* Name of the step's node @node, "" if it is not known; never blocks. */
void agent_slurm_node_name(const struct cr_step *step, uint32_t node,
			   char *name, size_t size);
void agent_slurm_ask(struct agent *agent, struct agent_result *result);
void agent_slurm_requeue(struct agent *agent, struct agent_result *result);
/* Queue the job again and hold it, with agent->refused as its admin comment. */
void agent_slurm_hold(struct agent *agent, struct agent_result *result);
/* Wait until the job has left COMPLETING, then requeue it.  Blocks. */
void agent_slurm_requeue_later(struct agent *agent);
/* Has the job been cancelled, as far as slurmctld answers?  Blocks. */
int agent_slurm_is_cancelled(const struct agent *agent);
/* Note a failure in the job's admin comment. */
void agent_slurm_comment(const struct agent *agent, const char *text);

#endif /* AGENT_H */
