/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * agent_park.h - the agent of a script has its sruns park; see park.h
 */
#ifndef AGENT_PARK_H
#define AGENT_PARK_H

#include <sys/types.h>

struct agent;

/* --- agent_clients.c --- */
int agent_clients_is_running(pid_t pid);
int agent_clients_is_parked(pid_t pid);
int agent_clients_is_stopped(pid_t pid);
/* Continue all that is stopped, clients and others. */
void agent_clients_continue_stopped(const struct agent *agent);
void agent_clients_signal_parked(const struct agent *agent, int signal);
/* Does any start an mpirun's daemons? */
int agent_clients_any_starter(const struct agent *agent);

/* --- agent_park.c --- */
/* Note the sruns of the script, which has just been stopped, and ask them to
 * park instead of ending.  Again and again: one that has just been started can
 * be asked a moment later only. */
void agent_park_ask(struct agent *agent);
/* Is there still something to wait for?  Those whose step has ended by itself
 * are ended here. */
int agent_park_is_busy(struct agent *agent);
/* Have all parked, or ended by right?  Then the script can be saved. */
int agent_park_is_done(struct agent *agent);
/* Let those that were asked end as if they had not been. */
void agent_park_release(struct agent *agent);
/* The same, and ask none until then: the script will not be saved. */
void agent_park_give_up(struct agent *agent);
/* Have any been asked? */
int agent_park_has_asked(void);
/* The step has been restarted.  If it is a script: its sruns go on, and all
 * that was stopped when they were asked. */
void agent_park_go(struct agent *agent);

#endif /* AGENT_PARK_H */
