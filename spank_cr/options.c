/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * options.c - the options' table and what was given; see options.h
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"

#define OPTIONAL 2 /* as optional_argument of getopt_long(3) */

static int remember(int setting, const char *value, int remote);

static struct spank_option options[CR_NR_USER_SETTINGS] = {
	{ "cr", "on|off",
	  "checkpoint the job's steps when they lose their nodes and restart "
	  "them from there (needs a checkpoint directory)",
	  OPTIONAL, CR_SETTING_ON, remember },
	{ "cr-dir", "DIR",
	  "checkpoint directory: an absolute path on a file system that all "
	  "nodes share",
	  1, CR_SETTING_DIR, remember },
	{ "cr-interval", "SECONDS",
	  "checkpoint also every SECONDS seconds while the job runs on; 0: "
	  "never",
	  1, CR_SETTING_INTERVAL, remember },
	{ "cr-keep", "N", "keep the N newest checkpoints of each step (2)", 1,
	  CR_SETTING_KEEP, remember },
	{ "cr-compress", "none|lz4|zstd", "pack memory in checkpoints (none)",
	  1, CR_SETTING_COMPRESS, remember },
	{ "cr-on-failure", "restart|fail",
	  "when no checkpoint can be restarted: begin the program anew, or "
	  "fail the step (restart)",
	  1, CR_SETTING_ON_FAILURE, remember },
	{ "cr-tcp", "refuse|close",
	  "TCP connections that lead out of the step: do not checkpoint, or "
	  "let the program find them reset (refuse)",
	  1, CR_SETTING_TCP, remember },
};

static char *given[CR_NR_USER_SETTINGS];

/* Called by Slurm; a value other than 0 makes the command refuse its line. */
static int remember(int setting, const char *value, int remote)
{
	struct cr_config scratch;
	struct cr_error err = { 0 };
	char *copy;

	if (setting < 0 || setting >= CR_NR_USER_SETTINGS)
		return -1;
	/* an option without its argument arrives as NULL or "(null)" */
	if (!value || (remote && !strcmp(value, "(null)")))
		value = setting == CR_SETTING_ON ? "on" : "";
	cr_config_init(&scratch);
	if (cr_config_set(&scratch, (enum cr_setting)setting, value, &err)) {
		slurm_error("spank_cr: --%s: %s", options[setting].name,
			    err.text);
		return -1;
	}
	copy = strdup(value);
	if (!copy)
		return -1;
	free(given[setting]);
	given[setting] = copy;
	return 0;
}

int cr_options_register(spank_t spank, struct cr_error *err)
{
	for (size_t i = 0; i < CR_NR_USER_SETTINGS; i++)
		if (spank_option_register(spank, &options[i]) != ESPANK_SUCCESS)
			return cr_error_set(err, -EINVAL,
					    "Slurm refuses option --%s",
					    options[i].name);
	return 0;
}

int cr_options_apply(struct cr_config *config, struct cr_error *err)
{
	for (int i = 0; i < CR_NR_USER_SETTINGS; i++)
		if (given[i] &&
		    cr_config_set_by_user(config, (enum cr_setting)i, given[i],
					  err))
			return cr_error_prefix(err, "--%s", options[i].name);
	return 0;
}
