// SPDX-License-Identifier: Apache-2.0
// An official client, connected: v1 is the SDK of the legacy revisions; v2 speaks the newest one, v2-auto finds out
// what the server speaks, v2-legacy agrees on a legacy revision. `target` is stdio COMMAND… or http URL.
import { createRequire } from 'node:module';

const VERSION_MODES = { v2: { pin: '2026-07-28' }, 'v2-auto': 'auto', 'v2-legacy': 'legacy' };

function sdk(require, kind) {
  if (kind === 'v1') {
    return { ...require('@modelcontextprotocol/sdk/client/index.js'),
             ...require('@modelcontextprotocol/sdk/client/stdio.js'),
             ...require('@modelcontextprotocol/sdk/client/streamableHttp.js'),
             ...require('@modelcontextprotocol/sdk/types.js') };
  }
  return { ...require('@modelcontextprotocol/client'), ...require('@modelcontextprotocol/client/stdio') };
}

/// `answers` maps methods that the server may ask, such as elicitation/create, to functions.
export async function connect(npm, kind, [transport, ...target], answers = {}) {
  const { Client, StdioClientTransport, StreamableHTTPClientTransport, ...rest } =
    sdk(createRequire(`${npm}/here.js`), kind);
  const capabilities = Object.fromEntries(Object.keys(answers).map((method) => [method.split('/')[0], {}]));
  const mode = VERSION_MODES[kind];
  const client = new Client({ name: 'berth-tests', version: '1' },
                            { capabilities, ...(mode ? { versionNegotiation: { mode } } : {}) });
  const schemas = { 'elicitation/create': rest.ElicitRequestSchema, 'sampling/createMessage': rest.CreateMessageRequestSchema };
  for (const [method, answer] of Object.entries(answers)) {
    client.setRequestHandler(kind === 'v1' ? schemas[method] : method, answer);
  }
  const connection = transport === 'stdio'
    ? new StdioClientTransport({ command: target[0], args: target.slice(1), stderr: 'inherit', env: process.env })
    : new StreamableHTTPClientTransport(new URL(target[0]));
  await client.connect(connection);
  const version = kind === 'v1' ? connection.protocolVersion ?? '' : client.getNegotiatedProtocolVersion();
  return { client, version };
}
