/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * manifest_tcp.c - nodes' addresses and TCP connections in a manifest
 */
#include <string.h>

#include "manifest_json.h"

json_t *cr_manifest_pack_addresses(const struct cr_manifest *manifest)
{
	json_t *array = json_array();
	char text[CR_TCP_ADDRESS_TEXT];

	for (size_t i = 0; i < manifest->nr_addresses; i++) {
		const struct cr_manifest_address *a = &manifest->addresses[i];

		json_array_append_new(array,
				      json_pack("{sI sI ss ss}", "node",
						(json_int_t)a->node, "prefix",
						(json_int_t)a->prefix,
						"interface", a->interface,
						"address",
						cr_tcp_print(&a->address,
							     text)));
	}
	return array;
}

static json_t *pack_end(const struct cr_manifest_end *one)
{
	char local[CR_TCP_ADDRESS_TEXT], remote[CR_TCP_ADDRESS_TEXT];
	const struct cr_tcp_end *end = &one->end;

	return json_pack("{sI sI sI sI ss ss sI sI sI sI sI sI}", "node",
			 (json_int_t)one->node, "kind", (json_int_t)end->kind,
			 "vpid", (json_int_t)end->vpid, "fd",
			 (json_int_t)end->fd, "local",
			 cr_tcp_print(&end->local, local), "remote",
			 cr_tcp_print(&end->remote, remote), "send_first",
			 (json_int_t)end->send_first, "send_end",
			 (json_int_t)end->send_end, "received",
			 (json_int_t)end->received, "window_end",
			 (json_int_t)end->window_end, "fin_sent",
			 (json_int_t)end->fin_sent, "fin_received",
			 (json_int_t)end->fin_received);
}

json_t *cr_manifest_pack_ends(const struct cr_manifest *manifest)
{
	json_t *array = json_array();

	for (size_t i = 0; i < manifest->nr_ends; i++)
		json_array_append_new(array, pack_end(&manifest->ends[i]));
	return array;
}

static void get_address(const json_t *json, const char *key,
			struct cr_tcp_address *address, int *bad)
{
	char text[CR_TCP_ADDRESS_TEXT];

	if (cr_json_text(json, key, text, sizeof(text)) ||
	    cr_tcp_scan(text, address))
		*bad = 1;
}

static void unpack_address(const json_t *json, void *to, int *bad)
{
	struct cr_manifest_address *a = to;

	a->node = cr_json_u32(json, "node", bad);
	a->prefix = cr_json_u32(json, "prefix", bad);
	if (a->prefix > 128 ||
	    cr_json_text(json, "interface", a->interface, sizeof(a->interface)))
		*bad = 1;
	get_address(json, "address", &a->address, bad);
}

static void unpack_end(const json_t *json, void *to, int *bad)
{
	struct cr_manifest_end *one = to;
	struct cr_tcp_end *end = &one->end;

	one->node = cr_json_u32(json, "node", bad);
	end->kind = cr_json_u32(json, "kind", bad);
	end->vpid = cr_json_u32(json, "vpid", bad);
	end->fd = cr_json_u32(json, "fd", bad);
	get_address(json, "local", &end->local, bad);
	get_address(json, "remote", &end->remote, bad);
	end->send_first = cr_json_u32(json, "send_first", bad);
	end->send_end = cr_json_u32(json, "send_end", bad);
	end->received = cr_json_u32(json, "received", bad);
	end->window_end = cr_json_u32(json, "window_end", bad);
	end->fin_sent = cr_json_u32(json, "fin_sent", bad);
	end->fin_received = cr_json_u32(json, "fin_received", bad);
	if (end->kind < CR_TCP_END || end->kind > CR_TCP_END_HALF ||
	    end->fin_sent > 1 || end->fin_received > 1)
		*bad = 1;
}

void cr_manifest_unpack_tcp(const json_t *json, struct cr_manifest *manifest,
			    int *bad)
{
	manifest->addresses =
		cr_json_array(json, "addresses",
			      (size_t)CR_MANIFEST_ADDRESSES_MAX *
				      manifest->nr_nodes,
			      sizeof(*manifest->addresses), unpack_address,
			      &manifest->nr_addresses, bad);
	manifest->ends =
		cr_json_array(json, "connections", CR_MANIFEST_ENDS_MAX,
			      sizeof(*manifest->ends), unpack_end,
			      &manifest->nr_ends, bad);
}
