/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * agent_external.c - sockets of the ranks that are Slurm's, not the program's
 *
 * Three: a connection to the relay for PMIx; one for PMI, whose name has the
 * rank; and the listening socket of slurmstepd's PMIx plugin, which ranks
 * inherit by accident.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent.h"
#include "cr_restart.h"

#define PMIX_NAME "pmix"
#define PMI_NAME "pmi %u"
#define LISTENER_NAME "slurmstepd's listener"
#define SENT_TRIES 200
#define SENT_WAIT_MS 10

static int listens_on_tcp(int fd)
{
	int listens = 0, domain = 0;
	socklen_t length = sizeof(int);

	getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length);
	length = sizeof(int);
	getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length);
	return listens && (domain == AF_INET || domain == AF_INET6);
}

/* Call @visit for slurmstepd's sockets until it returns other than 0. */
static int each_stepd_socket(const struct agent *agent,
			     int (*visit)(pid_t pid, int number,
					  const struct stat *st,
					  const void *arg),
			     const void *arg)
{
	const pid_t pid = agent->stepd_pid;
	struct dirent *entry;
	struct stat st;
	char path[64];
	DIR *folder;
	int rc = 0;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	folder = opendir(path);
	if (!folder)
		return 0;
	while (rc == 0 && (entry = readdir(folder)))
		if (fstatat(dirfd(folder), entry->d_name, &st, 0) == 0 &&
		    S_ISSOCK(st.st_mode))
			rc = visit(pid, atoi(entry->d_name), &st, arg);
	closedir(folder);
	return rc;
}

static int is_same(pid_t pid, int number, const struct stat *st,
		   const void *arg)
{
	const struct stat *wanted = arg;

	(void)pid;
	(void)number;
	return st->st_ino == wanted->st_ino && st->st_dev == wanted->st_dev;
}

static int is_inherited(pid_t pid, int number)
{
	unsigned int flags = 0;
	char path[64], line[128];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", pid, number);
	file = fopen(path, "re");
	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "flags: %o", &flags) == 1)
			break;
	fclose(file);
	return !(flags & 02000000u); /* close-on-exec */
}

/* A duplicate of what ranks of this step inherit. */
static int take_listener(pid_t pid, int number, const struct stat *st,
			 const void *arg)
{
	int pidfd, fd;

	(void)st;
	(void)arg;
	if (!is_inherited(pid, number))
		return 0;
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	fd = pidfd < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, pidfd, number, 0);
	if (pidfd >= 0)
		close(pidfd);
	if (fd < 0)
		return 0;
	if (listens_on_tcp(fd))
		return fd;
	close(fd);
	return 0;
}

/* The port at one end of @fd, if that is 127.0.0.1; else 0. */
static uint16_t loopback_port(int fd,
			      int (*get)(int, struct sockaddr *, socklen_t *))
{
	struct sockaddr_in address = { 0 };
	socklen_t length = sizeof(address);

	if (get(fd, (struct sockaddr *)&address, &length) < 0 ||
	    length != sizeof(address) || address.sin_family != AF_INET ||
	    address.sin_addr.s_addr != htonl(INADDR_LOOPBACK))
		return 0;
	return ntohs(address.sin_port);
}

static int peer_name(int fd, struct sockaddr *address, socklen_t *length)
{
	return getpeername(fd, address, length);
}

static int own_name(int fd, struct sockaddr *address, socklen_t *length)
{
	return getsockname(fd, address, length);
}

static int read_all(int fd, struct cr_external *external, struct cr_error *err)
{
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return cr_error_set(err, -EPROTO,
				    "the PMIx relay has sent nothing");
	external->note = malloc((size_t)st.st_size + 1);
	if (!external->note)
		return cr_error_set(err, -ENOMEM, "no memory");
	external->note_length = (size_t)st.st_size;
	if (pread(fd, external->note, external->note_length, 0) != st.st_size)
		return cr_error_errno(err, "what the PMIx relay has sent");
	return 0;
}

/* The relay must have all that the rank has sent before it is asked: what comes
 * later would be lost.  (The lib waits for that, too, but after us.) */
static int save_connection(const struct agent *agent, int fd,
			   struct cr_external *external, struct cr_error *err)
{
	const struct cr_message message = {
		.type = CR_MSG_RELAY_STATE,
		.value = loopback_port(fd, own_name),
	};
	int left = 0, answer = -1, rc;

	for (int i = 0; i < SENT_TRIES; i++) {
		if (ioctl(fd, SIOCOUTQ, &left) < 0 || !left)
			break;
		poll(NULL, 0, SENT_WAIT_MS);
	}
	if (left)
		return cr_error_set(err, -EBUSY,
				    "connection to Slurm's PMIx server: %d "
				    "bytes were not taken by the relay",
				    left);
	rc = agent_relay_call(agent, &message, -1, &answer, err);
	if (!rc)
		rc = read_all(answer, external, err);
	if (answer >= 0)
		close(answer);
	strcpy(external->name, PMIX_NAME);
	return rc ? rc : 1;
}

static int is_unix_stream(int fd)
{
	int domain = 0, type = 0;
	socklen_t length = sizeof(int);

	getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length);
	length = sizeof(int);
	getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length);
	return domain == AF_UNIX && type == SOCK_STREAM;
}

/* The relay takes what the rank has sent before it answers. */
static int save_pmi(const struct agent *agent, int fd,
		    struct cr_external *external, struct cr_error *err)
{
	struct cr_message message = { .type = CR_MSG_RELAY_STATE }, answer;
	struct stat st;
	int record = -1, rc;

	if (fstat(fd, &st) < 0)
		return 0;
	message.count = st.st_ino;
	rc = agent_relay_call_answer(agent, &message, -1, &answer, &record,
				     err);
	if (rc == -ENOENT)
		return 0;
	if (!rc && answer.local >= agent->step->nr_local_ranks)
		rc = cr_error_set(err, -EPROTO, "PMI: no such rank");
	if (!rc)
		rc = read_all(record, external, err);
	if (!rc)
		snprintf(external->name, sizeof(external->name), PMI_NAME,
			 agent->ranks[answer.local].rank);
	if (record >= 0)
		close(record);
	return rc ? rc : 1;
}

int agent_external_save(void *arg, pid_t pid, int number, int fd,
			struct cr_external *external, struct cr_error *err)
{
	const struct agent *agent = arg;
	struct stat st;

	(void)pid;
	(void)number;
	if (listens_on_tcp(fd)) {
		if (fstat(fd, &st) < 0 ||
		    !each_stepd_socket(agent, is_same, &st))
			return 0;
		strcpy(external->name, LISTENER_NAME);
		return 1;
	}
	if (agent->relay.session >= 0 && agent->relay.has_pmi &&
	    is_unix_stream(fd))
		return save_pmi(agent, fd, external, err);
	if (agent->relay.session < 0 ||
	    loopback_port(fd, peer_name) != agent->relay.port)
		return 0;
	return save_connection(agent, fd, external, err);
}

/* --- at a restart --- */

static int put_into_memfd(const struct cr_restart_external *external,
			  struct cr_error *err)
{
	int fd = memfd_create("pmix", MFD_CLOEXEC);

	if (fd < 0 ||
	    write(fd, external->note, external->note_length) !=
		    (ssize_t)external->note_length ||
	    write(fd, external->unread, external->unread_length) !=
		    (ssize_t)external->unread_length) {
		cr_error_errno(err, "PMIx connection");
		if (fd >= 0)
			close(fd);
		return -1;
	}
	return fd;
}

static int connect_relay(const struct agent *agent, struct cr_error *err)
{
	const struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons(agent->relay.port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && connect(fd, (const struct sockaddr *)&address,
			       sizeof(address)) == 0)
		return fd;
	cr_error_errno(err, "connect to the PMIx relay");
	if (fd >= 0)
		close(fd);
	return -1;
}

static int restart_connection(const struct agent *agent,
			      const struct cr_restart_external *external,
			      struct cr_error *err)
{
	struct cr_message message = { .type = CR_MSG_RELAY_RESTORE,
				      .count = external->note_length };
	int record, fd, rc;

	if (agent->relay.session < 0)
		return cr_error_set(err, -EOPNOTSUPP,
				    "the step had a PMIx server, and has none "
				    "now: srun --mpi=pmix");
	fd = connect_relay(agent, err);
	if (fd < 0)
		return err->code;
	message.value = loopback_port(fd, own_name);
	record = put_into_memfd(external, err);
	rc = record < 0 ? err->code :
			  agent_relay_call(agent, &message, record, NULL, err);
	if (record >= 0)
		close(record);
	if (rc) {
		close(fd);
		return rc;
	}
	return fd;
}

static int restart_pmi(const struct agent *agent, uint32_t rank,
		       const struct cr_restart_external *external,
		       struct cr_error *err)
{
	struct cr_message message = { .type = CR_MSG_RELAY_RESTORE,
				      .count = external->note_length };
	const uint32_t nr = agent->step->nr_local_ranks;
	int record, fd = -1, rc;

	while (message.local < nr && agent->ranks[message.local].rank != rank)
		message.local++;
	if (agent->relay.session < 0 || message.local == nr)
		return cr_error_set(err, -EOPNOTSUPP,
				    "rank %u had a PMI server, and has none "
				    "now: srun --mpi=pmi2",
				    rank);
	record = put_into_memfd(external, err);
	rc = record < 0 ? err->code :
			  agent_relay_call(agent, &message, record, &fd, err);
	if (record >= 0)
		close(record);
	if (!rc && fd < 0)
		rc = cr_error_set(err, -EPROTO, "PMI: no socket");
	return rc ? rc : fd;
}

int agent_external_restart(void *arg,
			   const struct cr_restart_external *external,
			   struct cr_error *err)
{
	const struct agent *agent = arg;
	uint32_t rank;
	int fd;

	if (sscanf(external->name, PMI_NAME, &rank) == 1)
		return restart_pmi(agent, rank, external, err);
	if (!strcmp(external->name, PMIX_NAME))
		return restart_connection(agent, external, err);
	if (strcmp(external->name, LISTENER_NAME) != 0)
		return cr_error_set(err, -EOPNOTSUPP,
				    "unknown external socket \"%s\"",
				    external->name);
	fd = each_stepd_socket(agent, take_listener, NULL);
	return fd > 0 ? fd :
			cr_error_set(err, -EOPNOTSUPP,
				     "slurmstepd had a listening socket, and "
				     "has none now: srun --mpi=pmix");
}
