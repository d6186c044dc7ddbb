#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Stops berthd and berth-mcp, however they were started. Containers go on running.
. "$(dirname "$0")/lib.sh"
need_root
stop_services
say "berthd and berth-mcp are stopped; containers go on running, and scripts/quickstart.sh starts the two again"
