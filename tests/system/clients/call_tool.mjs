// SPDX-License-Identifier: Apache-2.0
// Lists the tools and calls one: call_tool.mjs NPM v1|v2|v2-auto|v2-legacy TOOL ARGUMENTS stdio COMMAND… | http URL.
// Says on stdout what it has seen.
import { connect } from './connect.mjs';

const [npm, kind, name, args, ...target] = process.argv.slice(2);
const { client, version } = await connect(npm, kind, target);
const { tools } = await client.listTools();
const result = await client.callTool({ name, arguments: JSON.parse(args) });
console.log(JSON.stringify({ version, server: client.getServerVersion(), instructions: client.getInstructions(),
                             tools: tools.map((tool) => tool.name), result }));
await client.close();
