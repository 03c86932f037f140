// Does with npm's client what comes as lines of JSON, {"id", "do", "with"}, and says
// what came of each as one more: {"id", "value"} or {"id", "error"}. Bytes are
// {"base64"}.
"use strict";

const readline = require("node:readline");
const FormData = require("form-data");
const initCycleTLS = require("cycletls");

console.log = console.error; // the client logs; stdout is for answers

let client;
const streams = [];

const commands = {
  async init(options) {
    client = await initCycleTLS(options);
  },

  // Sends a request by the client's method of this name, and returns the response.
  async request(method, url, options = {}) {
    return plain(await client[method](url, bodied(options)));
  },

  // Sends requests at once and returns the bodies of their responses.
  async together(urls) {
    const responses = await Promise.all(urls.map((url) => client.get(url, { responseType: "text" })));
    return responses.map((response) => response.data);
  },

  // The next piece of a response whose data is a stream, null at its end.
  async read(number) {
    const { value, done } = await streams[number].iterator.next();
    return done ? null : packed(value);
  },

  async destroy(number) {
    streams[number].stream.destroy();
  },

  async exit() {
    await client.exit();
  },
};

// Bodies that JSON has no form for.
function bodied(options) {
  const { form, search, base64, ...rest } = options;
  if (base64 !== undefined) return { ...rest, body: Buffer.from(base64, "base64") };
  if (search !== undefined) return { ...rest, body: new URLSearchParams(search) };
  if (form === undefined) return rest;
  const body = new FormData();
  for (const [name, value, filename] of form) body.append(name, value, filename && { filename });
  return { ...rest, body };
}

function plain({ status, headers, finalUrl, data }) {
  if (data && typeof data.pipe === "function") {
    streams.push({ stream: data, iterator: data[Symbol.asyncIterator]() });
    return { status, headers, finalUrl, stream: streams.length - 1 };
  }
  return { status, headers, finalUrl, data: packed(data) };
}

function packed(data) {
  if (data instanceof ArrayBuffer || ArrayBuffer.isView(data)) {
    return { base64: Buffer.from(data).toString("base64") };
  }
  return data;
}

readline.createInterface({ input: process.stdin }).on("line", async (line) => {
  const { id, do: name, with: given } = JSON.parse(line);
  let answer;
  try {
    answer = { id, value: (await commands[name](...given)) ?? null };
  } catch (error) {
    answer = { id, error: String(error) };
  }
  process.stdout.write(JSON.stringify(answer) + "\n");
}).on("close", () => process.exit());
