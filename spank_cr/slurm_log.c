/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * slurm_log.c - an error of ours into Slurm's log
 */
#include "plugin.h"

int spank_cr_fail(const struct cr_error *err)
{
	slurm_error("spank_cr: %s", err->text);
	return ESPANK_ERROR;
}
