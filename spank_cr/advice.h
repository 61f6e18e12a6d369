/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * advice.h - what a user can do about something that cannot be saved
 */
#ifndef ADVICE_H
#define ADVICE_H

/* A sentence for the verdict @text of the step that runs @command, or "": we
 * know of nothing. */
const char *cr_advice(const char *text, const char *command);

/* True if @command begins with one of the daemons by which an mpirun starts its
 * ranks on other nodes. */
int cr_advice_is_daemon(const char *command);

#define CR_ADVICE_MPIRUN                                                      \
	"an mpirun of several nodes cannot be saved: its daemons are a step " \
	"of their own, and talk to it; start it with cr-mpirun in front: "    \
	"cr-mpirun mpirun ..."

#endif /* ADVICE_H */
