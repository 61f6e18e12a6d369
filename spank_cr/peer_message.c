/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * peer_message.c - bytes of a message between agents; see peer_message.h
 *
 * Little-endian: magic, version, all fields in the order of the struct, then
 * the text's length in 16 bits and the text.
 */
#include <errno.h>
#include <string.h>

#include "peer_message.h"
#include "step_fsm.h"

#define MAGIC 0x4d525043u /* "CPRM" */
#define VERSION 1u
#define FIXED 106 /* bytes before the text */

struct cursor {
	uint8_t *to;
	const uint8_t *from;
};

static void put(struct cursor *c, uint64_t value, int bytes)
{
	for (int i = 0; i < bytes; i++)
		*c->to++ = (uint8_t)(value >> (8 * i));
}

static uint64_t get(struct cursor *c, int bytes)
{
	uint64_t value = 0;

	for (int i = 0; i < bytes; i++)
		value |= (uint64_t)*c->from++ << (8 * i);
	return value;
}

static int is_printable(uint8_t byte)
{
	return byte >= ' ' && byte != 127;
}

size_t cr_peer_encode(const struct cr_peer_message *m,
		      uint8_t bytes[CR_PEER_BYTES_MAX])
{
	const size_t length = strnlen(m->text, sizeof(m->text) - 1);
	struct cursor c = { .to = bytes };

	put(&c, MAGIC, 4);
	put(&c, VERSION, 4);
	put(&c, m->type, 4);
	put(&c, m->job, 4);
	put(&c, m->step, 4);
	put(&c, m->from, 4);
	put(&c, m->to, 4);
	memcpy(c.to, m->nonce, CR_PEER_NONCE);
	c.to += CR_PEER_NONCE;
	put(&c, m->session, 8);
	put(&c, m->sequence, 8);
	put(&c, m->round, 4);
	put(&c, m->generation, 4);
	put(&c, m->barrier, 4);
	put(&c, m->flags, 4);
	put(&c, (uint32_t)m->value, 4);
	put(&c, m->count, 8);
	put(&c, m->bytes_done, 8);
	put(&c, m->bytes_total, 8);
	put(&c, length, 2);
	for (size_t i = 0; i < length; i++)
		put(&c,
		    is_printable((uint8_t)m->text[i]) ? (uint8_t)m->text[i] :
							'?',
		    1);
	return (size_t)(c.to - bytes);
}

static void get_all(struct cursor *c, struct cr_peer_message *m)
{
	m->type = (uint32_t)get(c, 4);
	m->job = (uint32_t)get(c, 4);
	m->step = (uint32_t)get(c, 4);
	m->from = (uint32_t)get(c, 4);
	m->to = (uint32_t)get(c, 4);
	memcpy(m->nonce, c->from, CR_PEER_NONCE);
	c->from += CR_PEER_NONCE;
	m->session = get(c, 8);
	m->sequence = get(c, 8);
	m->round = (uint32_t)get(c, 4);
	m->generation = (uint32_t)get(c, 4);
	m->barrier = (uint32_t)get(c, 4);
	m->flags = (uint32_t)get(c, 4);
	m->value = (int32_t)get(c, 4);
	m->count = get(c, 8);
	m->bytes_done = get(c, 8);
	m->bytes_total = get(c, 8);
}

static const char *what_is_wrong(const struct cr_peer_message *m)
{
	if (!m->type || m->type >= CR_NR_PEER_TYPES)
		return "an unknown type";
	if (m->barrier >= CR_NR_BARRIERS)
		return "an unknown barrier";
	if (m->flags & ~CR_PEER_FLAGS)
		return "unknown flags";
	if (m->bytes_done > m->bytes_total)
		return "more bytes done than there are";
	for (const char *c = m->text; *c; c++)
		if (!is_printable((uint8_t)*c))
			return "text that is none";
	return NULL;
}

int cr_peer_decode(const void *bytes, size_t length,
		   struct cr_peer_message *message, struct cr_error *err)
{
	struct cursor c = { .from = bytes };
	const char *wrong;
	size_t text;

	memset(message, 0, sizeof(*message));
	if (length < FIXED)
		return cr_error_set(err, -EBADMSG, "a message of %zu bytes",
				    length);
	if (get(&c, 4) != MAGIC || get(&c, 4) != VERSION)
		return cr_error_set(err, -EBADMSG,
				    "no message, or of another version");
	get_all(&c, message);
	text = (size_t)get(&c, 2);
	if (text >= sizeof(message->text) || length != FIXED + text)
		wrong = "a wrong length";
	else if (text && memchr(c.from, 0, text))
		wrong = "text that is none";
	else if (memcpy(message->text, c.from, text))
		wrong = what_is_wrong(message);
	else
		wrong = NULL;
	if (!wrong)
		return 0;
	memset(message, 0, sizeof(*message));
	return cr_error_set(err, -EBADMSG, "a message with %s", wrong);
}

const char *cr_peer_type_name(uint32_t type)
{
	static const char *const names[CR_NR_PEER_TYPES] = {
		"?",	    "HELLO", "TERM",	"ARRIVED", "FAILED",
		"PROGRESS", "LEAVE", "WELCOME", "FORWARD", "CHECKPOINT",
		"PASS",	    "ABORT", "RESTART", "PING",	   "MOVES",
	};

	return names[type < CR_NR_PEER_TYPES ? type : 0];
}

int cr_peer_check(struct cr_peer_expect *expect,
		  const struct cr_peer_message *m, struct cr_error *err)
{
	const char *type = cr_peer_type_name(m->type);

	if (m->job != expect->job || m->step != expect->step)
		return cr_error_set(err, -EPERM, "%s of step %u.%u", type,
				    m->job, m->step);
	if (memcmp(m->nonce, expect->nonce, CR_PEER_NONCE) != 0)
		return cr_error_set(err, -EPERM, "%s of another run", type);
	if (m->to != expect->to)
		return cr_error_set(err, -EPERM, "%s for node %u", type, m->to);
	if (expect->any_from ? !m->from || m->from >= expect->nr_nodes :
			       m->from != expect->from)
		return cr_error_set(err, -EPERM, "%s from node %u", type,
				    m->from);
	if (!m->session || (expect->session && m->session != expect->session))
		return cr_error_set(err, -EPERM, "%s of another connection",
				    type);
	if (m->sequence <= expect->last_sequence)
		return cr_error_set(err, -EALREADY,
				    "%s number %llu after number %llu", type,
				    (unsigned long long)m->sequence,
				    (unsigned long long)expect->last_sequence);
	expect->last_sequence = m->sequence;
	return 0;
}
