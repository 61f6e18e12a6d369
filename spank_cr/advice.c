/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * advice.c - see advice.h
 *
 * lib/ says what it is and knows no MPI; what can be set is said here.
 */
#include <stddef.h>
#include <string.h>

#include "advice.h"

#define RDMA                                                              \
	" (RDMA: OMPI_MCA_pml=ob1 OMPI_MCA_btl=tcp,vader,self, with UCX " \
	"UCX_TLS=tcp,sm,self, avoids it)"

static const struct {
	const char *words; /* of the verdict */
	const char *advice;
} known[] = {
	{ "/dev/infiniband/", RDMA },
	{ "/dev/hfi1", RDMA },
	{ "whose other end is not in the ",
	  " (--cr-tcp=close lets the program find it reset)" },
};

static const char *const daemons[] = { "orted", "prted", "hydra_pmi_proxy",
				       "hydra_bstrap_proxy" };

int cr_advice_is_daemon(const char *command)
{
	const size_t length = strcspn(command, " ");
	const char *name = memrchr(command, '/', length);
	size_t name_length;

	name = name ? name + 1 : command;
	name_length = length - (size_t)(name - command);
	for (size_t i = 0; i < sizeof(daemons) / sizeof(*daemons); i++)
		if (name_length == strlen(daemons[i]) &&
		    !memcmp(name, daemons[i], name_length))
			return 1;
	return 0;
}

const char *cr_advice(const char *text, const char *command)
{
	if (strstr(text, "whose other end is not in the ") &&
	    cr_advice_is_daemon(command))
		return " (" CR_ADVICE_MPIRUN ")";
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (strstr(text, known[i].words))
			return known[i].advice;
	return "";
}
