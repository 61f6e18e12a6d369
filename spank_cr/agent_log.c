/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * agent_log.c - syslog, and a log file where the admin wants one
 */
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "agent.h"

static int log_fd = -1;

void agent_log_open(const struct agent *agent)
{
	openlog("spank_cr", LOG_PID, LOG_DAEMON);
	if (agent->config->log[0])
		log_fd = open(agent->config->log,
			      O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW |
				      O_CLOEXEC,
			      0640);
}

static void log_to_file(const char *line)
{
	char text[CR_ERROR_TEXT_MAX + 256], when[32];
	struct timespec now;
	struct tm tm;
	int length;

	if (log_fd < 0)
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	localtime_r(&now.tv_sec, &tm);
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &tm);
	length = snprintf(text, sizeof(text), "%s.%03ld [%d] %s\n", when,
			  now.tv_nsec / 1000000, getpid(), line);
	if (write(log_fd, text, (size_t)length) != length)
		syslog(LOG_WARNING, "the log file cannot be written: %m");
}

void agent_log(const struct agent *agent, int priority, const char *fmt, ...)
{
	char text[CR_ERROR_TEXT_MAX + 64], line[sizeof(text) + 64];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	cr_error_one_line(text);
	snprintf(line, sizeof(line), "%s: %s", agent->step->name, text);
	syslog(priority, "%s", line);
	log_to_file(line);
}
