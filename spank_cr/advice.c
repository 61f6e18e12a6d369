/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * advice.c - see advice.h
 *
 * lib/ says what it is and knows no MPI; what can be set is said here.
 */
#include <stddef.h>
#include <string.h>

#include "advice.h"

static const struct {
	const char *words; /* of the verdict */
	const char *advice;
} known[] = {
	{ "/dev/infiniband/",
	  " (RDMA: OMPI_MCA_pml=ob1 OMPI_MCA_btl=vader,self avoids it)" },
	{ "whose other end is not in the ",
	  " (--cr-tcp=close lets the program find it reset)" },
	{ "/dev/hfi1",
	  " (RDMA: OMPI_MCA_pml=ob1 OMPI_MCA_btl=vader,self avoids it)" },
};

const char *cr_advice(const char *text)
{
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (strstr(text, known[i].words))
			return known[i].advice;
	return "";
}
