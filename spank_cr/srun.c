/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * srun.c - the plugin in srun, sbatch and salloc
 *
 * Settings are checked here, before anything is submitted.  Then they are put
 * into the environment, which travels with the job: so the steps of a batch
 * script have what was said to sbatch.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "identity.h"
#include "options.h"
#include "output.h"
#include "park.h"
#include "plugin.h"
#include "step.h"

static struct cr_config admin; /* plugstack.conf alone */

static int get_variable(void *arg, const char *name, char *value, size_t size)
{
	const char *found = getenv(name);

	(void)arg;
	if (!found)
		return 0;
	if (strlen(found) >= size)
		return -E2BIG;
	memcpy(value, found, strlen(found) + 1);
	return 1;
}

/*
 * A job that goes on must not cut off its output file.  Slurm reads these
 * before it reads the command line, so an --open-mode there wins, and we
 * cannot know yet whether --cr=off is on it.
 */
static void append_to_output(const struct cr_config *config)
{
	if (!config->is_on)
		return;
	setenv("SBATCH_OPEN_MODE", "append", 0);
	setenv("SLURM_OPEN_MODE", "append", 0);
}

/* sbatch goes on when a plugin fails: what is wrong would be found in the
 * job's output only, an hour later. */
static int refuse(const struct cr_error *err)
{
	spank_cr_fail(err);
	exit(EXIT_FAILURE);
}

int spank_cr_srun_init(spank_t spank, int argc, char **argv)
{
	struct cr_config config;
	struct cr_error err = { 0 };

	if (spank_context() == S_CTX_LOCAL)
		spank_cr_srun_renew(cr_park_begin());
	cr_config_init(&admin);
	if (cr_config_parse_arguments(&admin, argc, argv, &err))
		return refuse(&err);
	if (cr_options_register(spank, &err))
		return refuse(&err);
	config = admin;
	if (cr_config_parse_environment(&config, get_variable, NULL, &err))
		return refuse(&err);
	append_to_output(&config);
	return ESPANK_SUCCESS;
}

/* Only what differs from the admin's settings: those may differ by node. */
static int export_one(enum cr_setting setting, const char *value, int differs)
{
	const char *name = cr_setting_variable(setting);

	if (!differs && !getenv(name))
		return 0;
	return setenv(name, value, 1);
}

static int export_settings(const struct cr_config *config)
{
	static const char *const compressions[] = { "none", "lz4", "zstd" };
	static const char *const on_failures[] = { "restart", "fail" };
	char interval[16], keep[16];
	int rc;

	snprintf(interval, sizeof(interval), "%u", config->interval);
	snprintf(keep, sizeof(keep), "%u", config->keep);
	rc = export_one(CR_SETTING_ON, config->is_on ? "on" : "off",
			config->is_on != admin.is_on);
	rc |= export_one(CR_SETTING_DIR, config->dir, config->dir_is_users);
	rc |= export_one(CR_SETTING_INTERVAL, interval,
			 config->interval != admin.interval);
	rc |= export_one(CR_SETTING_KEEP, keep, config->keep != admin.keep);
	rc |= export_one(CR_SETTING_COMPRESS, compressions[config->compression],
			 config->compression != admin.compression);
	rc |= export_one(CR_SETTING_ON_FAILURE, on_failures[config->on_failure],
			 config->on_failure != admin.on_failure);
	rc |= export_one(CR_SETTING_TCP, config->tcp_close ? "close" : "refuse",
			 config->tcp_close != admin.tcp_close);
	return rc ? -ENOMEM : 0;
}

/* For srun: who it is, before its own settings change the environment. */
static int export_identity(void)
{
	char identity[CR_IDENTITY_SIZE];

	if (spank_context() != S_CTX_LOCAL)
		return 0;
	cr_identity_make(identity);
	return setenv(CR_IDENTITY_VARIABLE, identity, 1) ? -ENOMEM : 0;
}

/* Tells this run of the step from earlier ones; nothing secret. */
static int export_run(void)
{
	char text[CR_STEP_RUN_SIZE];
	uint8_t bytes[(CR_STEP_RUN_SIZE - 1) / 2];

	if (spank_context() != S_CTX_LOCAL)
		return 0;
	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		return -errno;
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(text + 2 * i, 3, "%02x", bytes[i]);
	return setenv(CR_STEP_RUN_VARIABLE, text, 1) ? -ENOMEM : 0;
}

/* Was srun started outside of all jobs?  In one Slurm has set the number.  And
 * an srun --pty around us is not what this one, or the script, has. */
static int export_outside(void)
{
	unsetenv(CR_STEP_TERMINAL_VARIABLE);
	if (spank_context() != S_CTX_LOCAL || getenv("SLURM_JOB_ID"))
		return unsetenv(CR_STEP_OUTSIDE_VARIABLE);
	return setenv(CR_STEP_OUTSIDE_VARIABLE, "1", 1) ? -ENOMEM : 0;
}

/* An srun of a script that begins anew. */
static void put_back_output(void)
{
	const char *job = getenv("SLURM_JOB_ID");
	struct cr_error err = { 0 };

	if (spank_context() != S_CTX_LOCAL || !job)
		return;
	for (int fd = 1; fd <= 2; fd++)
		if (cr_output_put_back(fd, (uint32_t)strtoul(job, NULL, 10),
				       &err) < 0)
			slurm_error("spank_cr: output of the step before its "
				    "restart: %s",
				    err.text);
}

int spank_cr_srun_init_post_opt(void)
{
	struct cr_config config = admin;
	struct cr_error err = { 0 };

	if (cr_config_parse_environment(&config, get_variable, NULL, &err) ||
	    cr_options_apply(&config, &err))
		return refuse(&err);
	if (export_identity() || export_outside() || export_run() ||
	    export_settings(&config)) {
		cr_error_set(&err, -ENOMEM, "no memory for the environment");
		return refuse(&err);
	}
	if (config.is_on)
		put_back_output();
	if (spank_context() == S_CTX_LOCAL && cr_config_is_active(&config))
		cr_park_allow();
	return ESPANK_SUCCESS;
}

int spank_cr_srun_created(spank_t spank)
{
	uint32_t step;

	if (spank_get_item(spank, S_JOB_STEPID, &step) == ESPANK_SUCCESS)
		cr_park_note_step(step);
	return ESPANK_SUCCESS;
}
