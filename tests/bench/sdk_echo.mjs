// SPDX-License-Identifier: Apache-2.0
// The echo server of the official TypeScript SDK v2, for comparison.
// usage: sdk_echo.mjs stdio | sdk_echo.mjs PORT
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

// The packages are beside the directory this is run from, not beside this file.
const from = createRequire(`${process.cwd()}/`);
const load = (name) => import(pathToFileURL(from.resolve(name)));
const { McpServer, createMcpHandler, fromJsonSchema } = await load("@modelcontextprotocol/server");

function echo() {
    const server = new McpServer({ name: "echo", version: "1" });
    server.registerTool(
        "echo",
        {
            description: "Says it again.",
            inputSchema: fromJsonSchema({
                type: "object",
                properties: { text: { type: "string" } },
                required: ["text"],
            }),
        },
        async ({ text }) => ({ content: [{ type: "text", text }], structuredContent: { text } }),
    );
    return server;
}

if (process.argv[2] === "stdio") {
    const { serveStdio } = await load("@modelcontextprotocol/server/stdio");
    serveStdio(echo);
} else {
    const { toNodeHandler } = await load("@modelcontextprotocol/node");
    createServer(toNodeHandler(createMcpHandler(echo))).listen(Number(process.argv[2]), "127.0.0.1");
}
