// SPDX-License-Identifier: Apache-2.0
// All that a client can do with berth-mcp-fixtures: fixtures_tour.mjs NPM KIND stdio COMMAND… | http URL.
import assert from 'node:assert';
import { connect } from './connect.mjs';

const [npm, kind, ...target] = process.argv.slice(2);
const asked = [];
const { client, version } = await connect(npm, kind, target, {
  'elicitation/create': async ({ params }) => {
    asked.push(params.message);
    return { action: 'accept', content: { name: 'Alice', color: 'blue' } };
  },
  'sampling/createMessage': async () => ({ role: 'assistant', model: 'm', content: { type: 'text', text: 'Paris' } }),
});
const modern = kind === 'v2' || kind === 'v2-auto';
if (version) assert.equal(version, modern ? '2026-07-28' : '2025-11-25');

async function text(name, args = {}, options = undefined) {
  const result = kind === 'v1' ? await client.callTool({ name, arguments: args }, undefined, options)
                               : await client.callTool({ name, arguments: args }, options);
  assert(!result.isError, `${name}: ${JSON.stringify(result.content)}`);
  return result.content[0].text;
}

const { tools } = await client.listTools();
assert.equal(tools[0].name, 'test_simple_text');
assert.equal(await text('echo', { text: 'grüß' }), 'text: grüß');
const wrong = await client.callTool({ name: 'fail_not_found', arguments: {} });
assert.equal(wrong.isError, true);
await assert.rejects(client.callTool({ name: 'nothing', arguments: {} }), (error) => error.code === -32602);

const seen = [];
assert.equal(await text('test_tool_with_progress', {}, { onprogress: ({ progress }) => seen.push(progress) }), 'Done.');
assert.deepEqual(seen.slice(0, 2), [0, 50]);  // the clients drop the last one when the answer comes right behind it

assert.equal(await text('test_input_required_result_elicitation'), 'Hello, Alice!');
assert.equal(await text('test_input_required_result_multi_round'), 'Alice likes blue.');
assert.equal(await text('test_sampling', { prompt: 'Capital of France?' }), 'LLM response: Paris');
assert.equal(asked.length, 3);

const gone = new AbortController();
const waiting = text('wait', {}, { signal: gone.signal, onprogress: () => gone.abort('enough') });
await assert.rejects(waiting);
assert.equal(await text('echo', { text: 'still there' }), 'text: still there');

const names = [];
for (let cursor; ;) {
  const page = await client.listResources(cursor ? { cursor } : undefined);
  names.push(...page.resources.map((resource) => resource.name));
  cursor = page.nextCursor;
  if (!cursor) break;
}
assert.equal(new Set(names).size, 5);
const { contents } = await client.readResource({ uri: 'test://template/7/data' });
assert.equal(JSON.parse(contents[0].text).id, '7');
await assert.rejects(client.readResource({ uri: 'test://nothing' }),
                     (error) => error.code === -32602 || error.code === -32002);
const { prompts } = await client.listPrompts();
assert.equal(prompts.length, 5);
const { messages } = await client.getPrompt({ name: 'test_prompt_with_arguments', arguments: { arg1: 'a', arg2: 'b' } });
assert.equal(messages[0].content.text, "Prompt with arguments: arg1='a', arg2='b'");
const { completion } = await client.complete({ ref: { type: 'ref/prompt', name: 'test_prompt_with_arguments' },
                                               argument: { name: 'arg1', value: 'par' } });
assert.deepEqual(completion.values, ['paris', 'park', 'party']);
await client.close();
console.log(JSON.stringify({ version, tools: tools.length }));
