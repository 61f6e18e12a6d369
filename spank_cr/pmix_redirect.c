/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pmix_redirect.c - see pmix_redirect.h
 *
 * The server's address is in several variables, one for each version of PMIx:
 * "pmix-server.56;tcp4://127.0.0.1:44251".
 *
 * PMIx' "ds" modules share a memory segment between the server and the ranks.
 * A new server has a new one, of which a rank does not hear: so the ranks are
 * told to keep to the module "hash", which asks the server.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "message.h"
#include "mpi_settings.h"
#include "pmix_redirect.h"

#define ANSWER_TIMEOUT_MS 10000
#define URI_MAX 512
#define ADDRESS "tcp4://127.0.0.1:"

static const char *const variables[] = {
	"PMIX_SERVER_URI",  "PMIX_SERVER_URI2", "PMIX_SERVER_URI21",
	"PMIX_SERVER_URI3", "PMIX_SERVER_URI4", "PMIX_SERVER_URI41",
	"PMIX_SERVER_URI5",
};

/* Where in @uri the port begins; *@portp; NULL: not on this node. */
static char *find_port(char *uri, long *portp)
{
	char *port = strstr(uri, ADDRESS), *end;

	if (!port)
		return NULL;
	port += strlen(ADDRESS);
	*portp = strtol(port, &end, 10);
	return *end == '\0' && *portp > 0 && *portp < 65536 ? port : NULL;
}

static int ask(int agent, long server)
{
	struct cr_message message = { .type = CR_MSG_PMIX,
				      .value = (int32_t)server };

	if (cr_message_send(agent, &message, NULL, 0))
		return -1;
	do {
		if (cr_message_receive(agent, &message, NULL,
				       ANSWER_TIMEOUT_MS))
			return -1;
	} while (message.type != CR_MSG_PMIX);
	return message.value;
}

static long number_of(spank_t spank, const char *name)
{
	char value[32];

	return spank_getenv(spank, name, value, sizeof(value)) ==
			       ESPANK_SUCCESS ?
		       strtol(value, NULL, 10) :
		       0;
}

static void preconnect(spank_t spank)
{
	if (number_of(spank, "SLURM_STEP_NUM_NODES") > 1 &&
	    number_of(spank, "SLURM_STEP_NUM_TASKS") <= MPI_PRECONNECT_MAX)
		spank_setenv(spank, MPI_PRECONNECT, "1", 0);
}

void cr_pmix_keep_out_of_tmp(spank_t spank)
{
	for (size_t i = 0; i < NR_MPIRUN_SETTINGS; i++)
		spank_setenv(spank, mpirun_settings[i].name,
			     mpirun_settings[i].value, 0);
}

void cr_pmix_redirect(spank_t spank, int agent)
{
	char uri[URI_MAX], *at;
	long server;
	int port = 0;

	for (size_t i = 0; i < sizeof(variables) / sizeof(*variables); i++) {
		if (spank_getenv(spank, variables[i], uri, sizeof(uri) - 8) !=
		    ESPANK_SUCCESS)
			continue;
		at = find_port(uri, &server);
		if (!at)
			continue;
		if (!port)
			port = ask(agent, server);
		if (port <= 0)
			return;
		sprintf(at, "%d", port);
		spank_setenv(spank, variables[i], uri, 1);
	}
	if (port <= 0)
		return;
	spank_setenv(spank, "PMIX_GDS_MODULE", "hash", 1);
	spank_setenv(spank, "PMIX_MCA_gds", "hash", 1);
	preconnect(spank);
}
