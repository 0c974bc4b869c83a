// The npm package `openai`, unmodified except for its base URL: node npm_client.mjs BASE_URL TASK,TASK,… prints JSON.
import { createRequire } from "node:module";

const require = createRequire(process.cwd() + "/");
const OpenAI = require("openai").default ?? require("openai");
const [baseURL, names] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey: "key" });
const messages = [{ role: "user", content: "What is the capital of France?" }];
const ask = (more) => client.chat.completions.create({ model: "gpt-4o", messages, ...more });

const tasks = {
  async whole() {
    const reply = await ask();
    return { text: reply.choices[0].message.content, usage: reply.usage.total_tokens, id: reply._request_id };
  },
  async stream() {
    let text = "", finish = null;
    for await (const chunk of await ask({ stream: true })) {
      const choice = chunk.choices[0];
      if (choice?.delta?.content) text += choice.delta.content;
      finish = choice?.finish_reason ?? finish;
    }
    return { text, finish };
  },
  async helper() {
    const stream = client.chat.completions.stream({ model: "gpt-4o", messages });
    const reply = await stream.finalChatCompletion();
    return { text: reply.choices[0].message.content, finish: reply.choices[0].finish_reason };
  },
  async wrong() { return await client.chat.completions.create({ model: "gpt-4o", messages: [] }); },
  async unknown() { return await client.chat.completions.create({ model: "gpt-4o", messages: [{ role: "user", content: "?" }] }); },
  async refused() {
    const said = [];
    for (const body of JSON.parse(process.env.REFUSED)) {
      try { await client.chat.completions.create(body); } catch (error) { said.push(error.error?.message ?? `${error}`); }
    }
    return said;
  },
  async models() {
    const found = [];
    for await (const model of client.models.list()) found.push(model.id);
    return { found };
  },
};

// The bodies in a file, each sent unchanged.
async function send(path) {
  const texts = [];
  for (const body of JSON.parse(require("node:fs").readFileSync(path, "utf8"))) {
    const reply = await client.chat.completions.create(body);
    let text = "";
    if (body.stream) for await (const chunk of reply) text += chunk.choices[0]?.delta?.content ?? "";
    else text = reply.choices[0].message.content;
    texts.push(text);
  }
  return texts;
}

async function result(task) {
  try {
    return await (tasks[task] ?? (() => send(task)))();
  } catch (error) {
    const { status = null, code = null, param = null, requestID = null } = error;
    return { error: error.constructor.name, status, code, param, requestID, message: error.message };
  }
}

const results = [];
for (const task of names.split(",")) results.push(await result(task));
console.log(JSON.stringify(results));
