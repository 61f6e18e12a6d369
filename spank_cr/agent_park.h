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
void agent_clients_signal_parked(pid_t root, int signal);
/* Does any below @root start an mpirun's daemons? */
int agent_clients_any_starter(pid_t root);

/* --- agent_park.c --- */
/* Note the sruns below @root, whose other processes have just been stopped. */
void agent_park_note(pid_t root);
/* Has one ended since?  Who knows whether its step was being saved. */
int agent_park_has_lost(void);
/* Ask all to park instead of ending.  1: all can, 0: none has been asked. */
int agent_park_ask(struct agent *agent);
/* None runs any more.  Is there still something to wait for?  Those whose step
 * has ended by itself are ended here. */
int agent_park_is_busy(struct agent *agent);
/* Have all parked, or ended by right?  Then the script can be saved. */
int agent_park_is_done(struct agent *agent);
/* Begin as if none had been noted or asked. */
void agent_park_forget(struct agent *agent);
/* Does the save that is under way depend on it? */
int agent_park_has_asked(void);
/* The step has been restarted.  If it is a script: its sruns go on, and all
 * that was stopped when they were asked. */
void agent_park_go(struct agent *agent);

#endif /* AGENT_PARK_H */
