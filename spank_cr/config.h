/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * config.h - what a user and an admin can choose, checked
 *
 * The same settings have three sources; the later in this list win:
 *	arguments in plugstack.conf (dir=...), environment (SPANK_CR_DIR=...),
 *	options of srun, sbatch and salloc (--cr-dir=...).
 * A few can be set by the admin only, in plugstack.conf.
 */
#ifndef CONFIG_H
#define CONFIG_H

#include <stddef.h>

#include "cr_error.h"

#define CR_CONFIG_KEEP_DEFAULT 2u
#define CR_CONFIG_KEEP_MAX 100u
#define CR_CONFIG_INTERVAL_MAX (30u * 24 * 3600) /* seconds */
#define CR_CONFIG_POLL_DEFAULT 15u /* seconds */
#define CR_CONFIG_TIMEOUT_DEFAULT 10u /* seconds */
#define CR_CONFIG_TIMEOUT_MAX 3600u
#define CR_CONFIG_RETRIES_DEFAULT 3u
#define CR_CONFIG_RETRIES_MAX 100u
#define CR_CONFIG_PATH_MAX 1024

enum cr_setting {
	CR_SETTING_ON, /* --cr=on|off */
	CR_SETTING_DIR,
	CR_SETTING_INTERVAL,
	CR_SETTING_KEEP,
	CR_SETTING_COMPRESS,
	CR_SETTING_ON_FAILURE,
	CR_SETTING_TCP,
	CR_NR_USER_SETTINGS,
	/* from here on in plugstack.conf only */
	CR_SETTING_AGENT = CR_NR_USER_SETTINGS,
	CR_SETTING_LOG,
	CR_SETTING_POLL,
	CR_SETTING_TIMEOUT,
	CR_SETTING_RETRIES,
	CR_SETTING_SEAL,
	CR_NR_SETTINGS,
};

enum cr_on_failure {
	CR_ON_FAILURE_RESTART, /* no image works: begin anew, and say so */
	CR_ON_FAILURE_FAIL, /* no image works: the step fails */
	/* not to be chosen: the job will run again, and try then */
	CR_ON_FAILURE_LATER,
};

/* A plain value: may be copied and sent to another process. */
struct cr_config {
	int is_on;
	int dir_is_users; /* the user chose dir, not the admin */
	unsigned int interval; /* seconds between checkpoints, 0: none */
	unsigned int keep; /* generations */
	unsigned int poll; /* seconds between looks for preemption, 0: none */
	unsigned int timeout; /* seconds that a node may be silent while a step
			       * of several nodes is saved or restarted */
	unsigned int retries; /* runs of the job that a restart may fail in, one
			       * after the other, for a reason that may pass */
	int seal; /* manifests are sealed, and believed only if they are */
	int compression; /* enum cr_compression */
	int on_failure; /* enum cr_on_failure */
	int tcp_close; /* TCP connections that lead out of the step are reset at
			* a restart; 0: they cannot be saved */
	char dir[CR_CONFIG_PATH_MAX]; /* absolute; "" if there is none */
	char agent[CR_CONFIG_PATH_MAX]; /* program; "": beside the plugin */
	char log[CR_CONFIG_PATH_MAX]; /* file; "": syslog only */
};

/* Name in the environment, NULL for those that only the admin sets. */
const char *cr_setting_variable(enum cr_setting setting);

void cr_config_init(struct cr_config *config);

/* True if there is anything to do: it is on and there is a directory. */
int cr_config_is_active(const struct cr_config *config);

/*
 * Set one setting from text.  @value NULL or "" means "on" for CR_SETTING_ON
 * and is refused otherwise.
 * Returns 0, or -EINVAL with a sentence that names no source ("interval
 * '1x' is not a number of seconds from 0 to 2592000"); @config is unchanged.
 */
int cr_config_set(struct cr_config *config, enum cr_setting setting,
		  const char *value, struct cr_error *err);

/* The same for a source that belongs to the user: notes whose directory it is.
 */
int cr_config_set_by_user(struct cr_config *config, enum cr_setting setting,
			  const char *value, struct cr_error *err);

/* Arguments of the line in plugstack.conf, NAME=VALUE each. */
int cr_config_parse_arguments(struct cr_config *config, int argc, char **argv,
			      struct cr_error *err);

/*
 * Copy environment variable @name to @value.  Returns 1 if it is set, 0 if
 * not, -E2BIG if it is longer than @size - 1.
 */
typedef int (*cr_getenv_fn)(void *arg, const char *name, char *value,
			    size_t size);

/* Settings from the environment.  Unset and empty variables change nothing. */
int cr_config_parse_environment(struct cr_config *config, cr_getenv_fn get,
				void *arg, struct cr_error *err);

#endif /* CONFIG_H */
