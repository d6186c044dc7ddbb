// SPDX-License-Identifier: Apache-2.0
// The first path with an official client: first_path.mjs NPM v1|v2|v2-auto NAME stdio COMMAND… | http URL.
// Says on stdout where the page is, waits for a line on stdin while others read it, and deletes.
import assert from 'node:assert';
import { createInterface } from 'node:readline/promises';
import { connect } from './connect.mjs';

const [npm, kind, name, ...target] = process.argv.slice(2);
const { client } = await connect(npm, kind, target);

async function call(tool, args) {
  const result = await client.callTool({ name: tool, arguments: args });
  assert(!result.isError, `${tool}: ${JSON.stringify(result.content)}`);
  assert(result.content.length > 0, `${tool} has nothing for a person to read`);
  return result.structuredContent;
}

const { tools } = await client.listTools();
assert(tools.some((tool) => tool.name === 'container_create'));

const created = await call('container_create', { name });
assert.equal(created.state, 'running');

const hello = await call('container_exec', { container: name, argv: ['printf', 'hello from %s', name] });
assert.equal(hello.exit_code, 0);

const page = `page of ${name}\n`;
const serve = `
import socket
s = socket.create_server(("", 80))
while True:
    c, _ = s.accept()
    c.recv(4096)
    c.sendall(b"HTTP/1.0 200 OK\\r\\nContent-Length: ${page.length}\\r\\n\\r\\n" + ${JSON.stringify(page)}.encode())
    c.close()
`;
await call('container_exec', { container: name,
  argv: ['sh', '-c', 'setsid python3 -c "$1" >/dev/null 2>&1 </dev/null &', 'sh', serve] });
const forward = await call('port_add', { container: name, container_port: 80 });

console.log(JSON.stringify({ hello: hello.stdout.text, host_port: forward.host_port }));
const input = createInterface({ input: process.stdin });
await input.question('');
input.close();

const gone = await call('container_delete', { name, force: true });
assert.equal(gone.deleted, true);
const refused = await client.callTool({ name: 'container_get', arguments: { name } });
assert.equal(refused.isError, true);
await client.close();
