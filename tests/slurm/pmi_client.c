/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pmi_client.c - a program that talks to its PMI-1 server and does nothing else
 *
 * Each rank puts a value, and gets that of the next rank after a fence.  Odd
 * ranks put another one and wait in a second fence; even ones do so when the
 * file "go" is in the working directory.  Then all get all values, those that
 * nobody had asked for before too, and take leave.  Rank 0 prints "count N
 * TOKEN HOST" meanwhile, as count.c does, and what has been right.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int rank, nr_ranks, server;
static char kvs[64];

static void __attribute__((noreturn)) wrong(const char *what, const char *text)
{
	fprintf(stderr, "WRONG: rank %d: %s: %s\n", rank, what, text);
	exit(3);
}

/* Say @question, wait for the line that begins with @wanted; @answer has it. */
static void ask(const char *question, const char *wanted, char answer[256])
{
	size_t length = 0;

	if (write(server, question, strlen(question)) !=
	    (ssize_t)strlen(question))
		wrong("not sent", question);
	do {
		if (length == 255 || read(server, answer + length, 1) != 1)
			wrong("no answer to", question);
		length++;
	} while (answer[length - 1] != '\n');
	answer[length - 1] = '\0';
	if (strncmp(answer, wanted, strlen(wanted)) != 0 ||
	    (strstr(answer, "rc=") && !strstr(answer, "rc=0")))
		wrong(question, answer);
}

static void greet(void)
{
	char answer[256], *name;

	ask("cmd=init pmi_version=1 pmi_subversion=1\n", "cmd=response_to_init",
	    answer);
	ask("cmd=get_my_kvsname\n", "cmd=my_kvsname", answer);
	name = strstr(answer, "kvsname=");
	if (!name)
		wrong("no kvsname", answer);
	name = strstr(name + 1, "kvsname=") ? strstr(name + 1, "kvsname=") :
					      name;
	snprintf(kvs, sizeof(kvs), "%.60s", name + strlen("kvsname="));
	kvs[strcspn(kvs, " ")] = '\0';
}

static void put(const char *when)
{
	char question[256], answer[256];

	snprintf(question, sizeof(question),
		 "cmd=put kvsname=%s key=%s-%d value=%s.of.%d\n", kvs, when,
		 rank, when, rank);
	ask(question, "cmd=put_result", answer);
}

static void get(const char *when, int of)
{
	char question[256], answer[256], value[64];

	snprintf(question, sizeof(question), "cmd=get kvsname=%s key=%s-%d\n",
		 kvs, when, of);
	snprintf(value, sizeof(value), "value=%s.of.%d", when, of);
	ask(question, "cmd=get_result", answer);
	if (!strstr(answer, value))
		wrong(question, answer);
}

static void fence(void)
{
	char answer[256];

	ask("cmd=barrier_in\n", "cmd=barrier_out", answer);
}

static void say(const char *text)
{
	if (rank == 0) {
		puts(text);
		fflush(stdout);
	}
}

static void await_go(void)
{
	const unsigned int token = (unsigned int)time(NULL) * 2654435761u;
	char line[128], host[64];

	for (unsigned int n = 1; access("go", F_OK) != 0; n++) {
		gethostname(host, sizeof(host));
		snprintf(line, sizeof(line), "count %u %08x %s", n, token,
			 host);
		say(line);
		usleep(100000);
	}
}

static int number_of(const char *variable)
{
	const char *value = getenv(variable);

	if (!value)
		wrong("not set", variable);
	return atoi(value);
}

int main(void)
{
	char answer[256];

	rank = number_of("PMI_RANK");
	nr_ranks = number_of("PMI_SIZE");
	server = number_of("PMI_FD");
	greet();
	put("early");
	fence();
	get("early", (rank + 1) % nr_ranks);
	say("early values are right");
	if (rank % 2 == 0)
		await_go();
	put("late");
	fence();
	for (int of = 0; of < nr_ranks; of++) {
		get("early", of);
		get("late", of);
	}
	say("late values are right");
	fence();
	ask("cmd=finalize\n", "cmd=finalize_ack", answer);
	say("finalized");
	return 0;
}
