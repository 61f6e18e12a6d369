#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# rdma.sh - a program with an RDMA device (rdma_rxe, which is software) open and
# mapped is refused, by names for which spank_cr/advice.c has what to set
set -eu

client=${build:?}/tests/vm/rdma_client
[ -x "$client" ] || {
	echo "lacking - rdma_client was not built: libibverbs-dev is missing"
	exit 0
}
modprobe rdma_rxe || {
	echo "lacking - this kernel has no rdma_rxe"
	exit 0
}
rdma link add rxe0 type rxe netdev lo
"${cr:?}" run -- "$client" /tmp/rdma_ready &
holder=$!
for _ in $(seq 300); do
	[ ! -e /tmp/rdma_ready ] || break
	kill -0 $holder
	sleep 0.1
done
status=0
"$cr" check $holder >/tmp/rdma_verdict 2>&1 || status=$?
cat /tmp/rdma_verdict
kill $holder
[ $status = 3 ]
grep -Eq 'vpid 2 fd [0-9]+: device /dev/infiniband/uverbs0' /tmp/rdma_verdict
grep -Eq '0x[0-9a-f]+-0x[0-9a-f]+.*/dev/infiniband/uverbs0' /tmp/rdma_verdict
rdma link delete rxe0
